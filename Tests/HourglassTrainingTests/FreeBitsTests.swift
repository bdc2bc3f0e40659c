import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Latent units diverge by some nats at no cost, in the mean over each shard.
@Suite struct FreeBitsTests {
  private static let models = [TinyModels.variational, TinyModels.denoising]

  private static func step(
    _ model: Autoencoder, freeBits: Float, beta: Float = 1, batchSize: Int = 10, shards: Int = 4,
    _ parallel: ParallelPlan = ParallelPlan(workers: 1, threads: 1)
  ) throws -> TrainingStep {
    let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
    let step = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), freeBits: freeBits, seed: 3, beta: beta,
      data: try TestImages.waves(batchSizes: [10, 10, 7], shape: model.input))
    Initializer.fill(step.parameters, plan: plan, seed: 1)
    // Wider than a start, so that some units diverge by more than others.
    for i in 0..<step.parameters.count { step.parameters.pointer[i] *= 3 }
    return step
  }

  /// Mean divergences of the units by shard, from heads that inference puts out.
  private static func divergences(_ step: TrainingStep, _ data: Dataset, shard: Range<Int>) throws -> [Double] {
    let inference = try Inference(
      model: step.plan.model, parallel: step.parallel, parameters: step.parameters)
    let units = inference.codeCount
    let heads = inference.posterior(try data.images(shard)).map(Double.init)
    return (0..<units).map { j in
      shard.indices.map { n in
        let (mean, lv) = (
          heads[(n - shard.lowerBound) * 2 * units + j], heads[(n - shard.lowerBound) * 2 * units + units + j]
        )
        return (mean * mean + exp(lv) - 1 - lv) / 2
      }.reduce(0, +) / Double(shard.count)
    }
  }

  @Test(arguments: models) func theDivisionChangesNoBit(_ model: Autoencoder) throws {
    let all = try [(1, 1), (2, 1), (4, 1), (1, 3), (3, 2)].map { workers, threads in
      let step = try Self.step(model, freeBits: 0.3, ParallelPlan(workers: workers, threads: threads))
      let losses = try step.run(batchSizes: [10, 10, 7])
      return (step.parameters.bits, losses)
    }
    #expect(all.allSatisfy { $0.0 == all[0].0 && $0.1 == all[0].1 })
    let plain = try Self.step(model, freeBits: 0)
    try plain.run(batchSizes: [10, 10, 7])
    #expect(plain.parameters.bits != all[0].0)
  }

  @Test func severalMinibatchesAStepAreOne() throws {
    let bits = try [(20, 4), (10, 2)].map { batchSize, shards in
      let step = try Self.step(TinyModels.variational, freeBits: 0.3, batchSize: batchSize, shards: shards)
      _ = try step.run(step: 0, items: ArraySlice(0..<20))
      return step.parameters.bits
    }
    #expect(bits[0] == bits[1])
  }

  /// More than any unit has is as if the divergence weighed nothing, and next to none as if there were no free bits.
  /// The losses stay those of the divergence itself. Sums of a few hundred products: 1e-5 of the largest is far above
  /// their rounding.
  @Test(arguments: models) func theEndsAreAPlainAutoencoderAndAPlainOneWithAllItsDivergence(_ model: Autoencoder) throws
  {
    func gradient(freeBits: Float, beta: Float) throws -> (values: [Float], loss: TrainingStep.Loss) {
      let step = try Self.step(model, freeBits: freeBits, beta: beta)
      let loss = try step.run(batchSizes: [10])[0]
      return (step.gradient.array, loss)
    }
    let (whole, least) = (try gradient(freeBits: 0, beta: 1), try gradient(freeBits: 1e-30, beta: 1))
    let (none, most) = (try gradient(freeBits: 0, beta: 0), try gradient(freeBits: 1e6, beta: 1))
    let scale = whole.values.map(abs).max() ?? 0
    func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }
    #expect(distance(whole.values, least.values) < 1e-5 * scale && distance(none.values, most.values) < 1e-5 * scale)
    #expect(distance(whole.values, none.values) > 1e-3 * scale)
    #expect(whole.loss == least.loss && whole.loss == most.loss && whole.loss.terms > 0)
  }

  /// Gradients of the free bits of a shard are those of the units alone that exceed them there: the gradient of the
  /// heads' biases moves by sums over the shard of what the definition says.
  @Test func aUnitCountsByTheMeanOfItsShard() throws {
    let model = TinyModels.variational
    let probe = try Self.step(model, freeBits: 0, shards: 2)
    let data = try TestImages.waves(batchSizes: [10], shape: model.input)
    let shards = try [0..<5, 5..<10].map { try Self.divergences(probe, data, shard: $0) }
    // Between the shards' means of a unit: it counts in one shard and not in the other.
    let unit = try #require((0..<3).max { abs(shards[0][$0] - shards[1][$0]) < abs(shards[0][$1] - shards[1][$1]) })
    let free = Float((shards[0][unit] + shards[1][unit]) / 2)
    let bias = try #require(probe.plan.parameters.first { $0.name == "latent.mean.bias" })
    func gradients(freeBits: Float, beta: Float) throws -> [Float] {
      let step = try Self.step(model, freeBits: freeBits, beta: beta, shards: 2)
      _ = try step.run(batchSizes: [10])
      return bias.tensor(in: step.gradient.pointer)
    }
    let (with, without) = (try gradients(freeBits: free, beta: 1), try gradients(freeBits: 0, beta: 0))
    let inference = try Inference(model: model, parallel: probe.parallel, parameters: probe.parameters)
    let heads = inference.posterior(try data.images(0..<10))
    for j in 0..<3 {
      let wanted = [0..<5, 5..<10].enumerated().reduce(0.0) { sum, shard in
        guard shards[shard.offset][j] > Double(free) else { return sum }
        return sum + shard.element.reduce(0.0) { $0 + Double(heads[$1 * 6 + j]) }
      }
      #expect(abs(Double(with[j] - without[j]) - wanted) < 1e-4 * (1 + abs(wanted)), "unit \(j)")
    }
    #expect((shards[0][unit] > Double(free)) != (shards[1][unit] > Double(free)))
  }

  /// Under a weight of the divergence that leaves no unit active, free bits leave all of them.
  @Test func unitsStayActive() throws {
    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [40], shape: model.input)
    let rows = try [nil, Float(1)].map { freeBits in
      var recipe = Recipe(model: model, batchSize: 8, optimizer: Optimizer(learningRate: 0.01), beta: 4, epochs: 300)
      (recipe.validation, recipe.freeBits) = (DataSource(), freeBits)
      let trainer = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data, validation: data)
      _ = try trainer.run()
      return try #require(trainer.metrics.epochs.last)
    }
    #expect(rows[0].activeUnits == 0 && rows[1].activeUnits == 3, "\(rows)")
    // The divergence that is reported is the true one: no less than what is free, and not much more.
    #expect(rows[1].kl > 3 * 0.7 && rows[1].kl < 3 * 1.3 && rows[0].kl < 0.01, "\(rows)")
  }
}
