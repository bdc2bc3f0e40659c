import Foundation
import HourglassKernels
import HourglassTraining

/// The other side of a comparison, ready for one problem after another.
final class Opponent {
  let peer: Peer
  let title: String
  private let process: PeerProcess?
  /// How many threads the opponent computes with, where it is Hourglass itself.
  let threads: Int
  let isa: String
  let meter: PeakMeter

  init(_ peer: Peer, threads: Int) throws {
    self.peer = peer
    self.threads = peer == .oneThread ? 1 : threads
    isa = peer == .avx2 ? "avx2" : Limits.isaInUse
    meter = PeakMeter(isa: isa, threads: self.threads)
    switch peer {
    case .torch: process = try .python("kernels_torch.py", ["--threads", "\(threads)"])
    case .onednn: process = try .onednn(threads: threads)
    case .oneThread, .avx2: process = nil
    }
    title = process?.greeting.title ?? peer.rawValue
  }

  private struct Question: Encodable {
    var operation, pass: String
    var n, c, h, w, k, p, q, r, s, u, v, padHeight, padWidth, downDilation, rightDilation, groups: Int
    var seconds: Double

    init(_ p: Problem, seconds: Double) {
      (operation, pass) = (p.operation.rawValue, p.pass.rawValue)
      (n, c, h, w, k) = (p.samples, p.input.channels, p.input.height, p.input.width, p.outputChannels)
      (self.p, q) = (p.output.height, p.output.width)
      (r, s, u, v) = (p.kernel.height, p.kernel.width, p.stride.height, p.stride.width)
      (padHeight, padWidth) = (p.padding.height, p.padding.width)
      (downDilation, rightDilation, groups) = (p.dilation.height, p.dilation.width, p.groups)
      self.seconds = seconds
    }
  }

  /// The function that times the opponent: from the seconds to measure to the seconds of a call, for each layout; no
  /// layout where the opponent has no such operation.
  func stopwatch(for problem: Problem) throws -> (Double) throws -> [String: [Double]] {
    if let process {
      return { try process.ask(Question(problem, seconds: $0), [String: [Double]].self) }
    }
    let own = Limits.isaInUse
    if let refusal = hg_isa_select(isa) { throw BenchError("\(isa): \(String(cString: refusal))") }
    let run = KernelRun(problem, threads: threads)
    _ = hg_isa_select(own)
    return { [peer = peer] in [peer.rawValue: run.samples(seconds: $0)] }
  }
}

/// The result of a contest over one problem.
struct KernelResult: Encodable {
  struct Comparison: Encodable {
    var peer: String
    /// The fastest layout, which counts.
    var layout: String
    var seconds: Spread
    /// Their time over ours; against another instruction set, its share of its peak over our share of our peak.
    var ratio: Double
  }

  var name: String
  var problem: String
  var isa: String
  var threads: Int
  var seconds: Spread
  /// The GFLOP/s, padding counted; nil where there is nothing to multiply.
  var gflops: Double?
  /// GFLOP/s of multiply-adds from registers, measured in turn with the calls, and our share of it.
  var peak: Double
  var peakShare: Double?
  /// The GB/s of bytes that have to be read and written at least once.
  var gigabytesPerSecond: Double
  /// The share of the limit that multiply-adds and memory together set, see `Limits.bound`.
  var limitShare: Double
  var comparison: Comparison?
}

extension KernelResult {
  static let rounds = 10

  init(
    _ testCase: KernelCase, _ run: KernelRun, _ limits: Limits, _ meter: PeakMeter, _ opponent: Opponent?,
    seconds budget: Double
  ) throws {
    let problem = testCase.problem
    let theirStopwatch = try opponent?.stopwatch(for: problem)
    var (ourPeaks, theirPeaks) = ([Double](), [Double]())
    let turn = budget / Double(Self.rounds)
    _ = try theirStopwatch?(0)
    run.call()
    let turns = try Turns(
      rounds: Self.rounds, threads: run.threads,
      ours: {
        defer { ourPeaks += meter.samples(5) }
        return run.samples(seconds: turn)
      },
      theirs: theirStopwatch.map { stopwatch in
        {
          defer { if let opponent, opponent.peer == .avx2 { theirPeaks += opponent.meter.samples(5) } }
          return try stopwatch(turn)
        }
      })

    name = testCase.name
    self.problem = problem.description
    (isa, threads) = (run.isa, run.threads)
    seconds = Spread(Samples(turns.ours))
    peak = Samples(ourPeaks).median
    gflops = problem.flops > 0 ? problem.flops / seconds.median / 1e9 : nil
    peakShare = gflops.map { [peak] in $0 / peak }
    gigabytesPerSecond = problem.bytes / seconds.median / 1e9
    limitShare = max(problem.flops / (peak * 1e9), limits.seconds(moving: problem.bytes)) / seconds.median
    if let opponent, let (layout, samples) = turns.best {
      let time = Spread(samples)
      let gain = time.median / seconds.median
      let ratio = theirPeaks.isEmpty ? gain : peak / (Samples(theirPeaks).median * gain)
      comparison = Comparison(peer: opponent.peer.rawValue, layout: layout, seconds: time, ratio: ratio)
    }
  }
}
