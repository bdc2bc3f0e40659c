import Foundation
import HourglassData
import HourglassModels

/// What a model makes of damaged images, beside the clean ones.
public struct Denoising {
  /// `Evaluation.psnr` of the mean squared difference to the clean images, in dB.
  public let psnrBefore: Double
  public let psnrAfter: Double
  /// The first images, N x H x W x C.
  public private(set) var clean: [Float] = []
  public private(set) var damaged: [Float] = []
  public private(set) var repaired: [Float] = []

  /// Damages all of `data`, image n by the random numbers of (seed, corruption, step 0, sample n).
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read; damage so large that a mean is not
  /// finite.
  ///
  /// - Parameter keeping: of how many images the pixels are kept.
  public init(
    _ data: Dataset, _ corruption: Corruption, with inference: Inference, seed: UInt64, keeping: Int
  ) throws {
    try data.checkShape(for: inference.plan)
    let shape = data.shape
    let draws = FloatBuffer(count: shape.count)
    var (before, after) = (0.0, 0.0)
    for start in stride(from: 0, to: data.count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, data.count)
      let originals = try data.images(range)
      var noisy = originals
      noisy.withUnsafeMutableBufferPointer { noisy in
        originals.withUnsafeBufferPointer { originals in
          for (place, index) in range.enumerated() {
            guard let image = originals.baseAddress, let out = noisy.baseAddress else { continue }
            corruption.apply(
              image + place * shape.count, shape: shape, RandomStream(seed: seed, .corruption, sample: index),
              draws: draws.pointer, into: out + place * shape.count)
          }
        }
      }
      let outputs = inference.reconstruct(noisy)
      before += Self.squares(noisy, originals)
      after += Self.squares(outputs, originals)
      let kept = max(0, min(keeping - start, range.count)) * shape.count
      clean += originals[..<kept]
      damaged += noisy[..<kept]
      repaired += outputs[..<kept]
    }
    guard before.isFinite, after.isFinite else {
      throw DataError(
        path: data.source,
        reason:
          "damaged by \(corruption.rawValue) its images, or what the model makes of them, are beyond all numbers; "
          + "take less damage")
    }
    let pixels = Double(data.count * shape.count)
    psnrBefore = Evaluation.psnr(meanSquaredError: before / pixels)
    psnrAfter = Evaluation.psnr(meanSquaredError: after / pixels)
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
  /// How well codes N x Z, decoded, show a data set's images: PSNR in dB over all their pixels.
  public func psnr(ofDecoded codes: [Float], _ data: Dataset) throws -> Double {
    try data.checkShape(for: plan)
    precondition(codes.count == data.count * codeCount, "\(codes.count) floats are not \(data.count) codes")
    var sum = 0.0
    for start in stride(from: 0, to: data.count, by: Self.batchSize) {
      let range = start..<min(start + Self.batchSize, data.count)
      let images = decode(Array(codes[range.lowerBound * codeCount..<range.upperBound * codeCount]))
      sum += Denoising.squares(images, try data.images(range))
    }
    return Evaluation.psnr(meanSquaredError: sum / Double(data.count * data.shape.count))
  }
}
