import Foundation
import HourglassData
import TestSupport
import Testing

@testable import HourglassTraining

/// What TensorBoard's own reader finds in the events of a run.
@Suite struct TensorBoardTests {
  private static let hasReader = Python.has("tensorboard")

  private static let reader = """
    import json, os, sys
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
    def read(folder):
        found = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0}).Reload()
        tags = found.Tags()
        return {
            "scalars": {tag: [[event.step, event.value] for event in found.Scalars(tag)] for tag in tags["scalars"]},
            "images": {tag: [[event.step, event.width, event.height, event.encoded_image_string[1:4].decode()]
                             for event in found.Images(tag)] for tag in tags["images"]}}
    runs = os.path.dirname(os.path.dirname(sys.argv[1]))
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(runs).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, runs)
    plugin = backend_context.Context(TBContext(multiplexer=multiplexer, data_provider=provider))
    context = RequestContext()
    experiment = plugin.experiment_from_metadata(context, "", True, plugin.hparams_metadata(context, ""), [])
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=9, allowed_statuses=[0, 1, 2, 3], include_metrics=True)
    groups = list_session_groups.Handler(
        context, backend_context=plugin, experiment_id="", request=request).run().session_groups
    print(json.dumps({
        "runs": sorted(multiplexer.Runs()),
        **{part: read(sys.argv[1] + "/" + part) for part in ("train", "validation")},
        "measures": sorted(info.name.group + "/" + info.name.tag for info in experiment.metric_infos),
        "hyperparameters": [
            {name: str(getattr(value, value.WhichOneof("kind"))) for name, value in group.hparams.items()}
            for group in groups]}))
    """

  private struct Events: Decodable {
    var scalars: [String: [[Double]]]
    var images: [String: [[Word]]]
  }

  private struct Found: Decodable {
    var runs: [String]
    var train: Events
    var validation: Events
    var measures: [String]
    var hyperparameters: [[String: String]]
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
      for part in ["train", "validation"] {
        let folder = "\(run.tensorBoard)/\(part)"
        let torn = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).max())
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/\(torn)"))
        try file.seekToEnd()
        try file.write(contentsOf: Data([9, 0, 0, 0]))
        try file.close()
      }
      let before = try Self.read(run)
      #expect(before.train.scalars["loss"]?.map { $0[0] } == [3, 6, 9, 12])
      let last = try session(epochs: 5, tensorBoard: true)
      _ = try last.run(shouldStop: true)
      let cut = try Self.read(run)
      for events in [cut.train, cut.validation] {
        #expect(events.scalars["loss"]?.map { $0[0] } == [3, 6], "what has no checkpoint is forgotten")
      }
      #expect(cut.train.scalars["stepLoss"]?.count == 6)
      _ = try last.run()

      let found = try Self.read(run)
      let trained: [(String, (EpochMetrics) -> Double?)] = [
        ("loss", { $0.loss }), ("reconstruction", { $0.reconstruction }), ("kl", { $0.kl }),
        ("samplesPerSecond", { $0.samplesPerSecond }),
      ]
      let measured: [(String, (EpochMetrics) -> Double?)] = [
        ("loss", { $0.validationLoss }), ("mse", { $0.validationMSE }),
        ("activeUnits", { $0.activeUnits.map(Double.init) }),
      ]
      let epochs = last.metrics.epochs
      #expect(epochs.map(\.epoch) == [1, 2, 3, 4, 5])
      #expect(found.train.scalars.count == trained.count + 2 && found.validation.scalars.count == measured.count)
      for (events, wanted) in [(found.train, trained), (found.validation, measured)] {
        for (name, value) in wanted {
          let points = epochs.map { [Double($0.step), value($0).map { Double(Float($0)) } ?? .nan] }
          #expect(events.scalars[name] == points, "\(name)")
        }
      }
      let log = try StepLog(run, upTo: .max).rows
      #expect(log.map(\.step) == Array(1...15) && log.allSatisfy { $0.steps == 1 })
      #expect(found.train.scalars["stepLoss"] == log.map { [Double($0.step), Double(Float($0.loss))] })
      let rates = (1...15).map { [Double($0), Double(Float(Double(Float(0.001)) * Double($0) / 30))] }
      #expect(found.train.scalars["learningRate"] == rates)

      #expect(found.runs == ["", "/train", "/validation"].map { "run/tensorboard\($0)" })
      #expect(found.measures.contains("train/loss") && found.measures.contains("validation/loss"))
      let parameters = try #require(found.hyperparameters.first)
      #expect(found.hyperparameters.count == 1 && parameters["model"] == model.name)
      #expect(parameters["batchSize"] == "16.0" && parameters["optimizer.kind"] == "adam")
      #expect(parameters["seed"] == "1.0" && parameters["schedule"] == "constant")

      let picture = try Pictures(last.inference(), seed: recipe.seed).reconstructions(data)
      let images = try #require(found.validation.images["reconstructions"])
      #expect(images.map { $0[0] } == [6, 9, 12, 15].map(Word.number))
      #expect(images.last == [.number(15), .number(picture.width), .number(picture.height), .text("PNG")])
    }
  }

  @Test(.enabled(if: hasReader, "no Python with tensorboard; name one in HOURGLASS_PYTHON"))
  func aPlainAutoencoderHasNoDivergence() throws {
    try withTemporaryFolder { folder in
      let model = TinyModels.autoencoder
      let data = try TestImages.waves(batchSizes: [20], shape: model.input)
      let recipe = Recipe(model: model, batchSize: 16, epochs: 1)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let trainer = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, data: data, tensorBoard: true)
      _ = try trainer.run()
      #expect(!FileManager.default.fileExists(atPath: run.tensorBoard + "/validation"))
      try FileManager.default.createSymbolicLink(
        atPath: run.tensorBoard + "/validation", withDestinationPath: run.tensorBoard + "/train")
      let found = try Self.read(run)
      let names = ["learningRate", "loss", "reconstruction", "samplesPerSecond", "stepLoss"]
      #expect(found.train.scalars.keys.sorted() == names && found.train.images.count == 1)
    }
  }
}
