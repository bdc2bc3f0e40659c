import ArgumentParser
import HourglassData
import HourglassModels
import HourglassTraining

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model and keeps everything about it in the folder of a run.",
    discussion: """
      --epochs and --steps count from the beginning of the run; --steps alone sets no limit to the epochs. A run goes \
      on from its last checkpoint with --run DIR --resume: its recipe stays, and only more epochs or steps, workers, \
      threads, the place of its images and flags of output may be given. The images must have the digests of the \
      images trained on so far; with --accept-changed-data they may differ.

      --config FILE.json may hold all settings, such as {"model": "conv-vae-28", "data": "photos", "optimizer": \
      {"learningRate": 0.002}, "workers": 4}; the recipe.json of a run is such a file. Neither workers nor threads \
      change a result. OMP_NUM_THREADS and OMP_THREAD_LIMIT are respected where no flag says otherwise.

      SIGINT, SIGTERM, SIGHUP, SIGUSR1 and a closed standard output write a checkpoint and stop; a second signal but \
      SIGUSR1 stops at once. \
      --max-time ends a session in the same way, but with exit code 0; the time counts from the session's start and is \
      looked at between steps. --patience ends a run that no longer improves; --resume with a greater --patience goes \
      on.

      Examples:
        hourglass train --model conv-vae-28 --data fashion-mnist --run runs/f
        hourglass train --run runs/f --resume --epochs 10
        hourglass train --config settings.json --patience 5 --max-time 2h
        hourglass train --config runs/f/recipe.json --seed 2 --run runs/g
        hourglass train --config runs/f/recipe.json --steps 100 --profile
        mpirun -n 4 --hostfile nodes hourglass train --model conv-vae-64 --data photos --run runs/p
        srun hourglass train --model conv-vae-64 --data photos --run runs/p --resume-or-start
      """)

  @OptionGroup(title: "What decides the result") var start: StartFlags

  @OptionGroup(title: "What decides the result") var flags: RecipeFlags

  @OptionGroup(title: "What decides the speed") var division: DivisionOptions

  @OptionGroup(title: "The session") var session: SessionOptions

  @Flag(help: "Show the model, images and division of the work; train and write nothing.")
  var dryRun = false

  @Flag(
    help: """
      Time each layer of this session's steps, and write a table at the end, profile.json, and bars in the report.
      """)
  var profile = false

  @Flag(
    name: .customLong("tensorboard"),
    help: """
      Write the loss of each step, metrics and reconstructions of each epoch, and the recipe for TensorBoard into the \
      folder tensorboard of the run; tensorboard --logdir runs shows it.
      """)
  var tensorBoard = false

  @Flag(
    help: """
      Go on with the run in --run as --resume does where there is one, and else begin it: a job that is requeued says \
      the same each time.
      """)
  var resumeOrStart = false

  /// For `verify`, whose runs nobody looks at: what is made of a run's images at its end takes as long as many steps.
  @Flag(help: ArgumentHelp("End with the last checkpoint: no report, pictures or scores.", visibility: .hidden))
  var weightsOnly = false

  var resume: Bool { session.resume }
  var json: Bool { session.json }

  func validate() throws {
    try flags.check(resuming: resume, model: start.model)
    guard resumeOrStart else { return }
    if resume { throw ValidationError("wanted one of --resume and --resume-or-start, found both") }
    if session.folder == nil {
      throw ValidationError("--resume-or-start: wanted the run to begin or to go on with as --run DIR, found none")
    }
    if flags.config != nil {
      throw ValidationError(
        "--config: wanted none with --resume-or-start, for a run that goes on keeps its recipe, found a file")
    }
  }

  mutating func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    SignalHandling.install()
    let file = try Processes.together {
      let file = try flags.configuration()
      try division.adopt(file)
      try session.adopt(file)
      if resumeOrStart, Processes.isFirst {
        session.resume = try InputFile.isThere(RunFolder(session.folder ?? "").file("recipe.json"))
      }
      return file
    }
    session.resume = Processes.fromFirst(resume ? "resume" : "") == "resume"
    Processes.transport?.watch(limit: session.stallLimit?.seconds)
    profile = profile || file.session.profile == true
    tensorBoard = tensorBoard || file.session.tensorboard == true
    if dryRun { return try showPlan(file) }
    let deadline = session.maxTime.map { start + .seconds($0.seconds) }
    let isOver = { deadline.map { clock.now >= $0 } ?? false }
    let (trainer, run) = try resume ? openRun() : newRun(file)
    let progress = Progress(isQuiet: session.quiet)
    let verb = trainer.progress.step > 0 ? "goes on at step \(trainer.progress.step)" : "begins"
    progress.note(
      "\(trainer.recipe.model.name) on \(trainer.data.count) of \(trainer.data.source); \(run.path) \(verb)")
    if let transport = Processes.transport {
      let place = transport.place
      let nodes = "\(place.nodes) node\(place.nodes == 1 ? "" : "s")"
      progress.note("\(place.count) processes on \(nodes) by \(transport.version)")
    }

    list(about: trainer, run, progress)

    let end = try trainer.run(
      checkpointEvery: session.checkpointEvery, shouldStop: SignalHandling.stopIsWanted || isOver()
    ) { event in
      progress.show(event, of: trainer.recipe)
      if json, case .epoch(let metrics) = event { StandardOutput.write(json: metrics) }
    }
    progress.clear()
    let isLookedAt = end != .interrupted && !weightsOnly
    if isLookedAt { try trainer.keepTraining(in: run) }
    guard Processes.isFirst else { return }
    if let profile = trainer.training.profile { try show(profile, in: run) }
    // A signal may have come to another process alone.
    let isInterrupted = end == .interrupted && (SignalHandling.stopIsWanted || !isOver())
    if isLookedAt { try trainer.writePictures(to: run) }
    session.report(
      end == .interrupted && !isInterrupted ? "outOfTime" : end.rawValue, trainer, run,
      goOn: end == .interrupted ? "hourglass train --run \(run.path) --resume" : nil)
    if isInterrupted { throw ExitStatusError(status: .interrupted) }
  }

  /// The recipe of a new run, and the folder where it may begin.
  func recipeOfNewRun(_ file: Configuration) throws -> (recipe: Recipe, path: String) {
    let recipe = try flags.recipe(file, model: start.model, startFrom: start.startFrom)
    return (recipe, Processes.isFirst ? try session.newPath(recipe.model.name) : "")
  }

  /// The run that is to go on, with its recipe and the same recipe with the end that was asked for.
  func recipesOfRun() throws -> (run: RunFolder, recipe: Recipe, extended: Recipe) {
    let (run, recipe) = try RunFolder.open(session.folder ?? "", locked: !dryRun)
    try flags.check(against: recipe, path: run.path, start: start, mayMove: true)
    if try run.hasStages(), try !run.hasCheckpoint() {
      throw ValidationError(
        "--resume: wanted a run whose stages are done, found \(run.path) in the midst of them; go on with hourglass "
          + "pretrain, or finetune, --run \(run.path) --resume")
    }
    let extended = try flags.extended(recipe)
    if recipe.schedule?.leadsToEnd == true, (extended.epochs, extended.steps) != (recipe.epochs, recipe.steps) {
      throw ValidationError(
        "--epochs, --steps: wanted the end to which the learning rate of the run \(run.path) leads, found another; "
          + "begin a new run")
    }
    if let refusal = extended.refusal { throw ValidationError(refusal) }
    for (flag, path) in [("--data", extended.data.path), ("--validation", extended.validation?.path)] {
      guard let path, try !InputFile.isThere(path) else { continue }
      throw DataError(
        path: path,
        reason:
          "wanted the images of the run \(run.path), found nothing there; where they were moved, say so with \(flag)")
    }
    return (run, recipe, extended)
  }

  private func newRun(_ file: Configuration) throws -> (trainer: Trainer, run: RunFolder) {
    let (recipe, path, parallel, data) = try Processes.together {
      var (recipe, path) = try recipeOfNewRun(file)
      let parallel = division.plan(shards: recipe.shards)
      let data = try Trainer.open(
        &recipe, parallel: parallel, memory: session.memoryForImages, place: Processes.transport?.place)
      return (recipe, path, parallel, data)
    }
    let run = RunFolder(path)
    guard Processes.isFirst else { return (try trainer(recipe, parallel, nil, data: data), run) }
    // What cannot begin leaves no folder behind.
    return try run.create(recipe, session: RunEnvironment(parallel)) { _ in
      (try trainer(recipe, parallel, run, data: data), run)
    }
  }

  private func openRun() throws -> (trainer: Trainer, run: RunFolder) {
    guard let (run, recipe, extended) = try Processes.together({ Processes.isFirst ? try recipesOfRun() : nil }) else {
      return (try trainerOfFirst(), RunFolder(""))
    }
    _ = Processes.fromFirst(JSONText.line(extended))
    let parallel = division.plan(shards: recipe.shards)
    let trainer = try trainer(extended, parallel, run, resume: true)
    try flags.checkExtension(from: recipe, of: trainer, path: run.path)
    try run.save(extended)
    try run.append(RunEnvironment(parallel))
    return (trainer, run)
  }

  /// The trainer of a run that position 0 goes on with.
  private func trainerOfFirst() throws -> Trainer {
    let recipe = try JSONFile.decode(
      Recipe.self, from: Processes.fromFirst("").utf8, path: "position 0", what: "not a recipe")
    return try trainer(recipe, division.plan(shards: recipe.shards), nil)
  }

  private func trainer(
    _ recipe: Recipe, _ parallel: ParallelPlan, _ run: RunFolder?, resume: Bool = false, data: Dataset? = nil
  ) throws -> Trainer {
    try Trainer(
      recipe, parallel: parallel, run: run, resume: resume, acceptsChangedData: session.acceptChangedData, data: data,
      memory: session.memoryForImages, profiles: profile, tensorBoard: tensorBoard,
      transport: Processes.transport)
  }
}
