/// How a model's training step scales on a machine: what was measured, what was fitted to it, what follows for more
/// cores.
///
/// The first point has one worker with one thread; speed-ups and efficiencies refer to it.
struct ScalingStudy: Codable {
  enum Mode: String, Codable, CaseIterable {
    /// The same minibatch for all: speed-up is how many times shorter a step is.
    case strong
    /// As many samples for each core: speed-up is how many times more samples a second pass.
    case weak
  }

  var model: String
  var mode: Mode
  /// Samples of a minibatch at one core; p times as many at p cores of a weak study.
  var batchSize: Int
  var repetitions: Int
  /// Seed of the order in which the repetitions of all points were taken.
  var seed: UInt64
  var machine: MachineBlock
  /// Ordered by workers x threads, then by threads.
  var points: [Point]
  var peers: [Peer]

  /// A division of the step, and what was measured with it.
  struct Point: Codable {
    var workers: Int
    var threads: Int
    var batchSize: Int
    var shards: Int
    /// Seconds of a step: of each repetition, the median over its steps.
    var seconds: [Double]
    /// Mean over all measured steps, of one worker.
    var parts: Parts
    var memory: Memory
    /// After the same number of steps everywhere: equal for all points with the same batch size and shards, so for all
    /// of a strong study. Several with a slash between them where not even the repetitions agree.
    var weightsHash: String

    var cores: Int { workers * threads }
  }

  /// Seconds of a step by what a worker does, averaged over workers and steps; their sum is the step.
  struct Parts: Codable {
    var forwardBackward: Double
    /// Gradients of dense weights: products over the whole minibatch.
    var products: Double
    /// Adding up the gradients of shards.
    var reduction: Double
    var update: Double
    /// For other workers: at the ends of phases, and for being woken.
    var waiting: Double
    /// Time in forward and backward of the slowest worker over that of the mean worker, minus 1.
    var imbalance: Double
  }

  struct Memory: Codable {
    var plannedBytes: Int
    /// Largest resident set of a process that trains with this point alone: with the program, its libraries, the stacks
    /// of its threads and the images.
    var residentBytes: Int
  }

  /// What another framework reached on the same model, in turn with ours.
  struct Peer: Codable {
    /// Such as "PyTorch 2.13.0, threads".
    var name: String
    /// Who hands out memory there, where it says so.
    var allocator: String? = nil
    var points: [PeerPoint]
  }

  struct PeerPoint: Codable {
    var cores: Int
    var batchSize: Int
    /// Seconds of a step: of each repetition, the median over its steps.
    var seconds: [Double]
    /// Of memory, the faster one of those that were measured.
    var layout: String? = nil
  }
}

extension ScalingStudy {
  /// True when the weights are those of the first point that trains the same recipe, in every repetition.
  func isEqual(_ point: Point) -> Bool { point.weightsHash == reference(of: point).weightsHash && point.isSettled }

  /// A sentence about the first point whose weights are not as they should be; nil when all are.
  var difference: String? {
    guard let point = points.first(where: { !isEqual($0) }) else { return nil }
    let reference = reference(of: point)
    return "\(model), \(mode.rawValue) scaling: wanted the weights \(reference.weightsHash) of "
      + "\(reference.workers) x \(reference.threads) in every division and repetition, found \(point.weightsHash) in "
      + "\(point.workers) x \(point.threads)"
  }

  private func reference(of point: Point) -> Point {
    points.first { $0.batchSize == point.batchSize && $0.shards == point.shards } ?? point
  }
}

extension ScalingStudy.Point {
  /// All repetitions ended with the same weights.
  fileprivate var isSettled: Bool { !weightsHash.contains("/") }
}
