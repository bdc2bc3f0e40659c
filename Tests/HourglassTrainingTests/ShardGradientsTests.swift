import Dispatch
import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The sum over shards is one chain in their order, however few of their gradients are held and whoever is late.
@Suite struct ShardGradientsTests {
  /// Who is late, by the numbers of worker and shard.
  enum Delay: CaseIterable, Sendable {
    case nobody, firstWorker, earlyShards, oddShards, drawn

    func wait(worker: Int, shard: Int) {
      let microseconds =
        switch self {
        case .nobody: 0
        case .firstWorker: worker == 0 ? 400 : 0
        case .earlyShards: max(0, 600 - 100 * shard)
        case .oddShards: shard % 2 * 300
        case .drawn: (shard &* 7919 &+ worker &* 104_729) % 5 * 100
        }
      if microseconds > 0 { usleep(UInt32(microseconds)) }
    }
  }

  /// Slices of several lengths.
  private static let slices = [0..<64, 64..<65, 65..<200, 200..<331]
  private static let count = 331

  /// A float that differs for each shard and place, of which sums round.
  private static func value(_ shard: Int, _ i: Int) -> Float { Float((shard * 7919 + i * 104_729) % 10_007) / 3 - 1000 }

  /// Workers take turns of shards of two minibatches, the second of them partial.
  private func sum(workers: Int, turn: Int, buffers: Int, minibatches: [Int], _ delay: Delay) throws -> [UInt32] {
    let gradients = ShardGradients(
      buffers: FloatBuffer(unwritten: buffers * Self.count), count: buffers, stride: Self.count, slices: Self.slices,
      workers: workers)
    let (sum, counter) = (FloatBuffer(count: Self.count), WorkCounter())
    let team = try WorkerTeam(ParallelPlan(workers: workers, threads: 1)) { worker, minibatch in
      while let run = counter.take(turn, below: minibatches[minibatch]) {
        gradients.reserve(run, worker: worker, accumulate: minibatch > 0, sum: sum)
        for shard in run {
          delay.wait(worker: worker, shard: shard)
          let (gradient, number) = (gradients.gradient(of: shard), shard + minibatch * minibatches[0])
          for i in 0..<Self.count { gradient[i] = Self.value(number, i) }
        }
        gradients.finish(run)
      }
    }
    for (minibatch, shards) in minibatches.enumerated() {
      gradients.reset()
      counter.reset()
      team.run(phase: minibatch)
      for (slice, range) in Self.slices.enumerated() {
        gradients.addRest(
          ofSlice: slice, end: shards, accumulate: minibatch > 0, into: sum.pointer + range.lowerBound)
      }
    }
    return sum.bits
  }

  private func chain(_ shards: Int) -> [UInt32] {
    (0..<Self.count).map { i in (1..<shards).reduce(Self.value(0, i)) { $0 + Self.value($1, i) }.bitPattern }
  }

  @Test(arguments: [1, 2, 3, 5, 8], Delay.allCases)
  func anyOrderOfWorkersGivesTheChain(_ workers: Int, _ delay: Delay) throws {
    for (shards, turn) in [(1, 1), (16, 1), (16, 3), (23, 2)] {
      let wanted = chain(shards + (shards + 1) / 2)
      // As few as one worker needs, one for each worker, two, and one for each shard.
      for buffers in Set([turn, workers * turn, 2 * workers * turn, shards]) {
        let found = try sum(
          workers: workers, turn: turn, buffers: buffers, minibatches: [shards, (shards + 1) / 2], delay)
        #expect(found == wanted, "\(shards) shards, turns of \(turn), \(buffers) buffers")
      }
    }
  }

  /// Images whose reader is late by the shard.
  private static func late(_ whole: Dataset, samplesPerShard: Int, bad: Int? = nil, _ delay: Delay) -> Dataset {
    Dataset(count: whole.count, shape: whole.shape, source: "late") { index, image throws(DataError) in
      if index % samplesPerShard == 0 { delay.wait(worker: 1, shard: index / samplesPerShard) }
      if index == bad { throw DataError(path: "late", reason: "image \(index) is gone") }
      try whole.fill(index, into: image)
    }
  }

  static let divisions = [1, 2, 3, 5, 8].map { ParallelPlan(workers: $0, threads: $0 % 2 + 1) }

  /// Shards of 40 samples are taken one at a time. The gradient of each is that of a step on it alone; notes of batch
  /// normalisation lie among them.
  @Test(arguments: [TinyModels.autoencoder, TinyModels.normalized, TinyModels.residual])
  func aStepAddsTheGradientsOfItsShardsInOrder(_ model: Autoencoder) throws {
    let (size, shards, minibatches) = (40, 12, 2)
    let data = try TestImages.waves(batchSizes: [size * shards * minibatches - 17], shape: model.input)
    let alone = try startedStep(model, batchSize: size, shards: 1, data: data)
    let count = alone.plan.shardedCount
    var chain: [Float] = []
    for first in stride(from: 0, to: data.count, by: size) {
      Initializer.fill(alone.parameters, plan: alone.plan, seed: 3)
      _ = try alone.run(step: 0, items: ArraySlice(Int32(first)..<Int32(min(first + size, data.count))))
      let gradient = alone.gradient.elements.prefix(count)
      chain = chain.isEmpty ? Array(gradient) : zip(chain, gradient).map { $0 + $1 }
    }
    for (parallel, delay) in zip(Self.divisions, Delay.allCases) {
      let step = try startedStep(
        model, batchSize: size * shards, shards: shards, parallel: parallel,
        data: Self.late(data, samplesPerShard: size, delay))
      #expect(step.work.reducer.shardGradients.buffers.count == min(shards, max(4, 2 * parallel.workers)) * count)
      _ = try step.run(step: 0, items: ArraySlice(0..<Int32(data.count)))
      let isSame = step.gradient.elements.prefix(count).map(\.bitPattern) == chain.map(\.bitPattern)
      #expect(isSame, "\(parallel)")
    }
  }

  /// Whoever waits for a buffer is not left waiting by a worker that gives up, be it over the first shard that has to
  /// wait for a buffer itself (image 160 where four are held) or over a later one.
  @Test(arguments: divisions, [0, 90, 160, 210, 330, 479]) func anImageThatCannotBeReadLeavesNobodyWaiting(
    _ parallel: ParallelPlan, _ bad: Int
  ) throws {
    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [480], shape: model.input)
    let steps = try [nil, bad].map { bad in
      try startedStep(
        model, batchSize: 480, shards: 12, parallel: parallel,
        data: Self.late(data, samplesPerShard: 40, bad: bad, .drawn))
    }
    let error = DataError(path: "late", reason: "image \(bad) is gone")
    #expect(throws: TrainingError.unreadable(step: 0, error)) { try steps[1].run(step: 0, items: ArraySlice(0..<480)) }
    // The next step begins as if nothing had been.
    let items = ArraySlice((Int32(0)..<480).filter { $0 != Int32(bad) })
    for step in steps { _ = try step.run(step: 0, items: items) }
    let isSame = steps[0].parameters.bits == steps[1].parameters.bits
    #expect(isSame)
  }

  /// What is planned is what is there, with and without a gradient that is kept.
  @Test(arguments: divisions, [(12, 1), (480, 12), (480, 3)]) func plannedBytesAreThoseOfTheArrays(
    _ parallel: ParallelPlan, _ batch: (size: Int, shards: Int)
  ) throws {
    for model in TinyModels.all {
      let data = try TestImages.waves(batchSizes: [1], shape: model.input)
      let plan = try ExecutionPlan(model, batchSize: batch.size, shards: batch.shards)
      for keeps in [true, false] {
        let step = try TrainingStep(
          plan: plan, parallel: parallel, optimizer: Optimizer(), seed: 3, beta: 1, data: data, keepsGradient: keeps)
        let planned = PlannedMemory(
          step: plan, parallel: parallel, augmentation: nil, corruption: nil, hasPairs: false, hasAverage: false,
          keepsGradient: keeps)
        let (shared, reducer) = (step.work.shared, step.work.reducer)
        let vectors =
          [shared.parameters, shared.batch, reducer.shardGradients.buffers, reducer.gradient] + reducer.moments
        #expect(planned.shared == 4 * vectors.reduce(0) { $0 + $1.count })
        let own = zip(step.work.replicas, reducer.rooms.map(\.count) + Array(repeating: 0, count: parallel.workers))
        for (replica, room) in own {
          #expect(planned.perReplica == 4 * (replica.arenas.reduce(room) { $0 + $1.count }))
        }
      }
    }
  }

  /// A model whose convolutions have 28 million parameters takes one shard at a time and holds twice as many gradients
  /// as there are workers, a small one takes many and holds all.
  @Test func wideConvolutionsHoldFewGradients() throws {
    let wide = Autoencoder("wide", input: ImageShape(64, 64, 3), likelihood: .squaredError) {
      Conv2D(128, kernel: 4, stride: 2, activation: .relu)
      Conv2D(256, kernel: 4, stride: 2, activation: .relu)
      Conv2D(512, kernel: 4, stride: 2, activation: .relu)
      Conv2D(1024, kernel: 4, stride: 2, activation: .relu)
    } latent: {
      Dense(128)
    } decoder: {
      Dense(4 * 4 * 1024, activation: .relu)
      Reshape(4, 4, 1024)
      ConvTranspose2D(512, kernel: 5, stride: 2)
      ConvTranspose2D(256, kernel: 5, stride: 2)
      ConvTranspose2D(128, kernel: 5, stride: 2)
      ConvTranspose2D(3, kernel: 5, stride: 2)
    }
    func held(_ model: Autoencoder) throws -> [[Int]] {
      let plan = try ExecutionPlan(model, batchSize: 128)
      return [1, 2, 4, 8, 16].map { workers in
        [
          TrainingStep.shardsPerTurn(plan: plan, workers: workers),
          TrainingStep.heldShards(plan: plan, workers: workers),
        ]
      }
    }
    #expect(try held(wide) == [[1, 4], [1, 4], [1, 8], [1, 16], [1, 16]])
    #expect(try held(convVAE64) == [[8, 16], [8, 16], [4, 16], [2, 16], [1, 16]])
    let plan = try ExecutionPlan(wide, batchSize: 128)
    #expect(plan.shardedCount > 28_000_000)
    let shared = PlannedMemory(training: plan, parallel: ParallelPlan(workers: 2, threads: 1)).shared
    let floats = 4 * plan.parameterCount + 4 * plan.shardedCount + 128 * plan.batchFloats
    #expect(shared == 4 * floats)
  }

  /// Three shards at a time would give one of two workers nine of sixteen.
  @Test func turnsDivideTheShardsEvenly() throws {
    let plan = try ExecutionPlan(TinyModels.autoencoder, batchSize: 16 * 20, shards: 16)
    let turns = [1, 2, 3, 4, 16].map { TrainingStep.shardsPerTurn(plan: plan, workers: $0) }
    #expect(turns == [2, 2, 3, 2, 1])
  }
}
