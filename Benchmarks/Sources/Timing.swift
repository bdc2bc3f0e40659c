import Foundation

/// At least one measured value of one thing, in ascending order.
struct Samples {
  let sorted: [Double]

  init(_ values: [Double]) { sorted = values.sorted() }

  /// The median; from an even number of values the mean of the two in the middle.
  var median: Double { (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2 }
  func quantile(_ q: Double) -> Double { sorted[min(sorted.count - 1, Int(q * Double(sorted.count)))] }
}

/// A measured value as it is reported: the median, and the values between which eight of ten lie.
struct Spread: Codable, Equatable {
  var median, p10, p90: Double

  init(_ samples: Samples, scale: Double = 1) {
    (median, p10, p90) = (samples.median * scale, samples.quantile(0.1) * scale, samples.quantile(0.9) * scale)
  }
}

enum Timing {
  /// The times of calls in seconds, again and again for `seconds`; shorter calls are averaged over a millisecond.
  static func samples(seconds: Double, _ body: () throws -> Void) rethrows -> [Double] {
    let shortest = 1e-3
    let clock = ContinuousClock()
    let start = clock.now
    var times: [Double] = []
    repeat {
      let begin = clock.now
      var calls = 0.0
      var elapsed = 0.0
      repeat {
        try body()
        calls += 1
        elapsed = (clock.now - begin) / .seconds(1)
      } while elapsed < shortest
      times.append(elapsed / calls)
    } while (clock.now - start) / .seconds(1) < seconds
    return times
  }
}

/// Times taken in turn, ours and theirs, so that noise of the machine meets both alike.
struct Turns {
  /// The seconds of a call; theirs are given for each layout.
  var ours: [Double] = []
  var theirs: [String: [Double]] = [:]

  /// Takes turns. `ours` answers its times and measures the peak beside them; `theirs` is nil where there is nobody to
  /// compare with.
  init(
    rounds: Int, threads: Int, ours: () throws -> [Double], theirs: (() throws -> [String: [Double]])?
  ) throws {
    for _ in 0..<rounds {
      self.ours += try ours()
      guard let theirs else { continue }
      // Idle threads of Hourglass sleep after KMP_BLOCKTIME, a millisecond.
      if threads > 1 { usleep(3_000) }
      self.theirs.merge(try theirs()) { $0 + $1 }
    }
  }

  /// Their fastest layout, which counts, and its times.
  var best: (layout: String, time: Samples)? {
    theirs.map { (layout: $0.key, time: Samples($0.value)) }.min { $0.time.median < $1.time.median }
  }
}

extension Collection<Double> {
  /// The geometric mean, (product of all)^(1/count); NaN for none.
  var geometricMean: Double { exp(map { log($0) }.reduce(0, +) / Double(count)) }
}
