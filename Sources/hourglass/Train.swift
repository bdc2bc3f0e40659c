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
      threads and what concerns output may be given. Neither workers nor threads change a result. OMP_NUM_THREADS and \
      OMP_THREAD_LIMIT are respected where no flag says otherwise. SIGINT and SIGTERM write a checkpoint and stop; a \
      second one stops at once.

      Examples:
        hourglass train --model conv-vae-28 --data fashion-mnist --run runs/f
        hourglass train --run runs/f --resume --epochs 10
      """)

  @OptionGroup(title: "What decides the result") var flags: RecipeFlags

  @OptionGroup(title: "What decides the speed") var division: DivisionOptions

  @Option(help: ArgumentHelp("Write a checkpoint every so many steps too, not only after epochs.", valueName: "steps"))
  var checkpointEvery: Int?

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("The folder of the run. (default: runs/MODEL-DATE-TIME)", valueName: "dir"))
  var folder: String?

  @Flag(help: "Go on with the run from its last checkpoint.")
  var resume = false

  @Flag(help: "Print one JSON object for each epoch and one at the end.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    try requirePositive("--checkpoint-every", checkpointEvery)
    if resume && folder == nil {
      throw ValidationError("--resume: wanted the run to go on with as --run DIR, found none")
    }
    if !resume && flags.model == nil {
      throw ValidationError("--model: wanted a model's name or file, or a run with --resume, found none")
    }
  }

  func run() throws {
    SignalHandling.install()
    let session = try resume ? openRun() : newRun()
    let progress = Progress(isQuiet: quiet)
    let (trainer, run) = (session.trainer, session.run)
    let verb = trainer.progress.step > 0 ? "goes on at step \(trainer.progress.step)" : "begins"
    progress.note(
      "\(trainer.recipe.model.name) on \(trainer.data.count) of \(trainer.data.source); \(run.path) \(verb)")

    list(refused: trainer.data.refused)

    // What fails from here on fails while writing.
    let end = try writing {
      try trainer.run(checkpointEvery: checkpointEvery, shouldStop: { SignalHandling.stopIsWanted }) { event in
        progress.show(event, epochs: trainer.recipe.epochs)
        if json, case .epoch(let metrics) = event { StandardOutput.write(EpochMetrics.json(metrics)) }
      }
    }
    progress.clear()
    if end == .finished { try writing { try trainer.writePictures(to: run) } }
    report(end, trainer, run)
    if end == .interrupted { throw ExitStatusError(status: .interrupted) }
  }

  private func newRun() throws -> (trainer: Trainer, run: RunFolder) {
    let recipe = try flags.recipe()
    let path = folder ?? Self.defaultPath(recipe.model.name)
    if let refusal = RunFolder(path).refusal { throw ValidationError("--run: \(refusal)") }
    let parallel = division.plan(shards: recipe.shards)
    let run = try writing { try RunFolder.create(path, recipe: recipe) }
    do {
      try writing {
        try run.append(RunEnvironment(parallel: parallel, arguments: Array(CommandLine.arguments.dropFirst())))
      }
      return (try Trainer(recipe, parallel: parallel, run: run), run)
    } catch {
      // Nothing was learned yet, and the folder would stand in the way of a second attempt.
      try? FileManager.default.removeItem(atPath: path)
      throw error
    }
  }

  private func openRun() throws -> (trainer: Trainer, run: RunFolder) {
    let (run, recipe) = try RunFolder.open(folder ?? "")
    try flags.check(against: recipe, path: run.path)
    let parallel = division.plan(shards: recipe.shards)
    try writing { try run.makeFolders() }
    let extended = flags.extended(recipe)
    let trainer = try Trainer(extended, parallel: parallel, run: run, resume: true)
    try flags.checkExtension(from: recipe, to: extended, stepsPerEpoch: trainer.stepsPerEpoch, path: run.path)
    try writing {
      try run.save(extended)
      try run.append(RunEnvironment(parallel: parallel, arguments: Array(CommandLine.arguments.dropFirst())))
    }
    return (trainer, run)
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

  private func report(_ end: Trainer.End, _ trainer: Trainer, _ run: RunFolder) {
    let progress = trainer.progress
    let report = EndReport(
      event: end == .finished ? "finished" : "interrupted", epochs: trainer.epochsDone, steps: progress.step,
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
    }
    rows += [["weights", report.weightsHash], ["run", run.path]]
    if end == .finished { rows += [["pictures", run.file("pictures")], ["report", run.report]] }
    if end == .interrupted { rows.append(["go on with", "hourglass train --run \(run.path) --resume"]) }
    StandardOutput.write(table: rows)
  }
}
