import Dispatch
import HourglassData
import HourglassModels

/// One training step, the heart of Hourglass. Read this first.
///
///     phase 1  replicas in parallel, each takes shards: fill, forward, likelihood, backward -> gradients[shard]
///     phase 2  slices of the flat vector in parallel: ordered sum over shards, times 1/N, optimiser on the same slice
///
/// Where gradients are clipped, phase 2 is two: sums, and once the norm over all slices is known, updates. A step of
/// several minibatches takes phase 1 and the sums for each, and updates once.
///
/// Where the plan has importance samples, the losses are those of the importance-weighted bound, and each image of a
/// minibatch is as many samples (see `ImportanceBound`).
///
/// The numbers follow from the recipe: a minibatch is cut into a fixed number of shards, each shard is summed in the
/// order of its samples, and the shards are added in order. Which worker takes a shard, how many shards it holds at a
/// time, and how many threads its kernels use change no bit.
public final class TrainingStep {
  public let plan: ExecutionPlan
  public let parallel: ParallelPlan
  public let optimizer: Optimizer
  /// Largest norm of the mean gradient that is not scaled down; nil is no limit.
  public let clipNorm: Float?
  /// Weight of the latent's divergence, or of the penalty.
  public let beta: Float
  /// Nats that each latent unit may diverge by at no cost, in the mean over a shard; 0 for none.
  public let freeBits: Float

  private let shared: SharedMemory
  private let reducer: GradientReducer
  private let replicas: [Replica]
  private let current: AlignedBuffer<Current>
  private let indices: AlignedBuffer<Int32>
  private let data: Dataset
  private let counters = [WorkCounter(), WorkCounter()]
  private let team: WorkerTeam
  private let clocks: AlignedBuffer<WorkerTimes>
  private let failures = FirstReadFailure()
  private var profiler: StepProfiler?
  /// Steps still to be taken in ever smaller turns, since workers last finished far apart.
  var guidedSteps = 0

  private enum Phase {
    /// Once, before the first step: each worker is the first to write the memory it will use.
    static let start = 0
    static let shards = 1
    /// Sums and updates.
    static let slices = 2
    /// Sums alone: of all minibatches of a step but the last, and with squares in place of `slices` where gradients
    /// are clipped, before updates.
    static let sums = 3
    static let updates = 4
    /// Once, where steps are profiled: what the machine reaches at most.
    static let peak = 5
  }

  /// What the phases need to know of the minibatch at hand.
  private struct Current {
    var step = 0
    /// Samples of the minibatch, and of those before it in the step.
    var count = 0
    var samplesBefore = 0
    /// Of the whole step.
    var samples = 0
    var seed: UInt64 = 0
    var beta: Float = 1
    var freeBits: Float = 0
    /// Workers take what is left in ever smaller parts, not all at once.
    var isGuided = false
    /// Of the summed gradient: one over the samples, times the factor of clipping.
    var scale: Float = 1
    var learningRate: Float = 0

    var mode: Replica.Mode {
      Replica.Mode(
        noise: .training(seed: seed, step: step), beta: beta, freeBits: freeBits, samplesBefore: samplesBefore)
    }
  }

  /// What one worker did in the last step, in nanoseconds; the rest of the step it waited.
  public struct WorkerTimes: BitwiseCopyable, Sendable {
    /// Forward and backward through its shards, from putting images at the input on.
    public var shards: UInt64 = 0
    /// Of that, the input: reading images, augmenting and corrupting them.
    public var input: UInt64 = 0
    /// Gradients of dense weights: products over the whole minibatch.
    public var products: UInt64 = 0
    /// Adding up the shards' gradients and, where they are clipped, their squares.
    public var sums: UInt64 = 0
    /// The optimiser.
    public var updates: UInt64 = 0
    /// When it ran out of shards, and whether that was because an image cannot be read.
    fileprivate var finished: UInt64 = 0
    fileprivate var hasFailed = false
  }

  /// Of each worker.
  public var times: [WorkerTimes] { Array(clocks.elements) }

  /// Of all steps but the first; nil where they are not profiled, and before there is one.
  public var profile: StepProfile? {
    profiler.flatMap { StepProfile($0, plan: plan, parallel: parallel, moments: moments.count) }
  }

  /// Seconds of the last step that went into its input, in the mean over the workers.
  public var inputSeconds: Double {
    Double(clocks.elements.reduce(0) { $0 + $1.input }) / Double(clocks.count) / 1e9
  }

  /// The flat vector of parameters, and the optimiser's moments by name.
  public var parameters: FloatBuffer { shared.parameters }
  public var moments: [(name: String, values: FloatBuffer)] { Array(zip(optimizer.moments, reducer.moments)) }
  /// The exponential moving average of the parameters, where one is kept.
  public var average: FloatBuffer? { reducer.average }
  /// Visible units of the persistent chains, one for each sample of a minibatch, N H W C; nil without such chains.
  public var chains: UnsafeMutableBufferPointer<Float>? {
    guard let divergence = plan.contrastiveDivergence, divergence.isPersistent else { return nil }
    return UnsafeMutableBufferPointer(
      start: shared.batch.pointer + divergence.chains.offset * plan.batchSize,
      count: plan.batchSize * divergence.chains.count)
  }
  /// What stands for the trained model: the average where there is one, or else the parameters.
  public var evaluated: FloatBuffer { average ?? parameters }
  /// The gradient summed over the samples of the last step, of a step that keeps it.
  public var gradient: FloatBuffer {
    guard let gradient = reducer.gradient else { preconditionFailure("a step that keeps no gradient has none") }
    return gradient
  }
  /// Euclidean norm of the mean gradient of the last step before it was clipped; nil without clipping.
  public private(set) var gradientNorm: Double?

  /// Plans all memory; nothing is allocated afterwards.
  ///
  /// - Parameters:
  ///   - clipNorm: greater than 0. The gradient g of the mean loss becomes g min(1, clipNorm / (|g| + 1e-6)), as
  ///     PyTorch's `clip_grad_norm_` defines it, at the cost of a third wait.
  ///   - beta: 1 where the plan has importance samples, and then no free bits.
  ///   - labelSmoothing: from 0 to below 1, above 0 for a categorical likelihood alone. See `Likelihood.evaluate`; the
  ///     losses of a step are those of the smoothed labels.
  ///   - freeBits: at least 0. See `GaussianLatent`; the losses of a step have the divergence itself.
  ///   - averageDecay: of the moving average of the parameters, greater than 0 and less than 1; nil for no average.
  ///   - augmentation, corruption: of the images, drawn by the seed for each step and sample; then standardised.
  ///   - keepsGradient: whether `gradient` can be read after a step, and a step may have several minibatches. Else, and
  ///     unless gradients are clipped, each slice's is gone once it has moved its weights: a flat vector less in
  ///     memory, and less traffic with it. No bit changes.
  ///   - profiles: whether to time each layer, for `profile`; no bit changes.
  ///
  /// Errors: a `DataError` where the data does not fit the plan (`Dataset.checkTargets`), a `ModelError` where memory
  /// does not suffice, a `ThreadError` where the system does not make as many threads.
  public init(
    plan: ExecutionPlan, parallel: ParallelPlan, optimizer: Optimizer, clipNorm: Float? = nil, freeBits: Float = 0,
    labelSmoothing: Float = 0, averageDecay: Float? = nil, augmentation: Augmentation? = nil,
    corruption: Corruption? = nil,
    standardization: Standardization? = nil, seed: UInt64, beta: Float, data: Dataset, keepsGradient: Bool = true,
    profiles: Bool = false
  ) throws {
    precondition(clipNorm.map(Recipe.isClipNorm) ?? true, "a norm to clip at of \(clipNorm ?? 0)")
    precondition(plan.importanceSamples == nil || beta == 1 && freeBits == 0, "a bound of another divergence")
    precondition(labelSmoothing == 0 || plan.model.likelihood == .categorical, "labels of no classes to smooth")
    try data.checkTargets(for: plan)
    if let refusal = standardization?.refusal(for: plan.model) { throw ModelError("standardization", refusal) }
    try parallel.check()
    try PlannedMemory(
      step: plan, parallel: parallel, augmentation: augmentation, corruption: corruption, hasPairs: data.hasInputs,
      hasAverage: averageDecay != nil, keepsGradient: keepsGradient || clipNorm != nil
    ).check(plan)
    (self.plan, self.parallel, self.optimizer, self.clipNorm) = (plan, parallel, optimizer, clipNorm)
    let shared = SharedMemory(plan: plan, parameters: FloatBuffer(unwritten: plan.parameterCount))
    let turn = Self.shardsPerTurn(plan: plan, workers: parallel.workers)
    let cores = WorkerCores(parallel)
    let profiler = profiles ? StepProfiler(plan: plan, parallel: parallel) : nil
    let replicas = (0..<parallel.workers).map { worker in
      Replica(
        plan: plan, shared: shared, groupSamples: turn * plan.samplesPerShard, parallel: parallel,
        worker: worker, cores: cores, augmentation: augmentation, corruption: corruption,
        hasPairs: data.hasInputs, standardization: standardization, labelSmoothing: labelSmoothing,
        clock: profiler?.clocks[worker])
    }
    let reducer = GradientReducer(
      plan: plan, shared: shared, optimizer: optimizer, averageDecay: averageDecay, workers: parallel.workers,
      keepsGradient: keepsGradient || clipNorm != nil)
    let current = AlignedBuffer<Current>(count: 1)
    let indices = AlignedBuffer<Int32>(count: plan.batchSize)
    let clocks = AlignedBuffer<WorkerTimes>(count: parallel.workers)
    current[0] = Current(seed: seed, beta: beta, freeBits: freeBits)
    (self.beta, self.freeBits, self.profiler) = (beta, freeBits, profiler)
    (self.shared, self.replicas, self.reducer) = (shared, replicas, reducer)
    (self.current, self.indices, self.data, self.clocks) = (current, indices, data, clocks)

    let (counters, failures) = (counters, failures)
    let clips = clipNorm != nil
    // The other team looks at the weights while this one waits: validation, pictures.
    let smallestTurn = min(turn, max(1, Self.leastSamplesPerGroup / plan.samplesPerShard))
    team = try WorkerTeam(parallel, teams: 2) { worker, phase in
      let replica = replicas[worker]
      let now = current.pointer[0]
      switch phase {
      case Phase.start:
        replica.start()
        shared.clear(shareOf: worker, workers: parallel.workers, plan: plan)
        reducer.clear(shareOf: worker, workers: parallel.workers)
      case Phase.peak: profiler?.measurePeak(of: worker)
      case Phase.shards:
        let start = DispatchTime.now().uptimeNanoseconds
        let mode = now.mode
        let used = (now.count + plan.samplesPerShard - 1) / plan.samplesPerShard
        var times = now.samplesBefore > 0 ? clocks.pointer[worker] : WorkerTimes()
        var isPrepared = false
        while let shards = now.isGuided
          ? counters[0].take(partOf: 2 * parallel.workers, sizes: smallestTurn...turn, below: used)
          : counters[0].take(turn, below: used)
        {
          if !isPrepared { replica.prepare(backward: true) }
          isPrepared = true
          let samples = plan.samples(of: shards, in: now.count)
          let before = DispatchTime.now().uptimeNanoseconds
          let failure = replica.fill(samples, from: data, items: indices, mode: mode)
          times.input += DispatchTime.now().uptimeNanoseconds - before
          if let failure {
            failures.note(failure)
            times.hasFailed = true
            break
          }
          replica.train(samples: samples, mode: mode, gradients: reducer.shardGradients)
        }
        let finished = DispatchTime.now().uptimeNanoseconds
        times.shards += finished - start
        times.finished = finished
        clocks.pointer[worker] = times
      default:
        var times = clocks.pointer[worker]
        var start = DispatchTime.now().uptimeNanoseconds
        cores.keepApart(worker)
        replica.clock?.start()
        while let slice = counters[1].take(below: reducer.slices.count)?.lowerBound {
          if phase != Phase.updates {
            reducer.sum(
              slice, count: now.count, beta: now.beta, accumulate: now.samplesBefore > 0,
              worker: worker, scratch: replica.scratch.pointer, threads: parallel.threads)
            if clips { reducer.square(slice) }
            let end = DispatchTime.now().uptimeNanoseconds
            if reducer.isProduct(slice) { times.products += end - start } else { times.sums += end - start }
            start = end
            if let clock = replica.clock {
              if let layer = reducer.layer(of: slice) { clock.lap(.gradient, layer: layer) } else { clock.lap(.sums) }
            }
          }
          if phase != Phase.sums {
            reducer.update(
              slice, step: now.step, scale: now.scale, learningRate: now.learningRate, samples: now.samples,
              worker: worker)
            let end = DispatchTime.now().uptimeNanoseconds
            times.updates += end - start
            start = end
            replica.clock?.lap(.updates)
          }
        }
        clocks.pointer[worker] = times
      }
    }
    team.run(phase: Phase.start)
    if profiles { team.run(phase: Phase.peak) }
  }

  /// Mean losses of a step, in nats or squared error summed over pixels.
  public struct Loss: Sendable, Equatable {
    public var reconstruction: Double
    /// Divergence of the latent, or penalty, before it is weighed with beta; 0 without one.
    public var divergence: Double
    /// What is minimised: reconstruction + beta divergence.
    public var total: Double
  }

  /// Begins the moving average at the parameters.
  public func startAverage() { average?.pointer.update(from: parameters.pointer, count: parameters.count) }

  /// Trains on the given items of the data set, in this order, with one update.
  ///
  /// More than the plan's batch size are taken as several minibatches, whose gradients are summed up: the bits are
  /// those of one large minibatch whose shards have as many samples, where the minibatches consist of whole shards.
  ///
  /// - Parameters:
  ///   - step: counts from 0; part of the address of every random number.
  ///   - learningRate, beta: of this step; nil for those of the optimiser and of all steps.
  /// - Throws: `TrainingError.diverged` when the loss is not finite, `TrainingError.overflow` when a gradient to be
  ///   clipped is not, `TrainingError.unreadable` with the error of the first item that cannot be read; the parameters
  ///   are then as before the step.
  public func run(
    step: Int, items: ArraySlice<Int32>, learningRate: Float? = nil, beta: Float? = nil
  ) throws(TrainingError) -> Loss {
    precondition(!items.isEmpty && step >= 0, "step \(step) with \(items.count) samples")
    precondition(items.allSatisfy { 0 <= $0 && $0 < data.count }, "an item beyond the \(data.count) of the data")
    precondition(
      reducer.gradient != nil || items.count * plan.samplesPerImage <= plan.batchSize,
      "a step of several minibatches keeps its gradient")
    profiler?.begin()
    current.pointer[0].step = step
    let copies = plan.samplesPerImage
    current.pointer[0].samples = items.count * copies
    current.pointer[0].learningRate = learningRate ?? optimizer.learningRate
    current.pointer[0].beta = beta ?? self.beta
    var sums = (reconstruction: 0.0, divergence: 0.0)
    for first in stride(from: items.startIndex, to: items.endIndex, by: plan.batchSize / copies) {
      let minibatch = items[first..<min(first + plan.batchSize / copies, items.endIndex)]
      try computeGradients(minibatch, before: (first - items.startIndex) * copies)
      shared.addLosses(count: minibatch.count * copies, plan: plan, to: &sums)
      guard mean(sums, count: items.count).total.isFinite else {
        throw .diverged(step: step, cause: firstNonfinite(count: minibatch.count * copies))
      }
      if minibatch.endIndex < items.endIndex { runSlices(phase: Phase.sums) }
    }
    if let clipNorm {
      try clip(to: clipNorm, count: items.count)
    } else {
      current.pointer[0].scale = 1 / Float(items.count)
      runSlices(phase: Phase.slices)
    }
    profiler?.end(samples: items.count * copies)
    return mean(sums, count: items.count)
  }

  /// Phase 1 for a minibatch with so many samples of the step before it.
  private func computeGradients(_ minibatch: ArraySlice<Int32>, before: Int) throws(TrainingError) {
    let count = minibatch.count * plan.samplesPerImage
    current.pointer[0].count = count
    current.pointer[0].samplesBefore = before
    for n in 0..<count { indices.pointer[n] = minibatch[minibatch.startIndex + n / plan.samplesPerImage] }
    if plan.model.likelihood.target == .label {
      for n in 0..<count { shared.labels.pointer[n] = data.label(Int(indices.pointer[n])) }
    }
    counters[0].reset()
    let start = DispatchTime.now().uptimeNanoseconds
    team.run(phase: Phase.shards)
    if clocks.elements.contains(where: { $0.hasFailed }), let failure = failures.take() {
      throw .unreadable(step: current.pointer[0].step, failure.error)
    }
    chooseTurn(since: start)
  }

  private func runSlices(phase: Int) {
    counters[1].reset()
    team.run(phase: phase)
  }

  /// Phase 2 with clipping: no slice can be updated before all are summed.
  private func clip(to clipNorm: Float, count: Int) throws(TrainingError) {
    runSlices(phase: Phase.sums)
    let norm = reducer.norm() / Double(count)
    gradientNorm = norm
    guard norm.isFinite else { throw .overflow(step: current.pointer[0].step, parameter: nonfiniteGradient()) }
    current.pointer[0].scale = Float(min(1, Double(clipNorm) / (norm + 1e-6)) / Double(count))
    runSlices(phase: Phase.updates)
  }

  private func mean(_ sums: (reconstruction: Double, divergence: Double), count: Int) -> Loss {
    let (reconstruction, divergence) = (sums.reconstruction / Double(count), sums.divergence / Double(count))
    return Loss(
      reconstruction: reconstruction, divergence: divergence,
      total: reconstruction + Double(current.pointer[0].beta) * divergence)
  }

  /// With fewer rows reading a dense layer's matrix takes as long as computing with it.
  private static let leastSamplesPerGroup = 16

  /// One turn a step reads dense matrices least; smaller turns let the others take over what a worker with a busy
  /// neighbour leaves. So turns become smaller for a while when workers finish far apart.
  private func chooseTurn(since start: UInt64) {
    let times = clocks.elements.lazy.map { $0.finished }
    if let first = times.min(), let last = times.max(), (last - first) * 3 > last - start {
      guidedSteps = 16
    }
    guidedSteps = max(0, guidedSteps - 1)
    current.pointer[0].isGuided = guidedSteps > 0
  }

  /// Walks the first sample with a bad loss, and with it its shard where samples of a shard meet, forward once more and
  /// names the first layer that puts out an infinity or a NaN; nil where all layers are sound.
  func nonfiniteLayer(count: Int) -> String? {
    guard
      let bad = (0..<count).first(where: { !(shared.losses[$0] + shared.divergences[$0]).isFinite })
    else { return nil }
    let shard = bad / plan.samplesPerShard
    let samples = plan.takesWholeShards ? plan.samples(of: shard..<shard + 1, in: count) : bad..<bad + 1
    let first = samples.lowerBound
    let replica = replicas[0]
    // Another replica may have taken this sample: what this one prepared may be of an earlier step.
    replica.prepare(backward: false)
    if let failure = replica.fill(samples, from: data, items: indices, mode: current.pointer[0].mode) {
      return "item \(indices[bad]) of \(data.source) cannot be read again, \(failure.error)"
    }
    for (b, boundary) in plan.boundaries.enumerated() {
      if b > 0 { replica.forward(b - 1..<b, samples: samples, mode: current.pointer[0].mode) }
      let values = replica.values(b, first: first, group: first)
      if let index = Kernels.firstNonfinite(values, samples.count * boundary.shape.count) {
        let item = indices[first + index / boundary.shape.count]
        let place = b == 0 ? "the input" : "layer \(plan.layers[b - 1].name) (\(plan.layers[b - 1].kind))"
        return "\(place) puts out \(values[index]) for item \(item) of \(data.source)"
      }
    }
    let beside = plan.model.penalty == nil ? "divergence" : "penalty"
    let part = shared.losses[bad].isFinite ? beside : "\(plan.model.likelihood.name) likelihood"
    return "the \(part) overflows for item \(indices[bad]) of \(data.source)"
  }
}
