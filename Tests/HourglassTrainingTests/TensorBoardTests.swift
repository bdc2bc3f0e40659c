import Foundation
import HourglassData
import TestSupport
import Testing

@testable import HourglassTraining

/// What TensorBoard's own reader finds in the events of a run.
@Suite struct TensorBoardTests {
  private static let hasReader = Python.has("tensorboard")

  private static let reader = """
    import json, sys
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0}).Reload()
    tags = found.Tags()
    print(json.dumps({
        "scalars": {tag: [[event.step, event.value] for event in found.Scalars(tag)] for tag in tags["scalars"]},
        "images": {tag: [[event.step, event.width, event.height, event.encoded_image_string[1:4].decode()]
                         for event in found.Images(tag)] for tag in tags["images"]}}))
    """

  private struct Found: Decodable {
    var scalars: [String: [[Double]]]
    var images: [String: [[Word]]]
  }

  private enum Word: Decodable, Equatable {
    case number(Int)
    case text(String)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let number = try? value.decode(Int.self) {
        self = .number(number)
      } else {
        self = .text(try value.decode(String.self))
      }
    }
  }

  private static func read(_ run: RunFolder) throws -> Found {
    let (status, output) = try Python.run(["-c", reader, run.tensorBoard])
    try #require(status == 0, "\(output)")
    let line = try #require(output.split(separator: "\n").last)
    return try JSONDecoder().decode(Found.self, from: Data(line.utf8))
  }

  /// Three sessions: one without events, one that is killed after its last checkpoint but one, one that goes on.
  @Test(.enabled(if: hasReader, "no Python with tensorboard; name one in HOURGLASS_PYTHON"))
  func everyEpochIsThereOnceAfterAKillAndAResume() throws {
    try withTemporaryFolder { folder in
      let model = TinyModels.variational
      let data = try TestImages.waves(batchSizes: [40], shape: model.input)
      var recipe = Recipe(model: model, batchSize: 16, epochs: 1)
      (recipe.schedule, recipe.warmup) = (.constant, .steps(30))
      recipe.validation = DataSource()
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      func session(epochs: Int, tensorBoard: Bool) throws -> Trainer {
        recipe.epochs = epochs
        return try Trainer(
          recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, resume: true, data: data,
          validation: data, tensorBoard: tensorBoard)
      }
      _ = try session(epochs: 1, tensorBoard: false).run()
      #expect(!FileManager.default.fileExists(atPath: run.tensorBoard))
      _ = try session(epochs: 2, tensorBoard: true).run()
      let kept = try Data(contentsOf: URL(fileURLWithPath: run.checkpoint(.last)))
      _ = try session(epochs: 4, tensorBoard: true).run()
      // As if it had been killed before the checkpoints of epochs 3 and 4, in the middle of another event.
      try kept.write(to: URL(fileURLWithPath: run.checkpoint(.last)))
      let torn = try #require(try FileManager.default.contentsOfDirectory(atPath: run.tensorBoard).max())
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(run.tensorBoard)/\(torn)"))
      try file.seekToEnd()
      try file.write(contentsOf: Data([9, 0, 0, 0]))
      try file.close()
      #expect(try Self.read(run).scalars["loss"]?.map { $0[0] } == [3, 6, 9, 12])
      let last = try session(epochs: 5, tensorBoard: true)
      #expect(try Self.read(run).scalars["loss"]?.map { $0[0] } == [3, 6], "what has no checkpoint is forgotten")
      _ = try last.run()

      let found = try Self.read(run)
      let wanted: [(String, (EpochMetrics) -> Double?)] = [
        ("loss", { $0.loss }), ("reconstruction", { $0.reconstruction }), ("kl", { $0.kl }),
        ("validationLoss", { $0.validationLoss }), ("validationMSE", { $0.validationMSE }),
        ("activeUnits", { $0.activeUnits.map(Double.init) }), ("samplesPerSecond", { $0.samplesPerSecond }),
        ("learningRate", { Double(Float(Double(Float(0.001)) * Double($0.step) / 30)) }),
      ]
      let epochs = last.metrics.epochs
      #expect(epochs.map(\.epoch) == [1, 2, 3, 4, 5] && found.scalars.count == wanted.count)
      for (name, value) in wanted {
        let points = epochs.map { [Double($0.step), value($0).map { Double(Float($0)) } ?? .nan] }
        #expect(found.scalars[name] == points, "\(name)")
      }
      let picture = try Pictures(last.inference(), seed: recipe.seed).reconstructions(data)
      let images = try #require(found.images["reconstructions"])
      #expect(images.map { $0[0] } == [6, 9, 12, 15].map(Word.number))
      #expect(images.last == [.number(15), .number(picture.width), .number(picture.height), .text("PNG")])
    }
  }
}
