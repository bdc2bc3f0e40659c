/// A study of how a model's training step scales on a machine: what was measured, on which machine, and with which
/// seed.
///
/// The first point has one worker with one thread; speed-ups and efficiencies refer to it.
struct ScalingStudy: Codable {
  enum Mode: String, Codable, CaseIterable {
    /// All divisions have one minibatch; speed-up is how many times shorter a step is.
    case strong
    /// Each core has as many samples; speed-up is how many times more samples a second pass.
    case weak
  }

  var model: String
  var mode: Mode
  /// The samples of a minibatch at one core; a weak study has p times as many at p cores.
  var batchSize: Int
  var repetitions: Int
  /// The seed of the order in which the repetitions of all points were taken.
  var seed: UInt64
  var machine: MachineBlock
  /// The points, ordered by workers x threads, then by threads.
  var points: [Point]
  /// Several processes that mpirun has started, in turn with the points.
  var processes: [ProcessPoint] = []
  var peers: [Peer]

  /// A division of the step with its measurements.
  struct Point: Codable {
    var workers: Int
    var threads: Int
    var batchSize: Int
    var shards: Int
    /// The seconds of a step in each repetition, the median over its steps.
    var seconds: [Double]
    /// The processor time of a step in each repetition, the mean over its steps, of all threads together in seconds.
    var processorSeconds: [Double]
    /// The parts of a step, the mean over all measured steps and over the workers.
    var parts: Parts
    var memory: Memory
    /// The hash of the weights after a fixed number of steps: equal for all points with one batch size and number of
    /// shards, so for all of a strong study. There are several, with a slash between them, where repetitions disagree.
    var weightsHash: String

    var cores: Int { workers * threads }

    /// The processor time of the steps over the time of as many cores, at most about 1.
    var processorShare: Double {
      processorSeconds.reduce(0, +) / Double(processorSeconds.count) / (parts.step * Double(cores))
    }

    /// The part of the cores' time in which the workers neither ran nor waited for each other: others had the cores. A
    /// worker that waits may spin, so more than this may have been withheld.
    var withheld: Double { max(0, 1 - processorShare - parts.waiting / parts.step) }
  }

  /// Processes that train together, each with its workers.
  struct ProcessPoint: Codable {
    var processes: Int
    /// The workers of each process, with one thread.
    var workers: Int
    var batchSize: Int
    var shards: Int
    /// The seconds of a step in each repetition, the median over its steps.
    var seconds: [Double]
    /// The part of the steps in which position 0 exchanges messages with the others and waits for them.
    var exchange: Double
    var weightsHash: String
    /// What messages take between them; nil for one process.
    var network: NetworkResult?

    var cores: Int { processes * workers }
  }

  /// The seconds of a step by what a worker does, averaged over workers and steps; their sum is the step.
  struct Parts: Codable {
    var forwardBackward: Double
    /// The gradients of dense weights, products over the whole minibatch.
    var products: Double
    /// Adding up the gradients of shards.
    var reduction: Double
    var update: Double
    /// Waiting for other workers, at the ends of phases and for being woken.
    var waiting: Double
    /// The slowest worker's time in forward and backward over the mean worker's, minus 1.
    var imbalance: Double
  }

  struct Memory: Codable {
    var plannedBytes: Int
    /// The largest resident set of a process that trains with this point alone, with the program, its libraries, the
    /// stacks of its threads and the images.
    var residentBytes: Int
  }

  /// The measurements of another framework on the same model, in turn with ours.
  struct Peer: Codable {
    /// The name of the peer, such as "PyTorch 2.13.0, threads".
    var name: String
    /// The peer's allocator, where it says so.
    var allocator: String? = nil
    var points: [PeerPoint]
  }

  struct PeerPoint: Codable {
    var cores: Int
    /// How many processes mpirun has started, where it did.
    var processes: Int? = nil
    var batchSize: Int
    /// The seconds of a step in each repetition, the median over its steps.
    var seconds: [Double]
    /// The layout of memory, the fastest of those that were measured.
    var layout: String? = nil
  }
}

extension ScalingStudy {
  /// Whether the weights equal those of the first point that trains the same recipe, in every repetition.
  func isEqual(_ point: any DividedPoint) -> Bool {
    // Several hashes stand where repetitions disagree.
    point.weightsHash == reference(of: point).weightsHash && !point.weightsHash.contains("/")
  }

  /// A sentence about the first point whose weights are not as they should be; nil when all are.
  var difference: String? {
    guard let point = divided.first(where: { !isEqual($0) }) else { return nil }
    let reference = reference(of: point)
    return "\(model), \(mode.rawValue) scaling: wanted the weights \(reference.weightsHash) of "
      + "\(reference.title) in every division and repetition, found \(point.weightsHash) in \(point.title)"
  }

  private var divided: [any DividedPoint] { points + processes }

  private func reference(of point: any DividedPoint) -> any DividedPoint {
    divided.first { $0.batchSize == point.batchSize && $0.shards == point.shards } ?? point
  }
}

/// A division of a step that ends with weights.
protocol DividedPoint {
  var title: String { get }
  var batchSize: Int { get }
  var shards: Int { get }
  var weightsHash: String { get }
}

extension ScalingStudy.Point: DividedPoint {
  /// The division as `workers x threads`.
  var title: String { "\(workers) x \(threads)" }
}

extension ScalingStudy.ProcessPoint: DividedPoint {
  /// The division as `processes x workers`.
  var title: String { "\(processes) processes x \(workers)" }
}
