import Foundation
import HourglassModels
import Testing

@testable import bench

@Suite struct BootstrapTests {
  /// The median of a resample of 11 values is at most the k-th when at least 6 of its draws are: Bin(11, k / 11).
  @Test("the interval of a median is that of the exact distribution of its resamples")
  func exact() {
    func atMost(_ k: Int) -> Double {
      let p = Double(k) / 11
      var (ways, sum) = (1.0, 0.0)
      for hits in 0...11 {
        if hits >= 6 { sum += ways * pow(p, Double(hits)) * pow(1 - p, Double(11 - hits)) }
        ways *= Double(11 - hits) / Double(hits + 1)
      }
      return sum
    }
    let low = (1...11).first { atMost($0) >= 0.025 }.map(Double.init)
    let interval = Bootstrap([(1...11).map(Double.init).reversed()], seed: 1).interval { $0[0] }
    #expect(interval.value == 6 && interval.low == low && interval.high == 12 - interval.low)
  }

  @Test("95 % intervals of samples from a known distribution hold its median about so often")
  func coverage() {
    let trials = 200
    let hits = (0..<trials).count { trial in
      let values = ScalingFixture.repetitions(5, count: 15, deviation: 0.1, stream: trial)
      let interval = Bootstrap([values], seed: UInt64(trial), resamples: 200).interval { $0[0] }
      return interval.low <= 5 && 5 <= interval.high
    }
    // Three standard deviations of a binomial count around 0.95.
    let tolerance = 3 * (0.95 * 0.05 / Double(trials)).squareRoot()
    #expect(abs(Double(hits) / Double(trials) - 0.95) < tolerance)
  }

  @Test("what two series have in common in each repetition cancels out of their ratio")
  func pairs() {
    let values = ScalingFixture.repetitions(5, deviation: 0.3, stream: 1)
    let bootstrap = Bootstrap([values, values.map { 2 * $0 }], seed: 1)
    #expect(bootstrap.interval { $0[1] / $0[0] } == Interval(value: 2, low: 2, high: 2))
    let alone = bootstrap.interval { $0[0] }
    #expect(alone.low < alone.value && alone.value < alone.high)
  }

  @Test("what has no bound is null in JSON")
  func infinity() throws {
    #expect(try json(Interval(value: 1, low: 0.5, high: .infinity)) == #"{"high":null,"low":0.5,"value":1}"#)
  }
}

@Suite struct ScalingFitTests {
  private let workers = [1.0, 2, 4, 8, 16]

  @Test("Amdahl's serial fraction is found again, within 0 and 1", arguments: [0.0, 0.03, 0.4, 1])
  func amdahl(serial: Double) {
    let seconds = workers.map { 3 / Amdahl.speedup($0, serial: serial) }
    let fit = Amdahl(workers: workers, seconds: seconds)
    #expect(abs(fit.serial - serial) < 1e-12 && abs(fit.first - 3) < 1e-12)
    #expect(Amdahl(workers: workers, seconds: workers.map { 1 / ($0 * $0) }).serial == 0)
    #expect(Amdahl(workers: workers, seconds: workers).serial == 1)
  }

  @Test("Karp and Flatt's fraction is Amdahl's at every point")
  func karpFlattIsConstant() {
    for p in workers.dropFirst() {
      #expect(abs(karpFlatt(speedup: Amdahl.speedup(p, serial: 0.07), workers: p) - 0.07) < 1e-12)
    }
  }

  @Test("Gustafson's fraction is found again")
  func gustafsonIsFound() {
    #expect(abs(gustafson(workers: workers, speedups: workers.map { $0 - 0.2 * ($0 - 1) }) - 0.2) < 1e-12)
  }

  @Test(
    "the parameters of the Universal Scalability Law are found again, and its peak is its maximum",
    arguments: [(0.03, 0.0005), (0, 0.001), (0.05, 0), (0, 0)])
  func scalability(contention: Double, coherency: Double) {
    let law = UniversalScalability(first: 250, contention: contention, coherency: coherency)
    let fit = UniversalScalability(workers: workers, throughput: workers.map(law.throughput))
    #expect(abs(fit.first - 250) < 1e-7)
    #expect(abs(fit.contention - contention) < 1e-10 && abs(fit.coherency - coherency) < 1e-10)
    if coherency > 0 {
      let best = (1...200).max { law.throughput(Double($0)) < law.throughput(Double($1)) } ?? 0
      #expect(abs(law.peak - Double(best)) <= 1)
    } else {
      #expect(law.peak == .infinity)
    }
  }

  @Test("contention and coherency are never negative, and no allowed pair nearby fits better")
  func bounds() {
    let cases: [[Double]] = [
      [100, 210, 430, 870, 1700], [100, 190, 390, 790, 1590], [100, 199, 390, 700, 900], [100, 150, 250, 480, 990],
    ]
    for throughput in cases {
      let fit = UniversalScalability(workers: workers, throughput: throughput)
      func squares(_ law: UniversalScalability) -> Double {
        zip(workers, throughput).reduce(0) { $0 + pow($1.1 / law.throughput($1.0) - 1, 2) }
      }
      #expect(fit.contention >= 0 && fit.coherency >= 0)
      for (first, a, b) in [(1.01, 0.0, 0.0), (0.99, 0, 0), (1, 0.003, 0), (1, -0.003, 0), (1, 0, 1e-4), (1, 0, -1e-4)]
      {
        let other = UniversalScalability(
          first: fit.first * first, contention: max(0, fit.contention + a), coherency: max(0, fit.coherency + b))
        #expect(squares(fit) <= squares(other) + 1e-12)
      }
    }
  }

  private func fits(_ study: ScalingStudy) -> ScalingFits {
    let points = study.points.filter { $0.threads == 1 }
    let bootstrap = Bootstrap(points.map(\.seconds), seed: study.seed)
    return ScalingFits(points, mode: study.mode, bootstrap, place: Array(points.indices))
  }

  private func holds(_ interval: Interval?, _ truth: Double) -> Bool {
    interval.map { $0.low <= truth && truth <= $0.high } ?? false
  }

  @Test("intervals of the fits to noisy points hold the truth", arguments: ScalingStudy.Mode.allCases)
  func noise(mode: ScalingStudy.Mode) throws {
    let fits = fits(ScalingFixture.study(mode, hasPeers: false))
    #expect(holds(fits.scalability?.contention, ScalingFixture.contention))
    #expect(holds(fits.scalability?.coherency, ScalingFixture.coherency))
    #expect(holds(fits.scalability?.first, 128 / ScalingFixture.first))
    let law = UniversalScalability(first: 1, contention: ScalingFixture.contention, coherency: ScalingFixture.coherency)
    #expect(holds(fits.scalability?.peak, law.peak))
    let deviation = try #require(fits.scalability?.deviation)
    #expect(deviation > 0 && deviation < 0.01)
    #expect((fits.amdahl != nil) == (mode == .strong) && (fits.gustafson != nil) == (mode == .weak))
    for point in fits.karpFlatt {
      let p = Double(point.workers)
      let truth = bench.karpFlatt(speedup: 1 / ScalingFixture.time(p), workers: p)
      #expect(holds(point.fraction, truth), "\(p)")
    }
    #expect(fits.notes.isEmpty && fits.karpFlatt.count == (mode == .strong ? 4 : 0))
  }

  @Test("two points determine no coherency and one point nothing, and the fits say so")
  func fewPoints() throws {
    let two = fits(ScalingFixture.study(most: 2))
    #expect(
      two.scalability != nil && two.scalability?.coherency == nil && two.scalability?.peak == nil)
    #expect(two.scalability?.deviation == nil)
    // A line through both: X(2) = 2 X(1) / (1 + a), and s = 2 / S - 1.
    let contention = try #require(two.scalability?.contention.value)
    #expect(abs(contention - (two.amdahl?.value ?? 0)) < 1e-9)
    #expect(two.notes.count == 1 && two.notes[0].contains("Two points"))
    let one = fits(ScalingFixture.study(most: 1))
    #expect(one.scalability == nil && one.amdahl == nil && one.karpFlatt.isEmpty && one.notes.count == 1)
    #expect(fits(ScalingFixture.study(most: 4)).notes.first?.contains("Three points") == true)
  }
}
