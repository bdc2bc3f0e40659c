import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Early stopping, schedules and overfitting: parts of the recipe, and the same after a resume.
@Suite struct ControlTests {
  private static let one = ParallelPlan(workers: 1, threads: 1)

  /// Epochs of four steps whose losses stay as they are, because nothing moves the weights.
  private static func stalled(_ folder: String, patience: Int?) throws -> Recipe {
    var recipe = try ResumeTests.recipe(folder, epochs: 9, steps: nil)
    recipe.optimizer = Optimizer(.sgd, learningRate: 1e-30)
    recipe.patience = patience
    return recipe
  }

  @Test func aRunWithoutImprovementEndsAfterItsPatience() throws {
    try withTemporaryFolder { folder in
      var recipe = try Self.stalled(folder, patience: 2)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: Self.one, run: run)
      #expect(try first.run(shouldStop: first.progress.step == 9) == .interrupted)
      // Epoch 1 is the best, two more do not improve on it.
      let second = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
      #expect(try second.run() == .stoppedEarly && second.progress.step == 12 && second.progress.bestEpoch == 1)
      #expect(try run.read(.best).progress.step == 4)
      let again = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
      #expect(try again.run() == .stoppedEarly && again.progress.step == 12)
      recipe.patience = 4
      let patient = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
      #expect(try patient.run() == .stoppedEarly && patient.progress.step == 20)
      // Epochs in which beta rises do not count.
      recipe.betaWarmup = .epochs(3)
      recipe.patience = 2
      let warm = try Trainer(recipe, parallel: Self.one)
      #expect(try warm.run() == .stoppedEarly && warm.progress.step == 20)
      recipe.patience = nil
      let free = try Trainer(recipe, parallel: Self.one)
      #expect(try free.run() == .finished && free.progress.step == 36)
    }
  }

  /// Patience counts from the last fall by more than the least difference; the best checkpoint is the best all along.
  @Test(arguments: [0.02, 5, 1000]) func aFallBelowTheLeastDifferenceIsNone(_ least: Double) throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 12, steps: nil)
      let free = try Trainer(recipe, parallel: Self.one)
      _ = try free.run()
      let losses = free.metrics.epochs.compactMap(\.validationLoss)
      var (plateau, since, end) = (Double.infinity, 0, 12)
      for (epoch, loss) in losses.enumerated() where end == 12 {
        if loss < plateau - least { (plateau, since) = (loss, epoch) }
        if epoch - since >= 2 { end = epoch + 1 }
      }
      (recipe.patience, recipe.minDelta) = (2, least)
      #expect(recipe.refusal == nil)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: Self.one, run: run)
      _ = try first.run(shouldStop: first.progress.step == 9)
      let second = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
      _ = try second.run()
      #expect(second.epochsDone == end, "\(losses)")
      #expect(second.progress.best == losses[..<end].min())
      #expect(least < 1000 || end == 3)
    }
    var recipe = Recipe(model: TinyModels.autoencoder)
    recipe.minDelta = 0.5
    #expect(recipe.refusal == "minDelta: wanted a patience too, found none")
    (recipe.patience, recipe.minDelta) = (1, -1)
    #expect(recipe.refusal == "minDelta: wanted a number of at least 0, found -1.0")
  }

  @Test func aRunThatImprovesGoesOn() throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 4, steps: nil)
      recipe.patience = 1
      let trainer = try Trainer(recipe, parallel: Self.one)
      _ = try trainer.run()
      let losses = trainer.metrics.epochs.compactMap(\.validationLoss)
      let firstWorse = losses.indices.dropLast().first { losses[$0] <= losses[$0 + 1] }
      #expect(losses.count == (firstWorse.map { $0 + 2 } ?? 4), "\(losses)")
    }
  }

  @Test(arguments: [nil, .validation, .training] as [Recipe.Monitor?])
  func theBestIsThatOfTheMonitoredLoss(_ monitor: Recipe.Monitor?) throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 3, steps: nil)
      recipe.monitor = monitor
      let trainer = try Trainer(recipe, parallel: Self.one)
      _ = try trainer.run()
      let rows = trainer.metrics.epochs
      let losses = monitor == .training ? rows.map(\.loss) : rows.compactMap(\.validationLoss)
      #expect(trainer.progress.best == losses.min())
      #expect(trainer.progress.bestEpoch == losses.firstIndex(of: losses.min() ?? 0).map { $0 + 1 })
    }
  }

  /// With everything that changes from step to step.
  @Test(arguments: [1, 3, 5])
  func aResumedRunKeepsItsSchedules(_ stop: Int) throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 3, steps: nil)
      (recipe.schedule, recipe.warmup, recipe.betaWarmup) = (.cosine, .steps(2), .epochs(2))
      (recipe.overfitBatches, recipe.patience, recipe.monitor) = (2, 2, .training)
      let straight = try Trainer(recipe, parallel: Self.one)
      #expect(straight.lastStep == 6)
      _ = try straight.run()
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
      #expect(try first.run(shouldStop: first.progress.step == stop) == .interrupted)
      let read = try RunFolder.open(run.path).recipe
      let second = try Trainer(read, parallel: ParallelPlan(workers: 3, threads: 2), run: run, resume: true)
      _ = try second.run()
      #expect(ResumeTests.Remains(second) == ResumeTests.Remains(straight))
    }
  }

  @Test func anEarlierVersionsRecipeHasNoneOfThem() throws {
    let json = JSONText.line(Recipe(model: TinyModels.variational))
    for name in ["patience", "monitor", "overfitBatches", "schedule", "warmup", "betaWarmup"] {
      #expect(!json.contains("\"\(name)\""))
    }
    let recipe = try JSONDecoder().decode(Recipe.self, from: Data(json.utf8))
    #expect(recipe.patience == nil && recipe.monitored == .training && recipe.schedule == nil)
    #expect(recipe.learningRate(step: 5, stepsPerEpoch: 2) == recipe.optimizer.learningRate && recipe.beta == 1)
    #expect(recipe.beta(step: 0, stepsPerEpoch: 2) == 1)
  }

  /// The first minibatches of the first epoch, again and again.
  @Test func overfittingVisitsTheSameMinibatches() {
    let whole = BatchOrder(count: 20, batchSize: 6, seed: 5)
    let few = BatchOrder(count: 20, batchSize: 6, seed: 5, first: 9)
    #expect(few.stepsPerEpoch == 2 && few.visited == 9 && whole.visited == 20)
    for epoch in [0, 1, 7] { #expect(few.permutation(epoch: epoch) == Array(whole.permutation(epoch: 0).prefix(9))) }
    #expect(few.batch(step: 3).epoch == 1 && few.batch(step: 3).range == 6..<9)
    #expect(
      BatchOrder(count: 20, batchSize: 6, seed: 5, first: 60).permutation(epoch: 1) == whole.permutation(epoch: 1))
    var recipe = Recipe(model: TinyModels.variational, batchSize: 6, accumulate: 2)
    recipe.overfitBatches = 3
    #expect(recipe.order(count: 100).visited == 18 && recipe.order(count: 100).stepsPerEpoch == 2)
    recipe.overfitBatches = .max
    #expect(recipe.order(count: 100).visited == 100)
  }

  @Test func theLearningRateFollowsItsFormula() {
    var recipe = Recipe(model: TinyModels.variational, optimizer: Optimizer(learningRate: 0.5), epochs: 5, steps: 47)
    (recipe.schedule, recipe.warmup, recipe.betaWarmup) = (.cosine, .steps(7), .epochs(2))
    recipe.beta = 3
    for step in 0..<47 {
      let cosine = 0.5 * (1 + cos(Double.pi * Double(step - 7) / 40)) / 2
      let wanted = step < 7 ? 0.5 * Double(step + 1) / 7 : cosine
      // Half a unit in the last place of a float, and 1e-15 of the series.
      #expect(abs(Double(recipe.learningRate(step: step, stepsPerEpoch: 10)) - wanted) <= wanted * 0x1p-24 + 1e-15)
      let beta = 3 * min(1, Double(step) / 20)
      #expect(abs(Double(recipe.beta(step: step, stepsPerEpoch: 10)) - beta) <= beta * 0x1p-24)
    }
    for x in stride(from: 0.0, through: 1, by: 1 / 64) {
      #expect(abs(Recipe.halfCosine(x) - (1 + cos(Double.pi * x)) / 2) < 1e-15)
    }
  }

  /// Steps with a rate or a weight of their own are those of a recipe that has it from the beginning.
  @Test func aStepTrainsWithItsOwnRateAndWeight() throws {
    try withTemporaryFolder { folder in
      func weights(_ change: (inout Recipe) -> Void, then: (inout Recipe) -> Void = { _ in }) throws -> String {
        var recipe = try ResumeTests.recipe(folder, epochs: 2, steps: 1)
        change(&recipe)
        let run = try RunFolder.create(folder + "/\(UUID())", recipe: recipe)
        let first = try Trainer(recipe, parallel: Self.one, run: run)
        _ = try first.run()
        then(&recipe)
        // A checkpoint without its origin, for no run goes on by another recipe.
        try Checkpoint(first.training, progress: first.progress).write(to: run.checkpoint(.last))
        let second = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
        _ = try second.run()
        return second.weightsHash
      }
      let plain = try weights { _ in }
      let warm = try weights { $0.warmup = .steps(4) }
      #expect(try warm == weights { $0.optimizer.learningRate /= 4 } && warm != plain)
      let free = try weights { $0.betaWarmup = .steps(4) }
      #expect(try free == weights { $0.beta = 0 } && free != plain)
      let cosine = try weights { ($0.schedule, $0.steps) = (.cosine, 2) }
      let halved = try weights({ _ in }) { ($0.optimizer.learningRate, $0.steps) = ($0.optimizer.learningRate / 2, 2) }
      #expect(cosine == halved)
    }
  }

  @Test(
    arguments: [
      ("90s", 90), ("2h", 7200), ("1h30m", 5400), ("0.5m", 30), ("1d", 86400), ("90", nil), ("s", nil), ("", nil),
      ("0s", nil), ("-1s", nil), ("1.2.3s", nil), ("3x", nil),
    ] as [(String, Double?)])
  func aTimeLimitHasUnits(_ text: String, _ seconds: Double?) {
    #expect(TimeLimit(rawValue: text)?.seconds == seconds)
  }

  @Test(
    arguments: [
      ("500", .steps(500)), ("5epochs", .epochs(5)), ("0", nil), ("-1epochs", nil), ("epochs", nil), ("5 epochs", nil),
    ] as [(String, Span?)])
  func aSpanIsOfStepsOrEpochs(_ text: String, _ span: Span?) {
    #expect(Span(rawValue: text) == span)
    if let span { #expect(span.rawValue == text) }
  }
}
