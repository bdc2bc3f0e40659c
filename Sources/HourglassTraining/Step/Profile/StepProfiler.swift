import CLimits
import Dispatch
import HourglassData
import HourglassModels

/// The clocks of all workers, and how much work they timed.
struct StepProfiler: Sendable {
  /// What a worker reaches while all others do the same.
  struct Peak: BitwiseCopyable, Sendable {
    /// Multiply-adds in registers, in GFLOP/s.
    var multiplyAdd = 0.0
    /// Reading two arrays in memory and writing a third, in GB/s.
    var triad = 0.0
  }

  /// What the timed steps had to do.
  struct Load: Sendable, Equatable {
    var steps = 0
    var minibatches = 0
    var shards = 0
    var samples = 0
    var nanoseconds: UInt64 = 0
  }

  let clocks: [WorkerClock]
  let peaks: AlignedBuffer<Peak>
  private(set) var load = Load()
  private let plan: ExecutionPlan
  private let parallel: ParallelPlan
  private var start: UInt64 = 0
  private var isWarm = false

  init(plan: ExecutionPlan, parallel: ParallelPlan) {
    (self.plan, self.parallel) = (plan, parallel)
    clocks = (0..<parallel.workers).map { _ in WorkerClock(layers: plan.uses.count) }
    peaks = AlignedBuffer(count: parallel.workers)
  }

  /// Begins a step. The first one, whose time is not typical, is forgotten as soon as there is a second.
  mutating func begin() {
    if load.steps == 1, !isWarm {
      isWarm = true
      load = Load()
      for clock in clocks { clock.clear() }
    }
    start = DispatchTime.now().uptimeNanoseconds
  }

  /// Ends a step of so many samples.
  mutating func end(samples: Int) {
    let (full, rest) = samples.quotientAndRemainder(dividingBy: plan.batchSize)
    load.steps += 1
    load.minibatches += full + (rest > 0 ? 1 : 0)
    load.shards += full * plan.shards(of: plan.batchSize) + plan.shards(of: rest)
    load.samples += samples
    load.nanoseconds += DispatchTime.now().uptimeNanoseconds - start
  }

  /// To be called once by each worker, all at the same time: about a tenth of a second.
  func measurePeak(of worker: Int) {
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    let isa = RunEnvironment.instructionSetName
    let threads = parallel.threads
    peaks[worker].multiplyAdd = median(PeakMeter(isa: isa, threads: threads).samples(32))
    // Beyond the caches of most machines, without asking too much of a small one.
    let bytes = min(256 << 20, Int(clamping: GrantedMemory.bytes / 8)) / (parallel.workers * threads)
    let memory = FloatBuffer(count: threads * (bytes / 4))
    peaks[worker].triad =
      median(
        (0..<5).map { _ in PeakMeter.rate(1) { limits_triad(isa, threads, bytes / 4, $0, memory.pointer) } }) / 1e9
  }
}
