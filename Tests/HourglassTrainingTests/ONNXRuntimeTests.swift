import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Exported models compute in onnxruntime what Hourglass computes, and weights travel to PyTorch and back.
///
/// Needs a Python with these packages: the one that HOURGLASS_PYTHON names, else `python3`.
@Suite(.serialized) struct ONNXRuntimeTests {
  static let hasPackages = Python.has("numpy, onnx, onnxruntime, safetensors, torch")
  static let noPackages: Comment =
    "no Python with numpy, onnx, onnxruntime, safetensors and torch; name one in HOURGLASS_PYTHON"
  static let samples = 5

  @Test(.enabled(if: hasPackages, noPackages)) func everyLayerIsTheSameInONNXRuntime() throws {
    let cases =
      LayerCases.all.map { (name: $0.name, model: $0.model) }
      + [
        Self.labels, Self.reshaped, Self.model(.poisson), Self.model(.multinomial), Self.model(.gaussian()),
        Self.model(.negativeBinomial), Self.model(.discretizedLogistic),
      ].map { (name: $0.name, model: $0) }
    try withTemporaryFolder { folder in try Self.compare(cases, in: folder) }
  }

  @Test(.enabled(if: hasPackages, noPackages))
  func presetsAreTheSameInONNXRuntimeAndTheirWeightsGoToPyTorchAndBack() throws {
    try withTemporaryFolder { folder in
      try Self.compare(ModelCatalog.models.map { ($0.name, $0) }, in: folder)
      for model in ModelCatalog.models where model.objective == nil {
        let folder = "\(folder)/\(model.name)"
        let inference = try Self.started(model)
        let images = try NPYFile.read(folder + "/images.npy").floats
        try Self.expect(inference.reconstruct(images), near: folder + "/twin.npy")
        var hashes: Set<String> = []
        for file in ["torch.safetensors", "torch.npz"] {
          let parameters = try WeightsFile.read("\(folder)/\(file)", plan: inference.plan)
          let imported = try Inference(
            model: model, parallel: ParallelPlan(workers: 1, threads: 1), parameters: parameters)
          try Self.expect(imported.reconstruct(images), near: folder + "/torch.npy")
          hashes.insert(WeightsHash.of(parameters, plan: inference.plan))
        }
        #expect(hashes.count == 1)
      }
    }
  }

  /// Whose output is no image.
  private static let labels = Autoencoder("labels", input: ImageShape(6, 5, 2), likelihood: .categorical) {
    Conv2D(3, kernel: 3, activation: .relu)
  } latent: {
    Dense(4, activation: .tanh)
  } decoder: {
    Dense(10)
  }

  /// Whose expected image is another one than its output, which may hold the spread of each element too.
  private static func model(_ likelihood: Likelihood) -> Autoencoder {
    let channels = [.poisson, .multinomial].contains(likelihood) ? 2 : 4
    return Autoencoder(likelihood.name, input: ImageShape(6, 4, 2), likelihood: likelihood) {
      Conv2D(3, kernel: 3, activation: .relu)
    } latent: {
      Dense(4)
    } decoder: {
      Dense(6 * 4 * channels)
      Reshape(6, 4, channels)
    }
  }

  /// Images that meet and were vectors before, which are vectors in the graph until somebody wants images.
  private static let reshaped = Autoencoder("reshaped", input: ImageShape(6, 4, 2), likelihood: .squaredError) {
    Conv2D(3, kernel: 3, activation: .relu)
  } latent: {
    Dense(4)
  } decoder: {
    Dense(6 * 4 * 2, activation: .tanh)
    Reshape(6, 4, 2)
    Skip {
      Dense(6 * 4 * 3, activation: .tanh)
      Reshape(6, 4, 3)
    }
    Conv2D(2, kernel: 3)
  }

  /// A model with the weights of a seed; normalisations scale, and some log-variances are out of range.
  private static func started(_ model: Autoencoder) throws -> Inference {
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 1))
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 7)
    for scale in inference.plan.parameters where scale.start != nil {
      scale.store((0..<scale.count).map { 0.5 + 0.1 * Float($0 % 7) }, in: inference.parameters.pointer)
    }
    if let bias = inference.plan.parameters.first(where: { $0.name == "latent.logVariance.bias" }) {
      var values = bias.tensor(in: inference.parameters.pointer)
      (values[0], values[1]) = (-40, 30)
      bias.store(values, in: inference.parameters.pointer)
    }
    return inference
  }

  private static func compare(_ cases: [(name: String, model: Autoencoder)], in folder: String) throws {
    for (name, model) in cases {
      let inference = try started(model)
      let plan = inference.plan
      let export = ModelExport(plan, parameters: inference.parameters)
      for format in ModelExport.Format.allCases { _ = try export.write(format, to: "\(folder)/\(name)") }
      try JSONEncoder().encode(model).write(to: URL(filePath: "\(folder)/\(name)/model.json"))
      let images = TestImages.waves(step: 0, samples: samples, shape: model.input)
      try write(images, of: model.input, to: "\(folder)/\(name)/images.npy")
      let code = plan.codeShape
      try write(inference.encode(images), of: code, to: "\(folder)/\(name)/codes.npy")
    }
    let script = GoldenTests.folder.appending(path: "interchange.py").path
    let (status, output) = try Python.run([script] + cases.map { "\(folder)/\($0.name)" })
    try #require(status == 0, "\(output)")
    for (name, model) in cases {
      let inference = try started(model)
      let images = TestImages.waves(step: 0, samples: samples, shape: model.input)
      let codes = inference.encode(images)
      if model.isVariational {
        let (units, both) = (inference.codeCount, inference.posterior(images))
        let rows = stride(from: 0, to: both.count, by: 2 * units)
        try expect(rows.flatMap { both[$0..<$0 + units] }, near: "\(folder)/\(name)/mean.npy")
        let logVariances = rows.flatMap { both[$0 + units..<$0 + 2 * units] }
        try expect(logVariances.map { min(max($0, -30), 20) }, near: "\(folder)/\(name)/log_variance.npy")
      } else {
        try expect(codes, near: "\(folder)/\(name)/code.npy")
      }
      if inference.plan.decodingRefusal == nil {
        try expect(inference.decode(codes), near: "\(folder)/\(name)/decoded.npy")
      }
      try expect(inference.reconstruct(images), near: "\(folder)/\(name)/reconstructed.npy")
    }
  }

  private static func write(_ values: [Float], of shape: ImageShape, to path: String) throws {
    let extents = shape.isVector ? [shape.channels] : [shape.height, shape.width, shape.channels]
    try NPYFile.write(values, shape: [samples] + extents, to: path)
  }

  private static func expect(
    _ wanted: [Float], near path: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try NPYFile.read(path).floats
    try #require(found.count == wanted.count, "\(path)", sourceLocation: location)
    let worst = zip(wanted, found).map { abs($0 - $1) }.max() ?? 1
    #expect(worst < 1e-5, "\(path) differs by \(worst)", sourceLocation: location)
  }
}
