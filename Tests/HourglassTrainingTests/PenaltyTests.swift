import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Penalties where ordinary codes do not lead: at kinks, at the ends of ranges, in a shard of one sample.
@Suite struct PenaltyTests {
  static let units = 3

  /// A step that only measures codes which are the activation of `sum` in all units, whatever the image, and of which
  /// the decoder knows nothing: the penalty's gradient alone reaches them.
  static func measured(_ penalty: any Penalty, code: Activation, sum: Float) throws -> (
    loss: TrainingStep.Loss, gradient: [Float]
  ) {
    let model = Autoencoder("m", input: ImageShape(2, 2, 1), likelihood: .squaredError, penalty: penalty) {
    } latent: {
      Dense(units, activation: code)
    } decoder: {
      Dense(4)
      Reshape(2, 2, 1)
    }
    let data = try TestImages.waves(batchSizes: [6], shape: model.input)
    let step = try startedStep(model, batchSize: 6, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
    for parameter in step.plan.parameters {
      let value = parameter.name == "latent.bias" ? sum : 0
      parameter.store([Float](repeating: value, count: parameter.count), in: step.parameters.pointer)
    }
    let loss = try step.run(batchSizes: [6])[0]
    let bias = try #require(step.plan.parameters.first { $0.name == "latent.bias" })
    return (loss, bias.tensor(in: step.gradient.pointer))
  }

  /// Activities of 2 x 10^-9 and of 1 lie beyond the range, whose end counts, and there is no slope. Within it there is
  /// one: (1 - t) / (1 - r) - t / r times r (1 - r).
  @Test func activitiesBeyondTheRangeHaveTheValueOfItsEndAndNoSlope() throws {
    let target = Double(Float(0.2))
    for (sum, activity) in [(Float(-20), 1e-6), (20, 1 - 1e-6)] {
      let (loss, gradient) = try Self.measured(ActivityPenalty(target: 0.2, weight: 2), code: .sigmoid, sum: sum)
      let wanted = target * log(target / activity) + (1 - target) * log((1 - target) / (1 - activity))
      #expect(abs(loss.terms - 2 * Double(Self.units) * wanted) < 1e-6 * loss.terms, "\(sum)")
      #expect(gradient == [0, 0, 0], "\(sum)")
    }
    let (_, gradient) = try Self.measured(ActivityPenalty(target: 0.2, weight: 2), code: .sigmoid, sum: -1)
    let activity = 1 / (1 + exp(1.0))
    let wanted = 6 * 2 * (activity - target)
    #expect(gradient.allSatisfy { abs(Double($0) - wanted) < 1e-5 }, "\(gradient) \(wanted)")
  }

  @Test func absoluteValuesHaveNoSlopeAtZero() throws {
    for (sum, slope) in [(Float(0), Float(0)), (0.5, 1.5), (-0.5, -1.5)] {
      let (loss, gradient) = try Self.measured(L1Penalty(weight: 0.25), code: .linear, sum: sum)
      #expect(gradient == [slope, slope, slope] && loss.terms == 0.25 * 3 * Double(abs(sum)))
    }
  }

  /// The last shard of a partial minibatch: it has no discrepancy, and the others keep theirs.
  @Test func aShardOfOneSampleHasNoDiscrepancy() throws {
    let model = try FamilyTests.model("mmd")
    let data = try TestImages.waves(batchSizes: [5], shape: model.input)
    let losses = try [4, 5].map { count in
      let step = try startedStep(
        model, batchSize: 8, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
      let loss = try step.run(batchSizes: [count])[0]
      let isFinite = step.gradient.elements.allSatisfy(\.isFinite)
      #expect(isFinite)
      return loss.terms
    }
    #expect(losses[0] != 0 && abs(losses[1] - 0.8 * losses[0]) < 1e-6 * abs(losses[0]), "\(losses)")
  }

  /// A model with several terms has each under its name wherever numbers are kept, and their sum in the loss.
  @Test func eachOfSeveralTermsHasItsName() throws {
    var model = TinyModels.variational
    model.penalties = [MMDPenalty(weight: 5), L2Penalty(weight: 0.1)]
    #expect(model.terms.map(\.name) == ["KL divergence", "MMD penalty", "L2 penalty"])
    try withTemporaryFolder { folder in
      let data = try TestImages.waves(batchSizes: [24], shape: model.input)
      var recipe = Recipe(model: model, batchSize: 8, epochs: 2)
      recipe.beta = 0.5
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      func trainer(resumes: Bool) throws -> Trainer {
        try Trainer(
          recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run, resume: resumes, data: data,
          validation: data)
      }
      // The first session ends within the second epoch.
      let first = try trainer(resumes: false)
      #expect(try first.run(shouldStop: first.progress.step == 5) == .interrupted)
      let second = try trainer(resumes: true)
      _ = try second.run()
      let whole = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data, validation: data)
      _ = try whole.run()
      for (row, other) in zip(second.metrics.epochs, whole.metrics.epochs) {
        let terms = try #require(row.terms)
        #expect(Set(terms.keys) == ["kl", "MMDPenalty", "L2Penalty"] && terms == other.terms)
        #expect(row.kl == terms["kl"] && terms.values.allSatisfy { $0 != 0 })
        #expect(abs((row.penalty ?? 0) - terms.values.reduce(-row.kl, +)) < 1e-9)
        #expect(abs(row.loss - row.reconstruction - 0.5 * terms.values.reduce(0, +)) < 1e-9)
        #expect(model.terms.map { row.value(of: $0) } == [row.kl, terms["MMDPenalty"], terms["L2Penalty"]])
      }
      let lines = try String(contentsOfFile: run.file("metrics.csv"), encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 3 && lines[0].hasSuffix(",dataChanges,L2Penalty,MMDPenalty,kl"))
      #expect(Set(lines.map { $0.split(separator: ",", omittingEmptySubsequences: false).count }).count == 1)

      let result = try Evaluator(second.inference(), beta: 0.5, seed: 1).evaluate(data)
      let terms = try #require(result.terms)
      #expect(terms["kl"] == result.kl && terms.count == 3)
      #expect(abs(result.loss - (result.reconstruction ?? 0) - 0.5 * terms.values.reduce(0, +)) < 1e-9)
      #expect(result.negativeELBO == (result.reconstruction ?? 0) + (result.kl ?? 0))
    }
  }

  /// The importance-weighted bound has no terms but its own.
  @Test func theBoundTakesNoPenalty() {
    var recipe = Recipe(model: TinyModels.variational, batchSize: 8, importanceSamples: 3)
    #expect(recipe.refusal == nil)
    recipe.model.penalties = [L2Penalty(weight: 1)]
    let refusal = "wanted no penalty beside the importance-weighted bound, found L2Penalty"
    #expect(recipe.refusal == "importanceSamples: \(refusal)")
    #expect(throws: ModelError("penalty", refusal)) {
      try ExecutionPlan(recipe.model, batchSize: 8, importanceSamples: 3)
    }
  }
}
