import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Running statistics of batch normalisation: what they follow, where they are kept, and who reads them.
@Suite struct NormalizationTests {
  private static func step(_ model: Autoencoder, rate: Float = 0.01, batchSize: Int, shards: Int) throws -> TrainingStep
  {
    let data = try TestImages.waves(batchSizes: [12, 12, 12], shape: model.input)
    return try startedStep(
      model, batchSize: batchSize, shards: shards, optimizer: Optimizer(.sgd, learningRate: rate), data: data)
  }

  private static func tensor(_ name: String, _ step: TrainingStep, _ flat: FloatBuffer) throws -> [Float] {
    try #require(step.plan.parameters.first { $0.name == name }).tensor(in: flat.pointer)
  }

  /// The dense layer's outputs, in double from the weights and images, give mean and variance of each shard.
  @Test(arguments: [1, 2, 3]) func theyFollowTheMeanOverTheShards(_ shards: Int) throws {
    let step = try Self.step(TinyModels.resized, rate: 0, batchSize: 12, shards: shards)
    let (weight, bias) = (
      try Self.tensor("encoder.0.weight", step, step.parameters),
      try Self.tensor("encoder.0.bias", step, step.parameters)
    )
    let images = TestImages.waves(step: 0, samples: 12, shape: TinyModels.resized.input)
    _ = try step.run(step: 0, items: (0..<12).map { $0 }[...])
    let (means, variances) = (
      try Self.tensor("encoder.1.running_mean", step, step.parameters),
      try Self.tensor("encoder.1.running_var", step, step.parameters)
    )
    let m = 12 / shards
    for unit in 0..<10 {
      var (mean, variance) = (0.0, 0.0)
      for shard in 0..<shards {
        let values = (shard * m..<(shard + 1) * m).map { n in
          (0..<64).reduce(Double(bias[unit])) { $0 + Double(images[n * 64 + $1]) * Double(weight[unit * 64 + $1]) }
        }
        let own = values.reduce(0, +) / Double(m)
        mean += own / Double(shards)
        variance += values.reduce(0) { $0 + ($1 - own) * ($1 - own) } / Double(m - 1) / Double(shards)
      }
      #expect(abs(Double(means[unit]) - 0.1 * mean) < 1e-6)
      #expect(abs(Double(variances[unit]) - (0.9 + 0.1 * variance)) < 1e-6)
    }
  }

  /// Five samples in shards of four: the fifth has no variance of its own, and counts as the running one.
  @Test func aShardOfOneVectorLeavesTheVariance() throws {
    let step = try Self.step(TinyModels.resized, rate: 0, batchSize: 8, shards: 2)
    let start = step.parameters.array
    _ = try step.run(step: 0, items: [0, 1, 2, 3])
    let four = try Self.tensor("encoder.1.running_var", step, step.gradient)
    step.parameters.pointer.update(from: start, count: start.count)
    let loss = try step.run(step: 0, items: [0, 1, 2, 3, 4])
    let five = try Self.tensor("encoder.1.running_var", step, step.gradient)
    for (a, b) in zip(four, five) { #expect(abs(b - a - 1) < 1e-6) }
    #expect(loss.total.isFinite)
  }

  @Test func inferenceReadsThemAndNoOtherSample() throws {
    let step = try Self.step(TinyModels.normalized, batchSize: 12, shards: 2)
    for t in 0..<3 { _ = try step.run(step: t, items: (Int32(12 * t)..<Int32(12 * t + 12)).map { $0 }[...]) }
    let inference = try Inference(
      model: TinyModels.normalized, parallel: ParallelPlan(workers: 1, threads: 1), parameters: step.parameters)
    let images = TestImages.waves(step: 0, samples: 12, shape: TinyModels.normalized.input)
    let count = inference.imageCount
    let (alone, together) = (inference.reconstruct(Array(images[..<count])), inference.reconstruct(images))
    #expect(alone == Array(together[..<count]))
    let mean = try #require(step.plan.parameters.first { $0.name == "decoder.4.running_mean" })
    mean.store(mean.tensor(in: step.parameters.pointer).map { $0 + 1 }, in: step.parameters.pointer)
    #expect(inference.reconstruct(Array(images[..<count])) != alone)
  }

  /// They are in the file, have no moments there, and a restored step goes on to the same bits.
  @Test func aCheckpointKeepsThem() throws {
    try withTemporaryFolder { folder in
      func training() throws -> TrainingStep {
        try startedStep(
          TinyModels.normalized, batchSize: 12, shards: 3, parallel: ParallelPlan(workers: 2, threads: 1),
          data: TestImages.waves(batchSizes: [12, 12, 12], shape: TinyModels.normalized.input))
      }
      func run(_ step: TrainingStep, _ steps: Range<Int>) throws {
        for t in steps { _ = try step.run(step: t, items: (Int32(12 * t)..<Int32(12 * t + 12)).map { $0 }[...]) }
      }
      let (whole, first, second) = (try training(), try training(), try training())
      try run(whole, 0..<3)
      try run(first, 0..<2)
      try Checkpoint(first, progress: .init(step: 2)).write(to: folder + "/c.safetensors")
      try Checkpoint(reading: folder + "/c.safetensors").restore(second, path: "c")
      try run(second, 2..<3)
      #expect(second.parameters.bits == whole.parameters.bits)
      let names = Set(try SafeTensors.read(folder + "/c.safetensors").tensors.map(\.name))
      #expect(
        names.isSuperset(of: ["decoder.4.running_mean", "decoder.4.running_var", "optimizer.m.decoder.4.weight"]))
      #expect(!names.contains { $0.hasPrefix("optimizer.") && $0.contains("running") })
    }
  }

  @Test func aDecoderWithSwitchesSaysWhyItCannotDecode() throws {
    #expect(
      try ExecutionPlan(convAEUnpool28, batchSize: 8).decodingRefusal
        == "decoder.2 of conv-ae-unpool-28 wants the switches that encoder.3 finds in an image, so a code alone cannot "
        + "be decoded")
    #expect(try ExecutionPlan(convAE28, batchSize: 8).decodingRefusal == nil)
  }
}
