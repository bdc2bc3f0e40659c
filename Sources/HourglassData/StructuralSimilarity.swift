import Glibc
import HourglassBase

/// The structural similarity of two images in [0, 1], 1 for equal images.
///
///     SSIM = mean over windows and channels of (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2))
///
/// Means and (co)variances are weighted by a Gaussian window of 11 x 11, sigma 1.5, weights summing to 1, over all
/// windows that lie within the image; an image smaller than that uses the largest odd window that fits.
/// C1 = 0.01^2, C2 = 0.03^2.
///
/// Cost: about 110 H W C multiplications; memory for intermediate rows is kept between calls.
/// Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
/// 2004.
public struct StructuralSimilarity: Sendable {
  /// The shape of both images, H x W x C.
  public let shape: ImageShape
  private let window: [Double]
  /// Memory for the five quantities x, y, x^2, y^2, x y: of one row of the image, filtered along rows, and along both.
  private var scratch: [Double]

  public init(shape: ImageShape) {
    precondition(shape.count > 0, "an image of \(shape)")
    self.shape = shape
    let smaller = min(shape.height, shape.width)
    let size = min(11, smaller - (1 - smaller % 2))
    window = Self.gaussian(size: size, sigma: 1.5)
    let columns = shape.width - size + 1
    scratch = [Double](repeating: 0, count: 5 * (shape.width + (shape.height + 1) * columns))
  }

  /// The similarity of two images x and y, H x W x C.
  public mutating func value(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> Double {
    let (rows, columns) = (rows, columns)
    var sum = 0.0
    for channel in 0..<shape.channels {
      var channelSum = 0.0
      eachRow(x + channel, y + channel) { _, moments in channelSum += Self.rowSum(moments, columns) }
      sum += channelSum / Double(rows * columns)
    }
    return sum / Double(shape.channels)
  }

  /// 1 - SSIM around each pixel, H x W, mean over channels: 0 where the images are alike, at most 2.
  ///
  /// A pixel takes the window whose middle is nearest to it, which near the border is not the pixel itself. The images
  /// x and y are H x W x C.
  public mutating func differences(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> [Float] {
    let (rows, columns, margin) = (rows, columns, window.count / 2)
    var sums = [Double](repeating: 0, count: rows * columns)
    for channel in 0..<shape.channels {
      eachRow(x + channel, y + channel) { row, moments in
        for column in 0..<columns { sums[row * columns + column] += Self.similarity(moments, columns, column) }
      }
    }
    return (0..<shape.height * shape.width).map { pixel in
      let row = min(max(pixel / shape.width - margin, 0), rows - 1)
      let column = min(max(pixel % shape.width - margin, 0), columns - 1)
      return Float(1 - sums[row * columns + column] / Double(shape.channels))
    }
  }

  /// The number of windows down the image, and along it.
  private var rows: Int { shape.height - window.count + 1 }
  private var columns: Int { shape.width - window.count + 1 }

  /// Calls a body with the moments of each row of windows of one channel, 5 x columns.
  private mutating func eachRow(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ body: (Int, UnsafePointer<Double>) -> Void
  ) {
    let (shape, window, rows, columns) = (shape, window, rows, columns)
    scratch.withUnsafeMutableBufferPointer { scratch in
      let row = scratch.baseAddress!
      let moments = row + 5 * shape.width
      let filtered = moments + 5 * columns
      for h in 0..<shape.height {
        Self.products(x + h * shape.width * shape.channels, y + h * shape.width * shape.channels, shape, row)
        for quantity in 0..<5 {
          Self.slide(window, row + quantity * shape.width, 1, filtered + (5 * h + quantity) * columns, columns)
        }
      }
      for p in 0..<rows {
        Self.slide(window, filtered + 5 * p * columns, 5 * columns, moments, 5 * columns)
        body(p, moments)
      }
    }
  }

  /// Writes x, y, x^2, y^2, x y of one image row and channel, 5 x W.
  private static func products(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ shape: ImageShape, _ out: UnsafeMutablePointer<Double>
  ) {
    let width = shape.width
    for w in 0..<width {
      let (a, b) = (Double(x[w * shape.channels]), Double(y[w * shape.channels]))
      out[w] = a
      out[width + w] = b
      out[2 * width + w] = a * a
      out[3 * width + w] = b * b
      out[4 * width + w] = a * b
    }
  }

  /// Computes out[i] = sum over t of window[t] values[i + t stride]. Columns are the inner loop, so that no sum is
  /// reordered.
  private static func slide(
    _ window: [Double], _ values: UnsafePointer<Double>, _ stride: Int, _ out: UnsafeMutablePointer<Double>,
    _ count: Int
  ) {
    for i in 0..<count { out[i] = window[0] * values[i] }
    for t in 1..<max(1, window.count) {
      let (weight, shifted) = (window[t], values + t * stride)
      for i in 0..<count { out[i] += weight * shifted[i] }
    }
  }

  /// The sum of the similarities over one row of windows, from its moments, 5 x columns.
  private static func rowSum(_ moments: UnsafePointer<Double>, _ columns: Int) -> Double {
    (0..<columns).reduce(0) { $0 + similarity(moments, columns, $1) }
  }

  /// The similarity of one window of a row.
  private static func similarity(_ moments: UnsafePointer<Double>, _ columns: Int, _ q: Int) -> Double {
    let (c1, c2) = (0.01 * 0.01, 0.03 * 0.03)
    let (mx, my) = (moments[q], moments[columns + q])
    let (sxx, syy) = (moments[2 * columns + q] - mx * mx, moments[3 * columns + q] - my * my)
    let sxy = moments[4 * columns + q] - mx * my
    return (2 * mx * my + c1) * (2 * sxy + c2) / ((mx * mx + my * my + c1) * (sxx + syy + c2))
  }

  private static func gaussian(size: Int, sigma: Double) -> [Double] {
    let weights = (0..<size).map { place in
      let distance = Double(place - size / 2) / sigma
      return exp(-distance * distance / 2)
    }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }
}
