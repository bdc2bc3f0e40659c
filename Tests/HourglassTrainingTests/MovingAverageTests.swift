import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The exponential moving average of the weights: what it is, and who reads it.
@Suite struct MovingAverageTests {
  private static let decay: Float = 0.75
  private static let alone = ParallelPlan(workers: 1, threads: 1)

  private static func step(_ model: Autoencoder, _ parallel: ParallelPlan, ema: Float? = decay) throws -> TrainingStep {
    let plan = try ExecutionPlan(model, batchSize: 10, shards: 4)
    let step = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), clipNorm: 1, averageDecay: ema, seed: 3, beta: 1,
      data: try TestImages.waves(batchSizes: Array(repeating: 10, count: 40), shape: model.input))
    Initializer.fill(step.parameters, plan: plan, seed: 1)
    step.startAverage()
    return step
  }

  /// Against the recurrence in double; 40 steps pass the 27 after which the decay is 3/4. An average errs by two units
  /// in the last place of the weight for each of the some four steps that it remembers.
  @Test(arguments: TinyModels.all) func itFollowsTheRecurrence(_ model: Autoencoder) throws {
    let step = try Self.step(model, Self.alone)
    var wanted = step.parameters.array.map(Double.init)
    #expect(step.average?.bits == step.parameters.bits && step.evaluated === step.average)
    for t in 0..<40 {
      _ = try step.run(step: t, items: ArraySlice(Int32(10 * t)..<Int32(10 * t + 10)))
      let decay = min(Double(Self.decay), Double(1 + t) / Double(10 + t))
      for (i, weight) in step.parameters.elements.enumerated() {
        wanted[i] = decay * wanted[i] + (1 - decay) * Double(weight)
      }
    }
    let average = try #require(step.average)
    for (i, value) in average.elements.enumerated() {
      let size = max(abs(wanted[i]), abs(Double(step.parameters[i])))
      #expect(abs(Double(value) - wanted[i]) <= 16 * 0x1p-24 * size + 1e-12, "parameter \(i)")
    }
    #expect(average.bits != step.parameters.bits)
  }

  @Test func neitherItNorTheWeightsDependOnTheDivision() throws {
    for model in TinyModels.all + [TinyModels.wide] {
      let all = try [(1, 1), (4, 1), (1, 3), (3, 2)].map { workers, threads in
        let step = try Self.step(model, ParallelPlan(workers: workers, threads: threads))
        try step.run(batchSizes: [10, 10, 7])
        return (step.parameters.bits, try #require(step.average).bits)
      }
      #expect(all.allSatisfy { $0 == all[0] }, "\(model.name)")
      let plain = try Self.step(model, Self.alone, ema: nil)
      try plain.run(batchSizes: [10, 10, 7])
      #expect(plain.average == nil && plain.evaluated === plain.parameters && plain.parameters.bits == all[0].0)
    }
  }

  @Test(arguments: [1, 4, 6]) func aResumedRunHasTheSameAverage(_ stop: Int) throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder)
      recipe.ema = 0.9
      let straight = try Trainer(recipe, parallel: Self.alone, run: .create(folder + "/straight", recipe: recipe))
      _ = try straight.run()
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
      _ = try first.run(shouldStop: first.progress.step == stop)
      let second = try Trainer(recipe, parallel: ParallelPlan(workers: 3, threads: 2), run: run, resume: true)
      _ = try second.run()
      #expect(try #require(second.training.average).bits == straight.training.average?.bits)
      #expect(ResumeTests.Remains(second) == ResumeTests.Remains(straight))
    }
  }

  /// The validation, and whoever reads a checkpoint, sees the average; training goes on from the weights.
  @Test func whoeverReadsTheModelGetsTheAverage() throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 1, steps: nil)
      recipe.ema = 0.9
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let trainer = try Trainer(recipe, parallel: Self.alone, run: run)
      _ = try trainer.run()
      let names = trainer.training.plan.parameters.map(\.name)
      let tensors = try SafeTensors.read(run.checkpoint(.last)).tensors.map(\.name)
      #expect(tensors == names + ["optimizer.m.", "optimizer.v.", "ema."].flatMap { p in names.map { p + $0 } })
      let inference = try Inference(model: recipe.model, parallel: Self.alone)
      try run.read(.last).restore(parameters: inference.parameters, plan: inference.plan, path: "last")
      #expect(inference.parameters.bits == trainer.training.average?.bits)
      #expect(inference.parameters.bits != trainer.training.parameters.bits)
      let validation = try #require(recipe.validation).open(for: recipe.model, seed: recipe.seed)
      let result = try Evaluator(inference, beta: recipe.beta, seed: recipe.seed).evaluate(validation)
      #expect(trainer.metrics.epochs.last?.validationLoss == result.loss)
    }
  }

  @Test func aRunFromImportedWeightsBeginsItsAverageThere() throws {
    let (straight, other) = (
      try Self.step(TinyModels.variational, Self.alone), try Self.step(TinyModels.variational, Self.alone)
    )
    try other.run(batchSizes: [10])
    let start = Checkpoint(
      startingFrom: straight.parameters, plan: straight.plan, optimizer: straight.optimizer, hasAverage: true)
    try start.restore(other, path: "start")
    #expect(other.parameters.bits == straight.parameters.bits && other.average?.bits == straight.parameters.bits)
  }

  @Test func itsMemoryIsPlanned() throws {
    var recipe = Recipe(model: TinyModels.variational)
    let plan = try ExecutionPlan(recipe.model, batchSize: recipe.batchSize)
    let plain = PlannedMemory(training: plan, parallel: Self.alone, recipe: recipe)
    recipe.ema = 0.5
    let more = PlannedMemory(training: plan, parallel: Self.alone, recipe: recipe)
    #expect(more.shared == plain.shared + 4 * plan.parameterCount && more.perReplica == plain.perReplica)
  }
}
