import Glibc
import HourglassData
import HourglassModels

/// The loop around the step: epochs, checkpoints, validation, and a clean end at any moment.
public final class Trainer {
  /// The recipe.
  public let recipe: Recipe
  /// The step, which holds parameters and moments.
  public let training: TrainingStep
  /// The images trained on.
  public let data: Dataset
  /// Where the run stands.
  public internal(set) var progress: Checkpoint.Progress
  /// A row for each epoch done.
  public private(set) var metrics: MetricsLog
  /// What did not start from the seed, where this session began at step 0.
  public private(set) var starts: [Start.Result] = []

  private let order: BatchOrder
  private let run: RunFolder?
  /// The transport of the processes that train together; nil for one process.
  package let transport: (any Transport)?
  /// The images that each epoch is evaluated on; nil for none.
  public let validation: Dataset?
  /// The forward half with the weights that stand for the trained model, once it was needed.
  private var madeInference: Inference?
  private var events: EventFile?
  private let writesEvents: Bool
  private let origin: Origin
  private var remembered: TrainingData
  /// Whether the data is other than that of the newest checkpoint.
  var dataHasChanged = false
  /// Sentences about the changes of the data since the last session.
  public private(set) var dataChanges: [String] = []
  /// The progress of the run when its newest checkpoint was written.
  var saved: Checkpoint.Progress?
  /// The orders of the epoch at hand and of the one before or after it.
  private var permutations: [(epoch: Int, items: [Int32])] = []
  /// The loss of the run's first step, where this session has taken it.
  private(set) var firstLoss: Double?
  /// The kinds of warnings that this session has given, so that it gives each once.
  var warned: Set<Int> = []
  /// The seconds of the epoch's steps in this session: for their input, for the exchange with other processes, and in
  /// all.
  private var clock = (input: 0.0, exchange: 0.0, all: 0.0)

  /// Opens the data, plans all memory, and starts from the recipe's seed or from the run's last checkpoint.
  ///
  /// A run that was stopped before its first checkpoint resumes at step 0. A run that resumes is locked and its metrics
  /// are cut back to its checkpoint; nothing else is written before `run`.
  ///
  /// Errors: the recipe cannot be planned or trained by; the data cannot be read, or is not what the model takes, in
  /// shape, number, values or labels; checkpoints are gone or damaged; the run was trained by
  /// another recipe or on other data.
  ///
  /// - Parameters:
  ///   - run: where the run writes. Its folder need not be there before `run` unless it resumes.
  ///   - resume: whether to go on from the run's last checkpoint.
  ///   - acceptsChangedData: whether to go on with other images than those trained on so far. Epochs count on; the one
  ///     at hand begins again.
  ///   - data, validation: the sets of the recipe, where the caller has opened them already.
  ///   - memory: bytes that the decoded images of each of the two may take.
  ///   - profiles: whether to time each layer.
  ///   - tensorBoard: whether to write the epochs into the run's folder for TensorBoard too.
  ///   - transport: of the processes that train together, each with the same recipe and data. Only position 0 has a run
  ///     and resumes; the others start from what it has. Nil for one process.
  public init(
    _ recipe: Recipe, parallel: ParallelPlan, run: RunFolder? = nil, resume: Bool = false,
    acceptsChangedData: Bool = false, data: Dataset? = nil, validation: Dataset? = nil,
    memory: Int = GrantedMemory.forImages, profiles: Bool = false, tensorBoard: Bool = false,
    transport: (any Transport)? = nil
  ) throws {
    let plan = try recipe.plan()
    if let refusal = recipe.refusalOfAnyData { throw ModelError("recipe", refusal) }
    let memory = try Self.memoryForImages(recipe, plan, parallel: parallel, atMost: memory, transport?.place)
    let data = try data ?? recipe.open(recipe.data, memory: memory, parallel: parallel)
    try data.checkTargets(for: plan)
    training = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: recipe.optimizer, clipNorm: recipe.clipNorm,
      clipValue: recipe.clipValue, freeBits: recipe.freeBits ?? 0, capacity: recipe.capacity,
      labelSmoothing: recipe.labelSmoothing ?? 0, averageDecay: recipe.ema,
      augmentation: recipe.augmentation,
      corruption: recipe.corruption, missing: recipe.missing, standardization: recipe.standardization,
      seed: recipe.seed, beta: recipe.beta,
      data: data,
      keepsGradient: recipe.keepsGradient, profiles: profiles, transport: transport)
    (self.recipe, self.data, self.run, writesEvents) = (recipe, data, run, tensorBoard)
    order = recipe.order(count: data.count)
    self.transport = transport
    let validation =
      try validation
      ?? recipe.validation.map { (source) throws(DataError) in
        try recipe.open(source, memory: memory, parallel: parallel)
      }
    try validation?.checkTargets(for: plan, isMeasured: true)
    self.validation = validation
    progress = Checkpoint.Progress()
    remembered = try TrainingData(data, validation: validation, isKept: run != nil || transport != nil)
    origin = Origin(recipe, data: remembered.images, validation: remembered.validation)
    if let transport {
      try transport.requireEqual(Self.facts(recipe, remembered.images, remembered.validation))
    }
    if resume { try run?.lock() }
    var (changed, before): (Set<TrainingData.Name>?, Origin.Images?)
    if resume, let run, try run.hasCheckpoint() {
      let checkpoint = try run.read(.last)
      changed = try checkpoint.origin?.check(against: origin, run: run, acceptsChangedData: acceptsChangedData) {
        [remembered] name throws(DataError) in try remembered.changes(of: name, in: run)
      }
      try checkpoint.restore(training, path: run.checkpoint(.last))
      progress = checkpoint.progress
      saved = progress
      before = checkpoint.origin?.data
    } else if transport?.place.isFirst ?? true {
      if resume, let run {
        dataChanges = try remembered.changes(sinceBeginningOf: run, areAccepted: acceptsChangedData)
      }
      Initializer.fill(
        training.parameters, plan: plan, seed: recipe.seed, initializer: recipe.initializer ?? .pytorch)
      for start in recipe.start ?? [] { starts.append(try start.apply(to: training.parameters, plan: plan)) }
      try training.startCentre(recipe, on: data, after: starts)
      training.startAverage()
    }
    metrics = try MetricsLog(run, upTo: resume ? progress.step : -1)
    if resume, let run, progress.step == 0 { try Self.checkBeginning(run) }
    if let run, let changed, let before { try goOn(with: changed, after: before, in: run) }
    // A checkpoint of an earlier version does not know the epoch: patience counts from here.
    if progress.best != nil, progress.bestEpoch == nil { progress.bestEpoch = epochsDone }
    if progress.plateau == nil { (progress.plateau, progress.plateauEpoch) = (progress.best, progress.bestEpoch) }
    if resume { try metrics.write() }
    if let transport { startFromFirst(transport) }
    if validation != nil { _ = try inference() }
  }

  /// Goes on with data that has changed: epochs count on from here, and measures of the earlier images count no more.
  private func goOn(
    with changed: Set<TrainingData.Name>, after before: Origin.Images, in run: RunFolder
  ) throws(DataError) {
    guard !changed.isEmpty else { return }
    if let schedule = recipe.schedule, schedule.goesBySteps {
      throw DataError(
        path: run.path,
        reason: "--accept-changed-data: wanted the schedule constant or plateau, found \(schedule.rawValue), which "
          + "goes by the steps of the former images; begin a new run with --start-from \(run.path)")
    }
    for name in changed.sorted(by: { $0.rawValue < $1.rawValue }) {
      dataChanges.append("\(name): \(try remembered.changes(of: name, in: run) ?? "other images")")
    }
    dataHasChanged = true
    progress.dataChanges = (progress.dataChanges ?? 0) + 1
    if changed.contains(.data) {
      let stepsPerEpoch = recipe.order(count: before.count).stepsPerEpoch
      (progress.dataEpoch, progress.dataStep) = (progress.epochs(stepsPerEpoch: stepsPerEpoch), progress.step)
      progress.beginEpoch()
    }
    if changed.contains(recipe.monitored == .training ? .data : .validation) {
      (progress.best, progress.bestEpoch, progress.plateau) = (nil, nil, nil)
      if let falls = progress.ratePlateau?.falls {
        progress.ratePlateau = RatePlateau(best: .greatestFiniteMagnitude, epoch: epochsDone, falls: falls)
      }
      progress.plateauEpoch = epochsDone
    }
  }

  /// The file of this session's events, where they are wanted.
  private func openEvents() throws(DataError) {
    guard writesEvents, events == nil, let run else { return }
    let file = try EventFile(in: run.tensorBoard, from: progress.step + 1)
    events = file
    // An earlier session without events may have done epochs.
    var plateau: RatePlateau?
    for row in file.isFirst ? metrics.epochs : [] {
      try file.append(row, learningRate: learningRate(of: row.step - 1, plateau))
      plateau = recipe.plateau(after: row.epoch, loss: monitored(row), stepsPerEpoch: stepsPerEpoch, plateau)
    }
  }

  /// The digest of the data's table; nil for images in no file.
  package var dataDigest: String? { remembered.images.digest }

  /// The learning rate of a step.
  private func learningRate(of step: Int, _ plateau: RatePlateau?) -> Float {
    recipe.learningRate(step: step, stepsPerEpoch: stepsPerEpoch, falls: plateau?.falls ?? 0)
  }

  /// The loss of an epoch by which early stopping, the best checkpoint and plateaus go.
  private func monitored(_ row: EpochMetrics) -> Double {
    recipe.monitored == .training ? row.loss : row.validationLoss ?? row.loss
  }

  /// The forward half with the weights that stand for the trained model: their moving average where one is kept. It
  /// shares them, so it follows the training.
  ///
  /// Errors: memory does not suffice, or the system does not make as many threads.
  public func inference() throws -> Inference {
    if let madeInference { return madeInference }
    let made = try Inference(recipe, parallel: training.parallel, parameters: training.evaluated)
    madeInference = made
    return made
  }

  /// The step after which the run will end.
  public var lastStep: Int { lastStep(by: recipe) }
  /// The step after which this run would end by another recipe.
  public func lastStep(by recipe: Recipe) -> Int {
    recipe.lastStep(
      stepsPerEpoch: order.stepsPerEpoch, since: progress.dataStep ?? 0, epochs: progress.dataEpoch ?? 0)
  }
  /// The steps of an epoch.
  public var stepsPerEpoch: Int { order.stepsPerEpoch }
  /// The epochs done.
  public var epochsDone: Int { progress.epochs(stepsPerEpoch: order.stepsPerEpoch) }
  /// The hash of the parameters, see `WeightsHash`.
  public var weightsHash: String { WeightsHash.of(training.parameters, plan: training.plan) }

  /// Trains to the end of the recipe.
  ///
  /// - Parameters:
  ///   - checkpointEvery: steps between checkpoints, beside those after each epoch and at the end.
  ///   - shouldStop: asked before every step; true ends the run with a checkpoint.
  ///   - observe: called with what happens.
  /// - Throws: `ModelError` where `checkpointEvery` is less than 1; `TrainingError`, with the last checkpoint left as
  ///   it is, or, where only the data cannot be read, with one of all steps done; `DataError` when a file cannot be
  ///   written, with what was written before left whole.
  public func run(
    checkpointEvery: Int? = nil, shouldStop: () -> Bool = { false }, observe: (Event) -> Void = { _ in }
  ) throws -> End {
    if let every = checkpointEvery, every < 1 {
      throw ModelError("checkpointEvery", "wanted at least 1 step between checkpoints, found \(every)")
    }
    do { return try loop(checkpointEvery, shouldStop, observe) } catch TrainingError.unreadable(let step, let error) {
      if saved != progress { try save(observe) }
      throw TrainingError.unreadable(step: step, error)
    }
  }

  private func loop(
    _ checkpointEvery: Int?, _ shouldStop: () -> Bool, _ observe: (Event) -> Void
  ) throws -> End {
    try run?.lock()
    // A checkpoint that knows the data comes first: the tables of the earlier data are needed until then.
    if dataHasChanged { try save(observe) } else if let run { try remembered.write(to: run) }
    try metrics.write()
    try openEvents()
    // The checkpoint may be of a run that ended in the validation of an epoch.
    if epochIsComplete { try finishEpoch(epochsDone - 1, observe) }
    while progress.step < lastStep && !isStalled {
      if stopIsWanted(shouldStop) {
        if saved != progress { try save(observe) }
        return .interrupted
      }
      let epoch = batch(of: progress.step).epoch
      try step(epoch: epoch, observe)
      if epochIsComplete {
        try finishEpoch(epoch, observe)
      } else if let every = checkpointEvery, progress.step % every == 0 {
        try save(observe)
      }
    }
    if saved != progress { try save(observe) }
    return progress.step < lastStep ? .stoppedEarly : .finished
  }

  /// Whether the monitored loss has not fallen for as long as the recipe's patience.
  private var isStalled: Bool { recipe.patience.map { epochsDone - lastGoodEpoch >= $0 } ?? false }

  /// The epoch that patience counts from: the last one better by enough, or the one in which beta reached its full
  /// weight.
  private var lastGoodEpoch: Int {
    max(progress.plateauEpoch ?? 0, recipe.betaWarmupEpochs(stepsPerEpoch: stepsPerEpoch))
  }

  private var epochIsComplete: Bool { progress.epochSamples == order.visited }

  /// The epoch of a step, counted from 0, and the places of its images in the epoch's order.
  private func batch(of step: Int) -> (epoch: Int, range: Range<Int>) {
    let (epoch, range) = order.batch(step: step - (progress.dataStep ?? 0))
    return ((progress.dataEpoch ?? 0) + epoch, range)
  }

  /// The images of a step.
  private func items(of step: Int) -> ArraySlice<Int32> {
    let (epoch, range) = batch(of: step)
    if let known = permutations.first(where: { $0.epoch == epoch }) { return known.items[range] }
    let items = order.permutation(epoch: epoch)
    permutations = permutations.suffix(1) + [(epoch, items)]
    return items[range]
  }

  private func step(epoch: Int, _ observe: (Event) -> Void) throws {
    let start = ContinuousClock.now
    let items = items(of: progress.step)
    if progress.step + 1 < lastStep { data.announce(training.ownItems(self.items(of: progress.step + 1))) }
    let announced = ContinuousClock.now
    let loss = try training.run(
      step: progress.step, items: items,
      learningRate: learningRate(of: progress.step, progress.ratePlateau),
      momentum: recipe.momentum(step: progress.step, stepsPerEpoch: stepsPerEpoch),
      beta: recipe.beta(step: progress.step, stepsPerEpoch: stepsPerEpoch),
      capacity: recipe.capacity(step: progress.step, stepsPerEpoch: stepsPerEpoch))
    if progress.step == 0 { firstLoss = loss.total }
    progress.step += 1
    progress.epochSamples += items.count
    progress.epochReconstruction += loss.reconstruction * Double(items.count)
    progress.epochDivergence += loss.terms * Double(items.count)
    addTerms(count: items.count)
    progress.samples += items.count
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    progress.seconds += seconds
    clock.input += (announced - start) / .seconds(1) + training.inputSeconds
    clock.exchange += training.exchangeSeconds ?? 0
    clock.all += seconds
    observe(
      .step(
        StepReport(
          step: progress.step, lastStep: lastStep, epoch: epoch, samples: progress.samples, loss: loss,
          exchangePercent: exchangePercent)))
  }

  /// The part of the epoch's steps in this session that went into the exchange with other processes, in percent.
  private var exchangePercent: Double? { transport.map { _ in 100 * clock.exchange / max(clock.all, 1e-9) } }

  /// Adds the terms of the last step to those of the epoch, where they are not the loss beside the reconstruction.
  private func addTerms(count: Int) {
    let terms = training.termCount
    guard terms > 1 || recipe.capacity != nil else { return }
    if progress.epochTerms?.count != terms { progress.epochTerms = Array(repeating: 0, count: terms) }
    for term in 0..<terms { progress.epochTerms?[term] += training.meanTerm(term, count: count) * Double(count) }
  }

  private func finishEpoch(_ epoch: Int, _ observe: (Event) -> Void) throws {
    let n = Double(progress.epochSamples)
    let (reconstruction, terms) = (progress.epochReconstruction / n, progress.epochDivergence / n)
    let named = NamedTerms(recipe.model.terms, progress.epochTerms?.map { $0 / n } ?? [terms])
    var row = EpochMetrics(
      epoch: epoch + 1, step: progress.step, loss: reconstruction + Double(recipe.beta) * terms,
      reconstruction: reconstruction, kl: named.kl ?? 0,
      reconstructionPerPixel: reconstruction
        / (recipe.model.likelihood.target == .image
          ? Double(recipe.model.input.count) * (1 - data.missingPart) : 1),
      samplesPerSecond: Double(progress.samples) / max(progress.seconds, 1e-9), seconds: progress.seconds)
    (row.penalty, row.terms) = (named.penalty, named.all)
    (row.images, row.dataChanges) = (order.visited, progress.dataChanges ?? 0)
    row.inputPercent = clock.all > 0 ? 100 * clock.input / clock.all : nil
    row.exchangePercent = exchangePercent
    clock = (0, 0, 0)
    var (picture, failure): (PNGImage?, DataError?)
    do {
      try evaluate(&row)
      row.warnings = try warnings(after: row)
      if events != nil, Pictures.refusal(of: recipe.model) == nil {
        picture = try Pictures(inference(), seed: recipe.seed).reconstructions(validation ?? data)
      }
    } catch let error as DataError { failure = error } catch let error as AgreedError { failure = error.error }
    if let transport { failure = transport.agreed(failure) }
    if let failure { throw TrainingError.unreadable(step: progress.step, failure) }
    let judged = monitored(row)
    let isBest = judged < progress.best ?? .infinity
    if isBest { (progress.best, progress.bestEpoch) = (judged, epoch + 1) }
    if judged < (progress.plateau ?? .infinity) - (recipe.minDelta ?? 0) {
      (progress.plateau, progress.plateauEpoch) = (judged, epoch + 1)
    }
    let rate = learningRate(of: row.step - 1, progress.ratePlateau)
    progress.ratePlateau = recipe.plateau(
      after: epoch + 1, loss: judged, stepsPerEpoch: stepsPerEpoch, progress.ratePlateau)
    progress.beginEpoch()
    try metrics.append(row)
    try events?.append(row, learningRate: rate, picture: picture)
    observe(.epoch(row))
    try save(isBest: isBest, observe)
  }

  /// Writes a checkpoint of the weights before the first step, where the run has none yet.
  public func saveStart() throws {
    if progress.step == 0 && saved == nil { try save { _ in } }
  }

  /// The state of the run, which holds until the next step.
  public var checkpoint: Checkpoint { Checkpoint(training, progress: progress, origin: origin) }

  /// Writes a checkpoint, unless the trainer has no run to write to.
  package func save(isBest: Bool = false, _ observe: (Event) -> Void) throws {
    if run == nil && transport == nil { return }
    // The loss was finite before the update; the update itself may have overflowed.
    if let bad = training.nonfiniteParameter() {
      throw TrainingError.diverged(step: progress.step - 1, cause: "after its update \(bad)")
    }
    try transport?.requireEqual(["weights after step \(progress.step)": weightsHash])
    try run?.write(checkpoint, isBest: isBest)
    saved = progress
    if let run { try remembered.write(to: run) }
    observe(.checkpoint(step: progress.step))
  }
}
