import HourglassData
import HourglassModels
import HourglassTraining

/// Training on images of noise, always from the same start.
final class StepRun {
  let training: TrainingStep
  private let order: BatchOrder
  private let items: [Int32]
  private var next = 0

  /// - Parameters:
  ///   - data: images made by `images(for:batchSize:)`.
  ///   - transport: of the processes that share the steps; nil for one process.
  init(
    _ plan: ExecutionPlan, _ parallel: ParallelPlan, _ data: Dataset, transport: (any Transport)? = nil
  ) throws {
    let batchSize = plan.batchSize
    training = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), seed: 1, beta: 1, data: data, keepsGradient: false,
      transport: transport)
    Initializer.fill(training.parameters, plan: plan, seed: 1)
    order = BatchOrder(count: data.count / batchSize * batchSize, batchSize: batchSize, seed: 1)
    items = order.permutation(epoch: 0)
  }

  /// Images for a model, of bytes drawn at random: 1024 of them, or as many as 64 MB hold, and at least as many as a
  /// minibatch has. Labels follow each other where a model learns them.
  static func images(for model: Autoencoder, batchSize: Int) throws -> Dataset {
    let plan = try ExecutionPlan(model, batchSize: batchSize)
    let count = max(batchSize, min(1024, (64 << 20) / model.input.count))
    let words = RandomStream(seed: 1, .synthesis).bits((count * model.input.count + 3) / 4)
    let bytes = words.withUnsafeBytes { Array($0.prefix(count * model.input.count)) }
    let labels = (0..<count).map { $0 % (plan.conditionClasses ?? plan.outputShape.count) }
    return try Dataset(
      .bytes(bytes), shape: model.input, labels: plan.readsLabels ? labels : nil, source: "noise")
  }

  func step() throws {
    _ = try training.run(step: next, items: items[order.batch(step: next % order.stepsPerEpoch).range])
    next += 1
  }
}
