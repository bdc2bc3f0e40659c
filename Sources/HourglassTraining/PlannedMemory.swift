import Foundation
import HourglassModels

/// The bytes that a plan will take, all fixed before the first step.
public struct PlannedMemory: Sendable, Equatable {
  /// Parameters, gradients, moments and what the whole minibatch shares.
  public let shared: Int
  public let perReplica: Int
  public let replicas: Int

  public var total: Int { shared + replicas * perReplica }

  /// Of a training step.
  public init(training plan: ExecutionPlan, parallel: ParallelPlan) {
    let shards = TrainingStep.shardsPerTurn(plan: plan, workers: parallel.workers)
    self.init(plan, groupSamples: shards * plan.samplesPerShard, parallel)
  }

  /// Of inference, whose groups are single shards.
  init(inference plan: ExecutionPlan, parallel: ParallelPlan) {
    self.init(plan, groupSamples: plan.samplesPerShard, parallel)
  }

  private init(_ plan: ExecutionPlan, groupSamples: Int, _ parallel: ParallelPlan) {
    (shared, perReplica) = plan.bytes(groupSamples: groupSamples, threads: parallel.threads)
    replicas = parallel.workers
  }

  /// Refuses what the machine cannot hold; the system would otherwise end the process in the middle of its work.
  public func check(_ plan: ExecutionPlan) throws(ModelError) {
    let available = ProcessInfo.processInfo.physicalMemory
    guard UInt64(total) <= available else {
      throw ModelError(
        plan.model.name,
        "wanted memory for \(plan.batchSize) samples and \(replicas) replicas within the machine's "
          + "\(available >> 20) MiB, found a need of \(total >> 20) MiB; take smaller layers, a smaller batch or fewer "
          + "workers")
    }
  }
}
