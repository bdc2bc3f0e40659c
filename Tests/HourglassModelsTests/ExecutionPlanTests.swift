import TestSupport
import Testing

@testable import HourglassModels

/// Places, shards and segments of a plan.
@Suite struct ExecutionPlanTests {
  static let models = LayerCases.all.map(\.model) + ModelCatalog.models

  @Test(arguments: models.indices) func noTwoArraysOverlap(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24, shards: 2)
    let boundaries = plan.boundaries + plan.tangents
    let all = boundaries.map(\.values) + boundaries.compactMap(\.error) + plan.states
    for (memory, floats) in [
      (Place.Memory.batch, plan.batchFloats), (.group, plan.groupFloats), (.chunk, plan.chunkFloats),
    ] {
      let places = all.filter { $0.memory == memory && $0.count > 0 }.sorted { $0.offset < $1.offset }
      for place in places {
        #expect(place.offset % 16 == 0 && place.offset >= 0 && place.offset + place.count <= floats)
      }
      // Errors inside a chunked segment take turns on purpose; everything else has a place of its own.
      guard memory != .chunk else { continue }
      for (place, next) in zip(places, places.dropFirst()) { #expect(place.offset + place.count <= next.offset) }
    }
  }

  @Test(arguments: models.indices) func errorsOnBothSidesOfALayerAreApart(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24, shards: 2)
    for boundaries in [plan.boundaries, plan.tangents] {
      for i in boundaries.indices.dropLast() {
        let isWanted = plan.layers[..<i].contains { $0.gradient != .none }
        #expect((boundaries[i].error != nil) == isWanted, "an error that no parameters want")
        guard let dx = boundaries[i].error, let dy = boundaries[i + 1].error else { continue }
        guard dx.memory == dy.memory else { continue }
        #expect(dx.offset + dx.count <= dy.offset || dy.offset + dy.count <= dx.offset)
      }
    }
  }

  @Test(arguments: models.indices) func productsFindTheWholeMinibatch(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    for product in plan.products {
      #expect(plan.boundaries[product.index].values.memory == .batch, "\(product.layer.name)")
      #expect(plan.boundaries[product.index + 1].error?.memory == .batch, "\(product.layer.name)")
      #expect(product.terms.allSatisfy { $0.x.memory == .batch && $0.dy.memory == .batch })
      #expect(product.terms.allSatisfy { $0.x.count == product.layer.input.count })
    }
    #expect(plan.products.count == plan.layers.count { $0.gradient == .product })
  }

  /// Of a convolution the sum over both boundaries' turns, and what the way back reads again: tangents at the input of
  /// a layer with weights or behind a curved activation, and all that an activation other than the identity made.
  @Test func tangentsTakeTurnsWhereNobodyReadsThemAgain() throws {
    func plan(_ activation: Activation, _ penalty: (any Penalty)?) throws -> ExecutionPlan {
      let model = Autoencoder("m", input: ImageShape(4, 4, 1), likelihood: .squaredError, penalty: penalty) {
        Conv2D(2, kernel: 3, activation: activation)
        MaxPool2D(2)
      } latent: {
        Dense(3, activation: .tanh)
      } decoder: {
        Dense(16)
        Reshape(4, 4, 1)
      }
      return try ExecutionPlan(model, batchSize: 8)
    }
    let plain = try plan(.relu, L1Penalty(weight: 1))
    #expect(plain.tangents.isEmpty && plain.linearized.isEmpty)
    #expect(plain.boundaries[1].values.memory == .chunk)
    let flat = try plan(.relu, ContractivePenalty(weight: 1))
    #expect(flat.linearized.map(\.kind) == ["Conv2D", "MaxPool2D", "Dense"])
    #expect(flat.boundaries[1].values.memory == .group)
    #expect(flat.tangents.map(\.values.memory) == [.group, .chunk, .batch, .group])
    #expect(flat.tangents.map(\.error?.memory) == [nil, .chunk, .group, .batch])
    let curved = try plan(.tanh, ContractivePenalty(weight: 1))
    #expect(curved.tangents[1].values.memory == .group)
    // Two turns of 32, one for tangents and errors, and places of 16, 32, 8 and 3 floats in steps of 16.
    #expect(flat.chunkFloats == plain.chunkFloats + 32)
    #expect(curved.groupFloats == flat.groupFloats + 32)
    #expect(flat.batchFloats == plain.batchFloats + 2 * 16)
  }

  @Test(arguments: models.indices) func segmentsCoverAllLayers(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    #expect(plan.segments.flatMap(Array.init) == Array(plan.layers.indices))
    for segment in plan.segments {
      #expect(Set(segment.map { plan.layers[$0].granularity == .chunk }).count == 1)
    }
    for (segment, next) in zip(plan.segments, plan.segments.dropFirst()) {
      #expect(plan.layers[segment.lowerBound].granularity != plan.layers[next.lowerBound].granularity)
    }
  }

  @Test(arguments: models.indices) func shapesAndActivationsChain(_ index: Int) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24)
    #expect(plan.boundaries.count == plan.layers.count + 1)
    for (i, layer) in plan.layers.enumerated() {
      #expect(plan.boundaries[i].shape.count == layer.input.count)
      #expect(plan.boundaries[i + 1].shape == layer.output)
      #expect(plan.boundaries[i + 1].activation == layer.activation)
    }
    #expect(plan.boundaries[0].activation == .linear)
    #expect(plan.layers[plan.codeBoundary - 1].name == "latent")
    let penalties = plan.model.penalty == nil ? 0 : 1
    #expect(plan.layers[plan.codeBoundary].name.hasPrefix(penalties == 0 ? "decoder." : "penalty"))
    #expect(plan.layers[plan.codeBoundary + penalties].name.hasPrefix("decoder."))
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

  @Test func aShardForEightSamplesAndAtMostSixteen() {
    #expect(
      [1, 8, 9, 16, 17, 120, 128, 129, 4096].map { ExecutionPlan.defaultShards(batchSize: $0) }
        == [1, 1, 2, 2, 3, 15, 16, 16, 16])
    // Samples of an image's code count, but stay together.
    #expect(
      [(1, 50), (3, 50), (20, 1), (20, 3), (100, 50)].map {
        ExecutionPlan.defaultShards(batchSize: $0.0, importanceSamples: $0.1)
      } == [1, 3, 3, 8, 16])
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
    #expect(one.shared >= 4 * (4 * 1_691_369 + 128 * plan.batchFloats))
  }
}
