import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

@testable import HourglassAnalysis

/// Deep support vector data description: codes are drawn to the mean of the codes at the start.
@Suite struct CentreTests {
  private static let parallel = ParallelPlan(workers: 2, threads: 1)

  private static func recipe(steps: Int) -> Recipe {
    var recipe = Recipe(model: LayerCases.centred.model, batchSize: 10, seed: 4, epochs: nil, steps: steps)
    recipe.optimizer = Optimizer(learningRate: 0.01)
    return recipe
  }

  private static func centre(_ trainer: Trainer) throws -> [Float] {
    let plan = trainer.training.plan
    let parameter = try #require(plan.parameters.first { $0.name == "decoder.0.weight" })
    return parameter.tensor(in: trainer.training.parameters.pointer)
  }

  @Test func theCentreIsTheMeanOfTheFirstCodesAndStays() throws {
    let data = try TestImages.waves(batchSizes: [30, 30], shape: LayerCases.centred.model.input)
    let trainer = try Trainer(Self.recipe(steps: 40), parallel: Self.parallel, data: data)
    let inference = try trainer.inference()
    let codes = inference.encode(try data.images(0..<60))
    let centre = try Self.centre(trainer)
    for unit in 0..<4 {
      let mean: Double = (0..<60).map { Double(codes[4 * $0 + unit]) }.reduce(0, +) / 60
      let wanted: Double = abs(mean) < 0.1 ? (mean < 0 ? -0.1 : 0.1) : mean
      #expect(abs(Double(centre[unit]) - wanted) < 1e-6)
    }
    func distances() throws -> [Double] {
      try inference.scores(of: data, by: .likelihood, seed: 1).scores
    }
    let before = try distances()
    for n in 0..<60 {
      let offsets = (0..<4).map { Double(codes[4 * n + $0] - centre[$0]) }
      let distance = offsets.map { $0 * $0 }.reduce(0, +)
      #expect(abs(before[n] - distance) < 1e-5 * max(1, distance))
    }
    _ = try trainer.run()
    #expect(try Self.centre(trainer) == centre)
    #expect(try distances().reduce(0, +) < 0.5 * before.reduce(0, +))
  }

  @Test func numbersNearZeroAreMovedAway() {
    #expect(Centre.centre(ofMean: [0, -0.05, 0.2, -3]) == [0.1, -0.1, 0.2, -3])
  }

  /// Weight decay moves weights, not the centre; a run that was stopped goes on with its centre, to the bit.
  @Test func aRunKeepsItsCentre() throws {
    var recipe = Self.recipe(steps: 12)
    recipe.optimizer.weightDecay = 0.1
    try expectNoStopChangesABit(recipe, unlike: Self.recipe(steps: 12))
  }
}
