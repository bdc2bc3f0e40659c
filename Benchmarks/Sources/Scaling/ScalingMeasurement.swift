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
    var parts = PartSums()
    /// The hashes of the weights as they were met, each once.
    var hashes: [String] = []

    mutating func add(_ slice: StepSlice) {
      seconds.append(Samples(slice.seconds).median)
      parts.add(slice.parts)
      if !hashes.contains(slice.weightsHash) { hashes.append(slice.weightsHash) }
    }

    var hash: String { hashes.joined(separator: "/") }
  }

  /// The number of steps from the start that are not measured; the weights after them are compared.
  static let warmUp = 3
  /// The fewest steps of a slice, even where they take longer than it should.
  static let fewestSteps = 5

  private let design: ScalingDesign
  private let data: Dataset
  private let peers: [ScalingPeer]
  private let resident: (ScalingDesign.Point) throws -> Int
  private let launch: (ScalingDesign.ProcessPoint, Double) throws -> StepSlice
  private let network: (ScalingDesign.ProcessPoint) throws -> NetworkResult

  /// - Parameters:
  ///   - resident: measures the bytes of a process that trains with a point alone.
  ///   - launch: measures a slice of so many seconds in processes of its own.
  ///   - network: measures the messages between these processes.
  init(
    _ design: ScalingDesign, peers: [ScalingPeer] = [],
    resident: @escaping (ScalingDesign.Point) throws -> Int = ResidentMemory.measure,
    launch: @escaping (ScalingDesign.ProcessPoint, Double) throws -> StepSlice = ProcessSlice.measure,
    network: @escaping (ScalingDesign.ProcessPoint) throws -> NetworkResult = ProcessSlice.network
  ) throws {
    (self.design, self.peers, self.resident) = (design, peers, resident)
    (self.launch, self.network) = (launch, network)
    let largest = design.points.map(\.plan.batchSize).max() ?? 1
    data = try StepRun.images(for: design.model, batchSize: largest)
  }

  /// Measures all points.
  ///
  /// - Parameter progress: called with the slices done, the number of slices, and the name of the next.
  func study(
    on machine: MachineBlock, progress: (_ done: Int, _ of: Int, _ next: String) -> Void = { _, _, _ in }
  ) throws -> ScalingStudy {
    let (points, processes) = (design.points, design.processes)
    let trials = peers.flatMap { $0.trials(design) }
    let perRepetition = points.count + processes.count + trials.count
    var records = Array(repeating: Record(), count: points.count + processes.count)
    var medians = Array(repeating: [String: [Double]](), count: trials.count)
    let memory = try points.map { point in
      progress(0, design.repetitions * perRepetition, "memory of \(point.title)")
      return ScalingStudy.Memory(
        plannedBytes: PlannedMemory(training: point.plan, parallel: point.parallel).total,
        residentBytes: try resident(point))
    }
    let networks = try processes.map { point in
      progress(0, design.repetitions * perRepetition, "messages between \(point.processes) processes")
      return point.processes > 1 ? try network(point) : nil
    }
    for repetition in 0..<design.repetitions {
      for (place, index) in design.order(of: perRepetition, repetition: repetition).enumerated() {
        let done = repetition * perRepetition + place
        let (process, trial) = (index - points.count, index - points.count - processes.count)
        let title =
          process < 0
          ? points[index].title : trial < 0 ? "\(processes[process].processes) processes" : trials[trial].title
        progress(done, design.repetitions * perRepetition, "repetition \(repetition + 1), \(title)")
        // Idle threads of the last slice spin for milliseconds before they sleep.
        usleep(20_000)
        if process < 0 {
          let point = points[index]
          records[index].add(try StepSlice(point.plan, point.parallel, data, seconds: design.seconds))
        } else if trial < 0 {
          records[index].add(try launch(processes[process], design.seconds))
        } else {
          let times = try trials[trial].ask(design)
          medians[trial].merge(times.mapValues { [Samples($0).median] }) { $0 + $1 }
        }
      }
    }
    return ScalingStudy(
      model: design.model.name, mode: design.mode, batchSize: design.batchSize, repetitions: design.repetitions,
      seed: design.seed, machine: machine,
      points: points.indices.map { point(points[$0], records[$0], memory[$0]) },
      processes: processes.indices.map { point(processes[$0], records[points.count + $0], networks[$0]) },
      peers: peers.map { peer in
        ScalingStudy.Peer(
          name: peer.name, allocator: peer.allocator,
          points: trials.indices.filter { trials[$0].peer === peer }.map { trials[$0].point(design, medians[$0]) })
      })
  }

  private func point(
    _ point: ScalingDesign.Point, _ record: Record, _ memory: ScalingStudy.Memory
  ) -> ScalingStudy.Point {
    ScalingStudy.Point(
      workers: point.parallel.workers, threads: point.parallel.threads, batchSize: point.plan.batchSize,
      shards: point.plan.shards, seconds: record.seconds, parts: record.parts.mean, memory: memory,
      weightsHash: record.hash)
  }

  private func point(
    _ point: ScalingDesign.ProcessPoint, _ record: Record, _ network: NetworkResult?
  ) -> ScalingStudy.ProcessPoint {
    ScalingStudy.ProcessPoint(
      processes: point.processes, workers: point.parallel.workers, batchSize: point.plan.batchSize,
      shards: point.plan.shards, seconds: record.seconds, exchange: record.parts.exchangeShare,
      weightsHash: record.hash,
      network: network)
  }
}

extension ScalingDesign.Point {
  /// The division as `workers x threads`.
  var title: String { "\(parallel.workers) x \(parallel.threads)" }
}

/// The sums over steps of the times of the mean worker, in seconds.
struct PartSums: Codable {
  private var steps = 0.0
  private var step = 0.0
  private var shards = 0.0
  private var slowestShards = 0.0
  private var products = 0.0
  private var sums = 0.0
  private var updates = 0.0
  private var exchange = 0.0

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
    exchange += Double(workers[0].exchange) / 1e9
  }

  /// Adds the steps of other sums.
  mutating func add(_ other: PartSums) {
    for part in [\PartSums.steps, \.step, \.shards, \.slowestShards, \.products, \.sums, \.updates, \.exchange] {
      self[keyPath: part] += other[keyPath: part]
    }
  }

  /// The part of the steps in which the first worker exchanges messages with other processes and waits for theirs.
  var exchangeShare: Double { exchange / step }

  /// The parts of the mean step, of at least one.
  var mean: ScalingStudy.Parts {
    ScalingStudy.Parts(
      forwardBackward: shards / steps, products: products / steps, reduction: sums / steps, update: updates / steps,
      waiting: (step - shards - products - sums - updates) / steps, imbalance: slowestShards / shards - 1)
  }
}
