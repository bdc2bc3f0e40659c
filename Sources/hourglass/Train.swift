import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model and keeps everything about it in the folder of a run.",
    discussion: """
      --epochs and --steps count from the beginning of the run; --steps alone sets no limit to the epochs. A run goes \
      on from its last checkpoint with --run DIR --resume: its recipe stays, and only more epochs or steps, workers, \
      threads and what concerns output may be given. --config FILE.json may hold all of it, such as \
      {"model": "conv-vae-28", "data": "photos", "optimizer": {"learningRate": 0.002}, "workers": 4}; the recipe.json \
      of a run is such a file. Neither workers nor threads change a result. OMP_NUM_THREADS and OMP_THREAD_LIMIT are \
      respected where no flag says otherwise. SIGINT and SIGTERM write a checkpoint and stop; a second one stops at \
      once. --max-time ends a session in the same way, but with exit code 0; it counts from the session's start and is \
      looked at between steps. --patience ends a run that no longer improves; --resume with more of it goes on.

      Examples:
        hourglass train --model conv-vae-28 --data fashion-mnist --run runs/f
        hourglass train --run runs/f --resume --epochs 10
        hourglass train --config settings.json --patience 5 --max-time 2h
        hourglass train --config runs/f/recipe.json --seed 2 --run runs/g
        hourglass train --config runs/f/recipe.json --steps 100 --profile
      """)

  @Option(
    help: ArgumentHelp(
      "Settings under the names of recipe.json, and of the flags that decide no result; flags win.",
      valueName: "file.json"))
  var config: String?

  @OptionGroup(title: "What decides the result") var flags: RecipeFlags

  @OptionGroup(title: "What decides the speed") var division: DivisionOptions

  @Option(
    help: ArgumentHelp(
      "Keep so much of each set decoded, as 512M or 4G; read the rest in every epoch. (default: a third of memory)",
      valueName: "bytes"))
  var memoryLimit: MemoryLimit?

  @Option(help: ArgumentHelp("Write a checkpoint every so many steps too, not only after epochs.", valueName: "steps"))
  var checkpointEvery: Int?

  @Option(
    help: ArgumentHelp(
      "Let this session train no longer, as 90s, 30m or 1h30m; it ends with a checkpoint to go on from.",
      valueName: "time"))
  var maxTime: TimeLimit?

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("The folder of the run. (default: runs/MODEL-DATE-TIME)", valueName: "dir"))
  var folder: String?

  @Flag(help: "Go on with the run from its last checkpoint.")
  var resume = false

  @Flag(help: "Show what would be trained, and train and write nothing.")
  var dryRun = false

  @Flag(help: "Time each layer of this session's steps: a table at the end, profile.json, bars in the report.")
  var profile = false

  @Flag(
    name: .customLong("tensorboard"),
    help: "Write epochs and reconstructions for TensorBoard too, into the run's folder tensorboard.")
  var tensorBoard = false

  @Flag(help: "Print one JSON object for each epoch and one at the end.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    try requirePositive("--checkpoint-every", checkpointEvery)
    if resume && folder == nil {
      throw ValidationError("--resume: wanted the run to go on with as --run DIR, found none")
    }
    if resume && config != nil {
      throw ValidationError("--config: wanted none with --resume, for a resumed run keeps its recipe, found a file")
    }
    if !resume && flags.model == nil && config == nil {
      throw ValidationError("--model: wanted a model's name or file, or a run with --resume, found none")
    }
  }

  mutating func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    SignalHandling.install()
    let file = try config.map { try Configuration(reading: $0) } ?? Configuration()
    try adopt(file)
    if dryRun { return try showPlan(file) }
    let deadline = maxTime.map { start + .seconds($0.seconds) }
    let isOver = { deadline.map { clock.now >= $0 } ?? false }
    let session = try resume ? openRun() : newRun(file)
    let progress = Progress(isQuiet: quiet)
    let (trainer, run) = (session.trainer, session.run)
    let verb = trainer.progress.step > 0 ? "goes on at step \(trainer.progress.step)" : "begins"
    progress.note(
      "\(trainer.recipe.model.name) on \(trainer.data.count) of \(trainer.data.source); \(run.path) \(verb)")

    list(refused: trainer.data.refused)
    if let kept = trainer.data.keptCount {
      progress.note("\(kept) images stay decoded in memory (--memory-limit), the others are decoded in every epoch")
    }

    var hasWarned = false
    // What fails from here on fails while writing.
    let end = try writing {
      try trainer.run(
        checkpointEvery: checkpointEvery, shouldStop: { SignalHandling.stopIsWanted || isOver() }
      ) { event in
        progress.show(event, epochs: trainer.recipe.epochs)
        if !hasWarned, case .epoch(let metrics) = event, let warning = trainer.collapseWarning(after: metrics) {
          hasWarned = true
          progress.clear()
          StandardError.write("hourglass: warning: \(warning)")
        }
        if json, case .epoch(let metrics) = event { StandardOutput.write(EpochMetrics.json(metrics)) }
      }
    }
    progress.clear()
    if let profile = trainer.training.profile { try show(profile, in: run) }
    let isInterrupted = end == .interrupted && SignalHandling.stopIsWanted
    if end != .interrupted { try writing { try trainer.writePictures(to: run) } }
    report(end == .interrupted && !isInterrupted ? "outOfTime" : end.rawValue, trainer, run)
    if isInterrupted { throw ExitStatusError(status: .interrupted) }
  }

  /// What the file says of this session where the flags are silent.
  private mutating func adopt(_ file: Configuration) throws {
    try division.adopt(file)
    memoryLimit = memoryLimit ?? file.memoryLimit
    checkpointEvery = checkpointEvery ?? file.checkpointEvery
    maxTime = maxTime ?? file.maxTime
    try requirePositive("--checkpoint-every", checkpointEvery)
    folder = folder ?? file.run
    json = json || file.json == true
    quiet = quiet || file.quiet == true
    profile = profile || file.profile == true
    tensorBoard = tensorBoard || file.tensorboard == true
  }

  var memoryForImages: Int { memoryLimit?.bytes ?? GrantedMemory.forImages }

  /// A recipe, and the folder where its run may begin.
  func recipeOfNewRun(_ file: Configuration) throws -> (recipe: Recipe, path: String) {
    let recipe = try flags.recipe(file)
    let path = folder ?? Self.defaultPath(recipe.model.name)
    if let refusal = RunFolder(path).refusal { throw ValidationError("--run: \(refusal)") }
    return (recipe, path)
  }

  /// The run that is to go on: its recipe, and that with the end that was asked for.
  func recipesOfRun() throws -> (run: RunFolder, recipe: Recipe, extended: Recipe) {
    let (run, recipe) = try RunFolder.open(folder ?? "")
    try flags.check(against: recipe, path: run.path)
    return (run, recipe, flags.extended(recipe))
  }

  private func newRun(_ file: Configuration) throws -> (trainer: Trainer, run: RunFolder) {
    let (recipe, path) = try recipeOfNewRun(file)
    let parallel = division.plan(shards: recipe.shards)
    let run = try writing { try RunFolder.create(path, recipe: recipe) }
    do {
      try writing {
        try run.append(RunEnvironment(parallel: parallel, arguments: Array(CommandLine.arguments.dropFirst())))
      }
      return (try trainer(recipe, parallel, run), run)
    } catch {
      // Nothing was learned yet, and the folder would stand in the way of a second attempt.
      try? FileManager.default.removeItem(atPath: path)
      throw error
    }
  }

  private func openRun() throws -> (trainer: Trainer, run: RunFolder) {
    let (run, recipe, extended) = try recipesOfRun()
    let parallel = division.plan(shards: recipe.shards)
    try writing { try run.makeFolders() }
    let trainer = try trainer(extended, parallel, run, resume: true)
    try flags.checkExtension(from: recipe, to: extended, stepsPerEpoch: trainer.stepsPerEpoch, path: run.path)
    try writing {
      try run.save(extended)
      try run.append(RunEnvironment(parallel: parallel, arguments: Array(CommandLine.arguments.dropFirst())))
    }
    return (trainer, run)
  }

  private func trainer(
    _ recipe: Recipe, _ parallel: ParallelPlan, _ run: RunFolder, resume: Bool = false
  ) throws -> Trainer {
    try Trainer(
      recipe, parallel: parallel, run: run, resume: resume, memory: memoryForImages, profiles: profile,
      tensorBoard: tensorBoard)
  }

  private static func defaultPath(_ model: String) -> String {
    let name = model.replacing(/[^A-Za-z0-9._-]/, with: "-")
    let format = Date.VerbatimFormatStyle(
      format: """
        \(year: .padded(4))\(month: .twoDigits)\(day: .twoDigits)-\
        \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased))\(minute: .twoDigits)\(second: .twoDigits)
        """, timeZone: .current, calendar: Calendar(identifier: .gregorian))
    return "runs/\(name)-\(Date().formatted(format))"
  }

  /// The last line of `--json`.
  private struct EndReport: Encodable {
    var event: String
    var epochs: Int
    var steps: Int
    var samplesPerSecond: Double
    var weightsHash: String
    var run: String
  }

  private func report(_ end: String, _ trainer: Trainer, _ run: RunFolder) {
    let progress = trainer.progress
    let report = EndReport(
      event: end, epochs: trainer.epochsDone, steps: progress.step,
      samplesPerSecond: Double(progress.samples) / max(progress.seconds, 1e-9), weightsHash: trainer.weightsHash,
      run: run.path)
    if json { return StandardOutput.write(EpochMetrics.json(report)) }
    var rows = [
      [
        report.event,
        "\(report.epochs) epochs, \(report.steps) steps, \(grouped(Int(report.samplesPerSecond))) samples/s",
      ]
    ]
    if let last = trainer.metrics.epochs.last {
      let validation = last.validationLoss.map { ", validation \(decimal($0))" } ?? ""
      rows.append(["loss", decimal(last.loss) + validation])
      let input = [trainer.metrics.epochs.first?.inputPercent, last.inputPercent].compactMap(\.self)
      if input.count == 2 {
        rows.append([
          "input", "\(decimal(input[0], 2)) % of the first epoch's steps, \(decimal(input[1], 2)) % of the last",
        ])
      }
    }
    rows += [["weights", report.weightsHash], ["run", run.path]]
    let hasEnded = [Trainer.End.finished, .stoppedEarly].contains { $0.rawValue == end }
    if hasEnded {
      rows += [["pictures", run.file("pictures")], ["report", run.report]]
    } else {
      rows.append(["go on with", "hourglass train --run \(run.path) --resume"])
    }
    StandardOutput.write(table: rows)
  }
}
