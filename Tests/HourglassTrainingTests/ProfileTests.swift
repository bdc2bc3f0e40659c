import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The clocks of `train --profile`.
@Suite struct ProfileTests {
  private static let steps = [18, 18, 11, 13]

  /// A model after a few steps of up to three minibatches.
  private func trained(
    _ model: Autoencoder, _ parallel: ParallelPlan, clipNorm: Float? = nil, profiles: Bool = true,
    steps: [Int] = Self.steps
  ) throws -> TrainingStep {
    let data = try TestImages.waves(batchSizes: steps, shape: model.input)
    let step = try startedStep(
      model, batchSize: 6, shards: 3, parallel: parallel, clipNorm: clipNorm, data: data, profiles: profiles)
    try step.run(batchSizes: steps)
    return step
  }

  @Test(arguments: TinyModels.all + [TinyModels.wide], [nil, Float(0.01)])
  func timingChangesNoBit(_ model: Autoencoder, _ clipNorm: Float?) throws {
    let wanted = try trained(model, ParallelPlan(workers: 1, threads: 1), clipNorm: clipNorm, profiles: false)
    #expect(wanted.profile == nil)
    for (workers, threads) in [(3, 1), (2, 2)] {
      let found = try trained(model, ParallelPlan(workers: workers, threads: threads), clipNorm: clipNorm)
      #expect(found.parameters.bits == wanted.parameters.bits)
      #expect(found.moments.map { $0.values.bits } == wanted.moments.map { $0.values.bits })
    }
  }

  /// Rates times times are the flops that the summary of the model counts.
  @Test(arguments: TinyModels.all + [TinyModels.wide] + BoltzmannTests.machines, [1, 3])
  func rowsAddUpToAStepAndToItsFlops(_ model: Autoencoder, _ workers: Int) throws {
    let training = try trained(model, ParallelPlan(workers: workers, threads: 1))
    let profile = try #require(training.profile)
    // All but the first.
    #expect(profile.steps == 3 && profile.samplesPerStep == 14 && profile.workers == workers)
    let milliseconds = profile.rows.reduce(0) { $0 + $1.milliseconds }
    #expect(abs(milliseconds / profile.millisecondsPerStep - 1) < 1e-9)
    #expect(abs(profile.rows.reduce(0) { $0 + $1.shareOfStep } - 1) < 1e-9)
    let busy = profile.busyMilliseconds.reduce(0, +) / Double(workers)
    let waiting = try #require(profile.rows.last)
    #expect(waiting.pass == "waiting" && abs(busy + waiting.milliseconds - milliseconds) < 1e-9 * milliseconds)
    let flops = profile.rows.reduce(0) { $0 + ($1.gigaflopsPerSecond ?? 0) * $1.milliseconds * 1e6 }
    let wanted = Double(ModelSummary(training.plan).trainingFlops) * profile.samplesPerStep
    #expect(abs(flops / wanted - 1) < 1e-9)
    for row in profile.rows {
      #expect(row.imbalance >= 1 && row.imbalance <= Double(workers) + 1e-9)
      #expect(row.shareOfPeak == row.gigaflopsPerSecond.map { $0 / profile.peakGigaflopsPerSecond })
    }
  }

  @Test func eachLayerHasItsPassesAndTheRestItsNames() throws {
    let profile = try #require(try trained(TinyModels.variational, ParallelPlan(workers: 2, threads: 1)).profile)
    let layers = profile.layers.map { "\($0.name) \($0.kind): \($0.rows.map(\.pass).joined(separator: " "))" }
    #expect(
      layers == [
        "encoder.0 Conv2D: forward backward-filter", "encoder.1 Dense: forward backward-data backward-weight",
        "latent Dense: forward backward-data backward-weight", "latent GaussianLatent: forward backward",
        "decoder.0 Dense: forward backward-data backward-weight",
        "decoder.1 Dense: forward backward-data backward-weight",
        "decoder.3 ConvTranspose2D: forward backward-data backward-filter",
      ])
    let others = profile.rows.filter { $0.layer == nil }.map(\.pass)
    #expect(others == ["input", "preparation", "likelihood", "sums", "optimizer", "waiting"])
    #expect(profile.peakGigaflopsPerSecond > 0 && profile.memoryGigabytesPerSecond > 0)
    let decoded = try JSONDecoder().decode(StepProfile.self, from: Data(JSONText.line(profile).utf8))
    #expect(decoded.rows.map(\.pass) == profile.rows.map(\.pass) && decoded.steps == profile.steps)
  }

  /// Convolutions that differ a hundredfold in work.
  @Test func timeGoesToTheLayerThatTakesIt() throws {
    let model = Autoencoder("uneven", input: ImageShape(16, 16, 32), likelihood: .squaredError) {
      Conv2D(64, kernel: 5)  // 16 x 16 x 64
      Conv2D(2, kernel: 4, stride: 4)  // 4 x 4 x 2
    } latent: {
      Dense(2)
    } decoder: {
      Dense(4 * 4 * 2)
      Reshape(4, 4, 2)
      ConvTranspose2D(32, kernel: 4, stride: 4)  // 16 x 16 x 32
    }
    // Other processes can stop this one at any place, so that one run of ten has to show it.
    let isFound = try (0..<10).contains { _ in
      let profile = try #require(try trained(model, ParallelPlan(workers: 1, threads: 1)).profile)
      func time(_ layer: String, _ pass: String) -> Double {
        profile.rows.filter { $0.layer == layer && $0.pass == pass }.reduce(0) { $0 + $1.milliseconds }
      }
      return ["forward", "backward-filter"].allSatisfy {
        time("encoder.0", $0) > time("encoder.1", $0) + time("decoder.2", $0)
      } && time("encoder.0", "forward") > time("latent", "forward") + time("decoder.0", "forward")
    }
    #expect(isFound)
  }

  /// With times that are made up: where the layer that gains takes nearly all of them, and where it takes little.
  /// Models where none gains or has no more to gain are advised nothing.
  @Test func winogradIsAdvisedWhereItGains() throws {
    let model = Autoencoder("gains", input: ImageShape(16, 16, 32), likelihood: .squaredError) {
      Conv2D(64, kernel: 3)
      Conv2D(16, kernel: 5, stride: 4)  // 4 x 4 x 16
    } latent: {
      Dense(2)
    } decoder: {
      Dense(4 * 4 * 16)
      Reshape(4, 4, 16)
      ConvTranspose2D(32, kernel: 4, stride: 4)  // 16 x 16 x 32
    }
    func profiled(_ model: Autoencoder) throws -> (StepProfile, ExecutionPlan) {
      let data = try TestImages.waves(batchSizes: [16, 16], shape: model.input)
      let step = try startedStep(model, batchSize: 16, data: data, profiles: true)
      try step.run(batchSizes: [16, 16])
      return (try #require(step.profile), step.plan)
    }
    var (profile, plan) = try profiled(model)
    /// Lets each row of the layer that gains take `gaining` milliseconds, and every other row a tenth of one.
    func time(_ gaining: Double) {
      for i in profile.rows.indices {
        profile.rows[i].milliseconds = profile.rows[i].layer == "encoder.0" ? gaining : 0.1
      }
      let total = profile.rows.reduce(0) { $0 + ($1.pass == "waiting" ? 0 : $1.milliseconds) }
      profile.busyMilliseconds = Array(repeating: total, count: profile.workers)
      profile.winograd = profile.winograd(of: plan)
    }
    time(100)
    let found = try #require(profile.winograd)
    // The first layer has no gradient of its input: forward and filter.
    let times = try [false, true].map { try #require(plan.winogradTime(ofUse: 0, isFilterGradient: $0)) }
    #expect(found.layers == ["encoder.0"] && times.allSatisfy { (0.35...0.6).contains($0) })
    #expect(abs(found.timeSaved - (1 - (times[0] + times[1]) / 2)) < 0.02)
    let sentence = try #require(profile.advice(recipe: "runs/a/recipe.json"))
    #expect(sentence.hasPrefix("Winograd's form of 1 layer (encoder.0) would take about "))
    #expect(sentence.hasSuffix("hourglass train --config runs/a/recipe.json --algorithm winograd"))
    let decoded = try JSONDecoder().decode(StepProfile.self, from: Data(JSONText.line(profile).utf8))
    #expect(decoded == profile)
    time(0.1)
    #expect(profile.winograd == nil && profile.advice(recipe: "r") == nil)
    for other in [try model.using(.winograd), TinyModels.autoencoder, TinyModels.wide] {
      let (profile, _) = try profiled(other)
      #expect(profile.winograd == nil && profile.advice(recipe: "r") == nil, "\(other.name)")
    }
  }

  @Test func aSingleStepIsProfiledAndNoneIsNot() throws {
    let model = TinyModels.autoencoder
    let data = try TestImages.waves(batchSizes: [6], shape: model.input)
    let training = try startedStep(model, batchSize: 6, data: data, profiles: true)
    #expect(training.profile == nil)
    try training.run(batchSizes: [6])
    #expect(training.profile?.steps == 1)
  }

  @Test func theReportShowsTheProfileOrHowToGetIt() throws {
    try withTemporaryFolder { folder in
      let model = TinyModels.variational
      let data = try TestImages.waves(batchSizes: [40], shape: model.input)
      let recipe = Recipe(model: model, batchSize: 16, epochs: 2)
      for profiles in [false, true] {
        let run = try RunFolder.create("\(folder)/\(profiles)", recipe: recipe)
        let trainer = try Trainer(
          recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run, data: data, profiles: profiles)
        _ = try trainer.run()
        let profile = trainer.training.profile
        if let profile { try run.save(profile) }
        try trainer.writePictures(to: run)
        #expect((profile != nil) == profiles && (run.profile != nil) == profiles)
        let page = try String(contentsOfFile: run.report, encoding: .utf8)
        try ReportTests.check(page, isVariational: true)
        #expect(page.contains("--profile --steps 100") == !profiles)
        for part in ["decoder.3 ConvTranspose2D", "of peak", "backward-weight", "GFLOP/s"] {
          #expect(page.contains(part) == profiles, "\(part)")
        }
      }
    }
  }
}
