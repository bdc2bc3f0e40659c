import Glibc
import HourglassTraining

/// Codes at equally spaced points of a plane of two latent units, side x side x 2. The first unit grows along a row,
/// the second from the last row to the first.
public enum LatentPlane {
  /// Codes at the quantiles (i + 1/2) / side of the standard normal distribution, side x side x 2.
  public static func quantiles(_ side: Int) -> [Float] {
    let stops = (0..<side).map { Float(quantile((Double($0) + 0.5) / Double(side))) }
    return plane(stops, stops)
  }

  /// Codes at equal steps from the smallest to the largest value of each unit, side x side x 2.
  ///
  /// - Parameter codes: N x 2.
  public static func steps(_ side: Int, over codes: [Float]) -> [Float] {
    let axes = (0..<2).map { unit in
      let values = stride(from: unit, to: codes.count, by: 2).map { codes[$0] }
      let (low, high) = (values.min() ?? 0, values.max() ?? 0)
      return (0..<side).map { side == 1 ? (low + high) / 2 : low + (high - low) * Float($0) / Float(side - 1) }
    }
    return plane(axes[0], axes[1])
  }

  private static func plane(_ x: [Float], _ y: [Float]) -> [Float] {
    y.reversed().flatMap { second in x.flatMap { [$0, second] } }
  }

  /// The x with Phi(x) = p, by bisection.
  static func quantile(_ p: Double) -> Double {
    var (low, high) = (-40.0, 40.0)
    for _ in 0..<80 {
      let middle = (low + high) / 2
      if erfc(-middle / 2.0.squareRoot()) / 2 < p { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

/// Codes on the way from one code to another.
public enum LatentPath {
  /// So many codes in equal steps t = 0 ... 1 from a to b, stops x Z, on the straight line or on the arc between them
  /// (Shoemake 1985):
  ///
  ///     line  a + t (b - a)
  ///     arc   a sin((1 - t) w) / sin w + b sin(t w) / sin w,   w the angle between a and b
  ///
  /// Two codes on one line through the origin have no arc between them: the straight line is taken.
  public static func codes(from a: [Float], to b: [Float], stops: Int, isSpherical: Bool) -> [Float] {
    let (x, y) = (a.map(Double.init), b.map(Double.init))
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
    let cosine = dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot()
    let angle = acos(min(1, max(-1, cosine)))
    let hasArc = isSpherical && cosine.isFinite && sin(angle) > 1e-6
    return (0..<stops).flatMap { stop in
      let t = Double(stop) / Double(max(1, stops - 1))
      let (from, to) = hasArc ? (sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)) : (1 - t, t)
      return zip(x, y).map { Float(from * $0 + to * $1) }
    }
  }
}
