import HourglassData
import HourglassModels
import HourglassTraining

/// Training on the built-in images, always from the same start.
final class StepRun {
  let training: TrainingStep
  private let order: BatchOrder
  private let items: [Int32]
  private var next = 0

  /// - Parameter data: images made by `images(for:batchSize:)`.
  init(_ plan: ExecutionPlan, _ parallel: ParallelPlan, _ data: Dataset) throws {
    let batchSize = plan.batchSize
    training = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), seed: 1, beta: 1, data: data, keepsGradient: false)
    Initializer.fill(training.parameters, plan: plan, seed: 1)
    order = BatchOrder(count: data.count / batchSize * batchSize, batchSize: batchSize, seed: 1)
    items = order.permutation(epoch: 0)
  }

  /// Built-in images for a model, at least as many as a minibatch has.
  static func images(for model: Autoencoder, batchSize: Int) throws -> Dataset {
    try Dataset.synthetic(shape: model.input, count: max(1024, batchSize), seed: 1, split: .train)
  }

  func step() throws {
    _ = try training.run(step: next, items: items[order.batch(step: next % order.stepsPerEpoch).range])
    next += 1
  }
}
