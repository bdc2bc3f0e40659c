import Glibc

/// Smoothing of an image of one channel by a Gaussian window, first down the columns, then along the rows.
///
///     y[i] = sum over |t| <= r of w[t] x[i + t],   w[t] = exp(-t^2 / (2 sigma^2)) / sum,   r = floor(4 sigma + 1/2)
///
/// Beyond its border the image is mirrored with the border's pixel repeated (d c b a | a b c d | d c b a), as
/// `scipy.ndimage.gaussian_filter` does with mode "reflect", its default. Sums are taken in double.
///
/// Cost: 4 r H W multiplications.
public struct GaussianFilter: Sendable {
  /// The standard deviation of the window in pixels.
  public let sigma: Double
  /// w[0], w[1], ..., w[r].
  private let weights: [Double]

  /// The standard deviations that are taken, in pixels.
  public static let range = 0.1...1000.0

  /// A filter whose window has the standard deviation `sigma` in pixels, a value of `range`.
  public init(sigma: Double) {
    precondition(Self.range.contains(sigma), "a window with a standard deviation of \(sigma)")
    self.sigma = sigma
    let radius = Int(clamping: 4 * sigma + 0.5)
    let weights = (0...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let sum = 2 * weights.reduce(0, +) - weights[0]
    self.weights = weights.map { $0 / sum }
  }

  /// The smoothed image, H x W, of an image H x W.
  public func smoothed(_ image: [Float], height: Int, width: Int) -> [Float] {
    precondition(image.count == height * width, "\(image.count) values are no image of \(height) x \(width)")
    let columns = filter(image, lines: width, apart: 1, length: height, stride: width)
    return filter(columns, lines: height, apart: width, length: width, stride: 1)
  }

  /// Filters lines whose beginnings lie `apart` elements apart, and their values `stride`.
  private func filter(_ image: [Float], lines: Int, apart: Int, length: Int, stride: Int) -> [Float] {
    let radius = weights.count - 1
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: length + 2 * radius) { line in
      Image.make(image.count, image) { x, y in
        for number in 0..<lines {
          for i in 0..<length + 2 * radius {
            line[i] = Double(x[number * apart + Self.mirrored(i - radius, length) * stride])
          }
          for i in 0..<length {
            var sum = weights[0] * line[i + radius]
            for t in 1..<max(1, weights.count) { sum += weights[t] * (line[i + radius - t] + line[i + radius + t]) }
            y[number * apart + i * stride] = Float(sum)
          }
        }
      }
    }
  }

  /// The place within a line of which `place` is a mirror image.
  private static func mirrored(_ place: Int, _ length: Int) -> Int {
    let inPeriod = ((place % (2 * length)) + 2 * length) % (2 * length)
    return min(inPeriod, 2 * length - 1 - inPeriod)
  }
}
