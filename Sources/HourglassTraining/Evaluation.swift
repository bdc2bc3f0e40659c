import Foundation
import HourglassData
import HourglassModels

/// How well a model does on a data set, as one object of JSON.
public struct Evaluation: Codable, Sendable, Equatable {
  public var samples = 0
  /// Reconstruction + beta times KL or penalty, mean over samples.
  public var loss = 0.0
  /// Mean squared error per pixel of the expected image.
  public var mse = 0.0
  /// 10 log10(1 / mse), in dB.
  public var psnr = 0.0
  /// Structural similarity (Wang et al. 2004), mean over samples.
  public var ssim = 0.0
  /// SHA-256 of the parameters, first 16 digits.
  public var weightsHash = ""
  /// Of a variational autoencoder, in nats per image with one sample of z (in squared error where that is the
  /// likelihood).
  public var reconstruction: Double?
  public var kl: Double?
  public var negativeELBO: Double?
  /// Latent units whose mean varies over the data with a variance above 0.01 (Burda et al. 2015).
  public var activeUnits: Int?
  /// Of a model with a penalty, before it is weighed with beta; where it takes several samples together, over those of
  /// a shard of `Inference`.
  public var penalty: Double?
  public var sparsity: Sparsity?

  /// Variance over the data of each latent unit's mean.
  public static let activeVariance = 0.01
}

/// One sample's row of an evaluation.
public struct SampleEvaluation: Sendable {
  public var index: Int
  public var measurement: Inference.Measurement
}

/// Runs a data set through a model and sums up.
public struct Evaluator {
  private let inference: Inference
  private let beta: Float
  private let seed: UInt64

  /// - Parameter seed: of the one sample of z for each image.
  public init(_ inference: Inference, beta: Float, seed: UInt64) {
    (self.inference, self.beta, self.seed) = (inference, beta, seed)
  }

  /// Evaluates all of `data`; `each` sees every sample's row, in order.
  ///
  /// Errors: what the data and `each` throw.
  public func evaluate(_ data: Dataset, each: (SampleEvaluation) throws -> Void = { _ in }) throws -> Evaluation {
    let (isVariational, hasPenalty) = (inference.plan.model.isVariational, inference.plan.model.penalty != nil)
    var (reconstruction, divergence, squaredError, similarity) = (0.0, 0.0, 0.0, 0.0)
    var units = UnitStatistics(count: inference.codeCount)
    for (batch, start) in stride(from: 0, to: data.count, by: Inference.batchSize).enumerated() {
      let range = start..<min(start + Inference.batchSize, data.count)
      let images = try data.images(range)
      let noise: Noise = isVariational || hasPenalty ? .evaluation(seed: seed, step: batch) : .none
      for (index, measurement) in zip(range, inference.measure(images, noise: noise)) {
        reconstruction += Double(measurement.reconstruction)
        divergence += Double(measurement.divergence)
        squaredError += Double(measurement.squaredError)
        similarity += Double(measurement.similarity)
        try each(SampleEvaluation(index: index, measurement: measurement))
      }
      if isVariational || hasPenalty { units.add(inference.encode(images)) }
    }
    let n = Double(data.count)
    var result = Evaluation(samples: data.count)
    result.loss = (reconstruction + Double(beta) * divergence) / n
    result.mse = squaredError / n
    result.psnr = -10 * log10(max(result.mse, .leastNormalMagnitude))
    result.ssim = similarity / n
    result.weightsHash = WeightsHash.of(inference.parameters, plan: inference.plan)
    if isVariational {
      result.reconstruction = reconstruction / n
      result.kl = divergence / n
      result.negativeELBO = (reconstruction + divergence) / n
      result.activeUnits = units.variances.count { $0 > Evaluation.activeVariance }
    }
    if hasPenalty {
      result.reconstruction = reconstruction / n
      result.penalty = divergence / n
      result.sparsity = Sparsity(frequencies: units.frequencies, meanActivity: units.meanActivity)
    }
    return result
  }

  /// Variance over the first images of the data of each latent unit's mean, in the units' order.
  public func unitVariances(_ data: Dataset, images: Int) throws -> [Double] {
    var units = UnitStatistics(count: inference.codeCount)
    for start in stride(from: 0, to: images, by: Inference.batchSize) {
      units.add(inference.encode(try data.images(start..<min(start + Inference.batchSize, images))))
    }
    return units.variances
  }
}

/// How sparse the codes of images are. A unit is active for an image where its value is further from 0 than
/// `threshold`.
public struct Sparsity: Codable, Sendable, Equatable {
  /// Part of the images for which each unit is active, in the units' order.
  public var frequencies: [Double]
  /// Mean of the values' magnitudes over images and units.
  public var meanActivity: Double

  /// Mean part of the units that are active for an image.
  public var activeFraction: Double { frequencies.reduce(0, +) / Double(max(1, frequencies.count)) }
  /// Units that are active for no image.
  public var deadUnits: Int { frequencies.count { $0 == 0 } }

  /// A magnitude that a unit at rest stays below.
  public static let threshold: Float = 0.1

  public init(frequencies: [Double], meanActivity: Double) {
    (self.frequencies, self.meanActivity) = (frequencies, meanActivity)
  }

  private enum CodingKeys: String, CodingKey { case activeFraction, deadUnits, meanActivity, frequencies }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    frequencies = try fields.decode([Double].self, forKey: .frequencies)
    meanActivity = try fields.decode(Double.self, forKey: .meanActivity)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(activeFraction, forKey: .activeFraction)
    try fields.encode(deadUnits, forKey: .deadUnits)
    try fields.encode(meanActivity, forKey: .meanActivity)
    try fields.encode(frequencies, forKey: .frequencies)
  }
}

/// Running variance of each unit of the code (Welford 1962), and how often it is active.
private struct UnitStatistics {
  private var samples = 0
  private var mean: [Double]
  private var squares: [Double]
  private var active: [Int]
  private var magnitudes = 0.0

  init(count: Int) {
    mean = Array(repeating: 0, count: count)
    squares = mean
    active = Array(repeating: 0, count: count)
  }

  mutating func add(_ codes: [Float]) {
    let width = mean.count
    for start in stride(from: 0, to: codes.count, by: width) {
      samples += 1
      for j in 0..<width {
        let delta = Double(codes[start + j]) - mean[j]
        mean[j] += delta / Double(samples)
        squares[j] += delta * (Double(codes[start + j]) - mean[j])
        magnitudes += Double(abs(codes[start + j]))
        if abs(codes[start + j]) > Sparsity.threshold { active[j] += 1 }
      }
    }
  }

  var variances: [Double] { squares.map { samples > 0 ? $0 / Double(samples) : 0 } }
  var frequencies: [Double] { active.map { samples > 0 ? Double($0) / Double(samples) : 0 } }
  var meanActivity: Double { samples > 0 ? magnitudes / Double(samples * mean.count) : 0 }
}
