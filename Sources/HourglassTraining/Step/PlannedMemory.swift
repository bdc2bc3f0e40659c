import Glibc
import HourglassData
import HourglassModels

/// The bytes that a plan will take, all fixed before the first step.
public struct PlannedMemory: Sendable, Equatable {
  /// Parameters, gradients, moments and what the whole minibatch shares.
  public let shared: Int
  public let perReplica: Int
  public let replicas: Int

  /// What a process that trains takes at most beside its step; 0 where that is not counted.
  public let others: Int

  /// How many processes of one node share what is shared.
  public var sharers = 1

  /// What one process takes.
  public var total: Int {
    (shared / sharers).plusClamping(replicas.timesClamping(perReplica)).plusClamping(others)
  }

  /// What the machine still grants to one process.
  private var available: Int { GrantedMemory.available / sharers }

  /// The memory of a training step.
  ///
  /// - Parameter recipe: the recipe whose moving average is one more flat vector, whose augmentation and corruption
  ///   need images beside those of the step, and whose step may keep no gradient; nil for none of it.
  public init(training plan: ExecutionPlan, parallel: ParallelPlan, recipe: Recipe? = nil, place: ProcessPlace? = nil) {
    self.init(
      step: plan, parallel: parallel, augmentation: recipe?.augmentation, corruption: recipe?.corruption,
      hasPairs: recipe?.hasTargets ?? false, hasAverage: recipe?.ema != nil,
      keepsGradient: recipe?.keepsGradient ?? true, place: place
    )
  }

  /// What a process that trains takes in all, beside what it had when it began and its data.
  ///
  /// The others are an upper bound of what was measured: of validation, pictures and the report the plan of inference
  /// and six batches of its images, of starting and of checkpoints three copies of the largest tensor, and of threads,
  /// OpenMP and the libraries 24 MiB and 1 MiB a thread. Where addresses are limited, the stacks of those threads and
  /// of one for each core count whole.
  ///
  /// Errors: a batch of inference that cannot be planned.
  public init(process plan: ExecutionPlan, parallel: ParallelPlan, recipe: Recipe, place: ProcessPlace? = nil)
    throws(ModelError)
  {
    let step = Self(training: plan, parallel: parallel, recipe: recipe, place: place)
    let inference = try ExecutionPlan(plan.model, batchSize: Inference.batchSize, isTraining: false)
    let images = 4 * Inference.batchSize * Inference.widest(inference)
    let tensor = 4 * (plan.parameters.map(\.count).max() ?? 0)
    let threads = parallel.possible.workers * parallel.possible.threads
    let stacks = GrantedMemory.addressSpace == nil ? 0 : (threads + GrantedCores.count) * SystemThread.stack
    let others = [6 * images, 3 * tensor, 24 << 20, threads << 20, stacks]
    self.init(
      shared: step.shared, perReplica: step.perReplica, replicas: step.replicas,
      others: others.reduce(
        Self(inference: inference, parallel: parallel, hasPairs: recipe.hasTargets).total
      ) { $0.plusClamping($1) })
    sharers = step.sharers
  }

  private init(shared: Int, perReplica: Int, replicas: Int, others: Int) {
    (self.shared, self.perReplica, self.replicas, self.others) = (shared, perReplica, replicas, others)
  }

  init(
    step plan: ExecutionPlan, parallel: ParallelPlan, augmentation: Augmentation?, corruption: Corruption?,
    hasPairs: Bool, hasAverage: Bool, keepsGradient: Bool, place: ProcessPlace? = nil
  ) {
    let parallel = parallel.possible
    let turn = TrainingStep.shardsPerTurn(
      plan: plan, workers: parallel.workers, processes: place?.count ?? 1)
    let samples = turn * plan.samplesPerShard
    let images = Distortion.floats(
      augmentation, corruption, hasPairs: hasPairs, shape: plan.model.input, groupSamples: samples)
    let gradients =
      TrainingStep.heldShards(plan: plan, workers: parallel.workers, place: place) * plan.shardedCount
      + GradientReducer.gradientFloats(
        of: plan, workers: parallel.workers, place: place, keepsGradient: keepsGradient)
    self.init(
      plan, groupSamples: samples, parallel, shared: 4 * (gradients + (hasAverage ? plan.parameterCount : 0)),
      perReplica: 4
        * (images
          + (keepsGradient ? 0 : GradientReducer.largestSlice(of: plan, workers: place == nil ? parallel.workers : 1)))
    )
    sharers = place?.localCount ?? 1
  }

  /// What inference takes: its groups are single shards, and it holds inputs and outputs of a batch; the parameters are
  /// counted where it has its own.
  init(inference plan: ExecutionPlan, parallel: ParallelPlan, hasParameters: Bool = false, hasPairs: Bool = false) {
    let own = hasParameters ? 4 * plan.parameterCount : 0
    self.init(
      plan, groupSamples: plan.samplesPerShard, parallel,
      shared: 8 * plan.batchSize * (Inference.widest(plan) + (hasPairs ? plan.model.input.count : 0)) + own)
  }

  private init(
    _ plan: ExecutionPlan, groupSamples: Int, _ parallel: ParallelPlan, shared more: Int = 0, perReplica: Int = 0
  ) {
    let parallel = parallel.possible
    let bytes = plan.bytes(groupSamples: groupSamples, threads: parallel.threads)
    self.init(
      shared: bytes.shared + more, perReplica: bytes.perReplica + perReplica, replicas: parallel.workers, others: 0)
  }

  /// Refuses to train what the machine does not grant any more, with a size of minibatches that would fit: where the
  /// set has fewer images than a minibatch all of them, else the largest power of two.
  ///
  /// Cost: opens the images only to refuse.
  public static func check(
    process plan: ExecutionPlan, parallel: ParallelPlan, recipe: Recipe, place: ProcessPlace? = nil
  ) throws(ModelError) -> Self {
    let planned = try Self(process: plan, parallel: parallel, recipe: recipe, place: place)
    func fits(_ batchSize: Int) -> Bool {
      var smaller = recipe
      smaller.batchSize = batchSize
      smaller.shards = smaller.defaultShards
      guard let plan = try? smaller.plan(),
        let planned = try? Self(process: plan, parallel: parallel, recipe: smaller, place: place)
      else { return false }
      return planned.total <= planned.available
    }
    if planned.total <= planned.available { return planned }
    if let images = (try? recipe.open(recipe.data))?.count, images < recipe.batchSize, fits(images) {
      try planned.check(plan, advice: "the set has \(images) images, and --batch-size \(images) takes all of them")
    }
    let sizes = sequence(first: 1 << 20) { $0 > 1 ? $0 / 2 : nil }
    let size = sizes.first { $0 < recipe.batchSize && fits($0) }
    try planned.check(plan, advice: size.map { "--batch-size \($0) fits" } ?? "take smaller layers or fewer workers")
    return planned
  }

  /// Refuses what the machine does not grant any more; the system would otherwise end the process in the middle of its
  /// work.
  public func check(
    _ plan: ExecutionPlan, advice: String = "take smaller layers, a smaller batch or fewer workers"
  ) throws(ModelError) {
    let available = available
    guard total <= available else {
      throw ModelError(
        plan.model.name,
        "wanted memory for \(plan.batchSize) samples and \(replicas) replicas within the \(available >> 20) MiB that "
          + "are still granted, found a need of \(total >> 20) MiB; \(advice)",
        lacksMemory: true)
    }
  }
}

extension TrainingStep {
  /// Shards that a worker takes at a time: its share of all, but few enough that a group's images stay near the caches
  /// and its gradients take at most 64 MiB; of these numbers the largest that leaves nobody with more than needed.
  package static func shardsPerTurn(plan: ExecutionPlan, workers: Int, processes: Int = 1) -> Int {
    let shards = ProcessPlace.mostShards(of: plan.shards, processes: processes)
    let share = (shards + workers - 1) / workers
    let most = min(
      share, max(1, mostSamplesPerGroup / plan.samplesPerShard), max(1, mostGradients / max(1, plan.shardedCount)))
    func load(_ turn: Int) -> Int { ((shards + turn - 1) / turn + workers - 1) / workers * turn }
    return (1...most).reversed().min { load($0) < load($1) } ?? 1
  }

  /// Shards whose gradients are held at a time: those that workers compute and as many that wait until the ones before
  /// them are added, so that a worker half as fast as the others stops nobody; and at least four, because fewer bytes
  /// are moved where several are added at a time.
  ///
  /// Where processes share a step, those of a node hold the gradients of all their shards until the sum over those
  /// before them comes.
  static func heldShards(plan: ExecutionPlan, workers: Int, place: ProcessPlace? = nil) -> Int {
    if let place { return place.mostShardsOfNode(of: plan.shards) }
    return min(plan.shards, max(4, 2 * workers * shardsPerTurn(plan: plan, workers: workers)))
  }

  /// Enough rows that a dense layer's matrix is read seldom.
  private static let mostSamplesPerGroup = 64
  /// Floats beyond which memory counts for more than how often that matrix is read.
  private static let mostGradients = 16 << 20
}
