import HourglassBase

/// One image in memory.
public struct Image: Sendable, Equatable {
  /// The shape, H x W x C.
  public var shape: ImageShape
  /// The values, H x W x C, row by row from the top with the channels of a pixel together.
  public var elements: Elements
  /// What a person should know about the file of the image.
  var remarks: Remarks = []

  /// Facts about a file that a person should know; `Inventory.notes` counts them.
  struct Remarks: OptionSet, Sendable, Hashable {
    let rawValue: Int
    /// The file is of another kind than its name says.
    static let misnamed = Remarks(rawValue: 1)
    /// Pixels are transparent, and their hidden colours were taken.
    static let transparent = Remarks(rawValue: 2)

    /// Each remark with the clause that follows a number of files.
    static let sentences: [(remark: Remarks, reason: String)] = [
      (.misnamed, "of another kind than their names say"),
      (.transparent, "with transparent pixels, whose hidden colours are taken; --background composes"),
    ]
  }

  public init(shape: ImageShape, elements: Elements) {
    precondition(elements.count == shape.count, "\(elements.count) elements do not fill \(shape)")
    (self.shape, self.elements) = (shape, elements)
  }

  /// The image in grey, H x W x 1: the luma of ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B of the values as they are
  /// stored, rounded in bytes and 16-bit numbers. A grey image stays as it is.
  ///
  /// Errors: the image has neither 1 nor 3 channels.
  func grey(path: String) throws(DataError) -> Image {
    try require(channels: [1, 3], for: "grey", path)
    guard shape.channels == 3 else { return self }
    let count = shape.height * shape.width
    let elements: Elements =
      switch elements {
      case .bytes(let bytes):
        .bytes(
          Self.make(count, bytes) { x, y in
            for i in 0..<count {
              // The weights are in units of 2^-16; their sum is 2^16.
              let luma = 19_595 * UInt32(x[3 * i]) + 38_470 * UInt32(x[3 * i + 1]) + 7_471 * UInt32(x[3 * i + 2])
              y[i] = UInt8(truncatingIfNeeded: (luma + 32_768) >> 16)
            }
          })
      case .words(let words):
        .words(
          Self.make(count, words) { x, y in
            for i in 0..<count {
              let (red, green, blue) = (UInt64(x[3 * i]), UInt64(x[3 * i + 1]), UInt64(x[3 * i + 2]))
              y[i] = UInt16(truncatingIfNeeded: (19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16)
            }
          })
      case .floats(let floats):
        .floats(
          Self.make(count, floats) { x, y in
            for i in 0..<count { y[i] = 0.299 * x[3 * i] + 0.587 * x[3 * i + 1] + 0.114 * x[3 * i + 2] }
          })
      }
    return Image(shape: ImageShape(shape.height, shape.width, 1), elements: elements)
  }

  /// The image in RGB, H x W x 3: a grey image gets three equal channels, an RGB image stays as it is.
  ///
  /// Errors: the image has neither 1 nor 3 channels.
  func rgb(path: String) throws(DataError) -> Image {
    try require(channels: [1, 3], for: "rgb", path)
    guard shape.channels == 1 else { return self }
    let count = shape.height * shape.width
    func tripled<T>(_ values: [T]) -> [T] {
      Self.make(3 * count, values) { x, y in
        for i in 0..<count { (y[3 * i], y[3 * i + 1], y[3 * i + 2]) = (x[i], x[i], x[i]) }
      }
    }
    let elements: Elements =
      switch elements {
      case .bytes(let bytes): .bytes(tripled(bytes))
      case .words(let words): .words(tripled(words))
      case .floats(let floats): .floats(tripled(floats))
      }
    return Image(shape: ImageShape(shape.height, shape.width, 3), elements: elements)
  }

  /// The image with another kind of elements: wider elements hold all values (see `Elements.widened`), narrower ones
  /// the nearest value.
  func converted(to kind: Elements.Kind) -> Image {
    guard kind != elements.kind else { return self }
    var image = self
    switch (kind, elements) {
    case (.uint8, .words(let words)):
      image.elements = .bytes(
        Self.make(words.count, words) { x, y in
          for i in 0..<words.count { y[i] = UInt8((UInt32(x[i]) * 255 + 32_767) / 65_535) }
        })
    case (.uint8, .floats(let floats)): image.elements = .bytes(Self.rounded(floats, to: 255))
    case (.uint16, .floats(let floats)): image.elements = .words(Self.rounded(floats, to: 65_535))
    default: image.elements = elements.widened(to: kind)
    }
    return image
  }

  /// Floats in [0, 1] as whole numbers from 0 to `most`; a float outside becomes the nearer end, NaN becomes 0.
  private static func rounded<T: FixedWidthInteger>(_ floats: [Float], to most: Float) -> [T] {
    make(floats.count, floats) { x, y in
      for i in 0..<floats.count { y[i] = x[i] > 0 ? T(min(x[i], 1) * most + 0.5) : 0 }
    }
  }

  /// Adds rows below. They have the same width, channels and kind of elements.
  ///
  /// - Parameter height: the rows that the image will have in the end.
  mutating func append(_ band: Image, of height: Int) {
    func joined<T>(_ values: inout [T], _ more: [T]) {
      values.reserveCapacity(height * shape.width * shape.channels)
      values += more
    }
    let old = elements
    elements = .bytes([])
    switch (old, band.elements) {
    case (.bytes(var bytes), .bytes(let more)):
      joined(&bytes, more)
      elements = .bytes(bytes)
    case (.words(var words), .words(let more)):
      joined(&words, more)
      elements = .words(words)
    case (.floats(var floats), .floats(let more)):
      joined(&floats, more)
      elements = .floats(floats)
    default: preconditionFailure("rows of other elements")
    }
    shape = ImageShape(shape.height + band.shape.height, shape.width, shape.channels)
  }

  private func require(channels: [Int], for flag: String, _ path: String) throws(DataError) {
    guard channels.contains(shape.channels) else {
      throw DataError(path: path, reason: "--\(flag): wanted images of 1 or 3 channels, found \(shape)")
    }
  }

  /// The middle of the image; where the margin is odd, its larger part is cut off at the bottom and right.
  ///
  /// Errors: the image is smaller than the size.
  func cropped(to size: Extent2D, path: String) throws(DataError) -> Image {
    guard size.height <= shape.height, size.width <= shape.width else {
      throw DataError(
        path: path,
        reason: "--crop: wanted at least \(size.width)x\(size.height) pixels, found \(shape.width)x\(shape.height)")
    }
    let (top, left) = ((shape.height - size.height) / 2, (shape.width - size.width) / 2)
    return gathered(ImageShape(size.height, size.width, shape.channels)) { (top + $0, left + $1) }
  }

  /// The image whose pixel (h, w) is the pixel `source(h, w)` of this one.
  func gathered(_ shape: ImageShape, from source: (Int, Int) -> (Int, Int)) -> Image {
    let channels = shape.channels
    func gather<T>(_ values: [T]) -> [T] {
      Self.make(shape.count, values) { x, y in
        var place = 0
        for h in 0..<shape.height {
          for w in 0..<shape.width {
            let (row, column) = source(h, w)
            let from = (row * self.shape.width + column) * channels
            for c in 0..<channels { y[place + c] = x[from + c] }
            place += channels
          }
        }
      }
    }
    let elements: Elements =
      switch elements {
      case .bytes(let bytes): .bytes(gather(bytes))
      case .words(let words): .words(gather(words))
      case .floats(let floats): .floats(gather(floats))
      }
    return Image(shape: shape, elements: elements)
  }

  /// `count` values that `fill` makes of all values of `source`. It takes pointers because arrays are slow in debug
  /// builds.
  static func make<T, U>(_ count: Int, _ source: [T], _ fill: (UnsafePointer<T>, UnsafeMutablePointer<U>) -> Void)
    -> [U]
  {
    [U](unsafeUninitializedCapacity: count) { out, initialized in
      source.withUnsafeBufferPointer { fill($0.baseAddress!, out.baseAddress!) }
      initialized = count
    }
  }
}
