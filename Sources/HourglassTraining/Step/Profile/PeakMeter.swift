import CLimits

/// GFLOP/s of every thread multiplying and adding in registers, to be measured in turn with what is compared to it.
///
/// A sample takes a millisecond, as those of the benchmarks: whoever interrupts us now and then spares both medians.
package struct PeakMeter {
  private let isa: String
  private let threads: Int
  private let repeats: Int

  package init(isa: String, threads: Int) {
    (self.isa, self.threads) = (isa, threads)
    // On one thread, where the time to start the others cannot pass for work.
    repeats = Self.repeats(filling: 1e-3) { limits_multiply_add(isa, 1, $0) }
  }

  package func samples(_ count: Int) -> [Double] {
    (0..<count).map { _ in Self.rate(repeats) { limits_multiply_add(isa, threads, $0) } / 1e9 }
  }

  /// How many repeats take so long, by the fastest of a few attempts.
  package static func repeats(filling seconds: Double, _ body: (Int) -> Double) -> Int {
    var repeats = 1
    func fastest() -> Double { (0..<3).map { _ in time(repeats, body).seconds }.min() ?? 0 }
    while fastest() < seconds { repeats *= 2 }
    return repeats
  }

  /// Work per second.
  package static func rate(_ repeats: Int, _ body: (Int) -> Double) -> Double {
    let (seconds, work) = time(repeats, body)
    return work / seconds
  }

  private static func time(_ repeats: Int, _ body: (Int) -> Double) -> (seconds: Double, work: Double) {
    let clock = ContinuousClock()
    let begin = clock.now
    let work = body(repeats)
    return ((clock.now - begin) / .seconds(1), work)
  }
}
