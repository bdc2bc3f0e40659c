import Foundation
import HourglassData
import HourglassModels
import Synchronization
import TestSupport
import Testing

@testable import HourglassTraining

/// Data that cannot be read ends a run with a sentence and a checkpoint from which it goes on to the same bits.
@Suite struct FaultTests {
  /// A data set of which some images cannot be read until it is repaired.
  private final class Disk: Sendable {
    let isRepaired = Atomic<Bool>(false)
    let bad: Set<Int>
    let whole: Dataset

    init(_ whole: Dataset, bad: Set<Int>) { (self.whole, self.bad) = (whole, bad) }

    var data: Dataset {
      Dataset(count: whole.count, shape: whole.shape, source: "disk") { index, image throws(DataError) in
        if self.bad.contains(index) && !self.isRepaired.load(ordering: .relaxed) {
          throw DataError(path: "disk", reason: "image \(index) is gone")
        }
        try self.whole.fill(index, into: image)
      }
    }
  }

  static let divisions = [(1, 1), (2, 1), (3, 2), (5, 1)].map { ParallelPlan(workers: $0, threads: $1) }

  /// Steps of up to two minibatches of 20 in 5 shards. Of several bad images the first of the step is named, whoever
  /// meets it first.
  @Test(arguments: [([25], 25), ([33, 21, 39], 21), ([59, 47], 47)], divisions)
  func theFirstBadImageIsNamedAndNothingIsLearned(_ bad: ([Int], named: Int), _ parallel: ParallelPlan) throws {
    let model = TinyModels.variational
    let whole = try TestImages.waves(batchSizes: [20, 40], shape: model.input)
    let disk = Disk(whole, bad: Set(bad.0))
    let steps = try [whole, disk.data].map {
      try startedStep(model, batchSize: 20, shards: 5, parallel: parallel, clipNorm: 0.1, data: $0)
    }
    let (first, second) = (ArraySlice<Int32>(0..<20), ArraySlice<Int32>(20..<60))
    for step in steps { _ = try step.run(step: 0, items: first) }
    let before = (steps[1].parameters.bits, steps[1].moments.map { $0.values.bits })
    for _ in 0..<2 {
      #expect(throws: TrainingError.unreadable(step: 1, DataError(path: "disk", reason: "image \(bad.named) is gone")))
      {
        try steps[1].run(step: 1, items: second)
      }
      #expect(steps[1].parameters.bits == before.0 && steps[1].moments.map { $0.values.bits } == before.1)
    }
    disk.isRepaired.store(true, ordering: .relaxed)
    let losses = try steps.map { try $0.run(step: 1, items: second) }
    #expect(losses[0] == losses[1])
    let isSame = steps[0].parameters.bits == steps[1].parameters.bits
    #expect(isSame)
  }

  /// 20 images in steps of 6: image 7 comes in some step of the first epoch.
  @Test(arguments: [ParallelPlan(workers: 1, threads: 1), ParallelPlan(workers: 3, threads: 2)])
  func aRunWhoseDataFailsGoesOnFromItsLastWholeStep(_ division: ParallelPlan) throws {
    try withTemporaryFolder { folder in
      let straight = try ResumeTests.straight(folder)
      let recipe = try ResumeTests.recipe(folder)
      let disk = Disk(try recipe.data.open(for: recipe.model, seed: 0), bad: [7])
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run, data: disk.data)
      let error = #expect(throws: TrainingError.self) { try first.run() }
      let steps = first.progress.step
      #expect(error == .unreadable(step: steps, DataError(path: "disk", reason: "image 7 is gone")))
      #expect(
        error?.description
          == "step \(steps) ends the run, disk: image 7 is gone. When the data can be read again, resume from the last "
          + "checkpoint")
      if steps > 0 { #expect(try run.read(.last).progress.step == steps) }
      disk.isRepaired.store(true, ordering: .relaxed)
      let second = try Trainer(recipe, parallel: division, run: run, resume: true, data: disk.data)
      #expect(second.progress.step == steps)
      #expect(try second.run() == .finished)
      #expect(ResumeTests.Remains(second) == straight)
    }
  }

  /// A folder of which memory holds nothing, a part or all trains to the same bits, in any division; a picture that is
  /// gone ends the run as above.
  @Test func picturesThatAreStreamedTrainToTheSameBits() throws {
    try withTemporaryFolder { folder in
      let shape = TinyModels.variational.input
      let waves = TestImages.waves(step: 0, samples: 20, shape: shape)
      for i in 0..<20 {
        let pixels = waves[i * shape.count..<(i + 1) * shape.count].map { UInt8($0 * 255) }
        try PNGImage(width: shape.width, height: shape.height, channels: 1, pixels: pixels)
          .write(to: "\(folder)/\(100 + i).png")
      }
      let recipe = Recipe(
        model: TinyModels.variational, data: DataSource(path: folder), batchSize: 6, shards: 3, epochs: 3,
        augmentation: Augmentation(shift: 1))
      func trainer(_ memory: Int, _ division: ParallelPlan) throws -> Trainer {
        try Trainer(recipe, parallel: division, memory: memory)
      }
      let hashes = try [(1 << 30, 0), (0, 0), (0, 2), (10 * shape.count, 1)].map { memory, division in
        let trainer = try trainer(memory, Self.divisions[division])
        #expect(try trainer.run() == .finished)
        #expect((trainer.data.keptCount == nil) == (memory == 1 << 30))
        let parts = trainer.metrics.epochs.compactMap(\.inputPercent)
        #expect(parts.count == 3 && parts.allSatisfy { $0 > 0 && $0 < 100 })
        return trainer.weightsHash
      }
      #expect(Set(hashes).count == 1)
      let failing = try trainer(0, Self.divisions[1])
      try FileManager.default.removeItem(atPath: "\(folder)/107.png")
      let before = failing.training.parameters.bits
      let error = #expect(throws: TrainingError.self) { try failing.run() }
      guard case .unreadable(let step, let reason)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(step == failing.progress.step && step < 4 && reason.path == "\(folder)/107.png")
      #expect((failing.training.parameters.bits == before) == (step == 0))
    }
  }

  /// A disk that takes longer for its images than the step for all else.
  @Test func theMetricsTellWhatTheInputCosts() throws {
    let model = TinyModels.variational
    let whole = try TestImages.waves(batchSizes: [20], shape: model.input)
    let slow = Dataset(count: 20, shape: model.input, source: "slow") { index, image throws(DataError) in
      usleep(3000)
      try whole.fill(index, into: image)
    }
    let parts = try [whole, slow].map { data in
      let trainer = try Trainer(
        Recipe(model: model, batchSize: 10, epochs: 2), parallel: ParallelPlan(workers: 2, threads: 1), data: data)
      _ = try trainer.run()
      return try #require(trainer.metrics.epochs.last?.inputPercent)
    }
    #expect(parts[0] < 50 && parts[1] > 50 && parts[1] <= 100, "\(parts)")
  }

  /// The epoch's steps are done, its figures are not: the resumed run begins with them.
  @Test func aRunWhoseValidationFailsGoesOnWithTheEndOfTheEpoch() throws {
    try withTemporaryFolder { folder in
      let straight = try ResumeTests.straight(folder)
      let recipe = try ResumeTests.recipe(folder)
      let disk = Disk(try recipe.data.open(for: recipe.model, seed: 0), bad: [19])
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(
        recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run, validation: disk.data)
      #expect(throws: TrainingError.unreadable(step: 4, DataError(path: "disk", reason: "image 19 is gone"))) {
        try first.run()
      }
      #expect(try run.read(.last).progress.step == 4 && MetricsLog(run, upTo: 4).epochs.isEmpty)
      disk.isRepaired.store(true, ordering: .relaxed)
      let second = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, resume: true, validation: disk.data)
      #expect(try second.run() == .finished)
      #expect(ResumeTests.Remains(second) == straight)
      #expect(try run.read(.best).progress.step == 4)
    }
  }
}
