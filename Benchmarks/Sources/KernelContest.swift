import Foundation
import HourglassKernels

/// The other side of a comparison, ready for one problem after another.
final class Opponent {
  let peer: Peer
  let title: String
  private let process: PeerProcess?
  private let threads: Int
  /// Flops a second that the opponent could reach, where that differs from ours.
  private let limits: Limits?

  /// - Parameter isa: the instruction set that the rest of the program goes on with.
  init(_ peer: Peer, threads: Int, isa: String) throws {
    self.peer = peer
    self.threads = peer == .oneThread ? 1 : threads
    switch peer {
    case .torch:
      process = try .python("kernels_torch.py", ["--threads", "\(threads)"])
      limits = nil
    case .onednn:
      process = try PeerProcess(["Benchmarks/Peers/build/kernels_onednn", "\(threads)"])
      limits = nil
    case .oneThread: (process, limits) = (nil, nil)
    case .avx2:
      process = nil
      if let refusal = hg_isa_select("avx2") { throw PeerError("avx2: \(String(cString: refusal))") }
      limits = Limits(threads: threads)
      _ = hg_isa_select(isa)
    }
    title = process?.greeting.title ?? peer.rawValue
  }

  private struct Question: Encodable {
    var operation, pass: String
    var n, c, h, w, k, r, s, u, v, padHeight, padWidth: Int
    var seconds: Double

    init(_ p: Problem, seconds: Double) {
      (operation, pass) = (p.operation.rawValue, p.pass.rawValue)
      (n, c, h, w, k) = (p.samples, p.input.channels, p.input.height, p.input.width, p.outputChannels)
      (r, s, u, v) = (p.kernel.height, p.kernel.width, p.stride.height, p.stride.width)
      (padHeight, padWidth) = (p.padding.height, p.padding.width)
      self.seconds = seconds
    }
  }

  /// What takes the opponent's time: seconds of a call for each layout, measured for so many seconds each; none where
  /// it has no such operation.
  func stopwatch(for problem: Problem) -> (Double) throws -> [String: [Double]] {
    if let process {
      return { try process.ask(Question(problem, seconds: $0), [String: [Double]].self) }
    }
    let own = Limits.isaInUse
    if peer == .avx2 { _ = hg_isa_select("avx2") }
    let run = KernelRun(problem, threads: threads)
    _ = hg_isa_select(own)
    return { [peer = peer] in [peer.rawValue: run.samples(seconds: $0)] }
  }

  /// Above 1 where we are ahead; of instruction sets the shares of their peaks, of threads the gain.
  func ratio(ours: Double, theirs: Double, peak: Double) -> Double {
    guard peer == .avx2, let limits else { return theirs / ours }
    return (ours * peak) / (theirs * limits.peak)
  }
}

/// What a contest over one problem gave.
struct KernelResult: Encodable {
  struct Comparison: Encodable {
    var peer: String
    /// The layout that counts: the fastest.
    var layout: String
    var seconds: Spread
    /// See `Opponent.ratio`.
    var ratio: Double
  }

  var name: String
  var problem: String
  var isa: String
  var threads: Int
  var seconds: Spread
  /// Padding counted; nil where there is nothing to multiply.
  var gflops: Double?
  /// Of the multiply-adds from registers, in this run.
  var peakShare: Double?
  /// GB/s of what has to be read and written at least once.
  var gigabytesPerSecond: Double
  /// Of what multiply-adds and memory together allow: `Limits.bound`.
  var limitShare: Double
  var comparison: Comparison?
}

extension KernelResult {
  /// Ours, theirs, ours, theirs: noise of the machine meets both alike.
  static let rounds = 5

  init(_ testCase: KernelCase, _ run: KernelRun, _ limits: Limits, _ opponent: Opponent?, seconds budget: Double) throws
  {
    let problem = testCase.problem
    let theirStopwatch = opponent?.stopwatch(for: problem)
    var ours: [Double] = []
    var theirs: [String: [Double]] = [:]
    _ = try theirStopwatch?(0)
    run.call()
    for _ in 0..<Self.rounds {
      ours += run.samples(seconds: budget / Double(Self.rounds))
      // Until our idle threads sleep: KMP_BLOCKTIME is a millisecond.
      if opponent != nil && run.threads > 1 { usleep(3_000) }
      theirs.merge(try theirStopwatch?(budget / Double(Self.rounds)) ?? [:]) { $0 + $1 }
    }

    name = testCase.name
    self.problem = problem.description
    (isa, threads) = (run.isa, run.threads)
    seconds = Spread(Samples(ours))
    let rate = problem.flops / seconds.median
    gflops = problem.flops > 0 ? rate / 1e9 : nil
    peakShare = problem.flops > 0 ? rate / limits.peak : nil
    gigabytesPerSecond = problem.bytes / seconds.median / 1e9
    limitShare = limits.bound(flops: problem.flops, bytes: problem.bytes) / seconds.median
    let best = theirs.mapValues { Spread(Samples($0)) }.min { $0.value.median < $1.value.median }
    if let opponent, let (layout, time) = best.map({ ($0.key, $0.value) }) {
      let ratio = opponent.ratio(ours: seconds.median, theirs: time.median, peak: limits.peak)
      comparison = Comparison(peer: opponent.peer.rawValue, layout: layout, seconds: time, ratio: ratio)
    }
  }
}
