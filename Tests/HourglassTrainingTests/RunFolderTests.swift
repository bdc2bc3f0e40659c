import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A run goes on as the run that it was, or says why not; what is damaged is kept.
@Suite struct RunFolderTests {
  private static let one = ParallelPlan(workers: 1, threads: 1)

  /// A run of two epochs of four steps, stopped within the second; nobody has its lock any more.
  private static func stoppedRun(_ folder: String) throws -> String {
    let recipe = try ResumeTests.recipe(folder, steps: nil)
    let path = folder + "/run"
    let trainer = try Trainer(recipe, parallel: one, run: .create(path, recipe: recipe))
    #expect(try trainer.run(shouldStop: trainer.progress.step == 6) == .interrupted)
    return path
  }

  /// What a session that goes on refuses, or nothing.
  private static func refusal(_ path: String) -> String? {
    do {
      let (run, recipe) = try RunFolder.open(path, locked: true)
      _ = try Trainer(recipe, parallel: one, run: run, resume: true)
      return nil
    } catch { return "\(error)" }
  }

  private static func edit(_ path: String, _ change: (inout [String: Any]) -> Void) throws {
    let url = URL(fileURLWithPath: path + "/recipe.json")
    var object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    change(&object)
    try JSONSerialization.data(withJSONObject: object).write(to: url)
  }

  @Test func checkpointsThatAreGoneAreNotBegunAgain() throws {
    try withTemporaryFolder { folder in
      let path = try Self.stoppedRun(folder)
      let (checkpoints, files) = (path + "/checkpoints", FileManager.default)
      let rows = files.contents(atPath: path + "/metrics.jsonl")
      try files.moveItem(atPath: checkpoints, toPath: folder + "/elsewhere")
      try files.createDirectory(atPath: checkpoints, withIntermediateDirectories: false)
      #expect(
        Self.refusal(path)?.hasPrefix("\(checkpoints): wanted the checkpoints that the run had, found none") == true)
      try files.removeItem(atPath: checkpoints)
      // A link to a disk that is not there.
      try files.createSymbolicLink(atPath: checkpoints, withDestinationPath: folder + "/unmounted")
      #expect(Self.refusal(path)?.contains("found none; mount the disk") == true)
      try files.removeItem(atPath: checkpoints)
      #expect(files.contents(atPath: path + "/metrics.jsonl") == rows)
      // One row may be there before the first checkpoint, a second may not.
      let second = try #require(rows.map { String(decoding: $0, as: UTF8.self) })
        .replacing("\"epoch\":1,", with: "\"epoch\":2,")
      try Data((rows ?? Data()) + Data(second.utf8)).write(to: URL(fileURLWithPath: path + "/metrics.jsonl"))
      #expect(Self.refusal(path)?.contains("a run that has done 2 epochs, as its metrics.jsonl tells") == true)
      try files.moveItem(atPath: folder + "/elsewhere", toPath: checkpoints)
      #expect(Self.refusal(path) == nil)
    }
  }

  @Test func anotherRecipeIsRefusedByTheNameOfItsField() throws {
    let edits: [(name: String, change: (inout [String: Any]) -> Void, found: String?)] = [
      ("seed", { $0["seed"] = 6 }, "wanted 5, by which the run was trained so far, found 6"),
      ("batchSize", { $0["batchSize"] = 5 }, "wanted 6, by which the run was trained so far, found 5"),
      ("clipNorm", { $0["clipNorm"] = 1 }, "wanted none, by which the run was trained so far, found 1"),
      (
        "optimizer.learningRate",
        { recipe in
          var optimizer = recipe["optimizer"] as? [String: Any] ?? [:]
          optimizer["learningRate"] = 0.5
          recipe["optimizer"] = optimizer
        }, "found 0.5"
      ),
      ("validation.split", { $0["validation"] = nil }, "wanted train, by which the run was trained so far, found none"),
      ("epochs", { $0["epochs"] = 7 }, nil),
    ]
    for (name, change, found) in edits {
      try withTemporaryFolder { folder in
        let path = try Self.stoppedRun(folder)
        try Self.edit(path, change)
        let refusal = Self.refusal(path)
        if let found {
          #expect(refusal?.hasPrefix("\(path)/recipe.json: \(name): ") == true, "\(refusal ?? "nothing")")
          #expect(refusal?.contains(found) == true, "\(refusal ?? "nothing")")
        } else {
          #expect(refusal == nil)
        }
      }
    }
  }

  @Test func dataThatChangedIsRefusedAndDataThatMovedIsNot() throws {
    try withTemporaryFolder { folder in
      let path = try Self.stoppedRun(folder)
      let shape = TinyModels.denoising.input
      let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/images.npy"))
      try NPYFile.write(
        TestImages.waves(step: 0, samples: 12, shape: shape), shape: [12, 8, 8, 1], to: folder + "/images.npy")
      #expect(
        Self.refusal(path)?.hasPrefix(
          "\(path): data: wanted the 20 images of 8 x 8 x 1 that the run was trained on so far, found 12 of 8 x 8 x 1")
          == true)
      try whole.write(to: URL(fileURLWithPath: folder + "/moved.npy"))
      for name in ["data", "validation"] {
        try Self.edit(path) { recipe in
          var source = recipe[name] as? [String: Any] ?? [:]
          source["path"] = folder + "/moved.npy"
          recipe[name] = source
        }
      }
      #expect(Self.refusal(path) == nil)
    }
  }

  @Test func damagedLinesAreKeptAsideAndSaid() throws {
    try withTemporaryFolder { folder in
      let path = try Self.stoppedRun(folder)
      let url = URL(fileURLWithPath: path + "/metrics.jsonl")
      let row = try Data(contentsOf: url)
      let damaged = Data([0xff, 0xfe]) + row.dropFirst(9)
      try (damaged + row).write(to: url)
      try Data("[{\"version\"".utf8).write(to: URL(fileURLWithPath: path + "/environment.json"))
      let (run, recipe) = try RunFolder.open(path, locked: true)
      let trainer = try Trainer(recipe, parallel: Self.one, run: run, resume: true)
      try run.append(RunEnvironment(parallel: Self.one, arguments: []))
      #expect(trainer.metrics.epochs.map(\.epoch) == [1])
      #expect(FileManager.default.contents(atPath: path + "/metrics.jsonl") == row)
      #expect(FileManager.default.contents(atPath: path + "/metrics.jsonl.damaged") == damaged)
      #expect(FileManager.default.contents(atPath: path + "/environment.json.damaged") == Data("[{\"version\"".utf8))
      #expect(try run.sessions().count == 1 && run.notes.count == 2)
      #expect(run.notes[0].hasPrefix("\(path)/metrics.jsonl: ") && run.notes[1].hasPrefix("\(path)/environment.json: "))
    }
  }

  /// What fails or is killed while a folder is made leaves nothing under its name.
  @Test func aRunAppearsWholeOrNotAtAll() throws {
    struct Failure: Error {}
    try withTemporaryFolder { folder in
      let recipe = Recipe(model: TinyModels.autoencoder)
      let path = folder + "/run"
      #expect(throws: Failure.self) {
        try RunFolder(path).create(recipe) { whole in
          #expect(!FileManager.default.fileExists(atPath: path))
          #expect(FileManager.default.fileExists(atPath: whole.file("recipe.json")))
          throw Failure()
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      // As a process leaves it that was killed.
      try FileManager.default.createDirectory(
        atPath: folder + "/.run.tmp/checkpoints", withIntermediateDirectories: true)
      let run = try RunFolder.create(path, recipe: recipe)
      #expect(Set(try FileManager.default.contentsOfDirectory(atPath: path)) == ["recipe.json", "pictures", "lock"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["run"])
      #expect(throws: DataError.self) { _ = try RunFolder.open(path, locked: true) }
      try run.discard()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }

  @Test func progressThatNoRunMakesIsRefused() throws {
    try withTemporaryFolder { folder in
      let training = try CheckpointTests.trained(TinyModels.autoencoder, steps: 0)
      let path = folder + "/c.safetensors"
      for step in [-1, Int.max, 1 << 54] {
        try Checkpoint(training, progress: .init(step: step)).write(to: path)
        let error = #expect(throws: DataError.self) { try Checkpoint(reading: path) }
        #expect(error?.reason == "progress.step: wanted 0 to 2^53, found \(step)")
      }
    }
  }
}
