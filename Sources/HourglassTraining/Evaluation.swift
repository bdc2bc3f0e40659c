import Foundation
import HourglassData
import HourglassModels

/// How well a model does on a data set, as one object of JSON.
public struct Evaluation: Codable, Sendable, Equatable {
  public var samples = 0
  /// Reconstruction + beta KL, mean over samples.
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
    let isVariational = inference.plan.model.isVariational
    var (reconstruction, divergence, squaredError, similarity) = (0.0, 0.0, 0.0, 0.0)
    var units = UnitStatistics(count: inference.codeCount)
    for (batch, start) in stride(from: 0, to: data.count, by: Inference.batchSize).enumerated() {
      let range = start..<min(start + Inference.batchSize, data.count)
      let images = try data.images(range)
      data.announce((range.upperBound..<min(range.upperBound + range.count, data.count)).lazy.map { Int32($0) })
      let noise: Noise = isVariational ? .evaluation(seed: seed, step: batch) : .none
      for (index, measurement) in zip(range, inference.measure(images, noise: noise)) {
        reconstruction += Double(measurement.reconstruction)
        divergence += Double(measurement.divergence)
        squaredError += Double(measurement.squaredError)
        similarity += Double(measurement.similarity)
        try each(SampleEvaluation(index: index, measurement: measurement))
      }
      if isVariational { units.add(inference.encode(images)) }
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

/// Running variance of each unit of the code (Welford 1962).
private struct UnitStatistics {
  private var samples = 0
  private var mean: [Double]
  private var squares: [Double]

  init(count: Int) {
    mean = Array(repeating: 0, count: count)
    squares = mean
  }

  mutating func add(_ codes: [Float]) {
    let width = mean.count
    for start in stride(from: 0, to: codes.count, by: width) {
      samples += 1
      for j in 0..<width {
        let delta = Double(codes[start + j]) - mean[j]
        mean[j] += delta / Double(samples)
        squares[j] += delta * (Double(codes[start + j]) - mean[j])
      }
    }
  }

  var variances: [Double] { squares.map { samples > 0 ? $0 / Double(samples) : 0 } }
}
