import HourglassBase

/// The facts in the header of a picture.
struct PictureHeader: Sendable, Equatable {
  /// The shape of the picture as it is stored, H x W x C without its opacity.
  var shape: ImageShape
  var kind = Elements.Kind.uint8
  /// Whether the last channel is the opacity of a pixel, from 0 to the largest number.
  var hasOpacity = false
  /// Whether colours are already multiplied by the opacity.
  var isMultiplied = false
  /// The orientation as Exif numbers it, 1 (upright) to 8.
  var orientation = 1
  /// Whether rows come one band after the other, so that the whole picture need not be in memory.
  var isSequential = true

  /// The shape of the picture turned upright, H x W x C.
  var upright: ImageShape {
    orientation < 5 ? shape : ImageShape(shape.width, shape.height, shape.channels)
  }

  /// The channels that are stored, opacity included.
  var storedChannels: Int { shape.channels + (hasOpacity ? 1 : 0) }

  /// The ranges of rows that are read together, which lie well in a cache; at least a row each.
  var bands: [Range<Int>] {
    let length = max(1, min(shape.height, (1 << 18) / max(1, shape.width * storedChannels * kind.width)))
    return stride(from: 0, to: shape.height, by: length).map { $0..<min(shape.height, $0 + length) }
  }

  /// A band of rows as an image.
  func band(_ rows: Int, _ elements: Elements) -> Image {
    Image(shape: ImageShape(rows, shape.width, storedChannels), elements: elements)
  }
}

/// A picture in a file that is open.
protocol PictureReader: SendableMetatype {
  /// Reads the header. Errors: it is broken, or the picture is of a kind that is not read.
  ///
  /// - Parameter page: the place in the file where one of several pictures begins; nil for the first.
  init(_ file: InputFile, page: UInt64?) throws(DataError)
  var header: PictureHeader { get }
  /// The bytes that reading takes beside the picture itself; nil where an `Int` does not hold them.
  var scratch: Int? { get }
  /// The reader of the picture at a smaller size that costs less to decode and has at least `least` pixels; this reader
  /// where there is no such size.
  func shrunk(toAtLeast least: Extent2D) -> Self
  /// Reads the pixels in bands of rows from the top, with opacity as the last channel where there is any.
  ///
  /// Errors: the file is broken anywhere up to its end.
  func read(_ take: (Image) throws(DataError) -> Void) throws(DataError)
}

extension PictureReader {
  func shrunk(toAtLeast least: Extent2D) -> Self { self }

  /// Reads the picture upright and, where that takes less memory, at the size at which it is wanted.
  ///
  /// Pictures are shrunk while their rows come, with the bits of `Image.resized`. Where a decoder itself can shrink,
  /// it does so as long as four of its pixels or more make a new one along each axis.
  ///
  /// Errors: the picture cannot be read, or takes more memory than is granted.
  ///
  /// - Parameter memory: the bytes that reading may take.
  func image(toward preparation: Preparation, memory: Int, path: String) throws(DataError) -> Image {
    var (reader, wanted) = (self, preparation.size(of: header.upright))
    if header.orientation >= 5 { wanted = wanted.map { Extent2D($0.width, $0.height) } }
    if let wanted { reader = shrunk(toAtLeast: Extent2D(4 * wanted.height, 4 * wanted.width)) }
    let header = reader.header
    let shape = header.shape
    // Turning comes before resizing, and floats are looked at before both.
    let size = wanted.flatMap { size in
      header.isSequential && header.orientation == 1 && header.kind != .float32 && size.height <= shape.height
        && size.width <= shape.width
        ? size : nil
    }
    let pixels =
      size.map { ImageResizer.bytes(from: ImageShape(shape.height, shape.width, max(3, shape.channels)), to: $0) }
      ?? checkedProduct([
        header.orientation == 1 ? 1 : 2, shape.height, shape.width, shape.channels + 1, header.kind.width,
      ])
    let (need, purpose) = (checkedSum(pixels, reader.scratch), "decode \(shape.width) x \(shape.height) pixels")
    return try GrantedMemory.require(need, for: path, purpose) { () throws(DataError) in
      try GrantedMemory.require(need, of: memory, for: path, purpose)
      var assembly = ImageAssembly(header, size: size)
      try reader.read { (band) throws(DataError) in
        var band = band
        if header.hasOpacity {
          band = band.withoutOpacity(over: preparation.background, isMultiplied: header.isMultiplied)
        }
        if size != nil { band = try preparation.colored(band, path: path) }
        assembly.add(band)
      }
      let image = assembly.image.turned(header.orientation)
      // The wanted size follows from the whole picture's proportions.
      guard shape != self.header.shape, let wanted = preparation.size(of: self.header.upright) else { return image }
      return try preparation.colored(image, path: path).resized(to: wanted)
    }
  }
}

/// An image that is assembled from bands of rows, as they are or resized.
private struct ImageAssembly {
  private var (resizer, rows, remarks): (ImageResizer?, Image?, Image.Remarks) = (nil, nil, [])
  private let header: PictureHeader
  private let size: Extent2D?

  init(_ header: PictureHeader, size: Extent2D?) { (self.header, self.size) = (header, size) }

  mutating func add(_ band: Image) {
    remarks.formUnion(band.remarks)
    guard let size else {
      if rows == nil { rows = band } else { rows?.append(band, of: header.shape.height) }
      return
    }
    if resizer == nil {
      let shape = ImageShape(header.shape.height, header.shape.width, band.shape.channels)
      resizer = ImageResizer(from: shape, to: size)
    }
    resizer?.add(band)
  }

  var image: Image {
    guard var image = resizer?.image(header.kind) ?? rows else { preconditionFailure("a picture without rows") }
    image.remarks = remarks
    return image
  }
}
