import HourglassData
import HourglassModels
import HourglassTraining

/// A maker of maps that show where pictures are unlike what a model expects: a number for each pixel, greater where
/// they differ more.
public struct AnomalyMaps: Sendable {
  /// The number that is taken for a pixel.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// The squared difference to the expected image, mean over channels.
    case error
    /// The value 1 - the structural similarity around the pixel, mean over channels.
    case ssim

    /// The words for its numbers in a legend.
    public var title: String {
      switch self {
      case .error: "squared error, mean over channels"
      case .ssim: "1 - structural similarity, mean over channels"
      }
    }
  }

  public let kind: Kind
  private let filter: GaussianFilter?
  /// The measure of similarity for the shape of the last picture.
  private var similarity: StructuralSimilarity?

  /// - Parameter sigma: the standard deviation in pixels of the window by which maps are smoothed; nil for no
  ///   smoothing.
  public init(_ kind: Kind, smooth sigma: Double? = nil) {
    self.kind = kind
    filter = sigma.map { GaussianFilter(sigma: $0) }
  }

  /// The map of a picture, H x W.
  ///
  /// Cost: a few operations a pixel for the error, see `StructuralSimilarity` and `GaussianFilter` for the rest.
  public mutating func map(_ picture: ExpectedPicture) -> [Float] {
    let (shape, channels) = (picture.shape, picture.shape.channels)
    precondition(
      picture.image.count == shape.count && picture.expected.count == shape.count, "a picture does not have \(shape)")
    let map = picture.image.withUnsafeBufferPointer { x in
      picture.expected.withUnsafeBufferPointer { y in
        switch kind {
        case .error:
          return (0..<shape.height * shape.width).map { pixel in
            var sum: Float = 0
            for i in pixel * channels..<(pixel + 1) * channels { sum += (x[i] - y[i]) * (x[i] - y[i]) }
            return sum / Float(channels)
          }
        case .ssim:
          var similarity = similarity?.shape == shape ? similarity : nil
          similarity = similarity ?? StructuralSimilarity(shape: shape)
          defer { self.similarity = similarity }
          return similarity?.differences(x.baseAddress!, y.baseAddress!) ?? []
        }
      }
    }
    return filter?.smoothed(map, height: shape.height, width: shape.width) ?? map
  }

  /// The counts of the numbers in some maps by their first 16 bits as floats, from which one scale for all maps
  /// follows.
  public struct Scale: Sendable {
    /// The part of all numbers that has the brightest colour or more.
    public static let exceeding = 0.001

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

    /// The number that at most a part of the numbers exceeds: the 99.9th percentile where the part is 0.001, or up to
    /// 1/128 more.
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
