import Foundation
import HourglassData
import HourglassKernels
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// A few steps against independent implementations, whose results lie in Golden/ beside the scripts that made them.
@Suite struct GoldenTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

  // MARK: NumPy in double

  /// golden.json of golden.py.
  struct NumPyGolden: Decodable {
    struct Options: Decodable {
      let name: String
      let learningRate, momentum, weightDecay: Float
    }
    struct Tensor: Decodable {
      let shape: [Int]
      let values: [Float]
    }
    struct Run: Decodable {
      let model: String
      let beta: Float
      let optimizer: Options
      let losses: [Double]
      let parameters: [String: Tensor]
      let reconstruction: [Float]
    }
    /// What two samples draw: which values a dropout keeps, and normal values.
    struct Draws: Decodable {
      let seed: UInt64
      let number, step: UInt32
      let rate: Float
      let kept: [[Int]]
      let noise: [[Float]]
    }
    let seed: UInt64
    let batchSizes: [Int]
    let draws: Draws
    let runs: [Run]

    static let stored = Result { try decode(NumPyGolden.self, "golden.json") }
  }

  /// Losses, all parameters and a reconstruction after four steps, the last of a partial batch.
  ///
  /// Bounds: a loss is a sum of fewer than 200 terms by float, 200 x 2^-24 = 1e-5 relative. Adam moves each weight by
  /// at most about the learning rate (1e-3) a step and its ratio m / sqrt(v) is sensitive to a rounded gradient near
  /// zero, so parameters agree to a hundredth of the four steps, 4e-5; with momentum SGD they agree to rounding.
  @Test(arguments: 0..<5, [1, 2]) func trainingIsTheSameInNumPy(_ index: Int, _ shards: Int) throws {
    let golden = try NumPyGolden.stored.get()
    try Self.compare(golden.runs[index], shards: shards, seed: golden.seed, batchSizes: golden.batchSizes)
  }

  private static func compare(
    _ run: NumPyGolden.Run, shards: Int, seed: UInt64, batchSizes: [Int]
  ) throws {
    let model = try #require(TinyModels.all.first { $0.name == run.model })
    let data = try TestImages.waves(batchSizes: batchSizes, shape: model.input)
    var optimizer = Optimizer(
      try #require(Optimizer.Kind(rawValue: run.optimizer.name)), learningRate: run.optimizer.learningRate,
      weightDecay: run.optimizer.weightDecay)
    optimizer.momentum = run.optimizer.momentum
    let step = try startedStep(
      model, batchSize: batchSizes[0], shards: shards, optimizer: optimizer, seed: seed, beta: run.beta,
      data: data)
    let losses = try step.run(batchSizes: batchSizes)
    for (loss, wanted) in zip(losses, run.losses) { #expect(abs(loss.total - wanted) < 1e-5 * wanted) }

    #expect(Set(step.plan.parameters.map(\.name)) == Set(run.parameters.keys))
    let tolerance: Float = optimizer.kind == .sgd ? 2e-6 : 4e-5
    for parameter in step.plan.parameters {
      let wanted = try #require(run.parameters[parameter.name])
      #expect(parameter.shape == wanted.shape)
      let worst = zip(parameter.tensor(in: step.parameters.pointer), wanted.values).map { abs($0 - $1) }.max() ?? 0
      #expect(worst < tolerance, "\(parameter.name) differs by \(worst)")
    }

    let inference = try Inference(
      model: model, parallel: ParallelPlan(workers: 1, threads: 1), parameters: step.parameters)
    let image = try inference.reconstruct(data.image(0))
    let worst = zip(image, run.reconstruction).map { abs($0 - $1) }.max() ?? 1
    #expect(image.count == run.reconstruction.count && worst < 10 * tolerance)
  }

  /// A mask is the same to the bit; noise to nine roundoffs, the bound of a normal value, and one of the addition to 0.
  @Test func layersDrawTheNumbersOfNumPy() throws {
    let draws = try NumPyGolden.stored.get().draws
    let count = draws.kept[0].count
    var address = hg_random_stream(
      size: MemoryLayout<hg_random_stream>.size, seed: draws.seed, stream: 7 | draws.number << 8, step: draws.step,
      sample: 0)
    let (ones, zeros) = ([Float](repeating: 1, count: 2 * count), [Float](repeating: 0, count: 2 * count))
    var (y, mask) = (zeros, [UInt32](repeating: 0, count: 2 * hg_dropout_mask_count(count)))
    hg_dropout_forward(&address, draws.rate, 2, count, HG_ACTIVATION_LINEAR, ones, &y, &mask, nil)
    #expect(y.map { $0 > 0 ? 1 : 0 } == draws.kept.flatMap(\.self))
    hg_gaussian_noise(&address, 1, 2, count, zeros, &y, nil)
    for (found, wanted) in zip(y, draws.noise.joined()) { #expect(abs(found - wanted) <= 10 * 0x1p-24 * abs(wanted)) }
  }

  // MARK: PyTorch

  /// torch_layers.json of torch_layers.py.
  struct TorchLayers: Decodable {
    let seed: UInt64
    let batchSizes: [Int]
    let runs: [NumPyGolden.Run]

    static let stored = Result { try decode(TorchLayers.self, "torch_layers.json") }
  }

  /// Bounds as above; each model with one shard and with two.
  @Test(arguments: 0..<8) func layersAreTheSameInPyTorch(_ index: Int) throws {
    let golden = try TorchLayers.stored.get()
    try Self.compare(golden.runs[index], shards: index % 2 + 1, seed: golden.seed, batchSizes: golden.batchSizes)
  }

  /// The models of torch_losses.json.
  static let flagships = ["conv-ae-28", "conv-dae-28", "conv-vae-28", "conv-ae-32", "conv-vae-64"]

  /// torch_losses.json of torch_losses.py.
  struct TorchLosses: Decodable {
    struct Model: Decodable {
      let seed: UInt64
      let learningRate: Float
      let float64: [Double]
    }
    let batchSize: Int
    let models: [String: Model]

    static let stored = Result { try decode(TorchLosses.self, "torch_losses.json") }
  }

  /// The first 20 losses of each flagship from the same weights, batches and noise, to 1e-4 relative.
  @Test(arguments: flagships) func theFirstLossesArePyTorchs(_ name: String) throws {
    let stored = try TorchLosses.stored.get()
    let wanted = try #require(stored.models[name])
    let model = try #require(ModelCatalog.model(name))
    let batchSizes = wanted.float64.map { _ in stored.batchSize }
    let data = try TestImages.waves(batchSizes: batchSizes, shape: model.input)
    let step = try startedStep(
      model, batchSize: stored.batchSize, parallel: ParallelPlan(workers: 2, threads: 1),
      optimizer: Optimizer(learningRate: wanted.learningRate), seed: wanted.seed, data: data)
    let losses = try step.run(batchSizes: batchSizes)
    #expect(losses.count == 20)
    for (t, loss) in losses.enumerated() {
      let value = wanted.float64[t]
      #expect(abs(loss.total - value) < 1e-4 * value, "loss \(t): \(loss.total), PyTorch \(value)")
    }
  }

  private static func decode<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
    try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: name)))
  }
}
