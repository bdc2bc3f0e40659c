import Foundation
import HourglassData
import HourglassModels

/// How well a model does on a data set, as one object of JSON.
public struct Evaluation: Codable, Sendable, Equatable {
  public var samples = 0
  /// Reconstruction + beta times KL or penalty, mean over samples.
  public var loss = 0.0
  /// Of a model that puts out images: mean squared error per pixel of the expected image.
  public var mse: Double?
  /// See `psnr(meanSquaredError:)`.
  public var psnr: Double?
  /// Structural similarity (Wang et al. 2004), mean over samples.
  public var ssim: Double?
  /// Of a model that puts out classes: the part of the samples whose likeliest class is not their label.
  public var errorRate: Double?
  /// Samples by label (rows) and likeliest class (columns).
  public var confusion: [[Int]]?

  /// What the rows and columns of the confusion matrix are called, by the names of the classes where there are any.
  public func confusionNames(_ classes: [String]?) -> [String] {
    (confusion ?? []).indices.map { index in
      classes.flatMap { index < $0.count ? $0[index] : nil } ?? "\(index)"
    }
  }

  /// SHA-256 of the parameters, first 16 digits.
  public var weightsHash = ""
  /// Of a variational autoencoder, in nats per image with one sample of z (in squared error where that is the
  /// likelihood).
  public var reconstruction: Double?
  public var kl: Double?
  public var negativeELBO: Double?
  /// The importance-weighted bound of -log p(image), in nats per image, and its draws of each code (Burda et al. 2016).
  public var negativeLogLikelihood: Double?
  public var importanceSamples: Int?
  /// Latent units whose mean varies over the data with a variance above 0.01 (Burda et al. 2015).
  public var activeUnits: Int?
  /// Of a model with a penalty, before it is weighed with beta; where it takes several samples together, over those of
  /// a shard of `Inference`.
  public var penalty: Double?
  public var sparsity: Sparsity?

  /// Variance over the data of each latent unit's mean.
  public static let activeVariance = 0.01

  /// Peak signal-to-noise ratio of pixels in [0, 1], 10 log10(1 / mse) in dB: of equal images no infinity, which JSON
  /// does not know, but about 3077, that of the smallest normal number.
  public static func psnr(meanSquaredError: Double) -> Double {
    -10 * log10(max(meanSquaredError, .leastNormalMagnitude))
  }
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
  /// Errors: what the data and `each` throw; labels that the model cannot put out.
  ///
  /// - Parameter importanceSamples: draws of each code for the bound of a variational model with a likelihood in nats.
  public func evaluate(
    _ data: Dataset, importanceSamples: Int? = nil, each: (SampleEvaluation) throws -> Void = { _ in }
  ) throws -> Evaluation {
    let plan = inference.plan
    let (isVariational, hasPenalty) = (plan.model.isVariational, plan.model.penalty != nil)
    let isImage = plan.model.likelihood.target == .image
    try data.checkTargets(for: plan)
    guard !data.hasInputs || !isImage || inference.hasPairs else {
      throw DataError(
        path: data.source, reason: "wanted images for a model that was trained on single ones, found pairs")
    }
    guard importanceSamples == nil || !data.hasInputs else {
      throw DataError(
        path: data.source, reason: "importance samples: wanted images that the model sees itself, found pairs")
    }
    var confusion = try ConfusionMatrix(plan)
    var (reconstruction, divergence, squaredError, similarity) = (0.0, 0.0, 0.0, 0.0)
    var bound = 0.0
    var units = UnitStatistics(count: inference.codeCount)
    for (batch, start) in stride(from: 0, to: data.count, by: Inference.batchSize).enumerated() {
      let range = start..<min(start + Inference.batchSize, data.count)
      let images = try data.inputs(range)
      let wanted = data.hasInputs && isImage ? try data.images(range) : nil
      data.announce((range.upperBound..<min(range.upperBound + range.count, data.count)).lazy.map { Int32($0) })
      let noise: Noise = isVariational || hasPenalty ? .evaluation(seed: seed, step: batch) : .none
      let labels = isImage ? nil : data.labels?[range]
      for (index, measurement) in zip(range, inference.measure(images, wanted: wanted, labels: labels, noise: noise)) {
        reconstruction += Double(measurement.reconstruction)
        divergence += Double(measurement.divergence)
        squaredError += Double(measurement.image?.squaredError ?? 0)
        similarity += Double(measurement.image?.similarity ?? 0)
        if let label = labels?[index], let prediction = measurement.prediction { confusion?.add(label, prediction) }
        try each(SampleEvaluation(index: index, measurement: measurement))
      }
      if isVariational || hasPenalty { units.add(inference.encode(images)) }
      if let importanceSamples {
        bound += inference.importanceBounds(images, labels: labels, draws: importanceSamples, seed: seed, step: batch)
          .reduce(0, +)
      }
    }
    let n = Double(data.count)
    var result = Evaluation(samples: data.count)
    result.loss = (reconstruction + Double(beta) * divergence) / n
    if isImage {
      result.mse = squaredError / n
      result.psnr = Evaluation.psnr(meanSquaredError: squaredError / n)
      result.ssim = similarity / n
    }
    (result.errorRate, result.confusion) = (confusion?.errorRate, confusion?.counts)
    result.weightsHash = WeightsHash.of(inference.parameters, plan: inference.plan)
    if isVariational {
      result.reconstruction = reconstruction / n
      result.kl = divergence / n
      result.negativeELBO = (reconstruction + divergence) / n
      (result.negativeLogLikelihood, result.importanceSamples) = (
        importanceSamples.map { _ in -bound / n }, importanceSamples
      )
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
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func unitVariances(_ data: Dataset, images: Int) throws -> [Double] {
    try data.checkShape(for: inference.plan)
    let images = min(images, data.count)
    var units = UnitStatistics(count: inference.codeCount)
    for start in stride(from: 0, to: images, by: Inference.batchSize) {
      units.add(inference.encode(try data.images(start..<min(start + Inference.batchSize, images))))
    }
    return units.variances
  }
}

/// Samples by label and likeliest class.
private struct ConfusionMatrix {
  private(set) var counts: [[Int]]

  /// Nil for a model that does not put out classes. Errors: more than memory is granted for.
  init?(_ plan: ExecutionPlan) throws(DataError) {
    guard plan.model.likelihood == .categorical else { return nil }
    let classes = plan.boundaries[plan.layers.count].shape.count
    try GrantedMemory.require(
      MemoryLayout<Int>.stride.timesClamping(classes.timesClamping(classes)), for: plan.model.name,
      "count the samples of \(classes) classes by label and likeliest class")
    counts = Array(repeating: Array(repeating: 0, count: classes), count: classes)
  }

  mutating func add(_ label: Int, _ prediction: Float) { counts[label][Int(clamping: prediction)] += 1 }

  var errorRate: Double {
    let right = counts.indices.reduce(0) { $0 + counts[$1][$1] }
    return 1 - Double(right) / Double(counts.joined().reduce(0, +))
  }
}
