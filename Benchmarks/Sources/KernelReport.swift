import Foundation

/// A report of results as they come, for people or machines, and of their summary.
final class KernelReport {
  private let limits: Limits
  private let opponent: Opponent?
  /// The table for people; nil where JSON is printed.
  private let table: Table?
  private var results: [(problem: Problem, result: KernelResult)] = []

  init(_ limits: Limits, _ opponent: Opponent?, json: Bool) {
    (self.limits, self.opponent) = (limits, opponent)
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

  func add(_ result: KernelResult, _ problem: Problem) throws {
    results.append((problem, result))
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
      dots: results.map { RooflinePicture.Dot($0.problem, $0.result) })
  }

  func finish() throws {
    guard table != nil else {
      if let opponent { say(try bench.json(Summary(results, opponent.peer, threads: limits.threads))) }
      return
    }
    let shares = results.compactMap(\.result.peakShare)
    if !shares.isEmpty {
      say("share of the peak, geometric mean of \(shares.count) cases: \(percent(shares.geometricMean))")
    }
    if let opponent {
      say(Summary(results, opponent.peer, threads: limits.threads).text)
    }
  }
}

/// The ratios of a comparison.
struct Summary: Encodable {
  struct Entry: Encodable {
    var name, problem: String
    var ratio: Double
  }

  var peer: String
  var cases: Int
  var geometricMean: Double?
  /// The geometric mean over layers with one or three channels on a side.
  var geometricMeanThin: Double?
  var minimum: Double?
  /// The ratio that is wanted against the peer, and how many cases are below it.
  var wanted: Double
  var below: Int
  /// The worst ten cases, and all that are below the wanted ratio, the worst first.
  var worst: [Entry]

  /// The seconds of a pass below which threads cannot speed it up much; see `init`.
  static let shortest = 300e-6

  /// Summarises results. The gain of threads counts where one thread takes over 300 us, the share of the peak where
  /// something is multiplied.
  init(_ results: [(problem: Problem, result: KernelResult)], _ peer: Peer, threads: Int) {
    let compared = results.compactMap { problem, result -> (problem: Problem, entry: Entry)? in
      guard let comparison = result.comparison, peer != .avx2 || result.gflops != nil,
        peer != .oneThread || comparison.seconds.median > Self.shortest
      else { return nil }
      return (problem, Entry(name: result.name, problem: result.problem, ratio: comparison.ratio))
    }
    let entries = compared.map(\.entry).sorted { $0.ratio < $1.ratio }
    let thin = compared.filter(\.problem.isThin).map(\.entry.ratio)
    let wanted = peer.wanted(threads: threads)
    self.peer = peer.rawValue
    self.wanted = wanted
    cases = entries.count
    geometricMean = entries.isEmpty ? nil : entries.map(\.ratio).geometricMean
    geometricMeanThin = thin.isEmpty ? nil : thin.geometricMean
    minimum = entries.first?.ratio
    below = entries.count { $0.ratio < wanted }
    worst = Array(entries.prefix(max(below, 10)))
  }

  var text: String {
    guard let geometricMean, let minimum else { return "\(peer): nothing to compare" }
    let thin = geometricMeanThin.map { ", of thin layers \(fixed($0, 2))" } ?? ""
    let mean = "geometric mean of \(cases) cases: \(fixed(geometricMean, 2))\(thin)"
    let head =
      "ratio to \(peer), \(mean), least \(fixed(minimum, 2)), below \(fixed(wanted, 2)): \(below); the worst:"
    return ([head] + worst.map { "  \(fixed($0.ratio, 2))  \($0.name)  (\($0.problem))" }).joined(separator: "\n")
  }
}
