import HourglassBase

/// A picture joined from the tiles that a model has put out.
///
///     y[p] = sum over tiles t that hold p of w[t, p] x[t, p],   sum over t of w[t, p] = 1
///
/// Where tiles overlap, the weight of each falls linearly along both axes from its middle to its border, so that no
/// seam shows. A pixel of one tile alone keeps its value.
public struct TileBlend: Sendable {
  /// The picture that is joined.
  public let picture: Tiling.Picture
  private let tiling: Tiling
  /// The weights of each row of tiles at each of its rows of pixels, and of each column likewise; the weights of a tile
  /// are their products.
  private let rows, columns: [[Float]]
  /// The values of the picture, H x W x C, once all its tiles were added.
  public private(set) var values: [Float]

  /// Begins a picture without any tile. Errors: memory is not granted for the picture.
  public init(_ picture: Tiling.Picture, of tiling: Tiling) throws(DataError) {
    (self.picture, self.tiling) = (picture, tiling)
    (rows, columns) = Self.weights(picture, tiling)
    try GrantedMemory.require(
      checkedProduct([4, picture.shape.count]), for: picture.name, "join tiles to a picture of \(picture.shape)")
    values = [Float](repeating: 0, count: picture.shape.count)
  }

  private static func weights(_ picture: Tiling.Picture, _ tiling: Tiling) -> (rows: [[Float]], columns: [[Float]]) {
    let (shape, tile, stride) = (picture.shape, tiling.tile, tiling.stride)
    return (
      weights(shape.height, tile: tile.height, stride: stride.height),
      weights(shape.width, tile: tile.width, stride: stride.width)
    )
  }

  private static func weights(_ length: Int, tile: Int, stride: Int) -> [[Float]] {
    let starts = (0..<Tiling.count(length, tile: tile, stride: stride)).map { min($0 * stride, length - tile) }
    let window = (0..<tile).map { Float(min($0 + 1, tile - $0)) }
    var sums = [Float](repeating: 0, count: length)
    for start in starts { for i in 0..<tile { sums[start + i] += window[i] } }
    return starts.map { start in (0..<tile).map { window[$0] / sums[start + $0] } }
  }

  /// Adds a tile, H x W x C, which was made of an image of the set; each tile is added once.
  public mutating func add(_ values: ArraySlice<Float>, of image: Int) {
    precondition(picture.tiles.contains(image), "image \(image) is no tile of \(picture.name)")
    let (tile, channels) = (tiling.tile, picture.shape.channels)
    precondition(values.count == tile.height * tile.width * channels, "\(values.count) values are no tile")
    let (row, column) = (image - picture.tiles.lowerBound).quotientAndRemainder(dividingBy: columns.count)
    let (down, along, origin, width) = (rows[row], columns[column], tiling.origin(of: image), picture.shape.width)
    values.withUnsafeBufferPointer { x in
      self.values.withUnsafeMutableBufferPointer { y in
        for i in 0..<tile.height {
          for j in 0..<tile.width {
            let weight = down[i] * along[j]
            let (from, to) = ((i * tile.width + j) * channels, ((origin.top + i) * width + origin.left + j) * channels)
            for c in 0..<channels { y[to + c] += weight * x[from + c] }
          }
        }
      }
    }
  }

  /// The part of a picture's pixels that each of its tiles stands for; all parts together are 1.
  public static func shares(_ picture: Tiling.Picture, of tiling: Tiling) -> [Double] {
    let (rows, columns) = weights(picture, tiling)
    func parts(_ weights: [[Float]], _ length: Int) -> [Double] {
      weights.map { $0.reduce(0) { $0 + Double($1) } / Double(length) }
    }
    let (down, along) = (parts(rows, picture.shape.height), parts(columns, picture.shape.width))
    return down.flatMap { part in along.map { part * $0 } }
  }
}
