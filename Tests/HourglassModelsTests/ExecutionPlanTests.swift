import TestSupport
import Testing

@testable import HourglassModels

/// Places, shards and segments of a plan.
@Suite struct ExecutionPlanTests {
  static let models = LayerCases.all.map(\.model) + ModelCatalog.models + DrawnModels.all

  @Test(arguments: models.indices) func productsFindTheWholeMinibatch(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    let operands = plan.products.flatMap(\.terms).flatMap(\.operands)
    #expect(operands.allSatisfy { $0.memory == .batch && $0.count > 0 })
    let offsets = plan.uses.filter { $0.layer.parameterCount > 0 && !$0.isSharded }.map(\.parameterOffset)
    #expect(offsets.allSatisfy { $0 >= plan.shardedCount })
    #expect(Set(plan.products.map(\.use)).count == offsets.count)
  }

  /// Errors and tangents exist where somebody wants them: behind parameters, and up to the code.
  @Test func errorsBehindParametersAndTangentsUpToTheCode() throws {
    func plan(_ activation: Activation, _ penalties: any Penalty...) throws -> ExecutionPlan {
      var model = Autoencoder("m", input: ImageShape(4, 4, 1), likelihood: .squaredError) {
        GaussianNoise(0.1)
        Conv2D(2, kernel: 3, activation: activation)
        MaxPool2D(2)
      } latent: {
        Dense(3, activation: .tanh)
      } decoder: {
        Dense(16)
        Reshape(4, 4, 1)
      }
      model.penalties = penalties
      return try ExecutionPlan(model, batchSize: 8)
    }
    let plain = try plan(.relu, L1Penalty(weight: 1))
    #expect(plain.values.map { $0.error != nil } == [false, false, true, true, true, true, true])
    #expect(plain.tangents.isEmpty && plain.values.allSatisfy { $0.tangent == nil && $0.tangentError == nil })
    // A maximum tells the slope of the activation before the pool, so that the image before it is gone with its chunk.
    #expect(plain.values[2].values.memory == .chunk)
    let flat = try plan(.relu, ContractivePenalty(weight: 1))
    #expect(flat.tangents == 0..<4)
    // Tangents pass through the slope on their way back as well, which reads the image.
    #expect(flat.values[2].values.memory == .group)
    #expect(flat.values.map { $0.tangent?.memory } == [.chunk, .group, .chunk, .batch, .group, nil, nil])
    #expect(flat.values.map { $0.tangentError?.memory } == [nil, nil, .chunk, .group, .batch, nil, nil])
    #expect(try plan(.tanh, ContractivePenalty(weight: 1)).values[2].tangent?.memory == .group)
  }

  @Test(arguments: models.indices) func segmentsCoverAllLayers(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    #expect(plan.segments.flatMap(Array.init) == Array(plan.uses.indices))
    for segment in plan.segments {
      #expect(Set(segment.map { plan.uses[$0].layer.granularity == .chunk }).count == 1)
    }
    for (segment, next) in zip(plan.segments, plan.segments.dropFirst()) {
      #expect(plan.uses[segment.lowerBound].layer.granularity != plan.uses[next.lowerBound].layer.granularity)
    }
  }

  /// Each value has one writer before its one reader; only a fork has two outputs.
  @Test(arguments: models.indices) func aValueHasOneWriterAndOneReader(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    var (written, read) = (Set([0]), Set<Int>())
    for use in plan.uses {
      for value in use.inputs { #expect(written.contains(value) && read.insert(value).inserted, "\(use.layer.name)") }
      for value in use.outputs { #expect(written.insert(value).inserted) }
      #expect((use.branch != nil) == (use.layer.kind == "Fork"))
      #expect(plan.values[use.input].shape.count == use.layer.input.count)
      #expect(plan.values[use.output].shape == use.layer.output)
      #expect(plan.values[use.output].activation == use.layer.activation)
    }
    #expect(written == Set(plan.values.indices) && written.subtracting(read) == [plan.output])
    #expect(plan.values[0].activation == .linear)
    #expect(plan.uses[plan.encoder].last?.layer.name == "latent" && plan.uses[plan.encoder].last?.output == plan.code)
    #expect(plan.uses[plan.decoder].contains { $0.layer.name.hasPrefix("decoder.") })
  }

  /// Shards in order are the samples in order, each once, whatever part of the batch is there.
  @Test func shardsCutEveryBatchInOrder() throws {
    for batchSize in [1, 2, 3, 7, 8, 9, 16, 24, 100, 128, 130] {
      for shards in Set([1, 2, 3, 5, 16, ExecutionPlan.defaultShards(batchSize: batchSize)]) where shards <= batchSize {
        let plan = try ExecutionPlan(LayerCases.all[0].model, batchSize: batchSize, shards: shards)
        #expect(plan.samplesPerShard * shards >= batchSize && plan.samplesPerShard * (shards - 1) < batchSize + shards)
        #expect((1...16).contains(plan.samplesPerChunk))
        let chunks = (plan.samplesPerShard + plan.samplesPerChunk - 1) / plan.samplesPerChunk
        #expect(chunks * plan.samplesPerChunk - plan.samplesPerShard < chunks, "chunks of a shard are even")
        for count in Set([1, batchSize / 2, batchSize - 1, batchSize]) where count >= 1 {
          let cut = (0..<shards).flatMap { Array(plan.samples(of: $0..<$0 + 1, in: count)) }
          #expect(cut == Array(0..<count))
          #expect(Array(plan.samples(of: 0..<shards, in: count)) == cut)
          // Which shard a sample belongs to does not depend on the size of the batch.
          for shard in 0..<shards {
            #expect(
              plan.samples(of: shard..<shard + 1, in: count).allSatisfy { $0 / plan.samplesPerShard == shard })
          }
        }
      }
    }
  }

  @Test func aShardForEightSamplesAndAtMostSixteenOrInLargeBatchesMore() throws {
    let sizes = [1, 8, 9, 16, 17, 120, 128, 129, 511, 512, 520, 1023, 1024, 4096, 1 << 20]
    #expect(
      sizes.map { ExecutionPlan.defaultShards(batchSize: $0) }
        == [1, 1, 2, 2, 3, 15, 16, 16, 16, 64, 65, 128, 128, 128, 128])
    // Losses that depend on the samples of a shard keep theirs.
    for model in ModelCatalog.models {
      let joins = [convWAE28.name, sparseAE.name].contains(model.name)
      #expect(model.joinsSamplesOfShards == joins, "\(model.name)")
      #expect(try ExecutionPlan(model, batchSize: 600).shards == (joins ? 16 : 75), "\(model.name)")
      #expect(try ExecutionPlan(model, batchSize: 256).shards == 16)
    }
    // Samples of an image's code count, but stay together.
    #expect(
      [(1, 50), (3, 50), (20, 1), (20, 3), (100, 50), (511, 3), (512, 3)].map {
        ExecutionPlan.defaultShards(batchSize: $0.0, importanceSamples: $0.1)
      } == [1, 3, 3, 8, 16, 16, 128])
  }

  @Test func aPlanSaysOverHowManySamplesStatisticsAreTaken() throws {
    let row = try #require(LayerCases.all.first { $0.name == "batch norm" })
    let takes = "BatchNorm takes statistics over the samples of a shard"
    func sentence(_ batchSize: Int, _ shards: Int?) throws -> String? {
      try ExecutionPlan(row.model, batchSize: batchSize, shards: shards).shardStatistics
    }
    #expect(try sentence(128, nil) == "\(takes), 8 images here; --shards 4 makes them 32, for at most 4 workers")
    #expect(try sentence(20, nil) == "\(takes), 7 images here; --shards 1 makes them 20, for at most 1 worker")
    #expect(try sentence(128, 4) == "\(takes), 32 images here")
    #expect(try ExecutionPlan(convVAE28, batchSize: 128).shardStatistics == nil)
    #expect(
      try ExecutionPlan(convWAE28, batchSize: 64, shards: 2).shardStatistics?.hasPrefix("MMDPenalty takes") == true)
  }

  /// Whatever the division, the samples of an image's code lie in one chunk.
  @Test func chunksHoldWholeImages() throws {
    for (images, shards, samples) in [(1, 1, 1), (7, 2, 3), (20, 3, 50), (40, 2, 5), (100, 16, 2), (9, 4, 17)] {
      let plan = try ExecutionPlan(convVAE28, batchSize: images, shards: shards, importanceSamples: samples)
      #expect(plan.batchSize == images * samples && plan.samplesPerShard == (images + shards - 1) / shards * samples)
      #expect(plan.samplesPerChunk % samples == 0 && plan.samplesPerChunk <= max(16, samples))
      #expect(plan.samples(of: 0..<shards, in: plan.batchSize) == 0..<plan.batchSize)
    }
    #expect(throws: ModelError.self) { try ExecutionPlan(convVAE28, batchSize: 1 << 11, importanceSamples: 1 << 10) }
    #expect(throws: ModelError.self) { try ExecutionPlan(convVAE28, batchSize: 2, importanceSamples: 0) }
    let refusals: [(Autoencoder, String)] = [
      (convAE28, "conv-ae-28, plain with the squaredError likelihood"),
      (convVAE64, "conv-vae-64, variational with the squaredError likelihood"),
    ]
    for (model, found) in refusals {
      do {
        _ = try ExecutionPlan(model, batchSize: 4, importanceSamples: 2)
        Issue.record("planned")
      } catch {
        #expect(
          error.description == "latent: wanted a variational model with a likelihood in nats (bernoulli, gaussian, "
            + "categorical), found \(found)")
      }
    }
  }

  @Test func bytesGrowWithWhatIsHeld() throws {
    let plan = try ExecutionPlan(convVAE28, batchSize: 128)
    let one = plan.bytes(groupSamples: 8, threads: 1)
    let two = plan.bytes(groupSamples: 16, threads: 1)
    #expect(two.perReplica - one.perReplica >= 4 * 8 * plan.groupFloats && one.shared == two.shared)
    #expect(one.shared >= 4 * (3 * 1_691_369 + 128 * plan.batchFloats))
  }
}
