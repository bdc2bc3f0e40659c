import Foundation
import HourglassData
import HourglassModels

/// The pictures of a run: what a person looks at to see whether the model learned.
public struct Pictures {
  package let inference: Inference
  package let seed: UInt64
  package let isBare: Bool
  package var shape: ImageShape { inference.plan.model.input }

  /// - Parameters:
  ///   - seed: of the codes drawn from the prior.
  ///   - isBare: without margins and with transparent gaps.
  public init(_ inference: Inference, seed: UInt64, isBare: Bool = false) {
    (self.inference, self.seed, self.isBare) = (inference, seed, isBare)
  }

  /// Why a model's images cannot be shown, if they cannot.
  public static func refusal(of model: Autoencoder) -> String? {
    model.likelihood.target == .image ? refusal(of: model.input) : "the model puts out labels, not images"
  }

  /// Why images of a shape cannot be shown, if they cannot.
  public static func refusal(of shape: ImageShape) -> String? {
    shape.channels == 1 || shape.channels == 3
      ? nil : "a picture wants images of 1 or 3 channels, found \(shape.channels)"
  }

  /// Images side by side. images: N x H x W x C.
  public static func grid(
    _ images: [Float], shape: ImageShape, columns: Int, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    var grid = ImageGrid(shape: shape, rows: pieces(pieces(images, shape.count), columns))
    grid.isBare = isBare
    return try grid.image()
  }

  /// Originals above reconstructions, ten to a band. Both: N x H x W x C.
  public static func bands(
    originals: [Float], reconstructions: [Float], shape: ImageShape, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    try bands([originals, reconstructions], shape: shape, isBare: isBare)
  }

  /// Kinds of the same images one above the other, ten images to a band. Each kind: N x H x W x C.
  public static func bands(_ kinds: [[Float]], shape: ImageShape, isBare: Bool = false) throws(DataError) -> PNGImage {
    let rows = kinds.map { pieces(pieces($0, shape.count), imagesPerBand) }
    let bands = (0..<(rows.first?.count ?? 0)).flatMap { band in rows.map { $0[band] } }
    var grid = ImageGrid(shape: shape, rows: bands, rowsPerGroup: kinds.count)
    grid.isBare = isBare
    return try grid.image()
  }

  public static let imagesPerBand = 10
  /// A row of samples, and of other codes decoded.
  public static let columns = 16

  /// The first images of a data set, and what the model makes of them.
  public func reconstructions(_ data: Dataset, count: Int = 4 * imagesPerBand) throws -> PNGImage {
    try data.checkShape(for: inference.plan)
    let range = 0..<min(count, data.count)
    let originals = try data.images(range)
    guard data.hasInputs else { return try bands(originals) }
    let seen = try data.inputs(range)
    return try Self.bands([originals, seen, inference.reconstruct(seen)], shape: shape, isBare: isBare)
  }

  /// Images N x H x W x C above what the model makes of them.
  package func bands(_ originals: [Float]) throws(DataError) -> PNGImage {
    try Self.bands(
      originals: originals, reconstructions: inference.reconstruct(originals), shape: shape, isBare: isBare)
  }

  package static func pieces<T>(_ list: [T], _ length: Int) -> [[T]] {
    stride(from: 0, to: list.count, by: length).map { Array(list[$0..<min($0 + length, list.count)]) }
  }
}
