import ArgumentParser
import Foundation
import HourglassModels
import HourglassTraining

/// What messages take between processes that mpirun or srun has started.
struct NetworkBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "network", abstract: "Time messages between processes that mpirun or srun has started.",
    discussion: """
      Messages go between the first process and the first of another node, or the last where all are on one node. \
      The command needs libhourglass_mpi.so beside it, which `make mpi` builds.

      Examples:
        mpirun -n 2 --map-by ppr:1:node --bind-to none .build/release/bench network
        mpirun -n 4 --hostfile nodes --map-by ppr:1:node .build/release/bench network --json --output network.json
        mpirun -n 4 .build/release/bench network --model conv-vae-64 --batch-size 512

      Columns: half of a round trip, median and 10th to 90th percentile in microseconds, and the bytes a second of a \
      message alone. Below: latency, overhead and bandwidth, with which bench scaling --network predicts. With \
      --model: the messages of a step alone, median and 10th to 90th percentile in milliseconds.
      """)

  @Option(help: "Exchange the messages of a step of this model too: a name, or all.") var model: String?
  @Option(help: "How many samples the minibatch of that step has.") var batchSize = 128
  @Option(help: "How often each step's messages are exchanged.") var repetitions = 10
  @Option(help: "What to call the network.") var name = "measured"
  @Option(help: "Write the JSON object into this file too.") var output: String?
  @Flag(help: "Print one JSON object.") var json = false

  func validate() throws {
    if let model { _ = try models(named: model) }
    try require("--batch-size", batchSize, in: 1...1 << 20)
    try require("--repetitions", repetitions, in: 1...10_000)
  }

  func run() throws {
    guard let launch = Launch() else {
      throw BenchError(
        "bench network: wanted at least two processes, which time messages to each other, found one alone; start it "
          + "with mpirun -n 2 or srun -n 2")
    }
    let transport = try Launcher.join(launch)
    defer { transport.end() }
    var result = NetworkResult(transport, name: name, library: transport.version)
    for model in try model.map(models(named:)) ?? [] {
      let plan = try ExecutionPlan(model, batchSize: batchSize)
      let seconds = try Self.exchanges(plan, transport, repetitions: repetitions)
      result?.exchanges.append(NetworkResult.Exchange(plan, seconds: seconds))
    }
    guard let result else { return }
    if let output { try (bench.json(result) + "\n").write(toFile: output, atomically: true, encoding: .utf8) }
    say(json ? try bench.json(result) : result.lines.joined(separator: "\n"))
  }

  /// The seconds of the messages of a step, after a step that opens all connections.
  static func exchanges(_ plan: ExecutionPlan, _ transport: any Transport, repetitions: Int) throws -> [Double] {
    let images = try StepRun.images(for: plan.model, batchSize: plan.batchSize)
    let run = try StepRun(plan, ParallelPlan(workers: 1, threads: 1), images, transport: transport)
    try run.step()
    let clock = ContinuousClock()
    return (0..<repetitions).map { _ in
      _ = transport.gather("")
      let start = clock.now
      run.training.exchangeAlone()
      return (clock.now - start) / .seconds(1)
    }
  }
}

/// What `bench network` has measured.
struct NetworkResult: Codable {
  var processes: Int
  var nodes: Int
  /// How many of the processes share the machine of position 0, though they may seem to be on several nodes.
  var onOneMachine: Int
  /// The MPI.
  var library: String
  /// The two ends of the messages.
  var ends: [String]
  var messages: [Row]
  var network: Network
  var exchanges: [Exchange] = []

  struct Row: Codable {
    var bytes: Int
    /// The seconds of half a round trip.
    var seconds: Spread
  }

  /// The messages of a step, alone.
  struct Exchange: Codable {
    var model: String
    var batchSize: Int
    var parameters: Int
    var seconds: [Double]

    init(_ plan: ExecutionPlan, seconds: [Double]) {
      (model, batchSize, parameters) = (plan.model.name, plan.batchSize, plan.parameterCount)
      self.seconds = seconds
    }
  }
}

extension NetworkResult {
  /// Measures. All processes make one together; nil elsewhere than at position 0.
  init?(_ transport: any Transport, name: String, library: String) {
    let place = transport.place
    let measurement = NetworkMeasurement(transport)
    let names = transport.gather(place.name)
    let machines = transport.gather(
      (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? place.name)
    let times = NetworkMeasurement.sizes.map { ($0, measurement.halfRoundTrips(bytes: $0)) }
    guard let network = measurement.network(name: name) else { return nil }
    (processes, nodes, self.library, self.network) = (place.count, place.nodes, library, network)
    onOneMachine = machines.count { $0 == machines[0] }
    ends = [names[0], names[measurement.partner]]
    messages = times.map { Row(bytes: $0, seconds: Spread(Samples($1))) }
  }

  var lines: [String] {
    let heading =
      "\(processes) processes on \(nodes) node\(nodes == 1 ? "" : "s"), \(library); messages between \(ends[0]) and "
      + ends[1]
    let rows = messages.map { row in
      let times = [row.seconds.median, row.seconds.p10, row.seconds.p90].map { significant(1e6 * $0) }
      return [
        Self.size(row.bytes), times[0], "\(times[1])..\(times[2])",
        significant(Double(row.bytes) / row.seconds.median / 1e6),
      ]
    }
    let table = ReportTable(titles: ["message", "us one way", "p10..p90", "MB/s"], rows: rows)
    let parameters =
      "latency \(significant(1e6 * network.latency)) us, overhead \(significant(1e6 * network.overhead)) us a message, "
      + "bandwidth \(significant(network.bandwidth / 1e6)) MB/s"
    let steps = ReportTable(
      titles: ["messages of a step", "batch", "parameters", "ms", "p10..p90"],
      rows: exchanges.map { exchange in
        let time = Spread(Samples(exchange.seconds), scale: 1e3)
        return [
          exchange.model, "\(exchange.batchSize)", "\(exchange.parameters)", significant(time.median),
          "\(significant(time.p10))..\(significant(time.p90))",
        ]
      })
    return [heading] + table.lines + [parameters] + (exchanges.isEmpty ? [] : [""] + steps.lines)
  }

  private static func size(_ bytes: Int) -> String {
    bytes < 1 << 10 ? "\(bytes) bytes" : bytes < 1 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB"
  }
}

/// Refuses a number outside of its range, by its flag.
func require(_ flag: String, _ value: Int, in range: ClosedRange<Int>) throws {
  guard !range.contains(value) else { return }
  throw ValidationError("\(flag): wanted \(range.lowerBound) to \(range.upperBound), found \(value)")
}
