import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// A run that goes on knows the images that it was trained on.
@Suite struct ChangedDataTests {
  /// Pictures of waves in two classes, so many of each; those of the same number are the same.
  private static func write(_ count: Int, to folder: String) throws {
    try? FileManager.default.removeItem(atPath: folder)
    let shape = ImageShape(8, 8, 1)
    let images = TestImages.waves(step: 0, samples: 64, shape: shape)
    for index in 0..<2 * count {
      let path = "\(folder)/\(index % 2 == 0 ? "even" : "odd")"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let pixels = images[index * 64..<(index + 1) * 64].map { UInt8($0 * 255) }
      try PNGImage(width: 8, height: 8, channels: 1, pixels: pixels).write(to: "\(path)/\(10 + index / 2).png")
    }
  }

  /// Batches of 6, and a validation of its own.
  private static func recipe(_ folder: String, epochs: Int, validation: String? = nil) throws -> Recipe {
    var recipe = Recipe(
      model: TinyModels.denoising, data: DataSource(path: "\(folder)/set"),
      validation: validation.map { DataSource(path: "\(folder)/\($0)") }, batchSize: 6, shards: 3, seed: 5,
      epochs: epochs)
    try recipe.settle(on: try recipe.open(recipe.data))
    return recipe
  }

  private static func trainer(
    _ recipe: Recipe, _ run: RunFolder, accepts: Bool = false, workers: Int = 2
  ) throws -> Trainer {
    try Trainer(
      recipe, parallel: ParallelPlan(workers: workers, threads: 1), run: run, resume: true, acceptsChangedData: accepts)
  }

  /// 20 images are four steps an epoch, 32 six, and 8 two. The run stops within its second epoch, which is given up.
  @Test(arguments: [
    (16, 6, "12 new (even/20.png, even/21.png, even/22.png, ...)"),
    (4, 2, "12 gone (even/14.png, even/15.png, even/16.png, ...)"),
  ])
  func epochsCountOn(_ count: Int, _ steps: Int, _ change: String) throws {
    try withTemporaryFolder { folder in
      try Self.write(10, to: folder + "/set")
      let recipe = try Self.recipe(folder, epochs: 4)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Self.trainer(recipe, run)
      #expect(try first.run(shouldStop: first.progress.step == 6) == .interrupted)
      let table = try #require(try DataTable(ifThere: run.file("data.csv")))
      #expect(table.rows.count == 20)

      try Self.write(count, to: folder + "/set")
      let error = #expect(throws: DataError.self) { try Self.trainer(recipe, run) }
      let reason = error?.reason ?? ""
      #expect(reason.hasPrefix("data: wanted the 20 images of") && reason.contains(": \(change); "), "\(reason)")
      #expect(reason.contains("--accept-changed-data"))
      #expect(try run.read(.last).progress.step == 6 && DataTable(ifThere: run.file("data.csv")) == table)

      let second = try Self.trainer(recipe, run, accepts: true)
      #expect(second.dataChanges == ["data: \(change)"] && second.lastStep == 6 + 3 * steps)
      var visited: [Int] = []
      #expect(try second.run(shouldStop: second.progress.step == 7) == .interrupted)
      // From here on the new images are those of the run, for any number of workers.
      let third = try Self.trainer(recipe, run, workers: 3)
      #expect(third.dataChanges.isEmpty && third.progress.step == 7)
      #expect(try third.run(observe: { if case .epoch(let row) = $0 { visited.append(row.images ?? 0) } }) == .finished)
      let rows = third.metrics.epochs
      #expect(rows.map(\.epoch) == [1, 2, 3, 4] && rows.map(\.step) == [4, 6 + steps, 6 + 2 * steps, 6 + 3 * steps])
      #expect(rows.map(\.images) == [20] + visited && visited == [2 * count, 2 * count, 2 * count])
      #expect(rows.map(\.dataChanges) == [0, 1, 1, 1] && third.progress.epochSamples == 0)
      #expect(try DataTable(ifThere: run.file("data.csv"))?.rows.count == 2 * count)
      let csv = try String(contentsOfFile: run.file("metrics.csv"), encoding: .utf8).split(separator: "\n")
      #expect(
        csv[0].hasSuffix(",images,dataChanges") && csv[1].hasSuffix(",20,0") && csv[4].hasSuffix(",\(2 * count),1"))
      #expect(
        try RunReport(run, recipe).page.contains("The data changed before epoch 2 (from 20 images to \(2 * count))"))

      // Nobody asked for the end of one that accepts nothing.
      let straight = try RunFolder.create(folder + "/straight", recipe: recipe)
      try Self.write(10, to: folder + "/set")
      let again = try Self.trainer(recipe, straight)
      _ = try again.run(shouldStop: again.progress.step == 6)
      try Self.write(count, to: folder + "/set")
      let other = try Self.trainer(recipe, straight, accepts: true, workers: 1)
      #expect(try other.run() == .finished && other.weightsHash == third.weightsHash)
    }
  }

  /// One pixel of one image is another set; a set that is called otherwise is not.
  @Test func bytesTellWhatNamesDoNot() throws {
    try withTemporaryFolder { folder in
      try Self.write(10, to: folder + "/set")
      var recipe = try Self.recipe(folder, epochs: 1)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      #expect(try Self.trainer(recipe, run).run() == .finished)
      try FileManager.default.moveItem(atPath: folder + "/set", toPath: folder + "/moved")
      recipe.data.path = folder + "/moved"
      recipe.epochs = 2
      #expect(try Self.trainer(recipe, run).run() == .finished)
      try PNGImage(width: 8, height: 8, channels: 1, pixels: [UInt8](repeating: 7, count: 64))
        .write(to: folder + "/moved/odd/12.png")
      let error = #expect(throws: DataError.self) { try Self.trainer(recipe, run) }
      #expect(error?.reason.contains(": 1 with other bytes (odd/12.png);") == true, "\(error?.reason ?? "")")
      // A checkpoint of an earlier version knows the number of images alone.
      let trainer = try Self.trainer(recipe, run, accepts: true)
      let origin = Origin(recipe, data: Origin.Images(trainer.data, nil), validation: nil)
      try run.write(Checkpoint(trainer.training, progress: trainer.progress, origin: origin), isBest: false)
      #expect(try Self.trainer(recipe, run).dataChanges.isEmpty)
    }
  }

  /// Other images to evaluate leave the epoch at hand alone; the best loss is that of no other images.
  @Test func theValidationMayChange() throws {
    try withTemporaryFolder { folder in
      try Self.write(10, to: folder + "/set")
      try Self.write(3, to: folder + "/validation")
      let recipe = try Self.recipe(folder, epochs: 2, validation: "validation")
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Self.trainer(recipe, run)
      #expect(try first.run(shouldStop: first.progress.step == 6) == .interrupted)
      try Self.write(2, to: folder + "/validation")
      let error = #expect(throws: DataError.self) { try Self.trainer(recipe, run) }
      #expect(error?.reason.hasPrefix("validation: wanted the 6 images") == true, "\(error?.reason ?? "")")
      let second = try Self.trainer(recipe, run, accepts: true)
      #expect(second.progress.step == 6 && second.progress.epochSamples == 12 && second.progress.best == nil)
      #expect(try second.run() == .finished && second.metrics.epochs.map(\.step) == [4, 8])
      #expect(second.progress.bestEpoch == 2)
    }
  }

  /// Before its first step a run may change its images, but not unseen; a cosine leads to one end alone.
  @Test func whatCannotGoOnSaysSo() throws {
    try withTemporaryFolder { folder in
      try Self.write(10, to: folder + "/set")
      var recipe = try Self.recipe(folder, epochs: 2)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let begun = try Self.trainer(recipe, run)
      _ = try begun.run(shouldStop: true)
      try FileManager.default.removeItem(atPath: run.file("checkpoints"))
      try Self.write(8, to: folder + "/set")
      let error = #expect(throws: DataError.self) { try Self.trainer(recipe, run) }
      #expect(error?.reason.contains("begun with, found others: 4 gone") == true, "\(error?.reason ?? "")")
      #expect(try Self.trainer(recipe, run, accepts: true).dataChanges.count == 1)
      recipe.schedule = .cosine
      let other = try RunFolder.create(folder + "/cosine", recipe: recipe)
      _ = try Self.trainer(recipe, other).run()
      try Self.write(10, to: folder + "/set")
      let refusal = #expect(throws: DataError.self) { try Self.trainer(recipe, other, accepts: true) }
      #expect(
        refusal?.reason.contains("wanted the schedule constant or plateau, found cosine") == true,
        "\(refusal?.reason ?? "")")
    }
  }
}
