import HourglassBase

/// Images that differ from those stored although they show the same: drawn anew whenever an image is trained on.
///
/// In JSON and on the command line: `flip`, `shift:PIXELS` or both with a comma.
public struct Augmentation: RawRepresentable, Codable, Sendable, Equatable {
  /// Whether left and right are exchanged in one of two images.
  public var flips: Bool
  /// Images are moved by up to so many pixels along each axis; the edge goes on into what is uncovered.
  public var shift: Int

  public init(flips: Bool = false, shift: Int = 0) { (self.flips, self.shift) = (flips, shift) }

  public init?(rawValue: String) {
    self.init()
    for part in rawValue.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      if part == "flip" {
        flips = true
      } else if words.count == 2, words[0] == "shift", let pixels = Int(words[1]), (1...65_536).contains(pixels) {
        shift = pixels
      } else {
        return nil
      }
    }
  }

  public var rawValue: String {
    [flips ? "flip" : nil, shift > 0 ? "shift:\(shift)" : nil].compactMap(\.self).joined(separator: ",")
  }

  /// Writes an augmented image, H x W x C. Draws three numbers.
  public func apply(
    _ image: UnsafePointer<Float>, shape: ImageShape, _ stream: RandomStream, into out: UnsafeMutablePointer<Float>
  ) {
    var draws: (Float, Float, Float) = (0, 0, 0)
    withUnsafeMutableBytes(of: &draws) {
      stream.fillUniform($0.baseAddress?.assumingMemoryBound(to: Float.self), 3)
    }
    let isFlipped = flips && draws.0 < 0.5
    let (down, right) = (place(draws.1), place(draws.2))
    var to = out
    for h in 0..<shape.height {
      let row = image + min(max(h - down, 0), shape.height - 1) * shape.width * shape.channels
      for w in 0..<shape.width {
        let column = min(max(w - right, 0), shape.width - 1)
        let from = row + (isFlipped ? shape.width - 1 - column : column) * shape.channels
        for c in 0..<shape.channels { to[c] = from[c] }
        to += shape.channels
      }
    }
  }

  /// -shift ... shift, each equally likely but for 2^-24.
  private func place(_ draw: Float) -> Int {
    shift == 0 ? 0 : min(Int(clamping: draw * Float(2 * shift + 1)), 2 * shift) - shift
  }
}

/// Damage to what the network sees, while it is to put out the undamaged image (Vincent et al., "Stacked denoising
/// autoencoders", JMLR 2010).
///
/// In JSON and on the command line: `gaussian:DEVIATION`, `multiplicative:DEVIATION`, `mask:PART` or
/// `salt-pepper:PART`.
public enum Corruption: RawRepresentable, Codable, Sendable, Equatable {
  /// Each element plus a normal number of this standard deviation; the sum may leave [0, 1].
  case gaussian(Float)
  /// Each element times a normal number of mean 1 and this standard deviation; the product may leave [0, 1].
  case multiplicative(Float)
  /// Each pixel is 0, in all its channels, with this probability; of a vector each element.
  case mask(Float)
  /// Each pixel is 0 or 1, in all its channels, each with half this probability; of a vector each element.
  case saltPepper(Float)

  /// Refused are a deviation that is not greater than 0 and at most `mostDeviation`, and a part that is not between 0
  /// and 1.
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

  /// Beyond it nothing is left of pixels in [0, 1], and squares of sums soon leave the range of floats.
  public static let mostDeviation: Float = 1000

  public var rawValue: String {
    switch self {
    case .gaussian(let deviation): "gaussian:\(deviation)"
    case .multiplicative(let deviation): "multiplicative:\(deviation)"
    case .mask(let part): "mask:\(part)"
    case .saltPepper(let part): "salt-pepper:\(part)"
    }
  }

  /// Writes a corrupted image, H x W x C. `draws` has room for as many numbers as the image has elements.
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
