import HourglassBase

/// Damage to the image that the network sees; it is trained to put out the undamaged image (Vincent et al., "Stacked
/// denoising autoencoders", JMLR 2010).
///
/// JSON and the command line write it as `gaussian:DEVIATION`, `multiplicative:DEVIATION`, `mask:PART` or
/// `salt-pepper:PART`.
public enum Corruption: TextForm, Sendable, Equatable {
  public static let wanted =
    "gaussian:0.3, multiplicative:0.3 (above 0, at most 1000), mask:0.25 or salt-pepper:0.1 (between 0 and 1)"

  /// A normal number of this standard deviation is added to each element; the sum may leave [0, 1].
  case gaussian(Float)
  /// Each element is multiplied by a normal number of mean 1 and this standard deviation; the product may leave [0, 1].
  case multiplicative(Float)
  /// Each pixel becomes 0, in all its channels, with this probability; in a vector each element does so by itself.
  case mask(Float)
  /// Each pixel becomes 0 or 1, in all its channels, each with half this probability; in a vector each element does so
  /// by itself.
  case saltPepper(Float)

  /// Reads the text above; nil where the deviation is not greater than 0 and at most `mostDeviation`, or the part not
  /// between 0 and 1.
  public init?(rawValue: String) {
    let words = rawValue.split(separator: ":", omittingEmptySubsequences: false)
    guard words.count == 2, let amount = Float(words[1]), amount > 0, amount <= Self.mostDeviation
    else { return nil }
    switch words[0] {
    case "gaussian": self = .gaussian(amount)
    case "multiplicative": self = .multiplicative(amount)
    case "mask" where amount < 1: self = .mask(amount)
    case "salt-pepper" where amount < 1: self = .saltPepper(amount)
    default: return nil
    }
  }

  /// The greatest deviation: beyond it nothing is left of pixels in [0, 1], and squares of sums soon leave the range of
  /// floats.
  public static let mostDeviation: Float = 1000

  public var rawValue: String {
    switch self {
    case .gaussian(let deviation): "gaussian:\(deviation)"
    case .multiplicative(let deviation): "multiplicative:\(deviation)"
    case .mask(let part): "mask:\(part)"
    case .saltPepper(let part): "salt-pepper:\(part)"
    }
  }

  /// Writes the corrupted image, H x W x C.
  ///
  /// - Parameter draws: room for H x W x C numbers, which are drawn into it.
  public func apply(
    _ image: UnsafePointer<Float>, shape: ImageShape, _ stream: RandomStream, draws: UnsafeMutablePointer<Float>,
    into out: UnsafeMutablePointer<Float>
  ) {
    let (pixels, channels) = shape.isVector ? (shape.count, 1) : (shape.height * shape.width, shape.channels)
    switch self {
    case .gaussian(let deviation):
      stream.fillNormal(draws, shape.count)
      for i in 0..<shape.count { out[i] = image[i] + deviation * draws[i] }
    case .multiplicative(let deviation):
      stream.fillNormal(draws, shape.count)
      for i in 0..<shape.count { out[i] = image[i] * (1 + deviation * draws[i]) }
    case .mask(let part):
      stream.fillUniform(draws, pixels)
      for i in 0..<pixels {
        for c in 0..<channels { out[i * channels + c] = draws[i] < part ? 0 : image[i * channels + c] }
      }
    case .saltPepper(let part):
      stream.fillUniform(draws, pixels)
      for i in 0..<pixels {
        let (isPepper, isEither) = (draws[i] < part / 2, draws[i] < part)
        for c in 0..<channels { out[i * channels + c] = isPepper ? 0 : isEither ? 1 : image[i * channels + c] }
      }
    }
  }
}
