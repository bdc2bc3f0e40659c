import ArgumentParser
import Foundation
import HourglassModels
import HourglassTraining

/// Whole training steps: forward, likelihood, backward, reduction, update.
struct StepBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Time whole training steps.",
    discussion: """
      Examples:
        bench step --model conv-vae-28 --batch-size 128 --workers 2 --seconds 10 --json
        bench step --workers 2 --peer torch
        bench step --model my-model.json --peer torch
        bench step --model conv-ae-28 --batch-size 64 128 256 512 1024

      Columns: samples per second, median and 10th to 90th percentile of the steps; microseconds for a sample; GFLOP/s
      with padding counted; share of the peak of multiply-adds that workers x threads cores reached in this run; with
      --peer the peer's samples per second in its better layout, with as many threads, and how many times that we reach.
      PyTorch trains the twin of the model file. Where the peer has no twin with as many parameters, a line says what it
      lacks, and Hourglass is measured alone.
      """)

  @Option(help: "The model to train: a name, a model file, or all.") var model = "all"
  @Option(
    parsing: .upToNextOption,
    help: "How many samples a minibatch has; several numbers are measured one after the other.")
  var batchSize = [128]
  @Option(help: "How many workers train at once. (default: as training would choose)") var workers: Int?
  @Option(help: "How many OpenMP threads each worker has.") var threads: Int?
  @Option(help: "Bind threads to cores: not, to neighbours (close), or evenly spaced (spread).")
  var bind = CoreBinding.none
  @Option(help: "How many seconds each model and side is measured.") var seconds = 5.0
  @Option(help: "Measure in turn with torch (PyTorch) or keras (Keras 3 on TensorFlow).") var peer: StepPeer?
  @Flag(help: "Print one JSON object for each model and batch size.") var json = false

  func run() throws {
    var opponent: PeerProcess?
    var table: Table?
    for model in try models(named: model) {
      for samples in batchSize {
        let plan = try ExecutionPlan(model, batchSize: samples)
        var parallel = ParallelPlan(workers: workers, threads: threads, shards: plan.shards)
        parallel.binding = bind
        if let peer, opponent == nil { opponent = try peer.start(threads: parallel.workers * parallel.threads) }
        let lack = try opponent.flatMap { try StepPeer.lack($0, plan) }
        var result = try StepResult(plan, parallel, peer, lack == nil ? opponent : nil, seconds: seconds)
        result.peerLacks = lack
        if json {
          say(try bench.json(result))
        } else {
          if table == nil { table = result.heading(opponent?.greeting) }
          table?.row(result.cells)
          if let peer, let lack { say("  \(peer) lacks \(lack)") }
        }
      }
    }
  }
}

extension CoreBinding: ExpressibleByArgument {}

/// A peer that trains the same models.
enum StepPeer: String, CaseIterable, ExpressibleByArgument {
  case torch, keras

  func start(threads: Int) throws -> PeerProcess {
    switch self {
    case .torch: try .python("train_torch.py", ["--serve", "--threads", "\(threads)"])
    case .keras: try .python("train_keras.py", ["--threads", "\(threads)"])
    }
  }

  struct Question: Encodable {
    var model: Autoencoder
    /// Nil for the question what the model's twin is.
    var batchSize: Int?
    var seconds: Double?
    /// The number of threads, where the process may change it.
    var threads: Int?
    var processes: Int?
  }

  private struct Twin: Decodable {
    var parameters: Int?
    var lacks: String?
  }

  /// What a peer lacks to train the same model; nil for nothing.
  static func lack(_ process: PeerProcess, _ plan: ExecutionPlan) throws -> String? {
    let twin = try process.ask(Question(model: plan.model), Twin.self)
    let (found, wanted) = (twin.parameters ?? 0, ModelSummary(plan).parameters)
    return twin.lacks ?? (found == wanted ? nil : "a twin of \(wanted) parameters; it has one of \(found)")
  }
}

/// The result of the steps of one model.
struct StepResult: Codable {
  struct Comparison: Codable {
    var peer: String
    /// The fastest layout, which counts.
    var layout: String
    var samplesPerSecond, samplesPerSecondP10, samplesPerSecondP90: Double
    /// Our median samples a second over theirs.
    var ratio: Double
  }

  var model: String
  var batchSize: Int
  var workers: Int
  var threads: Int
  var isa: String
  /// The samples a second of the median step, and of the steps at the 90th and the 10th percentile of time.
  var samplesPerSecond, samplesPerSecondP10, samplesPerSecondP90: Double
  /// The GFLOP/s, padding counted.
  var gflops: Double
  /// The share of the multiply-adds from registers on workers x threads cores, in this run.
  var peakShare: Double
  var comparison: Comparison?
  /// What the peer lacks to train the model.
  var peerLacks: String?
}

extension StepResult {
  /// The number of turns; there are few, because a large minibatch takes seconds.
  private static let rounds = 5

  init(_ plan: ExecutionPlan, _ parallel: ParallelPlan, _ peer: StepPeer?, _ opponent: PeerProcess?, seconds: Double)
    throws
  {
    let batchSize = plan.batchSize
    let run = try StepRun(plan, parallel, StepRun.images(for: plan.model, batchSize: batchSize))
    let question = StepPeer.Question(
      model: plan.model, batchSize: batchSize, seconds: seconds / Double(Self.rounds))
    let meter = PeakMeter(isa: Limits.isaInUse, threads: parallel.workers * parallel.threads)
    var peaks: [Double] = []
    try (0..<2).forEach { _ in try run.step() }
    let turns = try Turns(
      rounds: Self.rounds, threads: parallel.workers * parallel.threads,
      ours: {
        defer { peaks += meter.samples(10) }
        return try Timing.samples(seconds: seconds / Double(Self.rounds), run.step)
      },
      theirs: opponent.map { opponent in { try opponent.ask(question, [String: [Double]].self) } })

    let time = Samples(turns.ours)
    func rate(_ time: Samples, _ q: Double) -> Double { Double(batchSize) / time.quantile(q) }
    (self.model, self.batchSize) = (plan.model.name, batchSize)
    (workers, threads) = (parallel.workers, parallel.threads)
    (samplesPerSecond, samplesPerSecondP10, samplesPerSecondP90) = (rate(time, 0.5), rate(time, 0.9), rate(time, 0.1))
    gflops = samplesPerSecond * Double(ModelSummary(plan).trainingFlops) / 1e9
    isa = Limits.isaInUse
    peakShare = gflops / Samples(peaks).median
    if let peer, let (layout, time) = turns.best {
      comparison = Comparison(
        peer: peer.rawValue, layout: layout, samplesPerSecond: rate(time, 0.5), samplesPerSecondP10: rate(time, 0.9),
        samplesPerSecondP90: rate(time, 0.1), ratio: samplesPerSecond / rate(time, 0.5))
    }
  }

  func heading(_ greeting: PeerProcess.Greeting?) -> Table {
    say("\(Machine.current.processor), \(isa)")
    if let greeting { say("against \(greeting.title), in turn, \(Self.rounds) rounds") }
    let compared = greeting == nil ? [] : ["peer samples/s", "        layout", "ratio"]
    return Table(
      ["model", "batch", "workers x threads", "samples/s", "     p10..p90", "us/sample", "GFLOP/s", "  peak"]
        + compared,
      first: 18)
  }

  var cells: [String] {
    let other = comparison.map { [fixed($0.samplesPerSecond, 0), $0.layout, fixed($0.ratio, 2)] }
    return [
      model, "\(batchSize)", "\(workers) x \(threads)", fixed(samplesPerSecond, 0),
      "\(fixed(samplesPerSecondP10, 0))..\(fixed(samplesPerSecondP90, 0))", fixed(1e6 / samplesPerSecond, 1),
      fixed(gflops, 1), percent(peakShare),
    ] + (other ?? [])
  }
}
