import Dispatch
import Glibc
import HourglassBase
import HourglassData
import HourglassModels

/// What the workers of a training step do, phase by phase: all that they share, and the loops in which they take what
/// is left.
struct StepWork: Sendable {
  enum Phase: Int {
    /// Once, before the first step: each worker is the first to write the memory it will use.
    case start
    /// Forward and back through shards.
    case shards
    /// Sums and updates.
    case slices
    /// Sums alone: for all minibatches of a step but the last, and with squares in place of `slices` where gradients
    /// are clipped, before updates.
    case sums
    case updates
    /// Once, where steps are profiled: what the machine reaches at most.
    case peak
  }

  /// What the phases need to know of the minibatch at hand.
  struct Current: BitwiseCopyable {
    var step = 0
    /// Samples of the minibatch, and of the minibatches before it in the step.
    var count = 0
    var samplesBefore = 0
    /// The runs of the minibatch's shards that this process takes, and all processes of its node.
    var firstShard = 0
    var endShard = 0
    var firstShardOfNode = 0
    var endShardOfNode = 0
    /// Samples of the whole step.
    var samples = 0
    var seed: UInt64 = 0
    var beta: Float = 1
    var freeBits: Float = 0
    var capacity: Float?
    /// Workers take what is left in ever smaller parts, not all at once.
    var isGuided = false
    /// Factor of the summed gradient: one over the samples, times the factor of clipping.
    var scale: Float = 1
    var learningRate: Float = 0
    /// Nil for the optimiser's own.
    var momentum: Float?

    var mode: Replica.Mode {
      Replica.Mode(
        noise: .training(seed: seed, step: step), beta: beta, freeBits: freeBits, capacity: capacity,
        samplesBefore: samplesBefore)
    }
  }

  let plan: ExecutionPlan
  let parallel: ParallelPlan
  let clips: Bool
  /// Shards that a worker takes at a time.
  let turn: Int
  let data: Dataset
  let shared: SharedMemory
  let replicas: [Replica]
  let reducer: GradientReducer
  let cores: WorkerCores
  let profiler: StepProfiler?
  /// Nil where one process trains.
  let exchange: StepExchange?
  let current = AlignedBuffer<Current>(count: 1)
  /// Items of the minibatch's samples.
  let indices: AlignedBuffer<Int32>
  let clocks: AlignedBuffer<WorkerTimes>
  let failures = FirstReadFailure()
  /// The counters of shards, of slices, and of slices that are updated apart.
  private let counters: [WorkCounter]

  init(
    plan: ExecutionPlan, parallel: ParallelPlan, optimizer: Optimizer, clips: Bool, clipValue: Float?,
    averageDecay: Float?,
    augmentation: Augmentation?, corruption: Corruption?, missing: Float?, standardization: Standardization?,
    labelSmoothing: Float, data: Dataset, keepsGradient: Bool, profiles: Bool, transport: (any Transport)?
  ) throws {
    (self.plan, self.parallel, self.clips, self.data) = (plan, parallel, clips, data)
    let team = try transport.map { try NodeTeam($0) }
    let shared =
      try team.map { try SharedMemory(plan: plan, team: $0) }
      ?? SharedMemory(plan: plan, parameters: FloatBuffer(unwritten: plan.parameterCount))
    let turn = TrainingStep.shardsPerTurn(
      plan: plan, workers: parallel.workers, processes: transport?.place.count ?? 1)
    self.turn = turn
    let cores = WorkerCores(parallel)
    let profiler = profiles ? StepProfiler(plan: plan, parallel: parallel) : nil
    replicas = (0..<parallel.workers).map { worker in
      Replica(
        plan: plan, shared: shared, groupSamples: turn * plan.samplesPerShard, parallel: parallel,
        worker: worker, cores: cores, augmentation: augmentation, corruption: corruption,
        hasPairs: data.hasInputs, missing: missing, standardization: standardization, labelSmoothing: labelSmoothing,
        clock: profiler?.clocks[worker])
    }
    let reducer = try GradientReducer(
      plan: plan, shared: shared, optimizer: optimizer, averageDecay: averageDecay, workers: parallel.workers,
      team: team, clips: clips, clipValue: clipValue, keepsGradient: keepsGradient)
    exchange = try team.map { try StepExchange($0, plan: plan, shared: shared, pieces: reducer.chained) }
    counters = [WorkCounter(), team?.counter(0) ?? WorkCounter(), team?.counter(1) ?? WorkCounter()]
    (self.shared, self.reducer, self.cores, self.profiler) = (shared, reducer, cores, profiler)
    indices = AlignedBuffer(count: plan.batchSize)
    clocks = AlignedBuffer(count: parallel.workers)
  }

  /// What one worker does in a phase.
  func perform(_ phase: Phase, worker: Int) {
    switch phase {
    case .start:
      replicas[worker].start()
      shared.clear(plan: plan) { share($0, of: worker) }
      reducer.clear(worker) { share($0, of: worker) }
    case .peak: profiler?.measurePeak(of: worker)
    case .shards: takeShards(worker)
    case .slices, .sums, .updates: takeSlices(worker, phase)
    }
  }

  /// The part of what the workers share that one of them writes first.
  private func share(_ range: Range<Int>, of worker: Int) -> Range<Int> {
    let place = exchange?.team.transport.place
    return range.share(place?.local ?? 0, of: place?.localCount ?? 1).share(worker, of: parallel.workers)
  }

  /// Makes all that is left to take again, before a phase. What the processes of a node share is made so while all of
  /// them are at shards, of which each has its own.
  func reset(_ phase: Phase) {
    counters[0].reset(to: current.pointer[0].firstShard)
    if let exchange {
      guard phase == .shards, exchange.team.transport.place.isFirstOfNode else { return }
      exchange.reset()
    }
    for counter in counters.dropFirst() { counter.reset() }
  }

  /// With fewer rows reading a dense layer's matrix takes as long as computing with it.
  private static let leastSamplesPerGroup = 16

  /// Forward and back through runs of shards, until none is left or an image cannot be read.
  private func takeShards(_ worker: Int) {
    let (now, replica, start) = (current.pointer[0], replicas[worker], DispatchTime.now().uptimeNanoseconds)
    let mode = now.mode
    let gradients = reducer.shardGradients
    let smallestTurn = min(turn, max(1, Self.leastSamplesPerGroup / plan.samplesPerShard))
    var times = now.samplesBefore > 0 ? clocks.pointer[worker] : WorkerTimes()
    var (isPrepared, sums) = (false, UInt64(0))
    while let shards = now.isGuided
      ? counters[0].take(partOf: 2 * parallel.workers, sizes: smallestTurn...turn, below: now.endShard)
      : counters[0].take(turn, below: now.endShard)
    {
      if !isPrepared { replica.prepare(backward: true) }
      isPrepared = true
      let samples = plan.samples(of: shards, in: now.count)
      let before = DispatchTime.now().uptimeNanoseconds
      let failure = replica.fill(samples, from: data, items: indices, mode: mode)
      let filled = DispatchTime.now().uptimeNanoseconds
      times.input += filled - before
      gradients.reserve(
        shards, worker: worker, accumulate: now.samplesBefore > 0, sum: reducer.gradient)
      sums += DispatchTime.now().uptimeNanoseconds - filled
      replica.clock?.lap(.sums)
      if let failure {
        failures.note(failure)
        times.hasFailed = true
        gradients.finish(shards)
        break
      }
      replica.train(samples: samples, mode: mode, gradients: gradients)
      gradients.finish(shards)
    }
    times.finished = DispatchTime.now().uptimeNanoseconds
    times.shards += times.finished - start - sums
    times.sums += sums
    clocks.pointer[worker] = times
  }

  /// Sums and updates of slices of the flat vector, until none is left.
  private func takeSlices(_ worker: Int, _ phase: Phase) {
    let now = current.pointer[0]
    var clock = SliceClock(times: clocks.pointer[worker])
    cores.keepApart(worker)
    replicas[worker].clock?.start()
    if phase == .updates {
      while let slice = counters[2].take(below: reducer.slices.count)?.lowerBound {
        update(slice, worker, now, &clock)
      }
    } else if let exchange, exchange.sendsSums {
      takeSlices(worker, phase, now, exchange, &clock)
    } else {
      while let slice = counters[1].take(below: reducer.slices.count)?.lowerBound {
        sum(slice, worker, now, &clock)
        end(slice, worker, phase, now, &clock)
      }
    }
    clocks.pointer[worker] = clock.times
  }

  /// Sums and updates where nodes exchange sums. A worker takes a partial sum that has come, else a slice that this
  /// node sums alone, else a total.
  private func takeSlices(
    _ worker: Int, _ phase: Phase, _ now: Current, _ exchange: StepExchange, _ clock: inout SliceClock
  ) {
    let isPump = worker == 0 && exchange.team.transport.place.isFirstOfNode
    var pump = StepExchange.Pump()
    let first = reducer.slices.count - reducer.chained.count
    while true {
      if isPump { exchange.turn(&pump, reducer.gradient.pointer) }
      if let piece = exchange.takePartial() {
        sum(reducer.turns[first + piece], worker, now, &clock)
        exchange.finish(piece)
      } else if let turn = counters[1].take(partOf: 1, sizes: 1...1, below: first)?.lowerBound {
        sum(reducer.turns[turn], worker, now, &clock)
        end(reducer.turns[turn], worker, phase, now, &clock)
      } else if let piece = exchange.takeTotal() {
        end(reducer.turns[first + piece], worker, phase, now, &clock)
      } else if exchange.isComplete {
        return
      } else if !pump.hasMoved {
        sched_yield()
        clock.times.exchange += clock.lap()
        replicas[worker].clock?.lap(.exchange)
      }
    }
  }

  /// What the slices of a worker took so far, and since when the time of the next one runs.
  private struct SliceClock {
    var times: WorkerTimes
    var start = DispatchTime.now().uptimeNanoseconds

    mutating func lap() -> UInt64 {
      let end = DispatchTime.now().uptimeNanoseconds
      defer { start = end }
      return end - start
    }
  }

  private func sum(_ slice: Int, _ worker: Int, _ now: Current, _ clock: inout SliceClock) {
    let replica = replicas[worker]
    reducer.sum(
      slice, now, worker: worker, scratch: replica.scratch.pointer, threads: parallel.threads)
    if reducer.isProduct(slice) { clock.times.products += clock.lap() } else { clock.times.sums += clock.lap() }
    if let use = reducer.use(of: slice) {
      replica.clock?.lap(.gradient, layer: use)
    } else {
      replica.clock?.lap(.sums)
    }
  }

  /// What follows once the sum of a slice is complete.
  private func end(_ slice: Int, _ worker: Int, _ phase: Phase, _ now: Current, _ clock: inout SliceClock) {
    if clips {
      reducer.square(slice)
      clock.times.sums += clock.lap()
      replicas[worker].clock?.lap(.sums)
    }
    if phase == .slices { update(slice, worker, now, &clock) }
  }

  private func update(_ slice: Int, _ worker: Int, _ now: Current, _ clock: inout SliceClock) {
    reducer.update(
      slice, step: now.step, scale: now.scale, learningRate: now.learningRate, momentum: now.momentum,
      samples: now.samples, worker: worker)
    clock.times.updates += clock.lap()
    replicas[worker].clock?.lap(.updates)
  }
}

/// What one worker did in the last step, in nanoseconds; the rest of the step it waited.
public struct WorkerTimes: BitwiseCopyable, Sendable {
  /// Forward and backward through its shards, from putting images at the input on.
  public var shards: UInt64 = 0
  /// The part of that which went into the input: reading images, augmenting and corrupting them.
  public var input: UInt64 = 0
  /// Gradients of dense weights: products over the whole minibatch.
  public var products: UInt64 = 0
  /// Adding up the shards' gradients, in either phase, and where they are clipped their squares.
  public var sums: UInt64 = 0
  /// The optimiser.
  public var updates: UInt64 = 0
  /// Messages to other processes, and waiting for theirs.
  public var exchange: UInt64 = 0
  /// When it ran out of shards, and whether that was because an image cannot be read.
  var finished: UInt64 = 0
  var hasFailed = false
}
