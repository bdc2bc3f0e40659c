import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The KL divergence is led to a number of nats; and weight decay that reaches the decoder alone.
@Suite struct CapacityTests {
  private static func step(
    capacity: Float?, beta: Float = 1, optimizer: Optimizer = Optimizer(),
    _ parallel: ParallelPlan = ParallelPlan(workers: 1, threads: 1)
  ) throws -> TrainingStep {
    let model = TinyModels.variational
    let plan = try ExecutionPlan(model, batchSize: 10, shards: 3)
    let step = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: optimizer, capacity: capacity, seed: 3, beta: beta,
      data: try TestImages.waves(batchSizes: [10, 10, 7], shape: model.input))
    Initializer.fill(step.parameters, plan: plan, seed: 1)
    for i in 0..<step.parameters.count { step.parameters.pointer[i] *= 3 }
    return step
  }

  /// Shards of four, four and two samples, each with its own mean of the divergence.
  @Test func theLossHasTheDistanceOfEachShardsDivergence() throws {
    let plain = try Self.step(capacity: nil)
    let loss = try plain.run(batchSizes: [10])[0]
    let divergences = (0..<10).map { Double(plain.work.shared.terms[$0]) }
    let means = [0..<4, 4..<8, 8..<10].map { shard in divergences[shard].reduce(0, +) / Double(shard.count) }
    // Between the least and the largest of the three.
    let capacity = Float(means.sorted()[1] + (means.sorted()[2] - means.sorted()[1]) / 2)
    let led = try Self.step(capacity: capacity, beta: 2)
    let found = try led.run(batchSizes: [10])[0]
    let distance = zip(means, [4.0, 4, 2]).reduce(0.0) { $0 + abs($1.0 - Double(capacity)) * $1.1 / 10 }
    #expect(found.reconstruction == loss.reconstruction && abs(found.terms - distance) < 1e-9)
    #expect(abs(found.total - found.reconstruction - 2 * distance) < 1e-9)
    #expect(abs(led.meanTerm(0, count: 10) - loss.terms) < 1e-12, "metrics keep the divergence itself")
  }

  /// Below its capacity the divergence grows, above it falls as without one.
  @Test func theGradientTurnsAtTheCapacity() throws {
    func gradient(_ capacity: Float?, beta: Float) throws -> [Float] {
      let step = try Self.step(capacity: capacity, beta: beta)
      try step.run(batchSizes: [10])
      return step.gradient.array
    }
    #expect(try gradient(0, beta: 2) == gradient(nil, beta: 2))
    #expect(try gradient(1e6, beta: 2) == gradient(nil, beta: -2))
  }

  @Test func theDivisionChangesNoBit() throws {
    var optimizer = Optimizer(.adamw)
    optimizer.decoderWeightDecay = 0.1
    let all = try [(1, 1), (2, 1), (3, 2)].map { workers, threads in
      let step = try Self.step(
        capacity: 3, optimizer: optimizer, ParallelPlan(workers: workers, threads: threads))
      let losses = try step.run(batchSizes: [10, 10, 7])
      return (step.parameters.bits, losses)
    }
    #expect(all.allSatisfy { $0.0 == all[0].0 && $0.1 == all[0].1 })
  }

  @Test func theCapacityRisesWithTheSteps() throws {
    var recipe = Recipe(model: TinyModels.variational, batchSize: 8, epochs: 12)
    #expect(recipe.capacity(step: 3, stepsPerEpoch: 10) == nil)
    (recipe.capacity, recipe.capacityWarmup) = (8, .epochs(2))
    #expect([0, 5, 20, 30].map { recipe.capacity(step: $0, stepsPerEpoch: 10) } == [0, 2, 8, 8])
    #expect(recipe.refusal == nil)
    (recipe.beta, recipe.epochs, recipe.optimizer.learningRate) = (100, 12, 0.01)
    let data = try TestImages.waves(batchSizes: [64], shape: recipe.model.input)
    let trainer = try Trainer(
      recipe, parallel: ParallelPlan(workers: 2, threads: 1), data: data, validation: data)
    _ = try trainer.run()
    let last = try #require(trainer.metrics.epochs.last)
    let evaluated = try Evaluator(trainer.inference(), recipe).evaluate(data)
    #expect(last.kl > 2 && last.validationLoss == evaluated.loss)
    let kl = try #require(evaluated.kl)
    #expect(abs(evaluated.loss - (evaluated.reconstruction ?? 0) - 100 * abs(kl - 8)) < 1e-6)
  }

  /// One step of plain SGD with a rate of 1 takes the decay of each weight off it.
  @Test func decayOfTheDecoderReachesNoOtherWeight() throws {
    var optimizer = Optimizer(.sgd, learningRate: 1)
    optimizer.momentum = 0
    let plain = try Self.step(capacity: nil, optimizer: optimizer)
    let start = plain.parameters.array
    try plain.run(batchSizes: [10])
    optimizer.decoderWeightDecay = 0.25
    let decayed = try Self.step(capacity: nil, optimizer: optimizer)
    try decayed.run(batchSizes: [10])
    var places = (decoder: 0, others: 0)
    for use in plain.plan.uses.indices {
      let isDecoder = plain.plan.decoder.contains(use)
      for i in plain.plan.uses[use].parameterRange {
        if isDecoder { places.decoder += 1 } else { places.others += 1 }
        let wanted = plain.parameters[i] - (isDecoder ? 0.25 * start[i] : 0)
        #expect(abs(decayed.parameters[i] - wanted) <= 1e-5 * max(1, abs(wanted)), "\(use), \(i)")
      }
    }
    #expect(places.decoder > 100 && places.others > 100)
  }
}
