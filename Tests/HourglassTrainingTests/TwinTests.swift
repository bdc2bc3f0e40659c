import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A checkpoint runs in PyTorch and gives the same images.
///
/// Needs a Python with torch: the one that HOURGLASS_PYTHON names, else `python3`.
@Suite(.serialized) struct TwinTests {
  /// The models of Benchmarks/Peers/models_torch.py.
  static let twins = GoldenTests.flagships + ["conv-ae-unpool-28", "res-ae-32", "unet-dae-64"]
  static let hasTorch = Python.has("numpy, torch")

  @Test(
    .enabled(if: hasTorch, "no Python with torch; name one in HOURGLASS_PYTHON"),
    arguments: twins)
  func aCheckpointGivesTheSameImagesInPyTorch(_ name: String) throws {
    try withTemporaryFolder { folder in
      let model = try #require(ModelCatalog.model(name))
      let data = try TestImages.waves(batchSizes: [8, 8, 8], shape: model.input)
      let training = try startedStep(model, batchSize: 8, parallel: ParallelPlan(workers: 2, threads: 1), data: data)
      try training.run(batchSizes: [8, 8])
      try Checkpoint(training, progress: .init(step: 2)).write(to: folder + "/c.safetensors")
      let images = try data.images(16..<24)
      let shape = [8, model.input.height, model.input.width, model.input.channels]
      try NPYFile.write(images, shape: shape, to: folder + "/in.npy")

      let script = GoldenTests.folder.appending(path: "torch_twin.py").path
      let (status, output) = try Python.run([
        script, "--model", name, "--checkpoint", folder + "/c.safetensors", "--images", folder + "/in.npy",
        "--output", folder + "/out.npy",
      ])
      try #require(status == 0, "\(output)")
      let twin = try NPYFile.read(folder + "/out.npy")
      #expect(twin.shape == shape)
      let inference = try Inference(
        model: model, parallel: ParallelPlan(workers: 1, threads: 1), parameters: training.parameters)
      let worst = zip(inference.reconstruct(images), twin.floats).map { abs($0 - $1) }.max() ?? 1
      #expect(worst < 1e-5, "images differ by \(worst)")
    }
  }
}
