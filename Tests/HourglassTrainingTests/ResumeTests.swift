import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A run that is stopped and goes on ends as one that never stopped.
@Suite struct ResumeTests {
  /// 20 images in batches of 6: an epoch is four steps, the last of two images.
  static func recipe(_ folder: String, epochs: Int = 2, steps: Int? = 7) throws -> Recipe {
    let model = TinyModels.denoising
    let path = folder + "/images.npy"
    if !FileManager.default.fileExists(atPath: path) {
      try NPYFile.write(
        TestImages.waves(step: 0, samples: 20, shape: model.input), shape: [20, 8, 8, 1], to: path)
    }
    let source = DataSource(path: path)
    return Recipe(
      model: model, data: source, validation: source, batchSize: 6, shards: 3, seed: 5, beta: 0.7, epochs: epochs,
      steps: steps)
  }

  /// What a run left behind that does not depend on the clock.
  struct Remains: Equatable {
    let weightsHash: String
    let rows: [EpochMetrics]
    let moments: [[UInt32]]
    var progress: Checkpoint.Progress

    init(_ trainer: Trainer) {
      weightsHash = trainer.weightsHash
      rows = trainer.metrics.epochs.map { row in
        var row = row
        (row.seconds, row.samplesPerSecond, row.inputPercent) = (0, 0, nil)
        return row
      }
      moments = trainer.training.moments.map { $0.values.bits }
      progress = trainer.progress
      progress.seconds = 0
    }
  }

  static func straight(_ folder: String, epochs: Int = 2, steps: Int? = 7) throws -> Remains {
    let trainer = try Trainer(
      recipe(folder, epochs: epochs, steps: steps), parallel: ParallelPlan(workers: 1, threads: 1),
      run: .create(folder + "/straight-\(steps ?? 0)-\(epochs)", recipe: recipe(folder)))
    #expect(try trainer.run() == .finished)
    return Remains(trainer)
  }

  @Test(arguments: [1, 3, 4, 5, 6], [ParallelPlan(workers: 1, threads: 1), ParallelPlan(workers: 3, threads: 2)])
  func aResumedRunEndsAsOneThatNeverStopped(_ stop: Int, _ division: ParallelPlan) throws {
    try withTemporaryFolder { folder in
      let straight = try Self.straight(folder)
      #expect(straight.progress.step == 7 && straight.rows.count == 1)
      let recipe = try Self.recipe(folder)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
      #expect(try first.run(shouldStop: first.progress.step == stop) == .interrupted)
      let second = try Trainer(recipe, parallel: division, run: run, resume: true)
      #expect(second.progress.step == stop)
      #expect(try second.run() == .finished)
      #expect(Remains(second) == straight)
      #expect(try run.read(.last).weightsHash == straight.weightsHash)
    }
  }

  /// A kill leaves whatever was written last: a checkpoint two steps old, and a row that the checkpoint does not know.
  @Test func aKilledRunGoesOnFromItsCheckpoint() async throws {
    try await withTemporaryFolder { folder in
      let straight = try Self.straight(folder, epochs: 3, steps: nil)
      #expect(straight.progress.step == 12 && straight.rows.map(\.epoch) == [1, 2, 3])
      let recipe = try Self.recipe(folder, epochs: 3, steps: nil)
      // Made and left, so that the process below may lock it.
      _ = try RunFolder.create(folder + "/run", recipe: recipe)
      let run = RunFolder(folder + "/run")
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        let trainer = try Trainer(
          ResumeTests.recipe(folder, epochs: 3, steps: nil), parallel: ParallelPlan(workers: 2, threads: 1),
          run: RunFolder(folder + "/run"))
        _ = try trainer.run(
          checkpointEvery: 2,
          observe: { event in if case .step(let report) = event, report.step == 7 { kill(getpid(), SIGKILL) } })
      }
      #expect(try run.read(.last).progress.step == 6)
      // As if the kill had come between the metrics of an epoch and its checkpoint.
      var late = try MetricsLog(run, upTo: 6)
      var row = try #require(late.epochs.first)
      (row.epoch, row.step) = (2, 8)
      try late.append(row)
      #expect(try Self.lines(run, "metrics.jsonl").count == 2 && Self.lines(run, "metrics.csv").count == 3)
      let second = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 2), run: run, resume: true)
      #expect(try Self.lines(run, "metrics.jsonl").count == 1, "cut back to the checkpoint")
      #expect(try Self.lines(run, "metrics.csv").count == 2)
      #expect(try second.run() == .finished)
      #expect(Remains(second) == straight)
      let json = try Self.lines(run, "metrics.jsonl")
        .map { try JSONDecoder().decode(EpochMetrics.self, from: Data($0.utf8)) }
      #expect(json == second.metrics.epochs)
      let csv = try Self.lines(run, "metrics.csv")
      #expect(csv.count == 4 && csv[0].hasPrefix("epoch,step,loss,") && csv[3].hasPrefix("3,12,"))
    }
  }

  /// More epochs than before, from a finished run.
  @Test func aFinishedRunMayGoOn() throws {
    try withTemporaryFolder { folder in
      let straight = try Self.straight(folder, epochs: 3, steps: nil)
      let run = try RunFolder.create(folder + "/run", recipe: Self.recipe(folder))
      for epochs in [1, 3] {
        let trainer = try Trainer(
          Self.recipe(folder, epochs: epochs, steps: nil), parallel: ParallelPlan(workers: 2, threads: 1), run: run,
          resume: epochs > 1)
        #expect(try trainer.run() == .finished)
        if epochs == 3 { #expect(Remains(trainer) == straight) }
      }
    }
  }

  /// An interrupt that comes right after a checkpoint keeps the one before it.
  @Test func anInterruptWritesNoCheckpointTwice() throws {
    try withTemporaryFolder { folder in
      let recipe = try Self.recipe(folder, epochs: 3, steps: nil)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run)
      #expect(try trainer.run(checkpointEvery: 2, shouldStop: trainer.progress.step == 6) == .interrupted)
      #expect(try run.read(.last).progress.step == 6)
      #expect(try run.read(.previous).progress.step == 4)
    }
  }

  /// The rows are means over the epoch's samples of what each step saw.
  @Test func metricsAreMeansOverTheEpoch() throws {
    try withTemporaryFolder { folder in
      let recipe = try Self.recipe(folder, epochs: 1, steps: nil)
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1))
      var steps: [TrainingStep.Loss] = []
      _ = try trainer.run(observe: { if case .step(let report) = $0 { steps.append(report.loss) } })
      let weights = [6.0, 6, 6, 2]
      func mean(_ value: (TrainingStep.Loss) -> Double) -> Double {
        zip(steps, weights).reduce(0) { $0 + value($1.0) * $1.1 } / 20
      }
      let row = try #require(trainer.metrics.epochs.first)
      #expect(abs(row.reconstruction - mean(\.reconstruction)) < 1e-12 * row.reconstruction)
      #expect(abs(row.kl - mean(\.terms)) < 1e-12)
      #expect(abs(row.loss - mean(\.total)) < 1e-6 * row.loss, "beta is a float")
      #expect(abs(row.reconstructionPerPixel * 64 - row.reconstruction) < 1e-9)
      #expect(row.validationLoss != nil && row.validationMSE != nil && trainer.progress.best == row.validationLoss)
    }
  }

  @Test func aRunFolderThatExistsIsRefused() throws {
    try withTemporaryFolder { folder in
      let recipe = Recipe(model: TinyModels.variational)
      _ = try RunFolder.create(folder + "/run", recipe: recipe)
      do {
        _ = try RunFolder.create(folder + "/run", recipe: recipe)
        Issue.record("made a second time")
      } catch let error as DataError {
        #expect(
          error.description
            == "\(folder)/run: the run folder exists already; choose another --run, go on with --resume, or remove it")
      }
      let (_, read) = try RunFolder.open(folder + "/run")
      #expect(read.batchSize == recipe.batchSize && read.optimizer == recipe.optimizer && read.model.name == "tiny-vae")
      do {
        _ = try RunFolder.open(folder + "/none")
        Issue.record("opened nothing")
      } catch let error as DataError {
        #expect(error.description == "\(folder)/none: wanted the folder of a run, found nothing there")
      }
    }
  }

  private static func lines(_ run: RunFolder, _ name: String) throws -> [Substring] {
    try String(contentsOfFile: run.file(name), encoding: .utf8).split(separator: "\n")
  }
}
