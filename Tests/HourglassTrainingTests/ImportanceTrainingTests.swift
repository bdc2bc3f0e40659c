import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Training on the importance-weighted bound, from several samples of each image's code.
@Suite struct ImportanceTrainingTests {
  /// One of dense layers alone, where the way back begins with the whole group, one that ends in image layers, where it
  /// goes chunk by chunk, and one that draws everything else at random too.
  static let models = [
    TinyModels.variational, TinyModels.denoising,
    Autoencoder.dense([64, 12, 4], activation: .tanh, likelihood: .bernoulli, isVariational: true),
  ]

  private static func step(
    _ model: Autoencoder, _ importanceSamples: Int?, batchSize: Int = 10, shards: Int = 4,
    _ parallel: ParallelPlan = ParallelPlan(workers: 1, threads: 1), learningRate: Float? = nil,
    corruption: Corruption? = nil, augmentation: Augmentation? = nil
  ) throws -> TrainingStep {
    let step = try startedStep(
      model, batchSize: batchSize, shards: shards, parallel: parallel,
      optimizer: learningRate.map { Optimizer(.sgd, learningRate: $0) } ?? Optimizer(), augmentation: augmentation,
      corruption: corruption, data: TestImages.waves(batchSizes: [10, 10, 7], shape: model.input),
      importanceSamples: importanceSamples)
    // Wider than a start, so that samples differ in weight.
    for i in 0..<step.parameters.count { step.parameters.pointer[i] *= 3 }
    return step
  }

  @Test(arguments: models) func theDivisionChangesNoBit(_ model: Autoencoder) throws {
    for importanceSamples in [1, 3, 20] {
      let all = try [(1, 1), (2, 1), (4, 1), (1, 3), (3, 2)].map { workers, threads in
        let step = try Self.step(model, importanceSamples, ParallelPlan(workers: workers, threads: threads))
        let losses = try step.run(batchSizes: [10, 10, 7])
        return (step.parameters.bits, losses)
      }
      #expect(all.allSatisfy { $0.0 == all[0].0 && $0.1 == all[0].1 }, "\(importanceSamples)")
    }
  }

  @Test(arguments: models) func severalMinibatchesAStepAreOne(_ model: Autoencoder) throws {
    let found = try [(20, 4), (10, 2)].map { batchSize, shards in
      let step = try Self.step(
        model, 3, batchSize: batchSize, shards: shards, corruption: .mask(0.25), augmentation: Augmentation(shift: 1))
      let loss = try step.run(step: 0, items: ArraySlice(0..<20))
      return (step.parameters.bits, loss)
    }
    #expect(found[0].0 == found[1].0 && found[0].1 == found[1].1)
  }

  @Test func noStopChangesABit() async {
    await #expect(processExitsWith: .success) {
      let recipe = Recipe(
        model: TinyModels.variational, batchSize: 10, shards: 4, epochs: nil, steps: 5, importanceSamples: 3)
      var plain = recipe
      plain.importanceSamples = nil
      try expectNoStopChangesABit(recipe, unlike: plain)
    }
  }

  /// The loss of a step is the negative bound in double, from codes and expected images that inference puts out and the
  /// noise by its address: sample k of image i of a step has place i K + k.
  @Test(arguments: [1, 4, 50]) func theLossIsTheBound(_ draws: Int) throws {
    for model in [Self.models[0], Self.models[2]] {
      let step = try Self.step(model, draws, learningRate: 0)
      let loss = try step.run(step: 3, items: ArraySlice(0..<10))
      let inference = try Inference(model: model, parallel: step.parallel, parameters: step.parameters)
      let images = try TestImages.waves(batchSizes: [10, 10, 7], shape: model.input).images(0..<10)
      let (units, pixels) = (inference.codeCount, inference.imageCount)
      let heads = inference.posterior(images)
      let noise = (0..<10 * draws).flatMap { RandomStream(seed: 3, .latent, step: 3, sample: $0).normal(units) }
      var codes = noise
      for i in codes.indices {
        let (image, unit) = (i / units / draws, i % units)
        codes[i] = heads[image * 2 * units + unit] + exp(heads[image * 2 * units + units + unit] / 2) * noise[i]
      }
      let means = inference.decode(codes)
      var (wanted, reconstruction) = (0.0, 0.0)
      for image in 0..<10 {
        let (weights, losses) = (0..<draws).reduce(into: ([Double](), [Double]())) { all, k in
          let n = image * draws + k
          let nats = (0..<pixels).reduce(0.0) { sum, i in
            let (x, p) = (Double(images[image * pixels + i]), Double(means[n * pixels + i]))
            return sum - x * log(p) - (1 - x) * log(1 - p)
          }
          let ratio = (0..<units).reduce(0.0) { sum, j in
            let (z, e) = (Double(codes[n * units + j]), Double(noise[n * units + j]))
            return sum + (z * z - e * e - Double(heads[image * 2 * units + units + j])) / 2
          }
          all.0.append(exp(-nats - ratio))
          all.1.append(nats)
        }
        let sum = weights.reduce(0, +)
        wanted -= log(sum / Double(draws)) / 10
        // Where a probability is rounded to 1 the weight is next to nothing.
        reconstruction += zip(weights, losses).reduce(0) { $0 + ($1.0 > 0 ? $1.0 * $1.1 : 0) } / sum / 10
      }
      // Losses of some 50 nats from probabilities that float rounds by 6e-8 of as little as 1 in 100.
      #expect(abs(loss.total - wanted) < 1e-4 * wanted, "\(loss) for \(wanted)")
      #expect(abs(loss.reconstruction - reconstruction) < 2e-4 * wanted, "\(loss) for \(reconstruction)")
      #expect(abs(loss.total - loss.reconstruction - loss.terms) < 1e-9)
    }
  }

  /// Central differences of the bound with the noise as it is, as in `GradientTests`, along each tensor's gradient.
  @Test(arguments: [1, 2, 5]) func theGradientIsTheSlopeOfTheBound(_ draws: Int) throws {
    for model in Self.models {
      let step = try Self.step(model, draws, batchSize: 8, shards: 2, learningRate: 0)
      let start = step.parameters.array
      _ = try step.run(batchSizes: [7])
      let gradient = step.gradient.array.map { $0 / 7 }
      for parameter in step.plan.parameters {
        let places = FloatBuffer(count: start.count)
        parameter.store([Float](repeating: 1, count: parameter.count), in: places.pointer)
        let own = zip(gradient, places.array).map { $0 * $1 }
        let norm = own.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(norm > 0, "\(parameter.name)")
        let slopes = try [Float(0x1p-7), 0x1p-9, 0x1p-11, 0x1p-13].map { h in
          let losses = try [h, -h].map { h in
            for i in start.indices { step.parameters.pointer[i] = start[i] + h * own[i] / Float(norm) }
            return try step.run(batchSizes: [7])[0].total
          }
          return (losses[0] - losses[1]) / (2 * Double(h))
        }
        for i in start.indices { step.parameters.pointer[i] = start[i] }
        // A hundredth tells a lost term: the prior's, the posterior's, or the weights'.
        #expect(
          slopes.contains { abs($0 - norm) < 0.01 * norm + 1e-3 },
          "\(model.name) \(parameter.name): \(slopes), \(norm)")
      }
    }
  }

  /// From the exact posterior every sample has the weight 1 / K, and the bound is log p(x) whatever the noise.
  @Test(arguments: [1, 4, 16]) func theExactPosteriorGivesTheLikelihood(_ draws: Int) throws {
    let data = try ImportanceTests.data.get()
    let step = try startedStep(ImportanceTests.model, batchSize: 20, data: data, importanceSamples: draws)
    let exact = try ImportanceTests.inference(shift: 0, wider: 0)
    step.parameters.pointer.update(from: exact.parameters.pointer, count: step.parameters.count)
    let images = try data.images(0..<20)
    let wanted = (0..<20).reduce(0) {
      $0 + ImportanceTests.negativeLogLikelihood(Array(images[4 * $1..<4 * $1 + 4])) / 20
    }
    let loss = try step.run(batchSizes: [20])[0]
    #expect(abs(loss.total - wanted) < 1e-4 * (1 + abs(wanted)))
  }

  /// With one sample nothing is weighed: the reconstruction and its gradient are those of the evidence lower bound, the
  /// divergence is its estimate by the sample, and so the gradient is another one.
  @Test func oneSampleIsTheLowerBoundWithASampledDivergence() throws {
    let found = try [nil, 1].map { importanceSamples in
      let step = try Self.step(TinyModels.variational, importanceSamples, learningRate: 0)
      return (try step.run(batchSizes: [10])[0], step.plan, step.gradient.array)
    }
    #expect(found[0].0.reconstruction == found[1].0.reconstruction)
    #expect(found[0].0.terms != found[1].0.terms)
    #expect(abs(found[0].0.terms - found[1].0.terms) < 0.5 * found[0].0.terms)
    for parameter in found[0].1.parameters {
      let same = found.map { step in step.2.withUnsafeBufferPointer { parameter.tensor(in: $0.baseAddress!) } }
      #expect((same[0] == same[1]) == parameter.name.hasPrefix("decoder."), "\(parameter.name)")
    }
  }

  /// Trained on a bound of more samples, the same steps reach a better one; validation goes by the bound.
  @Test func trainingRaisesTheBound() throws {
    let model = Self.models[2]
    let data = try TestImages.waves(batchSizes: [40], shape: model.input)
    let bounds = try [1, 10].map { draws in
      var recipe = Recipe(
        model: model, batchSize: 8, optimizer: Optimizer(learningRate: 0.01), epochs: 60, importanceSamples: draws)
      recipe.validation = DataSource()
      let trainer = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data, validation: data)
      _ = try trainer.run()
      let row = try #require(trainer.metrics.epochs.last)
      let evaluation = try Evaluator(trainer.inference(), beta: 1, seed: recipe.seed)
        .evaluate(data, importanceSamples: draws)
      #expect(row.validationLoss == evaluation.negativeLogLikelihood && row.loss < trainer.metrics.epochs[0].loss)
      return try #require(
        try Evaluator(trainer.inference(), beta: 1, seed: 7).evaluate(data, importanceSamples: 500)
          .negativeLogLikelihood)
    }
    #expect(bounds[1] < bounds[0], "\(bounds)")
  }
}
