import Foundation
import HourglassModels

/// A figure with the bounds between which it lies with a confidence of 95 %.
struct Interval: Equatable {
  var value, low, high: Double

  /// Such as `6.91 (6.85 to 7.02)`.
  func text(_ format: (Double) -> String) -> String {
    "\(format(value)) (\(format(low)) to \(high.isFinite ? format(high) : "no bound"))"
  }
}

extension Interval: Encodable {
  private enum CodingKeys: CodingKey { case value, low, high }

  /// What has no bound is null, so that all keys are there.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    for (key, number) in [(CodingKeys.value, value), (.low, low), (.high, high)] {
      try container.encode(number.isFinite ? number : nil, forKey: key)
    }
  }
}

/// Percentile bootstrap (Efron & Tibshirani, "An introduction to the bootstrap", 1993, chapter 13) of anything that
/// follows from the medians of several series of repetitions.
///
/// A resample draws as many repetitions as there were, with replacement, and the same ones from every series: what is
/// measured in the same repetition stays together, so that a slow minute of the machine cancels out of ratios. No
/// acceleration as BCa has it, whose jackknife fails for medians.
struct Bootstrap {
  /// Of each series.
  let medians: [Double]
  /// Of each resample, of each series.
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

  /// A figure from the medians of all series.
  func interval(_ figure: ([Double]) -> Double) -> Interval { intervals { [figure($0)] }[0] }

  /// Several figures that are calculated together.
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
