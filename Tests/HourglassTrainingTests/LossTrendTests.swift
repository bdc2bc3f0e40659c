import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// What is said of losses that are finite and yet say that a run goes wrong.
@Suite struct LossTrendTests {
  private static func epochs(_ losses: [Double]) -> [EpochMetrics] {
    losses.enumerated().map { index, loss in
      EpochMetrics(
        epoch: index + 1, step: index + 1, loss: loss, reconstruction: loss, kl: 0, reconstructionPerPixel: loss,
        samplesPerSecond: 1, seconds: 1)
    }
  }

  @Test(
    arguments: [
      // losses of epochs, that of the first step -> whether it has exploded
      ([240, 5e23], nil, true), ([5e23], 240, true), ([5e23], nil, false), ([240, 130, 5e23, 4e23], nil, false),
      ([240, 130, 4e23, 5e23], nil, true), ([240, 2400], nil, false), ([-10, 2000], nil, false),
      ([-10, 1e6], nil, true),
      ([0, 1e-300], nil, true), ([240, 239], 240, false),
    ] as [([Double], Double?, Bool)])
  func aLossThatGrewByOrdersHasExploded(_ losses: [Double], _ first: Double?, _ warns: Bool) {
    var recipe = Recipe(model: TinyModels.variational)
    let warning = LossTrend.explosion(Self.epochs(losses), first: first, recipe: recipe)
    #expect((warning != nil) == warns)
    guard let warning else { return }
    #expect(warning.contains("--learning-rate 0.0001") && warning.contains("--clip-norm 1"), "\(warning)")
    recipe.clipNorm = 5
    #expect(LossTrend.explosion(Self.epochs(losses), first: first, recipe: recipe)?.contains("--clip-norm 0.5") == true)
  }

  @Test(
    arguments: [
      // losses, whether the model puts out one image, the learning rate -> what is advised
      (Array(repeating: 52.0, count: 11), false, 1e-3, "--learning-rate 0.0001"),
      (Array(repeating: 52.0, count: 10), true, 1e-3, nil),
      ([196] + Array(repeating: 52.0, count: 11), false, 1e-3, nil),
      ([196] + Array(repeating: 52.0, count: 11), true, 1e-3, "--learning-rate 0.0001"),
      ((0..<11).map { 52 - Double($0) * 1e-3 }, false, 1e-3, nil),
      (Array(repeating: 52.0, count: 11), false, 1e-8, "--learning-rate 1e-06"),
      (Array(repeating: -5.0, count: 12), false, 5e-4, "--learning-rate 5e-05"),
    ] as [([Double], Bool, Float, String?)])
  func aLossThatDoesNotMoveAndLearnedNothingHasStalled(
    _ losses: [Double], _ isConstant: Bool, _ rate: Float, _ advice: String?
  ) {
    let recipe = Recipe(model: TinyModels.variational, optimizer: Optimizer(learningRate: rate))
    let warning = LossTrend.stall(Self.epochs(losses), recipe: recipe) { isConstant }
    #expect((warning != nil) == (advice != nil))
    if let warning, let advice { #expect(warning.contains(advice), "\(warning)") }
  }

  /// What was warned of is kept with the metrics, and stands in the report.
  @Test func warningsStandInTheMetricsAndInTheReport() throws {
    let model = try #require(try Autoencoder.dense(describedBy: "6x6x1-8,linear"))
    try withTemporaryFolder { folder in
      let recipe = Recipe(model: model, batchSize: 40, optimizer: Optimizer(.sgd, learningRate: 0.3), epochs: 3)
      let run = RunFolder(folder + "/run")
      try run.create(recipe) { run in
        let data = try TestImages.waves(batchSizes: [40], shape: model.input)
        _ = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, data: data).run()
      }
      let metrics = String(decoding: try InputFile.contents(of: folder + "/run/metrics.jsonl"), as: UTF8.self)
      #expect(metrics.contains("\"warnings\":[\"exploded loss"), "\(metrics)")
      #expect(try RunReport(run, recipe).page.contains("exploded loss"))
    }
  }

  /// Runs that stall and explode by themselves, and those that follow the advice.
  @Test func runsAreWarnedOfOnceAndTheAdviceHelps() throws {
    let model = try #require(try Autoencoder.dense(describedBy: "6x6x1-8,linear"))
    let data = try TestImages.waves(batchSizes: [40], shape: model.input)
    func warnings(_ optimizer: Optimizer, _ clipNorm: Float? = nil, epochs: Int) throws -> [String] {
      let recipe = Recipe(model: model, batchSize: 40, optimizer: optimizer, clipNorm: clipNorm, epochs: epochs)
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data)
      _ = try trainer.run()
      return trainer.metrics.epochs.compactMap(\.warnings).flatMap { $0 }
    }
    var large = Optimizer(.sgd, learningRate: 0.3)
    let exploded = try warnings(large, epochs: 3)
    #expect(exploded.count == 1 && exploded[0].hasPrefix("exploded loss"), "\(exploded)")
    #expect(try warnings(large, 1, epochs: 3).isEmpty)
    large.learningRate = 0.03
    #expect(try warnings(large, epochs: 8).isEmpty)
    let stalled = try warnings(Optimizer(learningRate: 1e-9), epochs: 14)
    #expect(stalled.count == 1 && stalled[0].contains("--learning-rate 1e-07"), "\(stalled)")
    #expect(try warnings(Optimizer(), epochs: 14).isEmpty)
  }
}
