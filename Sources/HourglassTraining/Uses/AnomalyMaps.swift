import HourglassData
import HourglassModels

/// Where images are unlike what a model expects of them: a number for each pixel, the greater the more.
public struct AnomalyMaps: Sendable {
  /// What is taken of a pixel.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// Squared difference to the expected image, mean over channels.
    case error
    /// 1 - the structural similarity around the pixel, mean over channels.
    case ssim

    /// What its numbers are, for a legend.
    public var title: String {
      switch self {
      case .error: "squared error, mean over channels"
      case .ssim: "1 - structural similarity, mean over channels"
      }
    }
  }

  public let kind: Kind
  public let shape: ImageShape
  private let filter: GaussianFilter?
  private var similarity: StructuralSimilarity

  /// Maps of images of some shape, smoothed where a standard deviation is given.
  public init(_ kind: Kind, smooth sigma: Double? = nil, shape: ImageShape) {
    (self.kind, self.shape) = (kind, shape)
    filter = sigma.map { GaussianFilter(sigma: $0) }
    similarity = StructuralSimilarity(shape: shape)
  }

  /// The map of one image, H x W. image, expected: H x W x C.
  ///
  /// Cost: a few operations a pixel for the error, see `StructuralSimilarity` and `GaussianFilter` for the rest.
  public mutating func map(_ image: ArraySlice<Float>, expected: ArraySlice<Float>) -> [Float] {
    precondition(
      image.count == shape.count && expected.count == shape.count, "an image does not have \(shape) elements")
    let channels = shape.channels
    let map = image.withUnsafeBufferPointer { x in
      expected.withUnsafeBufferPointer { y in
        switch kind {
        case .error:
          (0..<shape.height * shape.width).map { pixel in
            var sum: Float = 0
            for i in pixel * channels..<(pixel + 1) * channels { sum += (x[i] - y[i]) * (x[i] - y[i]) }
            return sum / Float(channels)
          }
        case .ssim: similarity.differences(x.baseAddress!, y.baseAddress!)
        }
      }
    }
    return filter?.smoothed(map, height: shape.height, width: shape.width) ?? map
  }

  /// An image, what a model makes of it, and its map.
  public struct Item {
    public let index: Int
    /// H x W x C each.
    public let image: ArraySlice<Float>
    public let expected: ArraySlice<Float>
    /// H x W.
    public let map: [Float]
  }

  /// The maps of a data set's images one after the other, of which a batch at a time is in memory.
  ///
  /// Errors: images of another shape, or that cannot be read; those of `each`.
  public mutating func map(_ data: Dataset, with inference: Inference, each: (Item) throws -> Void) throws {
    try data.checkShape(for: inference.plan)
    for start in stride(from: 0, to: data.count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, data.count)
      let images = try data.images(range)
      let expected = inference.reconstruct(images)
      for (place, index) in range.enumerated() {
        let part = place * shape.count..<(place + 1) * shape.count
        let map = map(images[part], expected: expected[part])
        try each(Item(index: index, image: images[part], expected: expected[part], map: map))
      }
    }
  }

  /// How many numbers of some maps have the same first 16 bits as floats, for one scale of all of them.
  public struct Scale: Sendable {
    public private(set) var greatest: Float = 0
    private var count = 0
    private var counts = [Int](repeating: 0, count: 1 << 15)

    public init() {}

    /// Adds a map of finite numbers.
    public mutating func add(_ map: [Float]) {
      for value in map { counts[Int(max(value, 0).bitPattern >> 16)] += 1 }
      count += map.count
      greatest = max(greatest, map.max() ?? 0)
    }

    /// What at most a part of the numbers exceeds: the 99.9th percentile where the part is 0.001, or up to 1/128 more.
    public func high(exceededBy part: Double) -> Float {
      var above = Int(clamping: part * Double(count))
      for place in counts.indices.reversed() where counts[place] > 0 {
        above -= counts[place]
        if above < 0 { return min(greatest, Float(bitPattern: UInt32(place + 1) << 16 - 1)) }
      }
      return greatest
    }
  }
}
