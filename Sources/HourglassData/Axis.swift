import Glibc
import HourglassBase

/// One axis: a range of values on a range of pixels, with round ticks.
package struct Axis {
  package let ticks: [Double]
  /// The values at the ends.
  package let low, high: Double
  private let (start, end): (Double, Double)
  /// The distance between ticks; nil on a logarithmic axis.
  private let step: Double?

  /// A linear axis with ticks at multiples of 1, 2 or 5 times a power of ten. A widened axis reaches from tick to tick,
  /// another one from the least to the greatest value.
  ///
  /// - Parameter leastStep: the least distance between ticks; a power of ten.
  package init(
    _ values: [Double], from start: Double, to end: Double, ticks wanted: Int, leastStep: Double = 0, widened: Bool
  ) {
    (self.start, self.end) = (start, end)
    var (low, high) = (values.min() ?? 0, values.max() ?? 1)
    if low == high {
      let half = max(abs(low) / 2, 0.5)
      (low, high) = (low - half, high + half)
    }
    let step = max(leastStep, Self.roundStep((high - low) / Double(wanted)))
    self.step = step
    // A range that is a whole number of steps but for rounding keeps its last tick.
    let (first, last) = (low / step, high / step)
    let (lowTick, highTick) =
      widened
      ? ((first + 1e-9).rounded(.down), (last - 1e-9).rounded(.up))
      : ((first - 1e-9).rounded(.up), (last + 1e-9).rounded(.down))
    (self.low, self.high) = widened ? (lowTick * step, highTick * step) : (low, high)
    ticks = stride(from: lowTick, through: highTick, by: 1).map { $0 * step }
  }

  /// A logarithmic axis of positive values with ticks at 1, 2 and 5 times each power of ten; it reaches from the tick
  /// below the least value to a quarter beyond the greatest.
  package init(decades values: [Double], from start: Double, to end: Double) {
    let least = values.min() ?? 1
    let power = pow(10, floor(log10(least)))
    let low = power * ([5, 2].first { $0 * power <= least } ?? 1)
    let high = (values.max() ?? 10) * 1.25
    let powers = Int(clamping: floor(log10(low)))...Int(clamping: ceil(log10(high)))
    let ticks = powers.flatMap { power in [1.0, 2, 5].map { $0 * pow(10, Double(power)) } }
    self.init(ticks, low: low, high: high, start, end)
  }

  /// A logarithmic axis of positive values with ticks at the powers of two. A widened axis reaches from tick to tick;
  /// values may lie beyond by a thirtieth of a doubling, so that 0.99 does not ask for a tick at 0.5.
  package init(doublings values: [Double], from start: Double, to end: Double, widened: Bool) {
    let (least, greatest) = (log2(values.min() ?? 1), log2(values.max() ?? 2))
    let (first, last) = (floor(least + 1.0 / 30), ceil(greatest - 1.0 / 30))
    let ticks = stride(from: first, through: last, by: 1).map { exp2($0) }
    if widened && first < last {
      self.init(ticks, low: exp2(first), high: exp2(last), start, end)
    } else {
      let margin = least == greatest ? 0.5 : 0
      self.init(ticks, low: exp2(least - margin), high: exp2(greatest + margin), start, end)
    }
  }

  private init(_ ticks: [Double], low: Double, high: Double, _ start: Double, _ end: Double) {
    self.ticks = ticks.filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
    (self.low, self.high, self.start, self.end, step) = (low, high, start, end, nil)
  }

  /// The least of 1, 2, 5, 10 times a power of ten that is not below `value`.
  package static func roundStep(_ value: Double) -> Double {
    let power = pow(10, floor(log10(value)))
    return power * ([1, 2, 5].first { $0 * power >= value * (1 - 1e-9) } ?? 10)
  }

  package func place(_ value: Double) -> Double {
    let share = step == nil ? log(value / low) / log(high / low) : (value - low) / (high - low)
    return start + share * (end - start)
  }

  /// Whether the axis has a place for a value: a finite one, and on a logarithmic axis a positive one.
  package func holds(_ value: Double) -> Bool { value.isFinite && (step != nil || value > 0) }

  /// The text at a tick, with as many decimals as the step has, or as a power of ten where that would be long.
  package func label(_ tick: Double) -> String {
    guard let step else { return significant(tick, 6) }
    let largest = max(abs(low), abs(high))
    if largest >= 1e7 || step < 1e-6 { return significant(tick, 2) }
    return decimal(tick == 0 ? 0 : tick, max(0, Int(clamping: (-log10(step) - 1e-9).rounded(.up))))
  }
}
