import Foundation
import HourglassModels

@testable import bench

/// Studies whose truth is known, of a machine that does not exist.
enum ScalingFixture {
  static let contention = 0.012
  static let coherency = 0.0004
  static let first = 0.4

  /// The time of a step on p cores, (1 + a (p - 1) + b p (p - 1)) / p.
  static func time(_ cores: Double) -> Double {
    (1 + contention * (cores - 1) + coherency * cores * (cores - 1)) / cores
  }

  /// `count` repetitions around a median, with a relative standard deviation.
  static func repetitions(_ median: Double, count: Int = 12, deviation: Double = 0.01, stream: Int) -> [Double] {
    var noise = [Float](repeating: 0, count: count)
    RandomStream(seed: 7, .synthesis, step: stream).fillNormal(&noise, count)
    return noise.map { median * (1 + deviation * Double($0)) }
  }

  static let machine = MachineBlock(
    processor: "Example 16-Core <Processor> & Co", cores: 32, grantedCores: 16,
    caches: [49_152, 2_097_152, 37_748_736],
    memoryBytes: 64 << 30, instructionSet: "avx512", openMP: "libomp.so.5 of LLVM 21",
    compilers: "Swift 6.3.1, Clang 21.0.0", revision: "0123abc", peakGflops: 150, bandwidth: [16, 120])

  static func point(
    _ workers: Int, _ threads: Int, seconds: [Double], batchSize: Int = 128, shards: Int = 16,
    imbalance: Double = 0.004,
    hash: String = "00c0ffee00c0ffee"
  ) -> ScalingStudy.Point {
    let (step, cores) = (Samples(seconds).median, Double(workers * threads))
    let samples = Double(batchSize) / 128
    func part(_ share: Double) -> Double { share * first * samples / cores }
    let parts = [part(0.83), part(0.1), part(0.015), part(0.05)]
    return ScalingStudy.Point(
      workers: workers, threads: threads, batchSize: batchSize, shards: shards, seconds: seconds,
      processorSeconds: seconds.map { _ in step * cores },
      parts: ScalingStudy.Parts(
        forwardBackward: parts[0], products: parts[1], reduction: parts[2], update: parts[3],
        waiting: step - parts.reduce(0, +), imbalance: workers == 1 ? 0 : imbalance),
      memory: ScalingStudy.Memory(plannedBytes: 60_000_000 + 9_000_000 * workers, residentBytes: 150 << 20),
      weightsHash: hash)
  }

  /// The reports on the studies of 16 cores. Each takes a second to make.
  static let strong = Result { try ScalingReport(study()) }
  static let weak = Result { try ScalingReport(study(.weak)) }

  /// All divisions of 1, 2, 4, ... cores, with two peers.
  static func study(
    _ mode: ScalingStudy.Mode = .strong, most: Int = 16, deviation: Double = 0.01, hasPeers: Bool = true
  ) -> ScalingStudy {
    let cores = sequence(first: 1) { $0 * 2 }.prefix { $0 <= most }
    let divisions = cores.flatMap { all in cores.filter { $0 <= all }.map { (workers: all / $0, threads: $0) } }
    let points = divisions.enumerated().map { i, division in
      let all = Double(division.workers * division.threads)
      let factor = mode == .weak ? division.workers * division.threads : 1
      let slower = 1 + 0.06 * log2(Double(division.threads))
      return point(
        division.workers, division.threads,
        seconds: repetitions(first * time(all) * slower * Double(factor), deviation: deviation, stream: i),
        batchSize: 128 * factor, shards: 16 * factor,
        hash: mode == .weak ? "00c0ffee0000000\(factor % 10)" : "00c0ffee00c0ffee")
    }
    func peer(_ name: String, _ slower: Double, _ contention: Double) -> ScalingStudy.Peer {
      ScalingStudy.Peer(
        name: name,
        points: cores.map { p in
          let (all, factor) = (Double(p), mode == .weak ? p : 1)
          let time = slower * first * (1 + contention * (all - 1)) / all * Double(factor)
          return ScalingStudy.PeerPoint(
            cores: p, batchSize: 128 * factor,
            seconds: repetitions(time, stream: 1000 + p + Int(clamping: 100 * slower)))
        })
    }
    return ScalingStudy(
      model: "conv-vae-28", mode: mode, batchSize: 128, repetitions: 12, seed: 3, machine: machine, points: points,
      peers: hasPeers
        ? [peer("PyTorch 2.13.0, threads", 1.3, 0.12), peer("PyTorch 2.13.0, DDP with gloo", 1.4, 0.08)] : [])
  }
}
