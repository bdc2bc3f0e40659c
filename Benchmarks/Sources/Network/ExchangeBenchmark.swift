import ArgumentParser
import Foundation
import HourglassModels

/// The messages of a step alone, in turn with other ways to add up the same gradients.
struct ExchangeBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exchange", abstract: "Compare the messages of a step with all-reduces of the same gradients.",
    discussion: """
      Starts processes by mpirun, which must be in PATH, again and again: Hourglass, whose sums keep their order, \
      MPI's own all-reduce (make .build/allreduce_mpi), and with --peer torch gloo's. Nobody computes anything else.

      Examples:
        bench exchange --processes 2,4
        Benchmarks/nodes 4 1gbit .build/release/bench exchange --processes 2,4 --peer torch

      Columns: medians in milliseconds over all rounds of all turns; Hourglass / peer, where less than 1 is faster.
      """)

  @Option(help: "The model whose gradients are exchanged: a name, or all for the four flagships.") var model = "all"
  @Option(help: "How many samples a minibatch has.") var batchSize = 128
  @Option(help: ArgumentHelp("How many processes exchange.", valueName: "numbers")) var processes: CountList
  @Option(help: "How often each side is started.") var turns = 3
  @Option(help: "How many exchanges it makes each time.") var rounds = 10
  @Option(help: "Measure in turn with torch (gloo) too.") var peer: ScalingPeers?
  @Flag(help: "Print one JSON object for each number of processes.") var json = false

  static let flagships = ["conv-vae-28", "conv-ae-28", "conv-ae-32", "conv-vae-64"]

  func validate() throws {
    _ = try models(named: model)
    try require("--batch-size", batchSize, in: 1...1 << 20)
    try require("--turns", turns, in: 1...1000)
    try require("--rounds", rounds, in: 1...10_000)
    for count in processes.values { try require("--processes", count, in: 2...1024) }
  }

  func run() throws {
    let names = model == "all" ? Self.flagships : try models(named: model).map(\.name)
    for count in processes.values {
      let result = try measured(names, processes: count)
      say(json ? try bench.json(result) : result.lines.joined(separator: "\n"))
    }
  }

  private func measured(_ names: [String], processes: Int) throws -> ExchangeResult {
    let floats = try names.flatMap(models(named:)).map { try ExecutionPlan($0, batchSize: batchSize).parameterCount }
    var result = ExchangeResult(
      processes: processes, rows: zip(names, floats).map { ExchangeResult.Row(model: $0, parameters: $1) })
    for _ in 0..<turns {
      for (index, name) in names.enumerated() {
        let answer = try Launcher.ask(
          processes,
          [
            Subprocess.own, "network", "--json", "--model", name, "--batch-size", "\(batchSize)", "--repetitions",
            "\(rounds)",
          ], NetworkResult.self)
        result.nodes = answer.nodes
        result.rows[index].hourglass += answer.exchanges[0].seconds
      }
      for (index, times) in try reduce(floats, processes, by: [try Self.program()]).enumerated() {
        result.rows[index].mpi += times
      }
      guard peer != nil else { continue }
      let store = "\(FileManager.default.temporaryDirectory.path)/bench-exchange-\(UUID().uuidString)"
      defer { try? FileManager.default.removeItem(atPath: store) }
      let script = try PeerProcess.python(command: "allreduce_torch.py", ["--store", store])
      for (index, times) in try reduce(floats, processes, by: script).enumerated() {
        result.rows[index].gloo += times
      }
    }
    return result
  }

  /// The seconds of each round for each number of floats.
  private func reduce(_ floats: [Int], _ processes: Int, by command: [String]) throws -> [[Double]] {
    try Launcher.ask(processes, command + ["\(rounds)"] + floats.map(String.init), [[Double]].self)
  }

  private static func program() throws -> String {
    let program = ".build/allreduce_mpi"
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw BenchError("wanted \(program) here: build it with make \(program)")
    }
    return program
  }
}

/// What `bench exchange` has measured for a number of processes.
struct ExchangeResult: Codable {
  var processes: Int
  var nodes = 1
  var rows: [Row]

  /// The seconds of each round.
  struct Row: Codable {
    var model: String
    var parameters: Int
    var hourglass: [Double] = []
    var mpi: [Double] = []
    /// Empty where it was not measured.
    var gloo: [Double] = []
  }

  var lines: [String] {
    let hasGloo = rows.contains { !$0.gloo.isEmpty }
    let table = ReportTable(
      titles: ["messages of a step", "parameters", "Hourglass ms", "MPI_Allreduce ms", "Hourglass / MPI"]
        + (hasGloo ? ["gloo ms", "Hourglass / gloo"] : []),
      rows: rows.map { row in
        let ours = Samples(row.hourglass).median
        let peers = ([row.mpi] + (hasGloo ? [row.gloo] : [])).map { Samples($0).median }
        return [row.model, "\(row.parameters)", significant(1e3 * ours)]
          + peers.flatMap { [significant(1e3 * $0), fixed(ours / $0, 2)] }
      })
    return ["\(processes) processes on \(nodes) node\(nodes == 1 ? "" : "s")"] + table.lines
  }
}

/// Positive numbers with commas between them, such as `1,2,4`.
struct CountList: ExpressibleByArgument {
  let values: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Int($0) }
    guard values.count == parts.count, values.allSatisfy({ $0 > 0 }) else { return nil }
  }
}
