import HourglassData
import HourglassModels
import HourglassTraining

/// A picture of a set, beside what a model expects it to be.
public struct ExpectedPicture {
  /// The number of the picture in the set, see `Dataset.pictureCount`.
  public let index: Int
  public let shape: ImageShape
  /// The picture and its expected image, H x W x C each.
  public let image: ArraySlice<Float>
  public let expected: ArraySlice<Float>
}

extension Inference {
  /// Calls a body with the pictures of a data set beside the expected images of their codes, one after the other; tiles
  /// are joined, see `TileBlend`. Memory holds a batch of images and, where they are tiles, one picture.
  ///
  /// Errors: the images have another shape than the model's input, or cannot be read; `make` or `body` throws.
  ///
  /// - Parameters:
  ///   - count: how many of the first pictures are taken; nil for all.
  ///   - make: makes other expected images of some images, N x H x W x C each.
  public func eachPicture(
    of data: Dataset, count: Int? = nil, expected make: ((Range<Int>, [Float]) throws -> [Float])? = nil,
    _ body: (ExpectedPicture) throws -> Void
  ) throws {
    try data.checkShape(for: plan)
    let count = min(data.pictureCount, count ?? .max)
    let end = count > 0 ? data.images(ofPicture: count - 1).upperBound : 0
    var (picture, blend): (Int, TileBlend?) = (0, nil)
    for start in stride(from: 0, to: end, by: Self.batchSize) {
      let range = start..<min(start + Self.batchSize, end)
      let images = try data.images(range)
      data.announce((range.upperBound..<min(range.upperBound + range.count, end)).lazy.map { Int32($0) })
      let expected = try make?(range, images) ?? reconstruct(images)
      for (place, index) in range.enumerated() {
        let part = place * imageCount..<(place + 1) * imageCount
        guard let tiling = data.tiling else {
          try body(ExpectedPicture(index: index, shape: data.shape, image: images[part], expected: expected[part]))
          continue
        }
        var joined = try blend ?? TileBlend(tiling.pictures[picture], of: tiling)
        // This keeps the tiles from being copied while they are added.
        blend = nil
        joined.add(expected[part], of: index)
        guard index + 1 == joined.picture.tiles.upperBound else {
          blend = joined
          continue
        }
        let original = try data.picture(picture)
        try body(
          ExpectedPicture(
            index: picture, shape: original.shape, image: original.values[...], expected: joined.values[...]))
        picture += 1
      }
    }
  }
}
