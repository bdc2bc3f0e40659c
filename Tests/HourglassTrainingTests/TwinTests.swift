import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A checkpoint runs in PyTorch and gives the same images and the same loss: of every layer, likelihood and preset, and
/// of the small ones of the public architectures.
///
/// Needs a Python with torch: the one that HOURGLASS_PYTHON names, else `python3`.
@Suite(.serialized) struct TwinTests {
  static let hasTorch = Python.has("numpy, torch")

  private struct Twin: Decodable {
    var parameters: Int?
    var loss: Double?
    var lacks: String?
  }

  /// What no twin has, in the words of Benchmarks/Peers/models_torch.py.
  private static let lacks: Set<String> = [
    "contrastive divergence", "the structural similarity", "a contractive penalty along a tangent",
    "sums of windows that overlap in a max-unpooling", "the layer Condition", "the layer Centre",
  ]

  @Test(.enabled(if: hasTorch, "no Python with torch; name one in HOURGLASS_PYTHON"))
  func everyModelGivesTheSameImagesAndLossesInPyTorch() throws {
    let architectures = try ArchitectureTests.models().map(\.model).filter(ArchitectureTests.isSmall)
    let models = LayerCases.all.map(\.model) + Self.likelihoods + ModelCatalog.models + architectures
    try withTemporaryFolder { folder in
      let folders = models.indices.map { "\(folder)/\($0)" }
      let runs = try zip(models, folders).map { try Self.train($0, into: $1) }
      let script = GoldenTests.folder.appending(path: "torch_twin.py").path
      let (status, output) = try Python.run([script] + folders)
      try #require(status == 0, "\(output)")
      for (run, folder) in zip(runs, folders) { try Self.compare(run, with: folder) }
    }
  }

  /// The likelihoods that no preset and no case of a layer has.
  private static let likelihoods = [
    Likelihood.absoluteError, .huber, .gaussian(), .gaussian(variance: 0.3), .categorical, .labelSquaredError,
    .logCosh, .poisson, .negativeBinomial, .multinomial, .discretizedLogistic,
  ].map { likelihood in
    let channels = [.gaussian(), .negativeBinomial, .discretizedLogistic].contains(likelihood) ? 4 : 2
    var model = Autoencoder(likelihood.name, input: ImageShape(6, 4, 2), likelihood: likelihood) {
      Conv2D(3, kernel: 3, stride: 2, activation: .tanh)
    } latent: {
      Dense(5)
    } decoder: {
      Dense(3 * 2 * 3, activation: .softplus)
      Reshape(3, 2, 3)
      ConvTranspose2D(channels, kernel: 5, stride: 2)
    }
    if likelihood.target == .label { model.decoder = [Dense(likelihood == .categorical ? 3 : 1)] }
    return model
  }

  /// Two steps of a model, its checkpoint, and the loss of a third one.
  private static func train(_ model: Autoencoder, into folder: String) throws -> (training: TrainingStep, loss: Double)
  {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let pixels = (0..<3).flatMap { TestImages.waves(step: $0, samples: 8, shape: model.input) }
    let classes = model.likelihood == .labelSquaredError ? 1 : 3
    let labels = (0..<24).map { $0 % 8 % classes }
    let data = try Dataset(.floats(pixels), shape: model.input, labels: labels, source: "waves")
    // One shard has the statistics of the minibatch, as PyTorch does.
    let training = try startedStep(
      model, batchSize: 8, shards: 1, parallel: ParallelPlan(workers: 1, threads: 2), data: data)
    try training.run(batchSizes: [8, 8])
    try Checkpoint(training, progress: .init(step: 2)).write(to: folder + "/checkpoint.safetensors")
    try JSONEncoder().encode(model).write(to: URL(filePath: folder + "/model.json"))
    let shape = [8, model.input.height, model.input.width, model.input.channels]
    try NPYFile.write(data.images(16..<24), shape: shape, to: folder + "/images.npy")
    let inference = try Inference(
      model: model, parallel: ParallelPlan(workers: 1, threads: 1), parameters: training.parameters)
    let found = inference.reconstruct(try data.images(16..<24), labels: labels[16...])
    try NPYFile.write(found, shape: [8, found.count / 8], to: folder + "/found.npy")
    return (training, try training.run(step: 2, items: ArraySlice(16..<24)).total)
  }

  private static func compare(_ run: (training: TrainingStep, loss: Double), with folder: String) throws {
    let plan = run.training.plan
    let twin = try JSONDecoder().decode(Twin.self, from: Data(contentsOf: URL(filePath: folder + "/twin.json")))
    if let lack = twin.lacks {
      #expect(Self.lacks.contains(lack), "\(plan.model.name): \(lack)")
      return
    }
    #expect(twin.parameters == ModelSummary(plan).parameters, "\(plan.model.name)")
    let (found, wanted) = try (NPYFile.read(folder + "/found.npy").floats, NPYFile.read(folder + "/out.npy").floats)
    try #require(found.count == wanted.count, "\(plan.model.name)")
    let worst = zip(found, wanted).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 1
    #expect(worst < 1e-5, "\(plan.model.name): outputs differ by \(worst)")
    guard !Self.draws(plan) else { return }
    let loss = try #require(twin.loss)
    #expect(abs(run.loss - loss) < 1e-4 * abs(loss), "\(plan.model.name): a loss of \(run.loss), in PyTorch \(loss)")
  }

  /// Whether a step of training draws numbers, which are others in PyTorch.
  private static func draws(_ plan: ExecutionPlan) -> Bool {
    plan.model.hasPrior
      || plan.uses.contains { [GaussianNoise.kind, Dropout.kind].contains($0.layer.kind) }
  }
}
