import HourglassData
import HourglassModels
import HourglassTraining

/// A picture of a set beside what a model expects it to be.
public struct ExpectedPicture {
  /// The place of the picture among the pictures of the set, see `Dataset.pictureCount`.
  public let index: Int
  /// H x W x C of both.
  public let shape: ImageShape
  /// The picture, H x W x C.
  public let image: ArraySlice<Float>
  /// What the model expects, H x W x C.
  public let expected: ArraySlice<Float>
}

extension Inference {
  /// Hands over the pictures of a data set beside the expected images of their codes, one after the other. Pictures
  /// that are cut into tiles are joined, see `TileBlend`. Memory holds a batch of images and, where they are tiles, one
  /// picture.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read; those of `make` and of `body`.
  ///
  /// - Parameters:
  ///   - count: how many pictures from the first on; nil for all.
  ///   - make: what is expected of a range of images, N x H x W x C, where it is not what the model reconstructs.
  ///   - body: called with each picture.
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
      let expected = try make?(range, images) ?? reconstruct(images, labels: data.labels?[range])
      for (place, index) in range.enumerated() {
        let part = place * imageCount..<(place + 1) * imageCount
        guard let tiling = data.tiling else {
          try body(ExpectedPicture(index: index, shape: data.shape, image: images[part], expected: expected[part]))
          continue
        }
        var joined = try blend ?? TileBlend(tiling.pictures[picture], of: tiling)
        // No second copy while tiles are added.
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
