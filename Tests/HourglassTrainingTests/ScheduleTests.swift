import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Schedules against PyTorch's (Golden/torch_schedules.py), as texts, and over the sessions of a run.
@Suite struct ScheduleTests {
  struct Golden: Decodable {
    struct Row: Decodable, CustomStringConvertible {
      let schedule: String
      let rates: [Double]
      let momenta, losses: [Double]?
      var description: String { schedule }
    }
    let learningRate: Float
    let stepsPerEpoch, epochs: Int
    let schedules: [Row]

    static let stored = Result {
      try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: GoldenTests.folder.appending(path: "torch_schedules.json")))
    }
    static let rows = (try? stored.get().schedules) ?? []
  }

  private static func recipe(_ row: Golden.Row) throws -> Recipe {
    let golden = try Golden.stored.get()
    var recipe = Recipe(
      model: TinyModels.variational, optimizer: Optimizer(.sgd, learningRate: golden.learningRate),
      epochs: golden.epochs)
    let schedule: Schedule = try #require(Schedule(rawValue: row.schedule))
    recipe.schedule = schedule
    return recipe
  }

  /// Both are computed in double; ours are rounded to float.
  @Test(arguments: Golden.rows) func ratesArePyTorchs(_ row: Golden.Row) throws {
    let (golden, recipe) = (try Golden.stored.get(), try Self.recipe(row))
    func expect(_ found: Float?, _ wanted: Double, _ step: Int) throws {
      #expect(abs(Double(try #require(found)) - wanted) <= wanted * 0x1p-23 + 1e-12, "step \(step)")
    }
    if let losses = row.losses {
      var plateau: RatePlateau?
      for (epoch, loss) in losses.enumerated() {
        plateau = recipe.plateau(after: epoch + 1, loss: loss, stepsPerEpoch: golden.stepsPerEpoch, plateau)
        try expect(
          recipe.learningRate(step: 0, stepsPerEpoch: golden.stepsPerEpoch, falls: plateau?.falls ?? 0),
          row.rates[epoch], epoch)
      }
    } else {
      #expect(row.rates.count == golden.epochs * golden.stepsPerEpoch)
      for (step, rate) in row.rates.enumerated() {
        try expect(recipe.learningRate(step: step, stepsPerEpoch: golden.stepsPerEpoch), rate, step)
        let momentum = recipe.momentum(step: step, stepsPerEpoch: golden.stepsPerEpoch)
        if let momenta = row.momenta { try expect(momentum, momenta[step], step) } else { #expect(momentum == nil) }
      }
    }
  }

  /// A negative loss that stands still has not fallen, and beta that still rises is no reason for a fall of the rate.
  @Test func aPlateauHasTheSameLossForLonger() throws {
    var recipe = Recipe(model: TinyModels.variational, optimizer: Optimizer(learningRate: 0.5), epochs: 9)
    recipe.schedule = .plateau(factor: 0.5, patience: 1)
    func falls(_ losses: [Double]) -> [Int] {
      var plateau: RatePlateau?
      return losses.enumerated().map { epoch, loss in
        plateau = recipe.plateau(after: epoch + 1, loss: loss, stepsPerEpoch: 3, plateau)
        return plateau?.falls ?? 0
      }
    }
    #expect(falls([-5, -5, -5, -5.1, -5.1, -5]) == [0, 0, 1, 1, 1, 2])
    recipe.betaWarmup = .steps(8)
    #expect(falls([5, 5, 5, 5, 5, 5, 5]) == [0, 0, 0, 0, 1, 1, 2])
    recipe.schedule = .cosine
    #expect(falls([5, 5, 5, 5, 5, 5, 5]) == [0, 0, 0, 0, 0, 0, 0])
  }

  @Test(
    arguments: [
      ("constant", .constant), ("cosine", .cosine), ("step:10epochs", .step(every: .epochs(10))),
      ("step:500:0.5", .step(every: .steps(500), factor: 0.5)), ("exponential:0.95", .exponential(factor: 0.95)),
      ("plateau", .plateau()), ("plateau:0.5", .plateau(factor: 0.5)),
      ("plateau:0.5:0", .plateau(factor: 0.5, patience: 0)), ("oneCycle", .oneCycle()),
      ("oneCycle:0.4", .oneCycle(rise: 0.4)), ("step", nil), ("step:0", nil), ("step:3:1", nil), ("step:3:0.5:1", nil),
      ("exponential", nil), ("exponential:0", nil), ("exponential:1.5", nil), ("exponential:nan", nil),
      ("plateau:0.5:-1", nil), ("plateau:0.5:1.5", nil), ("oneCycle:1", nil), ("onecycle", nil), ("", nil), (":", nil),
      ("cosine:1", nil),
    ] as [(String, Schedule?)])
  func aScheduleIsAText(_ text: String, _ schedule: Schedule?) {
    #expect(Schedule(rawValue: text) == schedule)
    if let schedule { #expect(Schedule(rawValue: schedule.rawValue) == schedule) }
  }

  @Test func aCycleHasAnEndAndNoOtherWarmup() {
    var recipe = Recipe(model: TinyModels.variational, epochs: nil)
    recipe.schedule = .oneCycle()
    #expect(recipe.refusal == "schedule: wanted epochs or steps, found neither")
    recipe.steps = 1
    #expect(recipe.refusal == nil)
    for steps in 1...5 {
      recipe.steps = steps
      for step in 0...steps {
        let rate = recipe.learningRate(step: step, stepsPerEpoch: 2)
        #expect(rate.isFinite && rate > 0 && rate <= recipe.optimizer.learningRate)
      }
    }
    recipe.warmup = .steps(2)
    #expect(recipe.refusal == "warmup: wanted none with the schedule oneCycle, which has a rise of its own, found one")
    (recipe.warmup, recipe.clipNorm, recipe.clipValue) = (nil, 1, 1)
    #expect(recipe.refusal == "clipValue: wanted no clipNorm beside it, found both")
  }

  /// A rate that falls on plateaus falls in a resumed run where it would have without the stop.
  @Test(arguments: [4, 9, 13, 16, 22]) func aPlateauSurvivesAStop(_ stop: Int) throws {
    try withTemporaryFolder { folder in
      func trainer(_ name: String, resume: Bool = false) throws -> Trainer {
        var recipe = try ResumeTests.recipe(folder, epochs: 7, steps: nil)
        (recipe.schedule, recipe.optimizer.learningRate) = (.plateau(factor: 0.5, patience: 0), 0.5)
        let run = resume ? RunFolder(folder + "/" + name) : try RunFolder.create(folder + "/" + name, recipe: recipe)
        return try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, resume: resume)
      }
      let straight = try trainer("straight")
      _ = try straight.run()
      let falls = try #require(straight.progress.ratePlateau).falls
      #expect(falls > 0, "a rate of 0.5 does not let the loss fall in each epoch")
      // The lock of the run goes with its trainer.
      func runToTheStop() throws {
        let first = try trainer("stopped")
        #expect(try first.run(shouldStop: first.progress.step == stop) == .interrupted)
      }
      try runToTheStop()
      let second = try trainer("stopped", resume: true)
      _ = try second.run()
      #expect(ResumeTests.Remains(second) == ResumeTests.Remains(straight))
    }
  }
}
