import Dispatch
import HourglassData
import HourglassModels

/// One training step, the heart of Hourglass. Read this first.
///
///     phase 1  replicas in parallel, each takes shards: fill, forward, likelihood, backward -> gradients[shard];
///              where shards are many (`ShardGradients`), those that are finished are added in between
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
  /// Largest magnitude of an element of the mean gradient that is not cut; nil is no limit.
  public let clipValue: Float?
  /// Weight of all terms of the loss beside the reconstruction: the KL divergence of the latent, and penalties.
  public let beta: Float
  /// Nats that each latent unit may diverge by at no cost, in the mean over a shard; 0 for none.
  public let freeBits: Float
  /// Nats that the KL divergence of a Gaussian latent is led to, in the mean over a shard; nil where it is kept small.
  public let capacity: Float?

  let work: StepWork
  private let team: WorkerTeam
  private(set) var profiler: StepProfiler?
  /// Whether this process wants to stop after its next step. It is for those who share the step with others, of which
  /// all learn it (`stopIsWanted`).
  var wantsStop = false
  /// Whether any of the processes that share the step wanted to stop before the last one.
  private(set) var stopIsWanted = false
  /// Steps still to be taken in ever smaller turns, since workers last finished far apart.
  var guidedSteps = 0
  /// Euclidean norm of the mean gradient of the last step before it was clipped; nil without clipping.
  public private(set) var gradientNorm: Double?

  /// Plans all memory; nothing is allocated afterwards.
  ///
  /// - Parameters:
  ///   - clipNorm: greater than 0. The gradient g of the mean loss becomes g min(1, clipNorm / (|g| + 1e-6)), as
  ///     PyTorch's `clip_grad_norm_` defines it, at the cost of a third wait.
  ///   - clipValue: greater than 0. Each element g of the mean gradient becomes min(max(g, -clipValue), clipValue), as
  ///     PyTorch's `clip_grad_value_` defines it; with a `clipNorm` after that.
  ///   - beta: 1 where the plan has importance samples, and then no free bits.
  ///   - labelSmoothing: from 0 to below 1, above 0 for a categorical likelihood alone. See `Likelihood.evaluate`; the
  ///     losses of a step are those of the smoothed labels.
  ///   - freeBits: at least 0. See `GaussianLatent`; the losses of a step have the KL divergence itself.
  ///   - capacity: at least 0, without free bits and importance samples. See `GaussianLatent`; the losses of a step
  ///     have the distance of the KL divergence from it.
  ///   - averageDecay: of the moving average of the parameters, greater than 0 and less than 1; nil for no average.
  ///   - augmentation, corruption: of the images, drawn by the seed for each step and sample; then standardised.
  ///   - missing: what the network sees, standardised, in the place of elements that are NaN; these have no loss. Nil
  ///     where there are none.
  ///   - keepsGradient: whether `gradient` can be read after a step, and a step may have several minibatches. Else, and
  ///     unless gradients are clipped, each slice's is gone once it has moved its weights: a flat vector less in
  ///     memory, and less traffic with it. No bit changes.
  ///   - profiles: whether to time each layer, for `profile`; no bit changes.
  ///   - transport: of the processes that share the step, each with the same arguments but `parallel` and each with a
  ///     part of the shards; nil for one process. No bit changes.
  ///
  /// Errors: a `DataError` where the data does not fit the plan (`Dataset.checkTargets`), a `ModelError` where memory
  /// does not suffice, a `ThreadError` where the system does not make as many threads.
  public init(
    plan: ExecutionPlan, parallel: ParallelPlan, optimizer: Optimizer, clipNorm: Float? = nil, clipValue: Float? = nil,
    freeBits: Float = 0, capacity: Float? = nil, labelSmoothing: Float = 0, averageDecay: Float? = nil,
    augmentation: Augmentation? = nil, corruption: Corruption? = nil, missing: Float? = nil,
    standardization: Standardization? = nil, seed: UInt64, beta: Float, data: Dataset, keepsGradient: Bool = true,
    profiles: Bool = false, transport: (any Transport)? = nil
  ) throws {
    precondition(clipNorm.map(Recipe.isClipNorm) ?? true, "a norm to clip at of \(clipNorm ?? 0)")
    precondition(clipValue.map(Recipe.isClipNorm) ?? true, "a value to clip at of \(clipValue ?? 0)")
    precondition(plan.importanceSamples == nil || beta == 1 && freeBits == 0, "a bound with another second term")
    precondition(labelSmoothing == 0 || plan.model.likelihood == .categorical, "labels of no classes to smooth")
    try data.checkTargets(for: plan)
    if let refusal = standardization?.refusal(for: plan.model) { throw ModelError("standardization", refusal) }
    try parallel.check()
    try PlannedMemory(
      step: plan, parallel: parallel, augmentation: augmentation, corruption: corruption,
      hasPairs: data.hasInputs || missing != nil,
      hasAverage: averageDecay != nil, keepsGradient: keepsGradient || clipNorm != nil,
      place: transport?.place
    ).check(plan)
    (self.plan, self.parallel, self.optimizer, self.clipNorm) = (plan, parallel, optimizer, clipNorm)
    precondition(capacity == nil || freeBits == 0 && plan.importanceSamples == nil, "a capacity with free bits")
    (self.clipValue, self.beta, self.freeBits, self.capacity) = (clipValue, beta, freeBits, capacity)
    let work = try StepWork(
      plan: plan, parallel: parallel, optimizer: optimizer, clips: clipNorm != nil, clipValue: clipValue,
      averageDecay: averageDecay,
      augmentation: augmentation, corruption: corruption, missing: missing,
      standardization: standardization,
      labelSmoothing: labelSmoothing, data: data, keepsGradient: keepsGradient || clipNorm != nil, profiles: profiles,
      transport: transport)
    work.current[0] = StepWork.Current(seed: seed, beta: beta, freeBits: freeBits)
    (self.work, profiler) = (work, work.profiler)
    // The other team looks at the weights while this one waits: validation, pictures.
    team = try WorkerTeam(parallel, teams: 2) { worker, phase in
      guard let phase = StepWork.Phase(rawValue: phase) else { return }
      work.perform(phase, worker: worker)
    }
    run(.start)
    work.exchange?.team.meet()
    if profiles { run(.peak) }
  }

  /// Trains on the given items of the data set, in this order, with one update.
  ///
  /// More than the plan's batch size are taken as several minibatches, whose gradients are summed up: the bits are
  /// those of one large minibatch whose shards have as many samples, where the minibatches consist of whole shards.
  ///
  /// - Parameters:
  ///   - step: counts from 0; part of the address of every random number.
  ///   - learningRate, beta, capacity: of this step; nil for those of the optimiser and of all steps.
  ///   - momentum: of this step, for Adam its beta1; nil for that of the optimiser.
  /// - Throws: `TrainingError.diverged` when the loss is not finite, `TrainingError.overflow` when a gradient to be
  ///   clipped is not, `TrainingError.unreadable` with the error of the first item that cannot be read; the parameters
  ///   are then as before the step.
  public func run(
    step: Int, items: ArraySlice<Int32>, learningRate: Float? = nil, momentum: Float? = nil, beta: Float? = nil,
    capacity: Float? = nil
  ) throws(TrainingError) -> Loss {
    do throws(TrainingError) {
      return try take(
        step, items, learningRate ?? optimizer.learningRate, momentum: momentum, beta ?? self.beta,
        capacity: capacity ?? self.capacity)
    } catch {
      // All processes have come to the same error; none goes on before all have.
      meet()
      throw error
    }
  }

  private func take(
    _ step: Int, _ items: ArraySlice<Int32>, _ learningRate: Float, momentum: Float?, _ beta: Float, capacity: Float?
  ) throws(TrainingError) -> Loss {
    precondition(!items.isEmpty && step >= 0, "step \(step) with \(items.count) samples")
    precondition(
      items.allSatisfy { 0 <= $0 && $0 < work.data.count }, "an item beyond the \(work.data.count) of the data")
    precondition(
      work.reducer.keepsGradient || items.count * plan.samplesPerImage <= plan.batchSize,
      "a step of several minibatches keeps its gradient")
    profiler?.begin()
    work.current.pointer[0].step = step
    let copies = plan.samplesPerImage
    work.current.pointer[0].samples = items.count * copies
    work.current.pointer[0].learningRate = learningRate
    work.current.pointer[0].momentum = momentum
    work.current.pointer[0].beta = beta
    work.current.pointer[0].capacity = capacity
    work.shared.sums.elements.update(repeating: 0)
    for first in stride(from: items.startIndex, to: items.endIndex, by: plan.batchSize / copies) {
      let minibatch = items[first..<min(first + plan.batchSize / copies, items.endIndex)]
      try computeGradients(minibatch, before: (first - items.startIndex) * copies)
      work.shared.addLosses(
        count: minibatch.count * copies, plan: plan, capacity: work.current.pointer[0].capacity)
      guard meanLoss(count: items.count).total.isFinite else {
        throw .diverged(step: step, cause: firstNonfinite(count: minibatch.count * copies))
      }
      if minibatch.endIndex < items.endIndex { run(.sums) }
    }
    if let clipNorm {
      try clip(to: clipNorm, count: items.count)
    } else {
      work.current.pointer[0].scale = 1 / Float(items.count)
      run(.slices)
    }
    profiler?.end(samples: items.count * copies)
    return meanLoss(count: items.count)
  }

  /// Phase 1 for a minibatch with so many samples of the step before it.
  private func computeGradients(_ minibatch: ArraySlice<Int32>, before: Int) throws(TrainingError) {
    let count = minibatch.count * plan.samplesPerImage
    work.current.pointer[0].count = count
    work.current.pointer[0].samplesBefore = before
    for n in 0..<count { work.indices.pointer[n] = minibatch[minibatch.startIndex + n / plan.samplesPerImage] }
    if plan.readsLabels {
      for n in 0..<count { work.shared.labels.pointer[n] = work.data.label(Int(work.indices.pointer[n])) }
    }
    let start = DispatchTime.now().uptimeNanoseconds
    let used = plan.shards(of: count)
    let shards = work.exchange?.shards(of: used) ?? 0..<used
    let ofNode = work.exchange?.team.shards(of: used) ?? 0..<used
    work.current.pointer[0].firstShard = shards.lowerBound
    work.current.pointer[0].endShard = shards.upperBound
    work.current.pointer[0].firstShardOfNode = ofNode.lowerBound
    work.current.pointer[0].endShardOfNode = ofNode.upperBound
    work.reducer.shardGradients.reset(to: ofNode.lowerBound)
    run(.shards)
    let failure = work.clocks.elements.contains(where: { $0.hasFailed }) ? work.failures.take()?.error : nil
    if let failure = share(failure) { throw .unreadable(step: work.current.pointer[0].step, failure) }
    chooseTurn(since: start)
  }

  /// Shares phase 1 with the other processes, where there are any. Answers the failure of the lowest sample that any of
  /// them could not read, which is that of the lowest position; nil where all went well.
  private func share(_ failure: DataError?) -> DataError? {
    guard let exchange = work.exchange else { return failure }
    let start = DispatchTime.now().uptimeNanoseconds
    let answer = exchange.tell(work.current.pointer[0], hasFailed: failure != nil, wantsStop: wantsStop)
    countExchange(since: start)
    stopIsWanted = answer.wantsStop
    return answer.hasFailure ? exchange.team.transport.agreed(failure) : nil
  }

  /// The items of a step that this process reads, of all of them.
  func ownItems(_ items: ArraySlice<Int32>) -> ArraySlice<Int32> {
    guard let exchange = work.exchange else { return items }
    let images = plan.batchSize / plan.samplesPerImage
    let own = stride(from: items.startIndex, to: items.endIndex, by: images).flatMap { first in
      let minibatch = items[first..<min(first + images, items.endIndex)]
      let own = exchange.images(of: minibatch.count)
      return minibatch.dropFirst(own.lowerBound).prefix(own.count)
    }
    return own[...]
  }

  private func run(_ phase: StepWork.Phase) {
    work.reset(phase)
    team.run(phase: phase.rawValue)
    switch phase {
    case .slices, .sums, .updates: meet()
    case .start, .shards, .peak: break
    }
  }

  /// Waits for the other processes of the node, where there are some.
  private func meet() {
    guard let exchange = work.exchange else { return }
    let start = DispatchTime.now().uptimeNanoseconds
    exchange.team.meet()
    countExchange(since: start)
  }

  /// Counts the time since a moment as exchange with other processes, for which all workers waited.
  private func countExchange(since start: UInt64) {
    let time = DispatchTime.now().uptimeNanoseconds - start
    work.clocks.pointer[0].exchange += time
    for clock in profiler?.clocks ?? [] { clock.add(time, to: .exchange) }
  }

  /// Phase 2 with clipping: no slice can be updated before all are summed.
  private func clip(to clipNorm: Float, count: Int) throws(TrainingError) {
    run(.sums)
    let norm = work.reducer.norm() / Double(count)
    gradientNorm = norm
    guard norm.isFinite else { throw .overflow(step: work.current.pointer[0].step, parameter: nonfiniteGradient()) }
    work.current.pointer[0].scale = Float(min(1, Double(clipNorm) / (norm + 1e-6)) / Double(count))
    run(.updates)
  }

  private func meanLoss(count: Int) -> Loss {
    let reconstruction = work.shared.sums.pointer[0] / Double(count)
    let terms = work.shared.sums.elements.dropFirst().reduce(0) { $0 + $1 / Double(count) }
    return Loss(
      reconstruction: reconstruction, terms: terms,
      total: reconstruction + Double(work.current.pointer[0].beta) * terms)
  }

  /// One turn a step reads dense matrices least; smaller turns let the others take over what a worker with a busy
  /// neighbour leaves. So turns become smaller for a while when workers finish far apart.
  private func chooseTurn(since start: UInt64) {
    let times = work.clocks.elements.lazy.map { $0.finished }
    if let first = times.min(), let last = times.max(), (last - first) * 3 > last - start {
      guidedSteps = 16
    }
    guidedSteps = max(0, guidedSteps - 1)
    work.current.pointer[0].isGuided = guidedSteps > 0
  }
}
