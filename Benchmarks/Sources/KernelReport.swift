import Foundation

/// A report of results as they come, for people or machines, and of their summary.
final class KernelReport {
  private let limits: Limits
  private let opponent: Opponent?
  /// The table for people; nil where JSON is printed.
  private let table: Table?
  private let wanted: Double
  private var results: [Summary.Measured] = []

  /// - Parameter wanted: the ratio below which cases are listed; nil for the peer's own.
  init(_ limits: Limits, _ opponent: Opponent?, wanted: Double?, json: Bool) {
    (self.limits, self.opponent) = (limits, opponent)
    self.wanted = wanted ?? opponent?.peer.wanted(threads: limits.threads) ?? 0
    if json {
      table = nil
      return
    }
    let threads = "\(limits.threads) thread\(limits.threads == 1 ? "" : "s")"
    say("\(limits.processor), \(limits.isa), \(threads), peak \(fixed(limits.multiplyAdd.median, 1)) GFLOP/s")
    if let opponent { say("against \(opponent.title), in turn, \(KernelResult.rounds) rounds") }
    let compared = opponent == nil ? [] : ["     peer us", "        layout", "ratio"]
    table = Table(
      ["case", "      us", "       p10..p90", "GFLOP/s", "  GB/s", "  peak", " limit"] + compared, first: 38)
  }

  func add(_ result: KernelResult, _ testCase: KernelCase) throws {
    results.append((testCase, result))
    guard let table else { return say(try bench.json(result)) }
    func microseconds(_ seconds: Double) -> String { fixed(seconds * 1e6, 1) }
    let time = result.seconds
    var cells = [
      result.name, microseconds(time.median), "\(microseconds(time.p10))..\(microseconds(time.p90))",
      result.gflops.map { fixed($0, 1) } ?? "-", fixed(result.gigabytesPerSecond, 1), percent(result.peakShare),
      percent(result.limitShare),
    ]
    if opponent != nil {
      let other = result.comparison
      cells += [
        other.map { microseconds($0.seconds.median) } ?? "-", other?.layout ?? "-",
        other.map { fixed($0.ratio, 2) } ?? "-",
      ]
    }
    table.row(cells)
  }

  var baseline: Baseline { Baseline(limits, results.map(\.result)) }

  var picture: RooflinePicture {
    RooflinePicture(
      limits: limits, peak: Samples(results.map(\.result.peak)).median,
      dots: results.map { RooflinePicture.Dot($0.testCase.problem, $0.result) })
  }

  func finish() throws {
    let summary = Summary(results, opponent?.peer, wanted: wanted)
    if table == nil { say(try bench.json(summary)) } else { summary.print() }
  }
}
