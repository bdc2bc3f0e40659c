import Foundation
import HourglassModels
import Testing

@testable import HourglassTraining

/// The prediction of how many cores a step can use.
@Suite struct StepForecastTests {
  private static let flagships = [convVAE28, convAE28, convAE32, convVAE64]

  @Test(arguments: [1, 7, 64, 128, 300, 512, 1000, 2048])
  func divisionsOfAllBatchesAreValidOnAnyMachine(_ batchSize: Int) throws {
    let recipe = Recipe(model: convVAE28, batchSize: batchSize)
    var best = 0.0
    for cores in 1...128 {
      let parallel = ParallelPlan(shards: recipe.shards, cores: cores, environment: OpenMPEnvironment([:]))
      #expect(parallel.workers * parallel.threads <= cores && parallel.workers <= recipe.shards)
      // The prediction of a few numbers of cores, because each takes milliseconds.
      guard cores < 3 || cores % 24 == 0 else { continue }
      let forecast = try StepForecast(recipe, cores: cores)
      let division = forecast.division
      #expect(division.workers == parallel.workers && division.threads == parallel.threads)
      #expect(division.shards >= 1 && division.shards == recipe.shards && division.batchSize == batchSize)
      #expect(abs(division.speedup / Double(cores) / division.efficiency - 1) < 1e-12)
      #expect(division.efficiency > 0 && division.efficiency < 1 + 1e-9)
      // More cores never cost much: their wake-ups are all that they can add.
      #expect(division.speedup > 0.9 * best, "\(cores) cores")
      best = max(best, division.speedup)
      #expect((forecast.division.efficiency < StepForecast.wanted) || forecast.sufficient == nil)
    }
  }

  /// No other division of the cores is predicted to be much faster than the one that training chooses.
  @Test(arguments: flagships) func theDefaultIsNearlyTheBestDivision(_ model: Autoencoder) throws {
    for (batchSize, cores) in [(128, 8), (128, 24), (128, 64), (512, 48), (512, 128)] {
      let plan = try ExecutionPlan(model, batchSize: batchSize)
      let costs = StepModel(reference: plan)
      let chosen = ParallelPlan(shards: plan.shards, cores: cores, environment: OpenMPEnvironment([:]))
      let best = [1, 2, 3, 4, 6, 8].map {
        costs.step(plan, workers: max(1, min(plan.shards, cores / $0)), threads: $0).seconds
      }
      let seconds = costs.step(plan, workers: chosen.workers, threads: chosen.threads).seconds
      #expect(seconds < 1.15 * (best.min() ?? 0), "\(model.name), \(batchSize) on \(cores): \(chosen)")
    }
  }

  @Test(arguments: flagships, [32, 128]) func adviceIsTrueAndTheLeast(_ model: Autoencoder, _ cores: Int) throws {
    let forecast = try StepForecast(Recipe(model: model), cores: cores)
    guard let advised = forecast.sufficient else {
      #expect(forecast.division.efficiency >= StepForecast.wanted || cores == 128 && model.name.hasSuffix("28"))
      return
    }
    #expect(forecast.advice?.hasPrefix("--batch-size \(advised.batchSize) --shards \(advised.shards) ") == true)
    let recipe = Recipe(model: model, batchSize: advised.batchSize, shards: advised.shards)
    let there = try StepForecast(recipe, cores: cores)
    #expect(there.division == advised && there.sufficient == nil && there.advice == nil)
    if advised.batchSize > 128 {
      let smaller = try StepForecast(Recipe(model: model, batchSize: advised.batchSize / 2), cores: cores)
      #expect(smaller.division.efficiency < StepForecast.wanted && smaller.sufficient == advised)
    }
  }

  /// Two workers, and two threads of one, against the studies of two cores in Benchmarks/Results/scaling-xeon.md: 1.92
  /// to 1.98 times one worker, and 1.55 to 1.70; on Zen 5 1.74 to 1.91, and 1.76 to 1.88.
  @Test(arguments: flagships) func twoCoresAreAsMeasured(_ model: Autoencoder) throws {
    let plan = try ExecutionPlan(model, batchSize: 128)
    let costs = StepModel(reference: plan)
    let one = costs.step(plan, workers: 1).seconds
    #expect((1.85...2).contains(one / costs.step(plan, workers: 2).seconds))
    #expect((1.6...1.85).contains(one / costs.step(plan, workers: 1, threads: 2).seconds))
  }

  /// More shards than the default would be another loss where samples of a shard meet.
  @Test func shardsOfJoinedSamplesAreNotAdvised() throws {
    let forecast = try StepForecast(Recipe(model: convWAE28, batchSize: 128), cores: 32)
    #expect(forecast.division.shards == 16 && (forecast.sufficient?.shards ?? 16) == 16)
    var recipe = Recipe(model: convAE32, batchSize: 128)
    #expect(try StepForecast(recipe, cores: 32).sufficient?.shards ?? 0 > 16)
    recipe = Recipe(model: convVAE28, batchSize: 128)
    recipe.freeBits = 1
    #expect((try StepForecast(recipe, cores: 24).sufficient?.shards ?? 16) == 16)
  }

  @Test func theEnvironmentIsPartOfADivision() throws {
    let recipe = Recipe(model: convVAE28)
    let forecast = try StepForecast(recipe, cores: 8, environment: OpenMPEnvironment(["OMP_NUM_THREADS": "4"]))
    #expect(forecast.division.workers == 2 && forecast.division.threads == 4)
    let decoded = try JSONDecoder().decode(StepForecast.self, from: JSONEncoder().encode(forecast))
    #expect(decoded == forecast && forecast.summary.contains("2 workers x 4 threads on 16 shards of a batch of 128"))
  }
}
