import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Scores and maps follow from the image alone, whatever stands beside it.
@Suite struct ScoringTests {
  private static func inference(_ model: Autoencoder) throws -> Inference {
    try EvaluatorTests.inference(model, ParallelPlan(workers: 2, threads: 1, shards: 32))
  }

  /// A penalty that compares the codes of a shard with each other.
  private static let penalized = Autoencoder(
    "penalized", input: ImageShape(8, 8, 1), likelihood: .squaredError, penalty: MMDPenalty(weight: 5)
  ) {
    Dense(10, activation: .relu)
  } latent: {
    Dense(4)
  } decoder: {
    Dense(64, activation: .sigmoid)
    Reshape(8, 8, 1)
  }

  /// To the bit: alone, in another order, and beside other images.
  @Test(arguments: TinyModels.all + [penalized]) func aScoreKnowsNoNeighbours(_ model: Autoencoder) throws {
    let inference = try Self.inference(model)
    let count = Inference.batchSize + 5
    let data = try TestImages.waves(batchSizes: [count], shape: model.input)
    let images = try data.images(0..<count)
    func set(_ order: [Int]) throws -> Dataset {
      let size = model.input.count
      return try Dataset(
        .floats(order.flatMap { images[$0 * size..<($0 + 1) * size] }), shape: model.input, source: "order")
    }
    for samples in model.isVariational ? [nil, 1, 3] : [nil] {
      for kind in AnomalyScores.Kind.allCases {
        func scores(_ data: Dataset) throws -> [Double] {
          try inference.scores(of: data, by: kind, samples: samples, seed: 4).scores
        }
        let all = try scores(data)
        #expect(try scores(set((0..<count).reversed())) == all.reversed())
        #expect(try scores(set([count - 1, 3])) == [all[count - 1], all[3]])
        let copies = try scores(set([Int](repeating: 7, count: 40)))
        #expect(copies == [Double](repeating: all[7], count: 40))
      }
    }
  }

  @Test func theErrorIsThatOfTheExpectedImage() throws {
    let inference = try Self.inference(TinyModels.denoising)
    let data = try TestImages.waves(batchSizes: [9], shape: inference.plan.model.input)
    let images = try data.images(0..<9)
    let expected = inference.reconstruct(images)
    let squares = zip(images, expected).map { (x: Float, y: Float) -> Double in
      let difference = Double(x) - Double(y)
      return difference * difference
    }
    for (n, score) in try inference.scores(of: data, by: .error, seed: 1).scores.enumerated() {
      let own = squares[n * 64..<(n + 1) * 64].reduce(0, +) / 64
      #expect(abs(score - own) < 1e-6 * score)
    }
  }

  /// The bound from its definition, in double, with the code put in by hand: its mean, and draws by the image's seed.
  @Test(arguments: [nil, 1, 2]) func theLikelihoodIsTheEvidenceBound(_ samples: Int?) throws {
    let inference = try Self.inference(TinyModels.variational)
    let data = try TestImages.waves(batchSizes: [3], shape: inference.plan.model.input)
    let scores = try inference.scores(of: data, by: .likelihood, samples: samples, seed: 11).scores
    for n in 0..<3 {
      let image = try data.image(n)
      let posterior = inference.posterior(image)
      let (mean, logVariance) = (posterior[..<3], posterior[3...])
      let bytes = withUnsafeBytes(of: UInt64(11).littleEndian) { Data($0) } + image.withUnsafeBytes { Data($0) }
      let digest = bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) }
      let key = try #require(UInt64(digest.prefix(16), radix: 16))
      let losses = (0..<(samples ?? 1)).map { (draw: Int) -> Double in
        let noise = RandomStream(seed: key, .importance, number: draw).normal(3)
        let code = (0..<3).map { (unit: Int) -> Float in
          samples == nil ? mean[unit] : mean[unit] + exp(logVariance[3 + unit] / 2) * noise[unit]
        }
        let pixels = zip(image, inference.decode(code)).map { (x: Float, p: Float) -> Double in
          -Double(x) * log(Double(p)) - (1 - Double(x)) * log(1 - Double(p))
        }
        return pixels.reduce(0, +)
      }
      let divergences = zip(mean, logVariance).map { (mean: Float, logVariance: Float) -> Double in
        (Double(mean * mean) + exp(Double(logVariance)) - 1 - Double(logVariance)) / 2
      }
      let wanted = losses.reduce(0, +) / Double(losses.count) + divergences.reduce(0, +)
      #expect(abs(scores[n] - wanted) < 1e-4 * wanted)
    }
  }

  /// Mean over the pixels of the map of errors is the score; each map is that of its image and smoothed where wanted.
  @Test func mapsBelongToTheirImages() throws {
    let inference = try Self.inference(TinyModels.autoencoder)
    let count = Inference.batchSize + 3
    let shape = inference.plan.model.input
    let data = try TestImages.waves(batchSizes: [count], shape: shape)
    let scores = try inference.scores(of: data, by: .error, seed: 1).scores
    for kind in AnomalyMaps.Kind.allCases {
      var (plain, smooth) = (AnomalyMaps(kind), AnomalyMaps(kind, smooth: 1.5))
      let filter = GaussianFilter(sigma: 1.5)
      var seen = 0
      try inference.eachPicture(of: data) { picture in
        let image = try data.image(picture.index)
        #expect(picture.index == seen && picture.shape == shape && Array(picture.image) == image)
        #expect(Array(picture.expected) == inference.reconstruct(image))
        seen += 1
        let map = plain.map(picture)
        #expect(smooth.map(picture) == filter.smoothed(map, height: 9, width: 7))
        guard kind == .error else { return }
        let mean = map.reduce(0) { $0 + Double($1) } / 63
        #expect(abs(mean - scores[picture.index]) < 1e-5 * mean)
      }
      #expect(seen == count)
      try inference.eachPicture(of: data, count: 2) { seen += $0.index }
      #expect(seen == count + 1)
    }
  }
}
