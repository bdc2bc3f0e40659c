import HourglassBase

/// Images in rows and columns on white, enlarged by an integer factor without smoothing.
///
/// Rows may differ in length. Gaps are 2 pixels, and 10 after each group of rows, such as originals above
/// reconstructions.
public struct ImageGrid: Sendable {
  /// The shape of every image, H x W x C.
  public let shape: ImageShape
  /// The images: rows[r][c] is one, H x W x C, wanted in [0, 1]; values outside are clamped, NaN is black.
  public var rows: [[[Float]]]
  /// How many rows stand together before a wider gap.
  public var rowsPerGroup: Int
  /// The factor by which each image is enlarged.
  public var zoom: Int
  /// Whether the grid has no margin and transparent gaps, for a page of any colour.
  public var isBare = false

  package static let gap = 2
  static let groupGap = 10
  private var margin: Int { isBare ? 0 : 12 }

  /// A grid of images. Without `zoom` they are enlarged by the largest factor that keeps them within 128 pixels.
  public init(shape: ImageShape, rows: [[[Float]]], rowsPerGroup: Int = 1, zoom: Int? = nil) {
    precondition(shape.channels == 1 || shape.channels == 3, "a picture has 1 or 3 channels, not \(shape.channels)")
    precondition(
      rows.allSatisfy { $0.allSatisfy { $0.count == shape.count } }, "an image does not have \(shape) elements")
    (self.shape, self.rows, self.rowsPerGroup) = (shape, rows, max(1, rowsPerGroup))
    self.zoom = max(1, zoom ?? 128 / max(shape.height, shape.width))
  }

  /// The grid as one picture. Errors: memory is not granted for it.
  public func image() throws(DataError) -> PNGImage {
    let (cellHeight, cellWidth) = (shape.height * zoom, shape.width * zoom)
    let columns = rows.map(\.count).max() ?? 0
    let width = 2 * margin + max(1, columns * (cellWidth + Self.gap) - Self.gap)
    let height = rows.isEmpty ? 2 * margin + 1 : top(rows.count - 1) + cellHeight + margin
    let channels = shape.channels + (isBare ? 1 : 0)
    try GrantedMemory.require(
      checkedProduct([width, height, channels]), for: "a picture of \(width) x \(height) pixels", "draw it",
      advice: "show fewer images")
    var pixels = [UInt8](repeating: isBare ? 0 : 255, count: width * height * channels)
    for (r, row) in rows.enumerated() {
      for (c, image) in row.enumerated() {
        let bytes = image.map(Self.byte)
        for y in 0..<cellHeight {
          var place = ((top(r) + y) * width + margin + c * (cellWidth + Self.gap)) * channels
          for x in 0..<cellWidth {
            let source = (y / zoom * shape.width + x / zoom) * shape.channels
            for channel in 0..<shape.channels {
              pixels[place] = bytes[source + channel]
              place += 1
            }
            if isBare {
              pixels[place] = 255
              place += 1
            }
          }
        }
      }
    }
    return PNGImage(width: width, height: height, channels: channels, pixels: pixels)
  }

  /// The first pixel row of image row `row`.
  private func top(_ row: Int) -> Int {
    let groups = row / rowsPerGroup
    let extra = rowsPerGroup > 1 ? Self.groupGap - Self.gap : 0
    return margin + row * (shape.height * zoom + Self.gap) + groups * extra
  }

  /// A value in [0, 1] as a byte, rounded; a value outside is clamped, NaN becomes 0.
  package static func byte(_ value: Float) -> UInt8 {
    value > 0 ? UInt8(min(value, 1) * 255 + 0.5) : 0
  }
}
