import HourglassData
import HourglassModels

/// Pictures of images that a model reads and makes, for a person to see whether it learned.
public struct Pictures {
  package let inference: Inference
  package let seed: UInt64
  package let isBare: Bool
  package var shape: ImageShape { inference.plan.model.input }

  /// Pictures of a model.
  ///
  /// - Parameters:
  ///   - seed: the seed of codes that are drawn from the prior.
  ///   - isBare: whether pictures have no margins, and transparent gaps.
  public init(_ inference: Inference, seed: UInt64, isBare: Bool = false) {
    (self.inference, self.seed, self.isBare) = (inference, seed, isBare)
  }

  /// Why the images of a model cannot be shown; nil where they can.
  public static func refusal(of model: Autoencoder) -> String? {
    switch model.likelihood.target {
    case .image: refusal(of: model.input)
    case .label: "the model puts out labels, not images"
    case .nothing: "the model puts out distances, not images"
    }
  }

  /// Why images of a shape cannot be shown; nil where they can.
  public static func refusal(of shape: ImageShape) -> String? {
    shape.channels == 1 || shape.channels == 3
      ? nil : "a picture wants images of 1 or 3 channels, found \(shape.channels)"
  }

  /// Images side by side.
  ///
  /// Errors: memory is not granted for it.
  ///
  /// - Parameter images: N x H x W x C.
  public static func grid(
    _ images: [Float], shape: ImageShape, columns: Int, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    var grid = ImageGrid(shape: shape, rows: pieces(pieces(images, shape.count), columns))
    grid.isBare = isBare
    return try grid.image()
  }

  /// Originals above reconstructions, ten to a band.
  ///
  /// Errors: memory is not granted for it.
  ///
  /// - Parameters:
  ///   - originals: N x H x W x C.
  ///   - reconstructions: N x H x W x C.
  public static func bands(
    originals: [Float], reconstructions: [Float], shape: ImageShape, isBare: Bool = false
  ) throws(DataError) -> PNGImage {
    try bands([originals, reconstructions], shape: shape, isBare: isBare)
  }

  /// Several forms of each image one above the other, ten images to a band.
  ///
  /// Errors: memory is not granted for it.
  ///
  /// - Parameter kinds: N x H x W x C for each form.
  public static func bands(_ kinds: [[Float]], shape: ImageShape, isBare: Bool = false) throws(DataError) -> PNGImage {
    let rows = kinds.map { pieces(pieces($0, shape.count), imagesPerBand) }
    let bands = (0..<(rows.first?.count ?? 0)).flatMap { band in rows.map { $0[band] } }
    var grid = ImageGrid(shape: shape, rows: bands, rowsPerGroup: kinds.count)
    grid.isBare = isBare
    return try grid.image()
  }

  /// The images of a band.
  public static let imagesPerBand = 10
  /// The images of a row of samples, and of other decoded codes.
  public static let columns = 16

  /// The first images of a data set above what the model makes of them; where a network sees other images, these stand
  /// between.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func reconstructions(_ data: Dataset, count: Int = 4 * imagesPerBand) throws -> PNGImage {
    try data.checkShape(for: inference.plan)
    let range = 0..<min(count, data.count)
    let (originals, labels) = (try data.images(range), data.labels?[range])
    guard data.hasInputs else { return try bands(originals, labels: labels) }
    let seen = try data.inputs(range)
    return try Self.bands(
      [originals, seen, inference.reconstruct(seen, labels: labels)], shape: shape, isBare: isBare)
  }

  /// Images, N x H x W x C, above what the model makes of them.
  package func bands(_ originals: [Float], labels: ArraySlice<Int>?) throws(DataError) -> PNGImage {
    try Self.bands(
      originals: originals, reconstructions: inference.reconstruct(originals, labels: labels), shape: shape,
      isBare: isBare)
  }

  /// A list in pieces of one length; the last may be shorter.
  package static func pieces<T>(_ list: [T], _ length: Int) -> [[T]] {
    stride(from: 0, to: list.count, by: length).map { Array(list[$0..<min($0 + length, list.count)]) }
  }
}
