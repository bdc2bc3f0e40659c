import Foundation
import HourglassData
import HourglassModels

/// The pictures of a run, at which a person looks to see whether the model learned.
public struct Pictures {
  package let inference: Inference
  package let seed: UInt64
  package let isBare: Bool
  package var shape: ImageShape { inference.plan.model.input }

  /// - Parameters:
  ///   - seed: the seed of the codes drawn from the prior.
  ///   - isBare: whether pictures have no margins and transparent gaps.
  public init(_ inference: Inference, seed: UInt64, isBare: Bool = false) {
    (self.inference, self.seed, self.isBare) = (inference, seed, isBare)
  }

  /// Why a model's images cannot be shown; nil where they can.
  public static func refusal(of model: Autoencoder) -> String? {
    model.likelihood.target == .image ? refusal(of: model.input) : "the model puts out labels, not images"
  }

  /// Why images of a shape cannot be shown; nil where they can.
  public static func refusal(of shape: ImageShape) -> String? {
    shape.channels == 1 || shape.channels == 3
      ? nil : "a picture wants images of 1 or 3 channels, found \(shape.channels)"
  }

  /// A picture of images, N x H x W x C, side by side.
  public static func grid(
    _ images: [Float], shape: ImageShape, columns: Int, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    var grid = ImageGrid(shape: shape, rows: pieces(pieces(images, shape.count), columns))
    grid.isBare = isBare
    return try grid.image()
  }

  /// A picture of originals above reconstructions, N x H x W x C each, ten to a band.
  public static func bands(
    originals: [Float], reconstructions: [Float], shape: ImageShape, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    try bands([originals, reconstructions], shape: shape, isBare: isBare)
  }

  /// A picture of several kinds of the images one above the other, N x H x W x C each, ten images to a band.
  public static func bands(_ kinds: [[Float]], shape: ImageShape, isBare: Bool = false) throws(DataError) -> PNGImage {
    let rows = kinds.map { pieces(pieces($0, shape.count), imagesPerBand) }
    let bands = (0..<(rows.first?.count ?? 0)).flatMap { band in rows.map { $0[band] } }
    var grid = ImageGrid(shape: shape, rows: bands, rowsPerGroup: kinds.count)
    grid.isBare = isBare
    return try grid.image()
  }

  /// The number of images in a band.
  public static let imagesPerBand = 10
  /// The number of images in a row of samples, and of other decoded codes.
  public static let columns = 16

  /// A picture of the first images of a data set above their reconstructions.
  public func reconstructions(_ data: Dataset, count: Int = 4 * imagesPerBand) throws -> PNGImage {
    try data.checkShape(for: inference.plan)
    let range = 0..<min(count, data.count)
    let originals = try data.images(range)
    guard data.hasInputs else { return try bands(originals) }
    let seen = try data.inputs(range)
    return try Self.bands([originals, seen, inference.reconstruct(seen)], shape: shape, isBare: isBare)
  }

  /// A picture of images, N x H x W x C, above their reconstructions.
  package func bands(_ originals: [Float]) throws(DataError) -> PNGImage {
    try Self.bands(
      originals: originals, reconstructions: inference.reconstruct(originals), shape: shape, isBare: isBare)
  }

  package static func pieces<T>(_ list: [T], _ length: Int) -> [[T]] {
    stride(from: 0, to: list.count, by: length).map { Array(list[$0..<min($0 + length, list.count)]) }
  }
}
