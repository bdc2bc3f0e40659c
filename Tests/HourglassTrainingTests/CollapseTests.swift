import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// What is said of a variational model whose code nobody uses.
@Suite struct CollapseTests {
  @Test(
    arguments: [
      // active units, steps done of 4 an epoch, warm-up -> whether it is warned
      (0, 100, nil, true), (1, 100, nil, true), (2, 100, nil, false), (nil, 100, nil, false), (0, 96, nil, false),
      (0, 104, .epochs(2), false), (0, 108, .epochs(2), true),
    ] as [(Int?, Int, Span?, Bool)])
  func fewActiveUnitsAreWarnedOfOnceBetaHasRisen(_ active: Int?, _ step: Int, _ warmup: Span?, _ warns: Bool) {
    var recipe = Recipe(model: TinyModels.variational, epochs: 1000)
    recipe.betaWarmup = warmup
    let row = EpochMetrics(
      epoch: step / 4, step: step, loss: 1, reconstruction: 1, kl: 0, reconstructionPerPixel: 1, activeUnits: active,
      samplesPerSecond: 1, seconds: 1)
    let warning = PosteriorCollapse.warning(after: row, units: 20, recipe: recipe, stepsPerEpoch: 4)
    #expect((warning != nil) == warns)
    if let warning {
      #expect(warning.contains("of 20") && warning.contains("--beta") && warning.contains("epoch \(step / 4)"))
      #expect(warning.contains("--beta-warmup") == (warmup == nil) && warning.contains("--free-bits"))
      recipe.freeBits = 0.5
      let again = PosteriorCollapse.warning(after: row, units: 20, recipe: recipe, stepsPerEpoch: 4)
      #expect(again?.contains("--free-bits") == false)
    }
  }

  /// A run of fewer steps than it otherwise takes to tell is judged at its end, if its warm-up is over by then.
  @Test(
    arguments: [(12, nil, true), (8, nil, false), (12, .epochs(2), true), (12, .epochs(3), false)]
      as [(Int, Span?, Bool)])
  func aShortRunIsWarnedOfAtItsEnd(_ step: Int, _ warmup: Span?, _ warns: Bool) {
    var recipe = Recipe(model: TinyModels.variational, epochs: 3)
    recipe.betaWarmup = warmup
    let row = EpochMetrics(
      epoch: step / 4, step: step, loss: 1, reconstruction: 1, kl: 0, reconstructionPerPixel: 1, activeUnits: 0,
      samplesPerSecond: 1, seconds: 1)
    let warning = PosteriorCollapse.warning(after: row, units: 20, recipe: recipe, stepsPerEpoch: 4)
    #expect((warning != nil) == warns)
  }

  /// A weight of the divergence that leaves nothing else to learn, and none at all.
  @Test(arguments: [true, false])
  func anEpochCountsTheActiveUnitsOfTheValidationOrOfTheTrainingImages(_ isValidated: Bool) throws {
    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [40], shape: model.input)
    for (beta, isCollapsed) in [(Float(1000), true), (0, false)] {
      var recipe = Recipe(model: model, batchSize: 8, optimizer: Optimizer(learningRate: 0.01), beta: beta, epochs: 30)
      recipe.validation = isValidated ? DataSource() : nil
      let one = ParallelPlan(workers: 1, threads: 1)
      let trainer = try Trainer(recipe, parallel: one, data: data, validation: isValidated ? data : nil)
      _ = try trainer.run()
      let row = try #require(trainer.metrics.epochs.last)
      let evaluation = try Evaluator(
        Inference(model: model, parallel: one, parameters: trainer.training.parameters), beta: beta, seed: recipe.seed
      ).evaluate(data)
      #expect(row.activeUnits == evaluation.activeUnits && (row.validationLoss != nil) == isValidated)
      let warnings = trainer.metrics.epochs.compactMap(\.warnings).flatMap { $0 }
      #expect(warnings.filter { $0.contains("posterior collapse") }.count == (isCollapsed ? 1 : 0), "\(warnings)")
    }
  }
}
