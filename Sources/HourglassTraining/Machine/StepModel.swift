import Glibc
import HourglassModels

/// A model of what the parts of a training step cost on a machine, and how long a step takes that hands them out.
///
///     serial part, then phase 1: workers wake each other (`WorkerTeam`); each takes turns of shards from one counter
///                  and prepares weights before its first; all wait for the last
///                  then phase 2: the same with slices of the flat vector
///
/// Every hand-out is followed in time, so that uneven divisions are seen.
package struct StepModel: Encodable {
  /// The costs of parts, in seconds of a core.
  package struct Rates: Encodable {
    /// Forward and backward of one sample.
    package var sample: Double
    /// A multiply-add of a dense gradient, in a slice of many rows.
    package var product: Double
    /// A float read or written where shards' gradients are added.
    package var sum: Double
    /// A parameter's update.
    package var update: Double

    package init(sample: Double, product: Double, sum: Double, update: Double) {
      (self.sample, self.product, self.sum, self.update) = (sample, product, sum, update)
    }
  }

  /// The rates of the only core at work, and of a core beside others.
  package var alone, together: Rates
  /// How many rows more a dense gradient's slice seems to have.
  package var fewRows: Double
  /// The part of a worker's samples and products that gains nothing from threads (Amdahl 1967).
  package var unthreaded: Double
  /// The seconds of the caller alone, in each step.
  package var serial: Double
  /// The bytes that each worker moves to prepare its weights, a float read for a float written.
  package var preparedBytes: Double
  /// The seconds from a worker's signal until it works, and the seconds that each signal takes of who gives it.
  package var latency, signal: Double
  /// The scale of the logistic distribution that relative differences between workers follow.
  package var spread: Double
  /// The bandwidth of one core and of all, in bytes a second.
  package var bandwidth, ceiling: Double
  /// The bytes of the last cache, which serves every core at least as fast as memory serves one.
  package var lastCache: Double

  package init(
    alone: Rates, together: Rates, fewRows: Double, unthreaded: Double, serial: Double, preparedBytes: Double,
    latency: Double,
    signal: Double, spread: Double, bandwidth: Double, ceiling: Double, lastCache: Double
  ) {
    (self.alone, self.together, self.fewRows) = (alone, together, fewRows)
    (self.unthreaded, self.serial) = (unthreaded, serial)
    (self.preparedBytes, self.latency, self.signal, self.spread) = (preparedBytes, latency, signal, spread)
    (self.bandwidth, self.ceiling, self.lastCache) = (bandwidth, ceiling, lastCache)
  }

  /// The parts of a simulated step, in seconds of the mean worker.
  package struct Step: Encodable {
    package var workers: Int
    package var threads: Int
    package var seconds: Double
    /// Work on samples and parameters, at the rates of a core alone, divided by the threads.
    package var work = 0.0
    /// The extra time of this work because other cores are at work too.
    package var crowding = 0.0
    /// The extra time of this work because threads of a worker do not share all of it.
    package var threading = 0.0
    /// Every worker's own copy of the filters, brought into order.
    package var preparation = 0.0
    /// Reading the matrices of dense layers in each turn, as far as arithmetic does not hide it.
    package var matrices = 0.0
    /// The extra time of sums and updates because memory cannot serve all cores.
    package var memory = 0.0
    package var wakeUps = 0.0
    package var lastShard = 0.0
    package var lastSlice = 0.0
    package var serial = 0.0
  }

  /// The simulated step of a plan.
  package func step(_ plan: ExecutionPlan, workers: Int, threads: Int = 1) -> Step {
    var step = Step(workers: workers, threads: threads, seconds: serial)
    step.serial = serial
    let (rates, ideal) = (workers * threads == 1 ? alone : together, 1 / Double(threads))
    let threaded = unthreaded + (1 - unthreaded) * ideal

    let perTurn = TrainingStep.shardsPerTurn(plan: plan, workers: workers)
    let used = plan.shards(of: plan.batchSize)
    let turns = stride(from: 0, to: used, by: perTurn).map { first in
      Double(plan.samples(of: first..<min(first + perTurn, used), in: plan.batchSize).count)
    }
    let dense = DenseWork(plan)
    let reader = bandwidth * Double(threads)
    let share = dense.isHeld(by: lastCache) ? reader : min(reader, ceiling / Double(min(workers, turns.count)))
    var isPrepared = Array(repeating: false, count: workers)
    let factors = (0..<workers).map { 1 + spread * Self.quantile($0, of: workers) }
    let shards = handOut(turns.count, to: workers) { turn, worker in
      let one = turns[turn] * rates.sample * factors[worker]
      let compute = one * threaded
      let reading = max(0, dense.bytes / share - compute * dense.share)
      let preparing = isPrepared[worker] ? 0 : preparedBytes / bandwidth
      isPrepared[worker] = true
      step.work += turns[turn] * alone.sample * ideal
      step.crowding += (one - turns[turn] * alone.sample) * ideal
      step.threading += compute - one * ideal
      step.preparation += preparing
      step.matrices += reading
      return compute + reading + preparing
    }

    let pieces = TrainingStep.slices(of: plan, workers: workers)
    let (updating, adding) = (min(workers, pieces.count), min(workers, pieces.count { $0.rows == 0 }))
    let slices = handOut(pieces.count, to: workers) { index, _ in
      let (parameters, rows) = (Double(pieces[index].parameters), Double(pieces[index].rows))
      func seconds(_ rates: Rates, threaded: Double = 1, updating: Int = 0, adding: Int = 0) -> Double {
        let update = parameters * rates.update * stretch(Self.updateBytes / rates.update, updating)
        if rows > 0 {
          return parameters * Double(plan.batchSize) * rates.product * (1 + fewRows / rows) * threaded + update
        }
        return parameters * Double(used + 1) * rates.sum * stretch(Self.floatBytes / rates.sum, adding) + update
      }
      let (lone, crowded) = (seconds(alone), seconds(rates))
      let unstretched = seconds(rates, threaded: threaded)
      let stretched = seconds(rates, threaded: threaded, updating: updating, adding: adding)
      step.work += lone * ideal
      step.crowding += (crowded - lone) * ideal
      step.threading += unstretched - crowded * ideal
      step.memory += stretched - unstretched
      return stretched
    }

    for part in [\Step.work, \.crowding, \.threading, \.preparation, \.matrices, \.memory] {
      step[keyPath: part] /= Double(workers)
    }
    (step.lastShard, step.lastSlice) = (shards.waiting, slices.waiting)
    step.wakeUps = shards.waking + slices.waking
    step.seconds += shards.seconds + slices.seconds
    return step
  }

  /// The bytes of a float. A gradient's float is read or written once; an update reads and writes a parameter and two
  /// moments.
  package static let floatBytes = 4.0
  package static let updateBytes = 24.0

  /// How many times longer moving bytes takes when `cores` cores do it, each wanting `demand` bytes a second.
  private func stretch(_ demand: Double, _ cores: Int) -> Double {
    max(1, Double(cores) * min(demand, bandwidth) / ceiling)
  }

  /// The place of one of several workers in the standard logistic distribution.
  package static func quantile(_ worker: Int, of workers: Int) -> Double {
    let below = (Double(worker) + 0.5) / Double(workers)
    return log(below / (1 - below))
  }

  /// When each worker begins to work in a phase, which the caller begins at 0.
  private func starts(_ workers: Int) -> [Double] {
    var starts = Array(repeating: 0.0, count: workers)
    for worker in 0..<workers {
      for next in WorkerTeam.wakes(worker, of: workers) {
        starts[worker] += signal
        starts[next] = starts[worker] + latency
      }
    }
    return starts
  }

  /// Simulates a phase: pieces 0, 1, ... go to the worker that is free first, and the last one to finish wakes the
  /// caller, where that is another. Waking and waiting are the mean worker's.
  private func handOut(
    _ pieces: Int, to workers: Int, seconds: (_ piece: Int, _ worker: Int) -> Double
  ) -> (seconds: Double, waking: Double, waiting: Double) {
    let (count, starts) = (Double(workers), starts(workers))
    var free = starts
    for piece in 0..<pieces {
      guard let worker = free.indices.min(by: { free[$0] < free[$1] }) else { break }
      free[worker] += seconds(piece, worker)
    }
    let (end, waking) = (free.max() ?? 0, latency * (1 - 1 / count))
    return (
      end + waking, starts.reduce(0, +) / count + waking, free.reduce(0) { $0 + end - $1 } / count
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

extension StepModel.Step {
  /// The largest loss, as a clause.
  package func limit(_ plan: ExecutionPlan) -> String {
    let used = plan.shards(of: plan.batchSize)
    let shards = "\(used) shard\(used == 1 ? "" : "s")"
    let last =
      if workers > used {
        "waits for others: \(shards) feed \(used) of \(workers) workers"
      } else if used % workers != 0 {
        "waits for the last shard: \(shards) over \(workers) workers"
      } else {
        "waits for the slowest worker"
      }
    let losses = [
      (crowding, "is lost, as cores beside others are slower than one alone"),
      (threading, "is lost, as threads of a worker do not share all of its work"),
      (preparation, "goes into filters that every worker prepares for itself"),
      (matrices, "goes into reading the matrices of dense layers, once for every turn of shards"),
      (memory, "waits for memory in sums and updates"), (wakeUps, "passes before workers are awake"),
      (lastShard, last), (lastSlice, "waits for the last slice of sums and updates"),
      (serial, "is work of the caller alone"),
    ]
    guard let (loss, clause) = losses.max(by: { $0.0 < $1.0 }), loss >= 0.01 * seconds else {
      return "no loss takes more than 1 % of the step"
    }
    return "\(decimal(100 * loss / seconds, 0)) % of the step \(clause)"
  }
}

extension StepModel {
  /// The costs of a plan on cores like those that were measured: two of an EPYC of the fifth generation (Zen 5) with
  /// AVX-512 on a virtual machine, conv-vae-28, conv-ae-28 and conv-ae-32 at batch 128 by `bench scaling`. On slower
  /// cores arithmetic takes longer beside all else, so that they scale better.
  package init(reference plan: ExecutionPlan) {
    let products = TrainingStep.slices(of: plan, workers: 1).reduce(0) { $0 + ($1.rows > 0 ? $1.parameters : 0) }
    let flops = max(0, ModelSummary(plan).trainingFlops - 2 * products)
    let rates = Rates(sample: Double(flops) / 230e9, product: 9.3e-12, sum: 0.15e-9, update: 0.48e-9)
    self.init(
      alone: rates, together: rates, fewRows: Self.fewRows, unthreaded: Self.unthreaded,
      serial: 8e-6 + 25e-9 * Double(plan.batchSize),
      preparedBytes: 2 * Self.floatBytes * Double(plan.preparedFloats), latency: 20e-6, signal: 7e-6, spread: 0.01,
      bandwidth: 30e9, ceiling: Self.assumedCeiling, lastCache: Self.lastCache)
  }

  /// The bytes of the last cache that a few cores share.
  static let lastCache = 32e6
  /// The bandwidth of a socket with eight channels of DDR4-3200, in bytes a second, which is assumed where the measured
  /// cores do not exhaust their memory.
  package static let assumedCeiling = 200e9
  /// With it 8 rows of a slice take 1.4 times as long for each multiply-add as 48 (`bench kernels "n512 i8 o256 dense
  /// backward-weight"`).
  package static let fewRows = 4.0
  /// With this part two threads do the work of 1.79 (`bench scaling`: one worker of two threads over one of one
  /// thread).
  package static let unthreaded = 0.12
}
