import Foundation
import HourglassModels
import HourglassTraining

/// A model of what the parts of a training step cost on a machine, and how long a step takes that hands them out.
///
///     serial part, then phase 1: the caller wakes the others one by one; each takes turns of shards from one counter
///                  and prepares weights before its first; all wait for the last
///                  then phase 2: the same with slices of the flat vector
///
/// Every hand-out is followed in time, so that uneven divisions are seen.
struct StepModel: Encodable {
  /// The costs of parts, in seconds of a core.
  struct Rates: Encodable {
    /// Forward and backward of one sample.
    var sample: Double
    /// A multiply-add of a dense gradient.
    var product: Double
    /// A float read or written where shards' gradients are added.
    var sum: Double
    /// A parameter's update.
    var update: Double
  }

  /// The rates of the only core at work, and of a core beside others.
  var alone, together: Rates
  /// The seconds of the caller alone, in each step.
  var serial: Double
  /// The bytes that each worker moves to prepare its weights, a float read for a float written.
  var preparedBytes: Double
  /// The seconds from a worker's signal until it works, and the caller's seconds for each signal.
  var latency, signal: Double
  /// The scale of the logistic distribution that relative differences between workers follow.
  var spread: Double
  /// The bandwidth of one core and of all, in bytes a second.
  var bandwidth, ceiling: Double
  /// The bytes of the last cache, which serves every core at least as fast as memory serves one.
  var lastCache: Double

  /// The parts of a simulated step, in seconds of the mean worker.
  struct Step: Encodable {
    var workers: Int
    var seconds: Double
    /// Work on samples and parameters, at the rates of a core alone.
    var work = 0.0
    /// The extra time of this work because other cores are at work too.
    var crowding = 0.0
    /// Every worker's own copy of the filters, brought into order.
    var preparation = 0.0
    /// Reading the matrices of dense layers in each turn, as far as arithmetic does not hide it.
    var matrices = 0.0
    /// The extra time of sums and updates because memory cannot serve all cores.
    var memory = 0.0
    var wakeUps = 0.0
    var lastShard = 0.0
    var lastSlice = 0.0
    var serial = 0.0
  }

  /// The simulated step of a plan.
  ///
  /// - Parameter workers: how many workers there are, with one thread each.
  func step(_ plan: ExecutionPlan, workers: Int) -> Step {
    var step = Step(workers: workers, seconds: serial)
    step.serial = serial
    let rates = workers == 1 ? alone : together

    let perTurn = TrainingStep.shardsPerTurn(plan: plan, workers: workers)
    let used = (plan.batchSize + plan.samplesPerShard - 1) / plan.samplesPerShard
    let turns = stride(from: 0, to: used, by: perTurn).map { first in
      Double(plan.samples(of: first..<min(first + perTurn, used), in: plan.batchSize).count)
    }
    let dense = DenseWork(plan)
    let share = dense.isHeld(by: lastCache) ? bandwidth : min(bandwidth, ceiling / Double(min(workers, turns.count)))
    var isPrepared = Array(repeating: false, count: workers)
    let factors = (0..<workers).map { 1 + spread * Self.quantile($0, of: workers) }
    let shards = handOut(turns.count, to: workers) { turn, worker in
      let compute = turns[turn] * rates.sample * factors[worker]
      let reading = max(0, dense.bytes / share - compute * dense.share)
      let preparing = isPrepared[worker] ? 0 : preparedBytes / bandwidth
      isPrepared[worker] = true
      step.work += turns[turn] * alone.sample
      step.crowding += compute - turns[turn] * alone.sample
      step.preparation += preparing
      step.matrices += reading
      return compute + reading + preparing
    }

    let pieces = TrainingStep.slices(of: plan)
    let (updating, adding) = (min(workers, pieces.count), min(workers, pieces.count { !$0.isProduct }))
    let slices = handOut(pieces.count, to: workers) { index, _ in
      let parameters = Double(pieces[index].parameters)
      func seconds(_ rates: Rates, updating: Int, adding: Int) -> Double {
        let update = parameters * rates.update * stretch(Self.updateBytes / rates.update, updating)
        if pieces[index].isProduct { return parameters * Double(plan.batchSize) * rates.product + update }
        return parameters * Double(used + 1) * rates.sum * stretch(Self.floatBytes / rates.sum, adding) + update
      }
      let lone = seconds(alone, updating: 0, adding: 0)
      let crowded = seconds(rates, updating: 0, adding: 0)
      let stretched = seconds(rates, updating: updating, adding: adding)
      step.work += lone
      step.crowding += crowded - lone
      step.memory += stretched - crowded
      return stretched
    }

    for part in [\Step.work, \.crowding, \.preparation, \.matrices, \.memory] { step[keyPath: part] /= Double(workers) }
    (step.lastShard, step.lastSlice) = (shards.waiting, slices.waiting)
    step.wakeUps = shards.waking + slices.waking
    step.seconds += shards.seconds + slices.seconds
    return step
  }

  /// The bytes of a float. A gradient's float is read or written once; an update reads and writes a parameter and two
  /// moments.
  private static let floatBytes = 4.0
  static let updateBytes = 24.0

  /// How many times longer moving bytes takes when `cores` cores do it, each wanting `demand` bytes a second.
  private func stretch(_ demand: Double, _ cores: Int) -> Double {
    max(1, Double(cores) * min(demand, bandwidth) / ceiling)
  }

  /// The place of one of several workers in the standard logistic distribution.
  static func quantile(_ worker: Int, of workers: Int) -> Double {
    let below = (Double(worker) + 0.5) / Double(workers)
    return log(below / (1 - below))
  }

  /// Simulates a phase: pieces 0, 1, ... go to the worker that is free first. Waking and waiting are the mean worker's.
  private func handOut(
    _ pieces: Int, to workers: Int, seconds: (_ piece: Int, _ worker: Int) -> Double
  ) -> (seconds: Double, waking: Double, waiting: Double) {
    let others = Double(workers - 1)
    let starts = (0..<workers).map { $0 == 0 ? others * signal : Double($0) * signal + latency }
    var free = starts
    for piece in 0..<pieces {
      guard let worker = free.indices.min(by: { free[$0] < free[$1] }) else { break }
      free[worker] += seconds(piece, worker)
    }
    let end = free.max() ?? 0
    return (
      end, starts.reduce(0, +) / Double(workers), free.reduce(0) { $0 + end - $1 } / Double(workers)
    )
  }

  /// The work of a model's dense layers in phase 1.
  private struct DenseWork {
    /// Their share of the flops of forward and backward.
    let share: Double
    /// The bytes of their matrices, read once forward and once back in each turn.
    let bytes: Double

    /// Whether all matrices stay in half of a cache from turn to turn.
    func isHeld(by cache: Double) -> Bool { bytes / 2 <= cache / 2 }

    init(_ plan: ExecutionPlan) {
      var (dense, all, bytes) = (0.0, 0.0, 0.0)
      for (index, use) in plan.uses.enumerated() {
        let (layer, isDense) = (use.layer, use.layer.parameterCount > 0 && !use.isSharded)
        // The passes are forward, data gradients behind the first layer, and filter gradients but of dense layers,
        // whose gradients belong to phase 2.
        let passes = 1 + (index == 0 ? 0 : 1) + (isDense ? 0 : 1)
        all += Double(passes * layer.multiplyAdds)
        if isDense {
          dense += Double(passes * layer.multiplyAdds)
          bytes += StepModel.floatBytes * Double(passes * layer.multiplyAdds)
        }
      }
      (share, self.bytes) = (all > 0 ? dense / all : 0, bytes)
    }
  }
}

extension StepModel {
  /// Calibrates with the points 1 x 1 and 2 x 1 of a study; nil where one of them is missing.
  ///
  /// Parts are means over steps, scaled to the median step, which is to be predicted. With forward and backward F,
  /// waiting W and imbalance I, a sample takes (F - preparation) / samples, the caller alone W(1), and a wake-up half
  /// of W(2) - W(1) - I F(2), because a step has two of them.
  init?(_ study: ScalingStudy, model: Autoencoder) throws {
    func point(_ workers: Int) -> ScalingStudy.Point? {
      study.points.first { $0.workers == workers && $0.threads == 1 && study.isGranted($0) }
    }
    guard let one = point(1), let two = point(2), let triad = study.machine.bandwidth.first, triad > 0 else {
      return nil
    }
    let plan = try ExecutionPlan(model, batchSize: one.batchSize, shards: one.shards)
    bandwidth = triad * 1e9
    ceiling = Self.ceiling(study.machine)
    lastCache = Double(study.machine.caches.last ?? 0)
    preparedBytes = 2 * Self.floatBytes * Double(plan.preparedFloats)
    let preparation = preparedBytes / bandwidth
    func rates(_ point: ScalingStudy.Point, _ parts: ScalingStudy.Parts) throws -> Rates {
      let plan = try ExecutionPlan(model, batchSize: point.batchSize, shards: point.shards)
      let (samples, workers) = (Double(point.batchSize), Double(point.workers))
      let slices = TrainingStep.slices(of: plan)
      let products = Double(slices.filter(\.isProduct).reduce(0) { $0 + $1.parameters })
      let sums = Double(slices.filter { !$0.isProduct }.reduce(0) { $0 + $1.parameters })
      return Rates(
        sample: workers * (parts.forwardBackward - preparation) / samples,
        product: products > 0 ? workers * parts.products / (products * samples) : 0,
        sum: workers * parts.reduction / (sums * Double(plan.shards + 1)),
        update: workers * parts.update / (products + sums))
    }
    let (lone, both) = (one.medianParts, two.medianParts)
    (alone, together) = (try rates(one, lone), try rates(two, both))
    serial = max(0, lone.waiting)
    let waking = max(0, both.waiting - serial - both.imbalance * both.forwardBackward) / 2
    signal = min(waking, Self.mostSignal)
    latency = waking - signal
    spread = both.imbalance / Self.quantile(1, of: 2)
  }

  /// The most seconds of a system call that wakes a thread; the rest of a measured wake-up is the way to the other
  /// core.
  static let mostSignal = 3e-6
  /// The bandwidth of a socket with eight channels of DDR4-3200, in bytes a second, which is assumed where the measured
  /// cores do not exhaust their memory.
  static let assumedCeiling = 200e9

  /// Whether all measured cores together get distinctly less than each of them alone.
  static func isSaturated(_ machine: MachineBlock) -> Bool {
    guard let one = machine.bandwidth.first, let all = machine.bandwidth.last else { return false }
    return all < 0.8 * one * Double(machine.grantedCores)
  }

  private static func ceiling(_ machine: MachineBlock) -> Double {
    let measured = (machine.bandwidth.max() ?? 0) * 1e9
    return isSaturated(machine) ? measured : max(measured, assumedCeiling)
  }
}

extension ScalingStudy.Point {
  /// The parts of the mean step, scaled to the median step.
  fileprivate var medianParts: ScalingStudy.Parts {
    let scale = Samples(seconds).median / parts.step
    return ScalingStudy.Parts(
      forwardBackward: scale * parts.forwardBackward, products: scale * parts.products,
      reduction: scale * parts.reduction, update: scale * parts.update, waiting: scale * parts.waiting,
      imbalance: parts.imbalance)
  }
}
