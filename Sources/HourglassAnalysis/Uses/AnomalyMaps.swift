import HourglassData
import HourglassModels
import HourglassTraining

/// Where pictures are unlike what a model expects of them: a number for each pixel, the greater the more.
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
  private let filter: GaussianFilter?
  /// For the shape of the last picture.
  private var similarity: StructuralSimilarity?

  /// - Parameter sigma: standard deviation of the window by which maps are smoothed, nil for none.
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

  /// How many numbers of some maps have the same first 16 bits as floats, for one scale of all of them.
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
