import CHourglass
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining
import Synchronization

/// What a `hourglass_model` is: a recipe, weights, and the threads that use them. One call at a time has its turn.
final class EngineModel {
  private(set) var recipe: Recipe
  private(set) var inference: Inference
  private var epochs: [EpochMetrics] = []
  /// The steps of training that made the weights.
  private var steps = 0
  /// The state from which training would go on to the same bits; nil where weights came from elsewhere.
  private var state: Checkpoint?
  private let (workers, threads): (Int?, Int?)
  private let turn = Mutex(())
  /// The thread that trains; 0 for none.
  private let trainer = Atomic<pthread_t>(0)

  /// A model of settings, with the weights that the seed draws.
  ///
  /// Errors: settings that make no recipe; memory or threads do not suffice.
  init(settings: String) throws {
    let file = try Configuration(json: Array(settings.utf8), path: "settings")
    let session = file.session
    (workers, threads) = (session.workers, session.threads)
    let others = Mirror(reflecting: session).children.filter { name, value in
      !["workers", "threads"].contains(name) && Mirror(reflecting: value).children.count > 0
    }
    if let name = others.first?.label {
      throw CallError("settings: \(name)", wanted: "none here, for it is of the program's sessions", found: "one")
    }
    for (name, count) in [("workers", workers), ("threads", threads)] {
      guard let count, !(1...ParallelPlan.most).contains(count) else { continue }
      throw CallError("settings: \(name)", wanted: "1 to \(ParallelPlan.most)", found: "\(count)")
    }
    recipe = try file.recipe()
    inference = try Inference(recipe, parallel: Self.division(workers, threads))
    Initializer.fill(
      inference.parameters, plan: inference.plan, seed: recipe.seed, initializer: recipe.initializer ?? .pytorch)
  }

  /// The model of a run.
  ///
  /// Errors: the run cannot be read; memory or threads do not suffice.
  init(folder: String, _ kept: RunFolder.Kept) throws {
    (workers, threads) = (nil, nil)
    let run: RunFolder
    (run, recipe) = try RunFolder.open(folder)
    let checkpoint = try run.read(kept)
    inference = try Inference(recipe, parallel: Self.division(nil, nil))
    try checkpoint.restore(parameters: inference.parameters, plan: inference.plan, path: run.checkpoint(kept))
    (steps, state) = (checkpoint.progress.step, checkpoint)
    epochs = try MetricsLog(run, upTo: steps).epochs
  }

  private static func division(_ workers: Int?, _ threads: Int?) -> ParallelPlan {
    ParallelPlan(
      workers: workers, threads: threads, shards: ExecutionPlan.defaultShards(batchSize: Inference.batchSize))
  }

  var plan: ExecutionPlan { inference.plan }
  private var likelihood: Likelihood { recipe.model.likelihood }

  /// The floats of an expected image, or of what else the model puts out of a sample.
  var outputCount: Int { outputShape.count }
  private var outputShape: ImageShape { likelihood.target == .image ? recipe.model.input : plan.outputShape }

  /// Waits for its turn and runs the body. Errors: an observer calls, whose model is training; those of the body.
  func inTurn<Result: Sendable>(_ body: () throws -> Result) throws -> Result {
    guard trainer.load(ordering: .relaxed) != pthread_self() else {
      throw CallError(HOURGLASS_INVALID, "wanted another model than the one that the observer observes")
    }
    return try turn.withLock { _ in try body() }
  }

  /// Refuses a model that puts out labels or distances where images are wanted.
  func requireImages(_ purpose: String) throws {
    guard likelihood.target != .image else { return }
    throw CallError(
      "model", wanted: "one that puts out images, to \(purpose)",
      found: "\(recipe.model.name) with the \(likelihood.name) likelihood")
  }

  /// Refuses images with missing elements, which were lent for another model, where this one takes none.
  func requireWhole(_ data: Dataset) throws {
    guard data.missingPart > 0, recipe.missing == nil else { return }
    throw CallError(
      "images", wanted: "finite numbers, or data.preparation.missing in the settings of the model",
      found: "NaN for elements that are missing")
  }

  /// Refuses a model whose codes cannot be decoded alone.
  func requireDecoding() throws {
    if let refusal = plan.decodingRefusal { throw CallError(HOURGLASS_INVALID, refusal) }
  }

  // MARK: Training

  /// What is told while a model is trained; true ends the training.
  typealias Observer = (Trainer.StepReport, EpochMetrics?) -> Bool

  /// Trains by the recipe, see `hourglass_train`. Errors leave the model as it was.
  func train(
    _ images: Dataset?, validation: Dataset?, folder: String?, keepsWeights: Bool, _ observer: Observer?
  ) throws -> Trainer.End {
    for data in [images, validation].compactMap(\.self) { try requireWhole(data) }
    var recipe = recipe
    let parallel = ParallelPlan(workers: workers, threads: threads, shards: recipe.shards)
    let data: Dataset
    if let images {
      try recipe.settle(on: images)
      data = recipe.matched(images)
    } else {
      data = try Trainer.open(&recipe, parallel: parallel)
    }
    if validation != nil, recipe.validation == nil { recipe.validation = DataSource(split: .test) }
    func makeTrainer(_ run: RunFolder?) throws -> Trainer {
      try Trainer(recipe, parallel: parallel, run: run, data: data, validation: validation.map(recipe.matched))
    }
    let run = folder.map { RunFolder($0) }
    let trainer: Trainer
    if let run {
      try Self.requireFree(run)
      trainer = try run.create(recipe, session: RunEnvironment(parallel: parallel, arguments: [])) { _ in
        try makeTrainer(run)
      }
    } else {
      trainer = try makeTrainer(nil)
    }
    if keepsWeights {
      trainer.training.parameters.pointer.update(from: inference.parameters.pointer, count: plan.parameterCount)
      trainer.training.startAverage()
    }
    let (end, best) = try self.run(trainer, observer)
    let trained = try trainer.inference()
    if let run, end != .interrupted {
      try trainer.keepTraining(in: run)
      try trainer.writePictures(to: run)
    }
    (self.recipe, inference, epochs) = (recipe, trained, trainer.metrics.epochs)
    (steps, state) = (trainer.progress.step, trainer.checkpoint)
    if end == .interrupted, let best, best.step != steps {
      _ = trained.parameters.elements.update(fromContentsOf: best.weights)
      (steps, state) = (best.step, nil)
    }
    return end
  }

  /// Runs the trainer, and keeps the weights of the best epoch where an observer may end it.
  private func run(
    _ trainer: Trainer, _ observer: Observer?
  ) throws -> (Trainer.End, best: (step: Int, weights: [Float])?) {
    var (best, isOver, told): ((step: Int, weights: [Float])?, Bool, ContinuousClock.Instant) = (nil, false, .now)
    var last: Trainer.StepReport?
    self.trainer.store(pthread_self(), ordering: .relaxed)
    defer { self.trainer.store(0, ordering: .relaxed) }
    let end = try trainer.run(
      shouldStop: isOver,
      observe: { event in
        guard let observer else { return }
        switch event {
        case .step(let report):
          last = report
          guard told.duration(to: .now) >= .milliseconds(100) else { return }
          isOver = observer(report, nil) || isOver
        case .epoch(let row):
          if trainer.progress.bestEpoch == row.epoch { best = (row.step, trainer.training.evaluated.array) }
          if let last { isOver = observer(last, row) || isOver }
        case .checkpoint: return
        }
        told = .now
      })
    return (end, best)
  }

  private static func requireFree(_ run: RunFolder) throws {
    guard try run.refusal() != nil else { return }
    throw CallError(
      HOURGLASS_EXISTS, "\(run.path): wanted a folder that is not there yet, or is empty, found files in it")
  }

  // MARK: Files and weights

  /// Writes the folder of a run. Errors: it is there; a file cannot be written.
  func save(_ folder: String) throws {
    let run = RunFolder(folder)
    try Self.requireFree(run)
    let state =
      try state
      ?? Checkpoint(
        startingFrom: inference.parameters, plan: recipe.plan(), optimizer: recipe.optimizer,
        hasAverage: recipe.ema != nil)
    let parallel = ParallelPlan(workers: workers, threads: threads, shards: recipe.shards)
    try run.create(recipe, session: RunEnvironment(parallel: parallel, arguments: [])) { run in
      try run.write(state, isBest: false)
      if !epochs.isEmpty { _ = try MetricsLog(run, epochs: epochs) }
    }
  }

  /// Writes files for other programs.
  func export(_ format: ModelExport.Format, to folder: String) throws {
    _ = try ModelExport(
      plan, parameters: inference.parameters, standardization: recipe.standardization,
      preparation: recipe.data.preparation
    ).write(format, to: folder)
  }

  /// A parameter by its name. Errors: there is none of that name.
  func parameter(_ name: String) throws -> Parameter {
    guard let parameter = plan.parameters.first(where: { $0.name == name }) else {
      let names = plan.parameters.map(\.name)
      throw CallError(
        "name", wanted: "a parameter of \(recipe.model.name), such as \(names.prefix(4).joined(separator: ", "))",
        found: name)
    }
    return parameter
  }

  /// Replaces parameters, all of which fit.
  func replace(_ parameters: [(parameter: Parameter, values: [Float])]) {
    for (parameter, values) in parameters { parameter.store(values, in: inference.parameters.pointer) }
    // Moments belong to the weights that they were made with.
    state = nil
  }

  private struct Description: Encodable {
    struct Tensor: Encodable {
      let name: String
      let shape: [Int]
    }
    let recipe: Recipe
    let input: ImageShape
    let output: ImageShape
    let code: ImageShape
    let parameters: [Tensor]
    let weightsHash: String
    let epochs: [EpochMetrics]
    let steps: Int
    let putsOut: String
    let isVariational: Bool
    let hasPrior: Bool
    let readsLabels: Bool
    let cannotDecode: String?
  }

  /// What `hourglass_describe` tells.
  func describe() -> String {
    let model = recipe.model
    return JSONText.line(
      Description(
        recipe: recipe, input: model.input, output: outputShape, code: plan.codeShape,
        parameters: plan.parameters.map { Description.Tensor(name: $0.name, shape: $0.shape) },
        weightsHash: WeightsHash.of(inference.parameters, plan: plan), epochs: epochs, steps: steps,
        putsOut: likelihood.target.rawValue,
        isVariational: model.isVariational, hasPrior: model.hasPrior, readsLabels: plan.readsLabels,
        cannotDecode: plan.decodingRefusal))
  }
}
