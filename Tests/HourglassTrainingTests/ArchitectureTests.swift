import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Autoencoders that people train elsewhere are the same as model files: each file of examples/models has the
/// parameters of the original, and gives with its weights the same images and gradients, in onnxruntime too, and the
/// same bits for any division.
///
/// The originals are PyTorch modules in Architectures/, and need a Python with torch: the one that HOURGLASS_PYTHON
/// names, else `python3`. Small ones are compared always, all where HOURGLASS_ARCHITECTURES names a file, which
/// receives what was found, and of which `make architectures` draws Docs/architectures.md.
@Suite(.serialized) struct ArchitectureTests {
  static let hasPackages = Python.has("numpy, onnxruntime, safetensors, torch")
  static let noPackages: Comment =
    "no Python with numpy, onnxruntime, safetensors and torch; name one in HOURGLASS_PYTHON"
  private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let folder = repository.appending(path: "examples/models")
  private static let resultPath = ProcessInfo.processInfo.environment["HOURGLASS_ARCHITECTURES"]
  private static let (samples, shards) = (16, 2)

  /// What was found of one architecture. Differences are those of the largest element, over the largest magnitude.
  private struct Finding: Codable {
    var parameters: Int
    var reconstruction: Double
    var gradient: Double
    var onnx: Double?
    var hasEqualBits: Bool
  }

  /// The model files by name.
  static func models() throws -> [(name: String, model: Autoencoder)] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }.sorted().map {
      let path = folder.appending(path: $0).path
      return (String($0.dropLast(5)), try JSONFile.read(Autoencoder.self, from: path, what: "not a model"))
    }
  }

  @Test func eachModelFileSaysItsNameAndItsSourceAndIsInTheTable() throws {
    let table = try String(contentsOf: Self.repository.appending(path: "Docs/architectures.md"), encoding: .utf8)
    let rows = table.split(separator: "\n").filter { $0.hasSuffix("| yes |") }
    let models = try Self.models()
    #expect(rows.count == models.count)
    for (name, model) in models {
      #expect(model.name == name && model.source?.isEmpty == false, "\(name)")
      #expect(throws: Never.self, "\(name)") { try ExecutionPlan(model, batchSize: 2) }
      #expect(rows.contains { $0.hasPrefix("| [\(name)](") }, "\(name) is not in Docs/architectures.md")
    }
  }

  @Test(.enabled(if: hasPackages, noPackages)) func publicArchitecturesComputeWhatTheirOriginalsDo() throws {
    let models = try Self.models().filter { try Self.resultPath != nil || Self.isSmall($0.model) }
    try #require(models.count > 40)
    var findings: [String: Finding] = [:]
    let most = Self.resultPath == nil ? models.count : 12
    for first in stride(from: 0, to: models.count, by: most) {
      try withTemporaryFolder { folder in
        let some = models[first..<min(first + most, models.count)]
        try Self.run("values", folder, some.map(\.name))
        for (name, model) in some {
          do { findings[name] = try Self.compare(model, in: folder) } catch { Issue.record("\(name): \(error)") }
        }
        let compared = some.map(\.name).filter { findings[$0] != nil }
        try Self.run("onnx", folder, compared)
        let worst = try JSONDecoder().decode(
          [String: Double].self, from: Data(contentsOf: URL(filePath: folder + "/onnx.json")))
        for name in compared {
          findings[name]?.onnx = worst[name]
          #expect(try #require(worst[name]) < 1e-5, "\(name): images of onnxruntime differ by \(worst[name] ?? 1)")
        }
      }
    }
    guard let path = Self.resultPath else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try encoder.encode(findings).write(to: URL(filePath: path))
  }

  private static func run(_ mode: String, _ folder: String, _ names: [String]) throws {
    let script = GoldenTests.folder.deletingLastPathComponent().appending(path: "Architectures/originals.py").path
    let (status, output) = try Python.run([script, mode, folder] + names)
    try #require(status == 0, "\(output)")
  }

  /// Whether a comparison costs less than a second.
  static func isSmall(_ model: Autoencoder) throws -> Bool {
    let summary = ModelSummary(try ExecutionPlan(model, batchSize: samples, shards: shards))
    return summary.parameters < 600_000 && summary.trainingFlops < 100_000_000
  }

  private static func compare(_ model: Autoencoder, in folder: String) throws -> Finding {
    let file = try SafeTensors.read("\(folder)/\(model.name).safetensors")
    let images = try #require(file["x"]).values
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 2))
    try store(file, in: inference.parameters, of: inference.plan)
    let found = inference.reconstruct(images)
    let reconstruction = try difference(found, try #require(file["y"]).values)
    #expect(reconstruction < 1e-5, "\(model.name): reconstructions differ by \(reconstruction)")
    _ = try ModelExport(inference.plan, parameters: inference.parameters).write(.onnx, to: "\(folder)/\(model.name)")

    let steps = try [ParallelPlan(workers: 1, threads: 2), ParallelPlan(workers: 2, threads: 1)].map {
      try step(model, images, file, $0)
    }
    let hasEqualBits = steps[0].gradient.bits == steps[1].gradient.bits
    #expect(hasEqualBits, "\(model.name): bits depend on the division")
    let gradient = try gradientDifference(steps[0], file)
    // Normalisation over the samples of a shard magnifies rounding, PyTorch's too.
    let rounding = Double(try #require(file["rounding"]).values[0])
    #expect(gradient < max(1e-4, 2 * rounding), "\(model.name): gradients differ by \(gradient)")
    return Finding(
      parameters: ModelSummary(inference.plan).parameters, reconstruction: reconstruction, gradient: gradient,
      hasEqualBits: hasEqualBits)
  }

  /// The model with ELUs in place of rectifiers, where gradients jump with a rounding of their input.
  private static func smooth(_ model: Autoencoder) throws -> Autoencoder {
    let text = JSONText.line(model).replacing(/"(relu6?|leakyRelu[0-9.:]*)"/, with: "\"elu\"")
    return try JSONDecoder().decode(Autoencoder.self, from: Data(text.utf8))
  }

  /// A step that only measures, with smooth activations and dropout that keeps everything.
  private static func step(
    _ model: Autoencoder, _ images: [Float], _ file: SafeTensors, _ parallel: ParallelPlan
  ) throws -> TrainingStep {
    let still = try smooth(model).mapped { layer, _ in layer is Dropout ? Dropout(0) : layer }
    let step = try startedStep(
      still, batchSize: samples, shards: shards, parallel: parallel, optimizer: Optimizer(.sgd, learningRate: 0),
      data: try Dataset(.floats(images), shape: model.input, source: "random"))
    try store(file, in: step.parameters, of: step.plan)
    try step.run(batchSizes: [samples])
    return step
  }

  /// Puts the original's weights in place, tensor by tensor in the order of definition. A series' filters have an axis
  /// of one more here.
  private static func store(_ file: SafeTensors, in parameters: FloatBuffer, of plan: ExecutionPlan) throws {
    let name = plan.model.name
    #expect(file["w.\(plan.parameters.count)"] == nil, "\(name): the original has more tensors")
    for (i, parameter) in plan.parameters.enumerated() {
      let tensor = try #require(file["w.\(i)"], "\(name): the original lacks \(parameter.name)")
      try #require(
        tensor.shape.filter { $0 != 1 } == parameter.shape.filter { $0 != 1 },
        "\(name): \(parameter.name) is \(parameter.shape), in the original \(tensor.shape)")
      parameter.store(tensor.values, in: parameters.pointer)
    }
  }

  private static func gradientDifference(_ step: TrainingStep, _ file: SafeTensors) throws -> Double {
    let scale = 1 / Float(samples)
    let pairs = try step.plan.parameters.enumerated().filter { !$0.element.isStatistic }.map { i, parameter in
      let found = parameter.tensor(in: step.gradient.pointer).map { $0 * scale }
      return (found: found, wanted: try #require(file["g.\(i)"], "\(parameter.name)").values)
    }
    let largest = pairs.map { magnitude($0.wanted) }.max() ?? 0
    // A bias in front of a normalisation has no gradient but the rounding of sums that cancel (in double 1e-16 of the
    // largest); PyTorch's own reaches 3e-7 of it.
    return try pairs.map { try difference($0.found, $0.wanted, atLeast: 1e-2 * largest) }.max() ?? 0
  }

  private static func magnitude(_ values: [Float]) -> Float { values.reduce(0) { max($0, abs($1)) } }

  /// The largest difference, over the largest magnitude that was wanted.
  private static func difference(_ found: [Float], _ wanted: [Float], atLeast least: Float = 1) throws -> Double {
    try #require(found.count == wanted.count)
    var worst: Float = 0
    for i in found.indices {
      let distance = abs(found[i] - wanted[i])
      worst = distance.isNaN ? .infinity : max(worst, distance)
    }
    return Double(worst / max(magnitude(wanted), least))
  }
}
