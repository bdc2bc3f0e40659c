import HourglassData
import HourglassModels
import HourglassTraining

/// Damages images and lets a model repair them, some at a time, so that they need not all fit into memory.
public struct Denoising {
  /// Some images before damage, after damage, and repaired.
  public struct Images {
    /// The images as they are, N x H x W x C.
    public let clean: [Float]
    /// What the model sees of them, N x H x W x C.
    public let damaged: [Float]
    /// What the model makes of that, N x H x W x C.
    public let repaired: [Float]
  }

  private let data: Dataset
  private let corruption: Corruption?
  private let inference: Inference
  private let seed: UInt64
  private let draws: FloatBuffer
  private var (before, after, pixels) = (0.0, 0.0, 0.0)

  /// Prepares to repair the images of a set.
  ///
  /// Image n is damaged by the random numbers of (seed, corruption, step 0, sample n).
  ///
  /// Errors: images of another shape than the model's input.
  ///
  /// - Parameter corruption: how images are damaged; nil for a set that has its damaged images, see `Dataset.paired`.
  public init(
    _ data: Dataset, _ corruption: Corruption?, with inference: Inference, seed: UInt64
  ) throws(DataError) {
    try data.checkShape(for: inference.plan)
    (self.data, self.corruption, self.inference, self.seed) = (data, corruption, inference, seed)
    draws = FloatBuffer(count: data.shape.count)
  }

  /// The PSNR of the damaged images in dB, see `Evaluation.psnr`, over those that were repaired so far.
  public var psnrBefore: Double { Evaluation.psnr(meanSquaredError: before / pixels) }
  /// The PSNR of the repaired images in dB.
  public var psnrAfter: Double { Evaluation.psnr(meanSquaredError: after / pixels) }

  /// Damages and repairs a range of the images.
  ///
  /// Errors: an image cannot be read; damage so large that a mean is not finite.
  public mutating func repair(_ range: Range<Int>) throws -> Images {
    let (originals, shape, draws) = (try data.images(range), data.shape, draws)
    var noisy = try corruption == nil ? data.inputs(range) : originals
    noisy.withUnsafeMutableBufferPointer { noisy in
      originals.withUnsafeBufferPointer { originals in
        for (place, index) in range.enumerated() {
          guard let corruption, let image = originals.baseAddress, let out = noisy.baseAddress else { continue }
          corruption.apply(
            image + place * shape.count, shape: shape, RandomStream(seed: seed, .corruption, sample: index),
            draws: draws.pointer, into: out + place * shape.count)
        }
      }
    }
    let outputs = inference.reconstruct(noisy, labels: data.labels?[range])
    before += Self.squares(noisy, originals)
    after += Self.squares(outputs, originals)
    pixels += Double(originals.count)
    guard before.isFinite, after.isFinite else {
      throw DataError(
        path: data.source,
        reason:
          "damaged \(corruption.map { "by \($0.rawValue)" } ?? "already") its images, or what the model makes of them, "
          + "are beyond all numbers; take less damage")
    }
    return Images(clean: originals, damaged: noisy, repaired: outputs)
  }

  static func squares(_ x: [Float], _ y: [Float]) -> Double {
    x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in
        x.indices.reduce(0) { $0 + Double(x[$1] - y[$1]) * Double(x[$1] - y[$1]) }
      }
    }
  }
}

extension Inference {
  /// What is compressed of images: their codes, or the numbers of a VectorQuantizer's codes; `symbolCount` an image.
  public func symbols(of data: Dataset) throws -> [Float] {
    guard plan.model.isQuantized else { return try codes(of: data) }
    try data.checkShape(for: plan)
    return try stride(from: 0, to: data.count, by: Self.batchSize).flatMap { start in
      let range = start..<min(start + Self.batchSize, data.count)
      return codeNumbers(try data.images(range), labels: data.labels?[range])
    }
  }

  /// The numbers of one image that are compressed.
  public var symbolCount: Int {
    plan.model.isQuantized ? plan.uses[plan.encoder.upperBound - 1].layer.stateCount : codeCount
  }

  /// The codes of what was compressed.
  public func codes(ofSymbols symbols: [Float]) -> [Float] {
    plan.model.isQuantized ? codes(ofNumbers: symbols) : symbols
  }

  /// How well decoded codes show the images of a set: the PSNR in dB over all their pixels.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func psnr(ofDecoded codes: CompressedCodes, _ data: Dataset) throws -> Double {
    try data.checkShape(for: plan)
    var sum = 0.0
    for start in stride(from: 0, to: data.count, by: Self.batchSize) {
      let range = start..<min(start + Self.batchSize, data.count)
      let images = decode(self.codes(ofSymbols: codes.codes(range)))
      sum += Denoising.squares(images, try data.images(range))
    }
    return Evaluation.psnr(meanSquaredError: sum / Double(data.count * data.shape.count))
  }
}
