import HourglassBase

/// A division of pictures of any size into tiles of one size, which are the images of a set.
///
/// Along each axis tiles begin at 0, s, 2 s, ..., with s the stride, as long as they lie within the picture; where a
/// rest is left, one more tile ends at the picture's end. So each pixel lies in a tile, and in several where tiles
/// overlap.
public struct Tiling: Sendable {
  /// A picture whose tiles are images of the set.
  public struct Picture: Sendable, Equatable {
    /// The name of the picture, see `Dataset.name`.
    public let name: String
    /// The place of the picture in the set as it is stored.
    public let number: Int
    /// The shape of the prepared picture, H x W x C.
    public let shape: ImageShape
    /// The images of the set that are its tiles, row by row.
    public let tiles: Range<Int>
  }

  /// The size of a tile in pixels.
  public let tile: Extent2D
  /// The pixels from the beginning of a tile to the next.
  public let stride: Extent2D
  /// The pictures in the order of their tiles.
  public private(set) var pictures: [Picture] = []

  /// The number of tiles in all pictures, the images of the set.
  public var count: Int { pictures.last?.tiles.upperBound ?? 0 }

  /// The number of tiles along an axis that is at least as long as one.
  static func count(_ length: Int, tile: Int, stride: Int) -> Int { (length - tile + stride - 1) / stride + 1 }

  /// The number of the picture that holds an image of the set.
  public func picture(of index: Int) -> Int {
    var (low, high) = (0, pictures.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if pictures[middle].tiles.lowerBound <= index { low = middle } else { high = middle }
    }
    return low
  }

  /// The row and the column of its picture at which an image of the set begins.
  public func origin(of index: Int) -> (top: Int, left: Int) {
    let picture = pictures[picture(of: index)]
    let (height, width) = (picture.shape.height - tile.height, picture.shape.width - tile.width)
    let columns = Self.count(picture.shape.width, tile: tile.width, stride: stride.width)
    let (row, column) = (index - picture.tiles.lowerBound).quotientAndRemainder(dividingBy: columns)
    return (min(row * stride.height, height), min(column * stride.width, width))
  }

  /// Adds a picture. Errors: it is smaller than a tile; more tiles than steps can number.
  fileprivate mutating func add(
    _ shape: ImageShape, name: String, number: Int, path: String
  ) throws(DataError) {
    guard shape.height >= tile.height, shape.width >= tile.width else {
      throw DataError(
        path: path,
        reason: "--tile: wanted at least \(tile.width)x\(tile.height) pixels, found \(shape.width)x\(shape.height); "
          + "take smaller tiles, such as --tile \(min(tile.width, shape.width))x\(min(tile.height, shape.height))")
    }
    let tiles = [
      Self.count(shape.height, tile: tile.height, stride: stride.height),
      Self.count(shape.width, tile: tile.width, stride: stride.width),
    ]
    guard let added = checkedProduct(tiles), let total = checkedSum(count, added), total <= Int(Int32.max) else {
      throw DataError(
        path: path,
        reason: "--tile: wanted at most \(Int32.max) tiles of all pictures, found more; take a larger --stride")
    }
    pictures.append(Picture(name: name, number: number, shape: shape, tiles: count..<total))
  }
}

/// Pictures whose tiles are the images of a set: as many of them as memory holds, the others decoded again when one of
/// their tiles is wanted.
struct TiledImages: PixelStore {
  let tiling: Tiling
  /// The widest kind of elements of the pictures.
  let kind: Elements.Kind
  /// The decoded pictures; nil for one that memory does not hold.
  fileprivate let kept: [Image?]
  fileprivate let images: PreparedImages
  fileprivate let cache: PictureCache

  var keptCount: Int? {
    let count = kept.count { $0 != nil }
    return count == kept.count ? nil : count
  }

  /// A whole picture. Errors: it can no longer be read, or has changed.
  func picture(_ index: Int) throws(DataError) -> Image {
    if let image = kept[index] { return image }
    let picture = tiling.pictures[index]
    return try cache.image(index) { () throws(DataError) in
      let image = try images.image(picture.number)
      guard image.shape == picture.shape else {
        throw DataError(
          path: images.path(picture.number),
          reason: "wanted \(picture.shape) as when the set was opened, found \(image.shape); the file was altered")
      }
      return image
    }
  }

  /// Writes a tile, H x W x C.
  func fill(_ index: Int, into out: UnsafeMutablePointer<Float>) throws(DataError) {
    let image = try picture(tiling.picture(of: index))
    let (top, left) = tiling.origin(of: index)
    let (row, width) = (tiling.tile.width * image.shape.channels, image.shape.width * image.shape.channels)
    for y in 0..<tiling.tile.height {
      image.elements.fill((top + y) * width + left * image.shape.channels, row, into: out + y * row)
    }
  }
}

extension Gathering {
  /// Cuts the chosen pictures into tiles. All pictures are decoded, so that all are known to be whole.
  ///
  /// Errors: no picture is whole; one has other channels than the first, or is smaller than a tile.
  init(
    tilesOf source: any ImageSource, _ chosen: [Int], _ preparation: Preparation, tile: Extent2D, threads: Int,
    memory: Int, path: String
  ) throws(DataError) {
    if let refusal = preparation.tilingRefusal { throw DataError(path: path, reason: refusal) }
    let images = PreparedImages(source: source, preparation: preparation, memory: memory, path: path)
    let collected = CollectedPictures(count: chosen.count, memory: memory - memory / 8)
    let failures = images.decode(chosen, threads: threads, collected.add)
    var tiling = Tiling(tile: tile, stride: preparation.stride ?? tile)
    var pictures: [Image?] = []
    var numbers: [Int] = []
    var channels: Int?
    for place in chosen.indices {
      guard let (shape, image) = collected[place] else { continue }
      let number = chosen[place]
      guard channels ?? shape.channels == shape.channels else {
        throw DataError(
          path: images.path(number),
          reason: "wanted \(channels ?? 0) channels as \(tiling.pictures[0].name) has, found \(shape); --rgb or --grey "
            + "makes them alike")
      }
      channels = shape.channels
      try tiling.add(shape, name: source.names.name(number), number: number, path: images.path(number))
      pictures.append(image)
      let tiles = tiling.pictures[tiling.pictures.count - 1].tiles.count
      try GrantedMemory.require(
        checkedProduct([16, tiling.count]), for: path, "number \(tiling.count) tiles", advice: "take a larger --stride")
      numbers += Array(repeating: number, count: tiles)
    }
    guard let channels else { throw Self.nothingWhole(failures, path: path) }
    self.init(
      shape: ImageShape(tile.height, tile.width, channels),
      pixels: TiledImages(
        tiling: tiling, kind: collected.kind, kept: pictures, images: images,
        cache: PictureCache(memory: memory / 8)),
      kept: numbers, refused: failures.sorted { $0.key < $1.key }.map(\.value),
      remarks: collected.remarks(chosen), range: images.values.range, missingPart: images.values.missingPart,
      names: source.names)
  }
}
