import Foundation
import HourglassData
import HourglassTraining

/// Takes the repetitions of a scaling study, all points and peers in turn.
///
/// Every repetition of a point is a training of its own: memory holds one point at a time, no thread of another point
/// is left, and the luck of where memory lies is drawn anew instead of once for the whole study.
struct ScalingMeasurement {
  /// The results of the repetitions of a point.
  private struct Record {
    var seconds: [Double] = []
    var processorSeconds: [Double] = []
    var parts = PartSums()
    /// The hashes of the weights as they were met, each once.
    var hashes: [String] = []
  }

  /// The number of steps from the start that are not measured; the weights after them are compared.
  static let warmUp = 3
  /// The fewest steps of a slice, even where they take longer than it should.
  static let fewestSteps = 5

  private let design: ScalingDesign
  private let data: Dataset
  private let peers: [ScalingPeer]
  private let resident: (ScalingDesign.Point) throws -> Int

  /// - Parameter resident: measures the bytes of a process that trains with a point alone.
  init(
    _ design: ScalingDesign, peers: [ScalingPeer] = [],
    resident: @escaping (ScalingDesign.Point) throws -> Int = ResidentMemory.measure
  ) throws {
    (self.design, self.peers, self.resident) = (design, peers, resident)
    let largest = design.points.map(\.plan.batchSize).max() ?? 1
    data = try StepRun.images(for: design.model, batchSize: largest)
  }

  /// Measures all points.
  ///
  /// - Parameter progress: called with the slices done, the number of slices, and the name of the next.
  func study(
    on machine: MachineBlock, progress: (_ done: Int, _ of: Int, _ next: String) -> Void = { _, _, _ in }
  ) throws -> ScalingStudy {
    let points = design.points
    let trials = peers.flatMap { peer in peer.cores(design).map { PeerTrial(peer: peer, cores: $0) } }
    let perRepetition = points.count + trials.count
    var records = Array(repeating: Record(), count: points.count)
    var medians = Array(repeating: [String: [Double]](), count: trials.count)
    let memory = try points.map { point in
      progress(0, design.repetitions * perRepetition, "memory of \(point.title)")
      return ScalingStudy.Memory(
        plannedBytes: PlannedMemory(training: point.plan, parallel: point.parallel).total,
        residentBytes: try resident(point))
    }
    for repetition in 0..<design.repetitions {
      for (place, index) in design.order(of: perRepetition, repetition: repetition).enumerated() {
        let done = repetition * perRepetition + place
        let isOurs = index < points.count
        let title = isOurs ? points[index].title : trials[index - points.count].title
        progress(done, design.repetitions * perRepetition, "repetition \(repetition + 1), \(title)")
        // Idle threads of the last slice spin for milliseconds before they sleep.
        usleep(20_000)
        if isOurs {
          try measure(points[index], into: &records[index])
        } else {
          let times = try trials[index - points.count].ask(design)
          medians[index - points.count].merge(times.mapValues { [Samples($0).median] }) { $0 + $1 }
        }
      }
    }
    return ScalingStudy(
      model: design.model.name, mode: design.mode, batchSize: design.batchSize, repetitions: design.repetitions,
      seed: design.seed, machine: machine,
      points: points.indices.map { point(points[$0], records[$0], memory[$0]) },
      peers: peers.map { peer in
        ScalingStudy.Peer(
          name: peer.name, allocator: peer.allocator,
          points: trials.indices.filter { trials[$0].peer === peer }.map { trials[$0].point(design, medians[$0]) })
      })
  }

  /// Measures one slice of steps, from the start.
  private func measure(_ point: ScalingDesign.Point, into record: inout Record) throws {
    let run = try StepRun(point.plan, point.parallel, data)
    for _ in 0..<Self.warmUp { try run.step() }
    let hash = WeightsHash.of(run.training.parameters, plan: point.plan)
    if !record.hashes.contains(hash) { record.hashes.append(hash) }
    _ = try Timing.samples(seconds: design.seconds / 4, run.step)

    let clock = ContinuousClock()
    var times: [Double] = []
    var total = 0.0
    let processor = Self.processorSeconds
    while total < design.seconds || times.count < Self.fewestSteps {
      let start = clock.now
      try run.step()
      let seconds = (clock.now - start) / .seconds(1)
      record.parts.add(step: seconds, workers: run.training.times)
      times.append(seconds)
      total += seconds
    }
    record.seconds.append(Samples(times).median)
    record.processorSeconds.append((Self.processorSeconds - processor) / Double(times.count))
  }

  /// The processor time of all threads of this program so far.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func point(
    _ point: ScalingDesign.Point, _ record: Record, _ memory: ScalingStudy.Memory
  ) -> ScalingStudy.Point {
    ScalingStudy.Point(
      workers: point.parallel.workers, threads: point.parallel.threads, batchSize: point.plan.batchSize,
      shards: point.plan.shards, seconds: record.seconds, processorSeconds: record.processorSeconds,
      parts: record.parts.mean, memory: memory,
      weightsHash: record.hashes.joined(separator: "/"))
  }
}

extension ScalingDesign.Point {
  /// The division as `workers x threads`.
  var title: String { "\(parallel.workers) x \(parallel.threads)" }
}

/// The sums over steps of the times of the mean worker, in seconds.
struct PartSums {
  private var steps = 0.0
  private var step = 0.0
  private var shards = 0.0
  private var slowestShards = 0.0
  private var products = 0.0
  private var sums = 0.0
  private var updates = 0.0

  mutating func add(step seconds: Double, workers: [WorkerTimes]) {
    func mean(_ part: (WorkerTimes) -> UInt64) -> Double {
      Double(workers.reduce(0) { $0 + part($1) }) / Double(workers.count) / 1e9
    }
    steps += 1
    step += seconds
    shards += mean(\.shards)
    slowestShards += Double(workers.map(\.shards).max() ?? 0) / 1e9
    products += mean(\.products)
    sums += mean(\.sums)
    updates += mean(\.updates)
  }

  /// The parts of the mean step, of at least one.
  var mean: ScalingStudy.Parts {
    ScalingStudy.Parts(
      forwardBackward: shards / steps, products: products / steps, reduction: sums / steps, update: updates / steps,
      waiting: (step - shards - products - sums - updates) / steps, imbalance: slowestShards / shards - 1)
  }
}
