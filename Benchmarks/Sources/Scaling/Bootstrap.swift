import Foundation
import HourglassModels

/// A figure with the bounds between which it lies with a confidence of 95 %.
struct Interval: Equatable {
  var value, low, high: Double

  /// The interval as a text such as `6.91 (6.85 to 7.02)`.
  func text(_ format: (Double) -> String) -> String {
    "\(format(value)) (\(format(low)) to \(high.isFinite ? format(high) : "no bound"))"
  }
}

extension Interval: Encodable {
  private enum CodingKeys: CodingKey { case value, low, high }

  /// Writes the figure and its bounds; a bound that is missing is null, so that all keys are there.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    for (key, number) in [(CodingKeys.value, value), (.low, low), (.high, high)] {
      try container.encode(number.isFinite ? number : nil, forKey: key)
    }
  }
}

/// The percentile bootstrap (Efron & Tibshirani, "An introduction to the bootstrap", 1993, chapter 13) of any figure
/// that follows from the medians of several series of repetitions.
///
/// A resample draws as many repetitions as there were, with replacement, and draws equal ones from every series: values
/// of one repetition stay together, so that a slow minute of the machine cancels out of ratios. There is no
/// acceleration as in BCa, whose jackknife fails for medians.
struct Bootstrap {
  /// The median of each series.
  let medians: [Double]
  /// The median in each resample of each series.
  private let resampled: [[Double]]

  static let resamples = 2000

  /// - Parameter series: at least one value each.
  init(_ series: [[Double]], seed: UInt64, resamples: Int = resamples) {
    medians = series.map { Samples($0).median }
    let most = series.map(\.count).max() ?? 0
    resampled = (0..<resamples).map { resample in
      let draws = RandomStream(seed: seed, .sampling, step: resample).uniform(most)
      return series.map { values in
        let picked = draws.prefix(values.count).map {
          values[min(values.count - 1, Int(clamping: Double($0) * Double(values.count)))]
        }
        return Samples(picked).median
      }
    }
  }

  /// The interval of a figure that follows from the medians of all series.
  func interval(_ figure: ([Double]) -> Double) -> Interval { intervals { [figure($0)] }[0] }

  /// The intervals of several figures that are calculated together.
  func intervals(_ figures: ([Double]) -> [Double]) -> [Interval] {
    let values = figures(medians)
    let all = resampled.map(figures)
    let tail = Int(clamping: 0.025 * Double(all.count))
    return values.indices.map { i in
      let sorted = all.map { $0[i] }.sorted()
      return Interval(value: values[i], low: sorted[tail], high: sorted[sorted.count - 1 - tail])
    }
  }
}
