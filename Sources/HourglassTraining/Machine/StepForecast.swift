import HourglassBase
import HourglassModels

/// How a training step would use a number of cores: simulated at the costs of cores that were measured (`StepModel`),
/// not measured on any machine.
public struct StepForecast: Sendable, Codable, Equatable {
  /// A minibatch, how it is divided among cores, and what comes of it.
  public struct Division: Sendable, Codable, Equatable {
    /// The images of a minibatch.
    public var batchSize: Int
    public var shards: Int
    public var workers: Int
    public var threads: Int
    /// How many times as fast as on one core a step is.
    public var speedup: Double
    /// The speed-up over the cores.
    public var efficiency: Double
    /// What costs most of a step on all cores, a clause for people to read.
    public var limit: String
  }

  public var model: String
  public var cores: Int
  /// The division that training chooses by default.
  public var division: Division
  /// Where the efficiency of that is below `wanted`, a division that reaches it: the first one among minibatches of the
  /// given size and of powers of two above it, each with the shards of its default, then with more. Nil where the
  /// efficiency is not below, or no minibatch of up to 131072 images reaches it.
  public var sufficient: Division?

  /// An efficiency at which cores are well used.
  public static let wanted = 0.8
  private static let largestBatch = 1 << 17

  /// Simulates the steps of a recipe.
  ///
  /// - Parameter environment: variables that say how many threads a worker has, and at most all; none where the cores
  ///   are another machine's.
  /// - Errors: a model that cannot be planned.
  ///
  /// Cost: milliseconds for each minibatch that is tried.
  public init(
    _ recipe: Recipe, cores: Int, environment: OpenMPEnvironment = OpenMPEnvironment([:])
  ) throws(ModelError) {
    (model, self.cores) = (recipe.model.name, cores)
    division = try Division(recipe, cores: cores, environment)
    if division.efficiency < Self.wanted {
      sufficient = Self.candidates(recipe, cores: cores).lazy
        .compactMap { try? Division($0, cores: cores, environment) }
        .first { $0.efficiency >= Self.wanted }
    }
  }

  /// The recipe with other minibatches and shards, the least first.
  private static func candidates(_ recipe: Recipe, cores: Int) -> [Recipe] {
    let powers = sequence(first: 1) { 2 * $0 }.prefix { $0 <= largestBatch }
    return ([recipe.batchSize] + powers.filter { $0 > recipe.batchSize }).flatMap { size in
      var usual = recipe
      usual.batchSize = size
      usual.shards = usual.defaultShards
      var more = usual
      // Where a loss depends on the samples of a shard, more shards are another loss.
      more.shards = recipe.joinsSamples ? usual.shards : min(cores, (size + 7) / 8)
      return more.shards > usual.shards ? [usual, more] : [usual]
    }
  }

  /// What is predicted, in a sentence.
  public var summary: String {
    "\(cores) core\(cores == 1 ? "" : "s"): \(division.workers) workers x \(division.threads) threads on "
      + "\(division.shards) shards of a batch of \(grouped(division.batchSize)) are predicted to be "
      + "\(decimal(division.speedup, 1)) times as fast as one core, an efficiency of "
      + "\(decimal(division.efficiency, 2)); \(division.limit)"
  }

  /// What would use the cores well, in a sentence; nil where the default does, or nothing would.
  public var advice: String? {
    sufficient.map {
      "\($0.flags) \(division.batchSize == $0.batchSize ? "is" : "are") predicted to reach "
        + "\(decimal($0.efficiency, 2)), by \($0.workers) workers x \($0.threads) threads"
    }
  }
}

extension StepForecast.Division {
  fileprivate init(_ recipe: Recipe, cores: Int, _ environment: OpenMPEnvironment) throws(ModelError) {
    let plan = try recipe.plan()
    let parallel = ParallelPlan(shards: plan.shards, cores: cores, environment: environment)
    let costs = StepModel(reference: plan)
    let step = costs.step(plan, workers: parallel.workers, threads: parallel.threads)
    (batchSize, shards) = (recipe.batchSize, plan.shards)
    (workers, threads) = (parallel.workers, parallel.threads)
    speedup = costs.step(plan, workers: 1).seconds / step.seconds
    (efficiency, limit) = (speedup / Double(cores), step.limit(plan))
  }

  /// The flags of `train` for the minibatch and its shards.
  public var flags: String { "--batch-size \(batchSize) --shards \(shards)" }
}
