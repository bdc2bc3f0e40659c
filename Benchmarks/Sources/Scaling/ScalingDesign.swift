import HourglassData
import HourglassModels
import HourglassTraining

/// The design of a scaling study: what it measures, how often, and in which order.
struct ScalingDesign {
  /// A division of the step with the recipe that it trains.
  struct Point {
    let parallel: ParallelPlan
    let plan: ExecutionPlan

    var cores: Int { parallel.workers * parallel.threads }
  }

  /// Several processes that train the recipe together, each with these workers.
  struct ProcessPoint {
    let processes: Int
    let parallel: ParallelPlan
    let plan: ExecutionPlan

    var cores: Int { processes * parallel.workers }
  }

  let model: Autoencoder
  let mode: ScalingStudy.Mode
  /// The samples and shards of a minibatch at one core.
  let batchSize: Int
  let shards: Int
  let repetitions: Int
  /// The seconds of steps that are measured in a row.
  let seconds: Double
  let seed: UInt64
  /// The numbers of cores, ascending from 1.
  let cores: [Int]
  /// The points, ordered by cores, then by threads.
  let points: [Point]
  /// The processes that mpirun starts, in the order in which they were asked for.
  let processes: [ProcessPoint]

  /// - Parameters:
  ///   - shards: the shards at one core; by default the batch size decides.
  ///   - most: the most cores, which may be more than `granted`.
  ///   - processes: the numbers of processes that mpirun starts.
  ///   - workersEach: the workers of each of them.
  ///
  /// Errors: `ModelError` where the recipe cannot be, or needs more memory than the machine has.
  init(
    _ model: Autoencoder, mode: ScalingStudy.Mode, batchSize: Int, shards: Int? = nil, most: Int,
    granted: Int = GrantedCores.count, processes: [Int] = [], workersEach: Int = 1, repetitions: Int, seconds: Double,
    seed: UInt64
  ) throws(ModelError) {
    let shards = shards ?? Recipe(model: model, batchSize: batchSize).shards
    let cores = Self.cores(upTo: most, granted: granted)
    var points: [Point] = []
    for parallel in Self.divisions(of: cores) {
      let factor = mode == .weak ? parallel.workers * parallel.threads : 1
      let plan = try ExecutionPlan(model, batchSize: factor * batchSize, shards: factor * shards)
      try PlannedMemory(training: plan, parallel: parallel).check(plan)
      points.append(Point(parallel: parallel, plan: plan))
    }
    self.processes = try processes.map { count throws(ModelError) in
      let factor = mode == .weak ? count * workersEach : 1
      return ProcessPoint(
        processes: count, parallel: ParallelPlan(workers: workersEach, threads: 1),
        plan: try ExecutionPlan(model, batchSize: factor * batchSize, shards: factor * shards))
    }
    (self.model, self.mode, self.batchSize, self.shards) = (model, mode, batchSize, shards)
    (self.repetitions, self.seconds, self.seed) = (repetitions, seconds, seed)
    (self.cores, self.points) = (cores, points)
  }

  /// The samples of a minibatch for a number of cores.
  func batchSize(cores: Int) -> Int { mode == .weak ? cores * batchSize : batchSize }

  /// The numbers 1, 2, 4, ... and `most`, with the granted cores where they are no more than `most`.
  static func cores(upTo most: Int, granted: Int) -> [Int] {
    let powers = sequence(first: 1) { $0 * 2 }.prefix { $0 <= most }
    return Set(powers + [min(granted, most), most]).sorted()
  }

  /// All workers x threads with both among `cores` and their product at most its last.
  static func divisions(of cores: [Int]) -> [ParallelPlan] {
    let most = cores.last ?? 1
    let all = cores.flatMap { workers in cores.map { ParallelPlan(workers: workers, threads: $0) } }
    return all.filter { $0.workers * $0.threads <= most }.sorted {
      ($0.workers * $0.threads, $0.threads) < ($1.workers * $1.threads, $1.threads)
    }
  }

  /// The numbers 0, 1, ... in the order in which a repetition takes them.
  func order(of count: Int, repetition: Int) -> [Int] {
    BatchOrder(count: count, batchSize: count, seed: seed).permutation(epoch: repetition).map(Int.init)
  }
}
