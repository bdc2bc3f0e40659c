import Foundation
import HourglassData
import HourglassModels

/// The bytes that a plan will take, all fixed before the first step.
public struct PlannedMemory: Sendable, Equatable {
  /// Parameters, gradients, moments and what the whole minibatch shares.
  public let shared: Int
  public let perReplica: Int
  public let replicas: Int

  public var total: Int { shared.plusClamping(replicas.timesClamping(perReplica)) }

  /// Of a training step.
  ///
  /// - Parameter recipe: whose moving average is one more flat vector, whose augmentation and corruption need images
  ///   beside those of the step, and whose step may keep no gradient; nil for none of it.
  public init(training plan: ExecutionPlan, parallel: ParallelPlan, recipe: Recipe? = nil) {
    self.init(
      step: plan, parallel: parallel, augmentation: recipe?.augmentation, corruption: recipe?.corruption,
      hasAverage: recipe?.ema != nil, keepsGradient: recipe?.keepsGradient ?? true)
  }

  init(
    step plan: ExecutionPlan, parallel: ParallelPlan, augmentation: Augmentation?, corruption: Corruption?,
    hasAverage: Bool, keepsGradient: Bool
  ) {
    let parallel = parallel.possible
    let samples = TrainingStep.shardsPerTurn(plan: plan, workers: parallel.workers) * plan.samplesPerShard
    let images = Distortion.floats(augmentation, corruption, shape: plan.model.input, groupSamples: samples)
    let vectors = (hasAverage ? 1 : 0) - (keepsGradient ? 0 : 1)
    self.init(
      plan, groupSamples: samples, parallel, shared: 4 * plan.parameterCount * vectors,
      perReplica: 4 * (images + (keepsGradient ? 0 : GradientReducer.largestSlice(of: plan))))
  }

  /// Of inference, whose groups are single shards, and which holds inputs and outputs of a batch.
  init(inference plan: ExecutionPlan, parallel: ParallelPlan) {
    self.init(
      plan, groupSamples: plan.samplesPerShard, parallel, shared: 8 * plan.batchSize * Inference.widest(plan))
  }

  private init(
    _ plan: ExecutionPlan, groupSamples: Int, _ parallel: ParallelPlan, shared more: Int = 0, perReplica: Int = 0
  ) {
    let parallel = parallel.possible
    let bytes = plan.bytes(groupSamples: groupSamples, threads: parallel.threads)
    (shared, self.perReplica) = (bytes.shared + more, bytes.perReplica + perReplica)
    replicas = parallel.workers
  }

  /// Refuses what the machine does not grant; the system would otherwise end the process in the middle of its work.
  public func check(_ plan: ExecutionPlan) throws(ModelError) {
    let available = GrantedMemory.bytes
    guard UInt64(total) <= available else {
      throw ModelError(
        plan.model.name,
        "wanted memory for \(plan.batchSize) samples and \(replicas) replicas within the granted "
          + "\(available >> 20) MiB, found a need of \(total >> 20) MiB; take smaller layers, a smaller batch or fewer "
          + "workers")
    }
  }
}

extension TrainingStep {
  /// Shards that a worker takes at a time: its share of all, but few enough that a group's images stay near the caches.
  package static func shardsPerTurn(plan: ExecutionPlan, workers: Int) -> Int {
    min((plan.shards + workers - 1) / workers, max(1, mostSamplesPerGroup / plan.samplesPerShard))
  }

  /// Enough rows that a dense layer's matrix is read seldom.
  private static let mostSamplesPerGroup = 64
}
