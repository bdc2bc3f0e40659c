import HourglassData
import HourglassTraining

/// Intervals of one round width that lie side by side, and how many values lie in each.
struct Histogram {
  /// The lower end of the first interval.
  let start: Double
  let width: Double
  private(set) var counts: [Int]

  /// Chooses the intervals for finite values, from the least to the greatest: about 40, fewer where there are few
  /// values.
  init(_ values: [Double]) {
    let finite = values.filter(\.isFinite)
    let (low, high) = (finite.min() ?? 0, finite.max() ?? 0)
    let wanted = min(40, max(5, Int(clamping: Double(finite.count).squareRoot())))
    let width = high > low ? Axis.roundStep((high - low) / Double(wanted)) : max(abs(low) / 8, .leastNormalMagnitude)
    let first = (low / width).rounded(.down)
    (start, self.width) = (first * width, width)
    counts = [Int](repeating: 0, count: Int(clamping: (high / width).rounded(.down) - first) + 1)
    counts = finite.isEmpty ? [] : counts(of: finite)
  }

  /// How many of some of the values lie in each interval.
  func counts(of some: [Double]) -> [Int] {
    var result = [Int](repeating: 0, count: counts.count)
    let first = (start / width).rounded()
    for value in some where value.isFinite { result[Int(clamping: (value / width).rounded(.down) - first)] += 1 }
    return result
  }

  var middles: [Double] { counts.indices.map { start + (Double($0) + 0.5) * width } }
}
