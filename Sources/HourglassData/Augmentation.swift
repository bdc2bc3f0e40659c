import HourglassBase

/// A change of an image that leaves what it shows, drawn anew whenever the image is trained on.
///
/// JSON and the command line write it as `flip`, `shift:PIXELS`, or both with a comma.
public struct Augmentation: TextForm, Sendable, Equatable {
  public static let wanted = "flip, shift:2 (1 to 65536 pixels), or both with a comma"

  /// Whether left and right are exchanged in one of two images.
  public var flips: Bool
  /// The most pixels that an image is moved along each axis; the edge goes on into what is uncovered.
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

  /// Writes the augmented image, H x W x C, from three numbers that it draws.
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

  /// A whole number from -shift to shift, each equally likely but for 2^-24.
  private func place(_ draw: Float) -> Int {
    shift == 0 ? 0 : min(Int(clamping: draw * Float(2 * shift + 1)), 2 * shift) - shift
  }
}
