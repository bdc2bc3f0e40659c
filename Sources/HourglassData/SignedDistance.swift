/// The ten classes of the built-in images, filled shapes and strokes, in the order of their labels.
public enum SyntheticClass: UInt8, Sendable, CaseIterable {
  case disc, ring, square, triangle, cross, star, crescent, zigzag, arrow, hook
}

/// Signed distances from a point to the edge of a shape around the origin, negative inside.
///
/// They use only + - * / and square roots, which IEEE 754 defines to the last bit, so that pixels are equal on every
/// machine.
/// Source: Quilez, "2D distance functions", iquilezles.org.
package enum SignedDistance {
  /// No shape has points farther from the origin.
  package static let reach: Float = 1.25

  /// The distance from (x, y) to a shape.
  ///
  /// - Parameter thickness: the width of strokes, the depth of notches and the roundness of corners, in [0, 1].
  package static func value(_ shape: SyntheticClass, _ x: Float, _ y: Float, thickness: Float) -> Float {
    let stroke = 0.1 + 0.14 * thickness
    switch shape {
    case .disc: return length(x, y) - 0.9
    case .ring: return abs(length(x, y) - 0.75) - stroke
    case .square: return box(x, y, 0.72, 0.72) - 0.06
    case .triangle: return triangle(x, y, 0.88) - 0.06
    case .cross:
      let half = 0.14 + 0.16 * thickness
      return min(box(x, y, 0.92, half), box(x, y, half, 0.92))
    case .star: return star(x, y, depth: 0.62 - 0.2 * thickness)
    case .crescent: return max(length(x, y) - 0.92, 0.72 - length(x - 0.62 + 0.28 * thickness, y))
    case .zigzag:
      let ends = min(segment(x, y, -0.85, 0.45, -0.3, -0.5), segment(x, y, 0.3, 0.5, 0.85, -0.45))
      return min(ends, segment(x, y, -0.3, -0.5, 0.3, 0.5)) - stroke
    case .arrow:
      // The shape is mirrored at the shaft, so one barb serves for both.
      return min(segment(x, y, -0.85, 0, 0.8, 0), segment(x, abs(y), 0.15, 0.6, 0.8, 0)) - stroke
    case .hook: return hook(x, y) - stroke
    }
  }

  private static func length(_ x: Float, _ y: Float) -> Float { (x * x + y * y).squareRoot() }

  private static func box(_ x: Float, _ y: Float, _ halfWidth: Float, _ halfHeight: Float) -> Float {
    let (dx, dy) = (abs(x) - halfWidth, abs(y) - halfHeight)
    return length(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0)
  }

  /// The distance to an equilateral triangle of half side `side`.
  private static func triangle(_ x: Float, _ y: Float, _ side: Float) -> Float {
    let root: Float = 1.7320508
    var (px, py) = (abs(x) - side, y + side / root)
    if px + root * py > 0 { (px, py) = ((px - root * py) / 2, (-root * px - py) / 2) }
    px -= max(-2 * side, min(px, 0))
    let distance = length(px, py)
    return py > 0 ? -distance : distance
  }

  /// The distance to a star of five points and outer radius 1; `depth` is the radius of the notches relative to it.
  private static func star(_ x: Float, _ y: Float, depth: Float) -> Float {
    // These are unit normals of the mirrors at 36 and 72 degrees that fold the plane to one tenth.
    let (c, s): (Float, Float) = (0.809016994, -0.587785252)
    var (px, py) = (abs(x), y)
    var reflect = 2 * max(c * px + s * py, 0)
    (px, py) = (px - reflect * c, py - reflect * s)
    reflect = 2 * max(-c * px + s * py, 0)
    (px, py) = (abs(px + reflect * c), py - reflect * s - 1)
    // This vector is the edge from the tip to the notch.
    let (ex, ey) = (-s * depth, c * depth - 1)
    let along = max(0, min((px * ex + py * ey) / (ex * ex + ey * ey), 1))
    let distance = length(px - ex * along, py - ey * along)
    return py * ex - px * ey > 0 ? distance : -distance
  }

  /// The distance to half a circle with a straight stem at one end, like a cane.
  private static func hook(_ x: Float, _ y: Float) -> Float {
    let (cx, cy) = (x, y + 0.3)
    let arc = cy <= 0 ? abs(length(cx, cy) - 0.5) : min(length(cx - 0.5, cy), length(cx + 0.5, cy))
    return min(arc, segment(x, y, 0.5, -0.3, 0.5, 0.8))
  }

  private static func segment(_ x: Float, _ y: Float, _ ax: Float, _ ay: Float, _ bx: Float, _ by: Float) -> Float {
    let (px, py, ex, ey) = (x - ax, y - ay, bx - ax, by - ay)
    let along = max(0, min((px * ex + py * ey) / (ex * ex + ey * ey), 1))
    return length(px - ex * along, py - ey * along)
  }
}
