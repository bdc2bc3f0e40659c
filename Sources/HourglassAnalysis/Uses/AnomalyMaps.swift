import HourglassData
import HourglassModels
import HourglassTraining

/// Maps of where pictures are unlike what a model expects: a number for each pixel, the greater the more unlike.
public struct AnomalyMaps: Sendable {
  /// How a pixel is compared.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// The squared difference to the expected image, mean over channels.
    case error
    /// 1 less the structural similarity around the pixel, mean over channels.
    case ssim

    /// What the numbers of a map are, for a legend.
    public var title: String {
      switch self {
      case .error: "squared error, mean over channels"
      case .ssim: "1 - structural similarity, mean over channels"
      }
    }
  }

  /// How pixels are compared.
  public let kind: Kind
  private let filter: GaussianFilter?
  /// What computes the similarity for pictures of the shape of the last one.
  private var similarity: StructuralSimilarity?

  /// Maps of one kind.
  ///
  /// - Parameters:
  ///   - kind: how pixels are compared.
  ///   - sigma: the standard deviation in pixels of the Gaussian by which maps are smoothed; nil for none.
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

  /// One scale for the colours of many maps. It counts numbers by their first 16 bits as floats, so it is exact to
  /// 1/128 of a number.
  public struct Scale: Sendable {
    /// The part of all numbers that reach the brightest colour, where nobody says.
    public static let exceeding = 0.001

    /// The greatest number of all maps so far.
    public private(set) var greatest: Float = 0
    private var count = 0
    private var counts = [Int](repeating: 0, count: 1 << 15)

    /// A scale without maps.
    public init() {}

    /// Adds the numbers of a map, H x W, all finite.
    public mutating func add(_ map: [Float]) {
      for value in map { counts[Int(max(value, 0).bitPattern >> 16)] += 1 }
      count += map.count
      greatest = max(greatest, map.max() ?? 0)
    }

    /// The number that has the brightest colour: at most `part` of all numbers exceed it. It is the 99.9th percentile
    /// for a part of 0.001, or up to 1/128 more.
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
