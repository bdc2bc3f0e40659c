import Foundation
import HourglassData
import HourglassModels

/// The bytes that a plan will take, all fixed before the first step.
public struct PlannedMemory: Sendable, Equatable {
  /// Parameters, gradients, moments and what the whole minibatch shares.
  public let shared: Int
  public let perReplica: Int
  public let replicas: Int

  public var total: Int { shared + replicas * perReplica }

  /// Of a training step.
  ///
  /// - Parameters:
  ///   - corruption: needs a second copy of a group's images.
  ///   - hasAverage: of the parameters, one more flat vector.
  public init(
    training plan: ExecutionPlan, parallel: ParallelPlan, corruption: Corruption? = nil, hasAverage: Bool = false
  ) {
    let samples = TrainingStep.shardsPerTurn(plan: plan, workers: parallel.workers) * plan.samplesPerShard
    let images = Distortion.floats(corruption, shape: plan.model.input, groupSamples: samples)
    self.init(
      plan, groupSamples: samples, parallel, shared: hasAverage ? 4 * plan.parameterCount : 0,
      perReplica: corruption == nil ? 0 : 4 * images)
  }

  /// Of the training steps of a recipe.
  public init(training plan: ExecutionPlan, parallel: ParallelPlan, recipe: Recipe) {
    self.init(training: plan, parallel: parallel, corruption: recipe.corruption, hasAverage: recipe.ema != nil)
  }

  /// Of inference, whose groups are single shards.
  init(inference plan: ExecutionPlan, parallel: ParallelPlan) {
    self.init(plan, groupSamples: plan.samplesPerShard, parallel)
  }

  private init(
    _ plan: ExecutionPlan, groupSamples: Int, _ parallel: ParallelPlan, shared more: Int = 0, perReplica: Int = 0
  ) {
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
