import Foundation
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

@testable import bench

extension NetworkResult {
  static func example(processes: Int, nodes: Int) -> NetworkResult {
    NetworkResult(
      processes: processes, nodes: nodes, onOneMachine: 1, library: "MPI", ends: ["a", "b"], messages: [],
      network: Network(name: "example", latency: 30e-6, overhead: 5e-6, bandwidth: 1e9))
  }
}

private let free = Network(name: "free", latency: 0, overhead: 0, bandwidth: .infinity)

@Suite struct ChainSimulationTests {
  private func seconds(
    _ pieces: [Int], _ nodes: Int, addition: Double = 0, _ change: (inout Network) -> Void = { _ in }
  ) -> Double {
    var network = free
    change(&network)
    return ChainSimulation.seconds(
      pieces: pieces, additions: pieces.map { _ in addition }, nodes: nodes, network)
  }

  private func isClose(_ found: Double, _ wanted: Double) -> Bool { abs(found - wanted) < 1e-9 * max(1, wanted) }

  @Test("one node adds and sends nothing")
  func alone() {
    #expect(seconds([5, 6, 7], 1, addition: 2) { ($0.latency, $0.bandwidth) = (100, 1) } == 6)
  }

  @Test("one piece goes there and back, each time with overhead, latency and its bytes")
  func onePiece() {
    for nodes in 2...6 {
      let found = seconds([10], nodes, addition: 7) { ($0.latency, $0.overhead, $0.bandwidth) = (3, 2, 8) }
      #expect(isClose(found, Double(nodes) * 7 + 2 * Double(nodes - 1) * (3 + 2 + 40 / 8)), "\(nodes)")
    }
  }

  @Test("a network without limits leaves a pipeline of additions")
  func additions() {
    for (nodes, count) in [(2, 1), (2, 9), (5, 3), (8, 20)] {
      let found = seconds(Array(repeating: 4, count: count), nodes, addition: 1.5)
      #expect(isClose(found, 1.5 * Double(count + nodes - 1)), "\(nodes), \(count)")
    }
  }

  @Test("pieces without length take the latency of all ways there and back, however many there are")
  func latency() {
    for count in [1, 7] {
      #expect(isClose(seconds(Array(repeating: 4, count: count), 5) { $0.latency = 10 }, 80))
    }
  }

  @Test("without latency two nodes fill the way there, and the last total takes the way back once more")
  func bandwidth() {
    #expect(isClose(seconds(Array(repeating: 3, count: 9), 2) { $0.bandwidth = 12 }, 10))
    // With a pause for each message.
    #expect(isClose(seconds(Array(repeating: 3, count: 9), 2) { ($0.bandwidth, $0.overhead) = (12, 0.5) }, 15))
  }

  /// A node in the middle sends each piece twice, on and back.
  @Test("a longer chain is bound by the nodes in the middle, whose one way out carries both")
  func middle() {
    let (count, nodes) = (200, 5)
    let found = seconds(Array(repeating: 1, count: count), nodes) { $0.bandwidth = 4 }
    #expect(found >= Double(2 * count - 1) && found <= Double(2 * count + 4 * nodes))
  }

  @Test("more of anything never takes less")
  func monotonic() {
    let pieces = [3, 1, 4, 1, 5, 9, 2, 6]
    func time(_ nodes: Int, _ factor: Double) -> Double {
      seconds(pieces, nodes, addition: 0.1) { ($0.latency, $0.overhead, $0.bandwidth) = (factor, 0.2, 4) }
    }
    for nodes in 2...8 {
      #expect(time(nodes, 1) < time(nodes + 1, 1) && time(nodes, 1) < time(nodes, 2))
    }
  }
}

@Suite struct NodeSimulationTests {
  @Test("each parameter goes along the chain or is a product that everybody computes, in pieces of at most 48 KB")
  func pieces() throws {
    for model in ModelCatalog.models {
      for (batchSize, nodes) in [(16, 2), (4096, 64)] {
        let plan = try ExecutionPlan(model, batchSize: batchSize)
        // Sums take no time, products a second for each parameter.
        let design = ExchangeDesign(
          plan, nodes: nodes, samples: 1, sum: 0, multiplyAdd: { _ in 1 / Double(plan.batchSize) })
        let messages = TrainingStep.messages(of: plan, nodes: nodes)
        let all = (messages.sums + messages.products).reduce(0) { $0 + $1.parameters }
        // Products begin at multiples of 16 floats.
        let products = plan.products.reduce(0) { $0 + $1.rows * $1.columns }
        #expect(all == plan.shardedCount + products, "\(model.name)")
        let matrices = messages.products.reduce(0) { $0 + ($1.rows > 1 ? $1.parameters : 0) }
        #expect(abs(design.gatheredProducts - Double(matrices)) <= 1e-6 * Double(matrices))
        #expect(design.pieces.count == design.additions.count && design.pieces.allSatisfy { $0 > 0 })
      }
    }
  }

  /// For 128 samples of 4 nodes, 128 (3136 + 256) 3/4 floats are fewer than twice 3136 x 256; those of 24576 samples
  /// are not.
  @Test("operands are gathered where they are fewer floats than the gradient there and back")
  func gathered() throws {
    func design(_ batchSize: Int, _ nodes: Int) throws -> ExchangeDesign {
      let plan = try ExecutionPlan(try #require(ModelCatalog.model("conv-vae-28")), batchSize: batchSize)
      return ExchangeDesign(plan, nodes: nodes, samples: batchSize / nodes, sum: 0, multiplyAdd: { _ in 0 })
    }
    let few = try design(128, 4)
    #expect(few.operands >= 128 * (3136 + 256))
    #expect(few.pieces.reduce(0, +) < 100_000)
    #expect(try design(24_576, 64).operands == 0)
  }

  @Test("a ring gives each node what the others have")
  func ring() {
    var network = free
    network.bandwidth = 100
    #expect(NodeStep.ring(floats: 20_000, nodes: 4, network) == 80_000 * 0.75 / 100)
    (network.latency, network.overhead, network.bandwidth) = (3, 1, .infinity)
    #expect(NodeStep.ring(floats: 20_000, nodes: 5, network) == 4 * 4)
    #expect(NodeStep.ring(floats: 5 * 12288, nodes: 5, network) == 4 * 4)
    #expect(NodeStep.ring(floats: 50 * 12288, nodes: 5, network) == 4 * 3 + 40)
    #expect(NodeStep.report(floats: 1, nodes: 5, network) == 3 * 4)
  }

  @Test("one node takes the step alone, and on slower networks several take longer")
  func steps() throws {
    let model = try #require(ModelCatalog.model("conv-ae-32"))
    let costs = try #require(try StepModel(ScalingFixture.study(), model: model))
    func step(_ nodes: Int, _ network: Network) throws -> NodeStep {
      try NodeStep(costs, model, batchSize: 1024 * nodes, shards: 128 * nodes, nodes: nodes, workers: 16, network)
    }
    let alone = try step(1, Network.presets[0])
    let plan = try ExecutionPlan(model, batchSize: 1024, shards: 128)
    #expect(alone.exchange == 0 && alone.seconds == costs.step(plan, workers: 16).seconds)
    for nodes in [2, 16] {
      let times = try (Network.presets + [free]).map { try step(nodes, $0) }
      for (slow, fast) in zip(times, times.dropFirst()) {
        #expect(slow.seconds > fast.seconds && slow.exchange > fast.exchange)
      }
    }
  }

  @Test("curves begin at one node, and efficiency is speed-up over nodes")
  func curves() throws {
    let report = try ScalingFixture.strong.get()
    let nodes = try #require(report.nodes)
    #expect(nodes.scenarios.map(\.mode) == [.weak, .strong] && nodes.cores == 16)
    #expect(nodes.scenarios.map { [$0.batchSize, $0.shards] } == [[2048, 256], [8192, 1024]])
    for scenario in nodes.scenarios {
      #expect(scenario.curves.map(\.network) == Network.presets.map(\.name))
      for curve in scenario.curves {
        #expect(curve.points.map(\.nodes) == NodeSimulation.nodes && curve.points[0].efficiency == 1)
        for point in curve.points {
          #expect(abs(point.efficiency * Double(point.nodes) - point.speedup) < 1e-9)
          #expect(point.exchange < point.seconds)
        }
      }
      #expect(report.table(of: scenario).rows.count == NodeSimulation.nodes.count)
    }
  }
}

@Suite struct NetworkMeasurementTests {
  static func result(_ transport: any Transport) -> NetworkResult? {
    NetworkResult(transport, name: "threads", library: "none")
  }

  @Test("position 0 gets all figures, of messages to the first position of another node or to the last")
  func network() throws {
    let results = try ThreadTransport.run(processes: 3) { Self.result($0) }
    #expect(results[1] == nil && results[2] == nil)
    let result = try #require(results[0])
    #expect(result.processes == 3 && result.onOneMachine == 3 && result.ends[1].hasPrefix("position 1 on "))
    #expect(result.messages.map(\.bytes) == NetworkMeasurement.sizes)
    #expect(result.messages.allSatisfy { $0.seconds.median > 0 })
    let network = result.network
    #expect(network.overhead > 0 && network.bandwidth > 0 && network.latency >= 0)
    #expect(try JSONDecoder().decode(NetworkResult.self, from: Data(json(result).utf8)).network == network)
    #expect(result.lines.count == 2 + NetworkMeasurement.sizes.count + 1)
  }

  @Test("the messages of a step alone change nothing")
  func exchanges() throws {
    let model = try #require(ModelCatalog.model("conv-ae-28"))
    let plan = try ExecutionPlan(model, batchSize: 16)
    let hashes = try ThreadTransport.run(processes: 2) { transport in
      try [false, true].map { exchanges in
        let images = try StepRun.images(for: model, batchSize: plan.batchSize)
        let run = try StepRun(plan, ParallelPlan(workers: 1, threads: 1), images, transport: transport)
        try run.step()
        if exchanges { for _ in 0..<3 { run.training.exchangeAlone() } }
        try run.step()
        return WeightsHash.of(run.training.parameters, plan: plan)
      }
    }
    #expect(Set(hashes.flatMap(\.self)).count == 1)
    let times = try ThreadTransport.run(processes: 2) {
      try NetworkBenchmark.exchanges(plan, $0, repetitions: 3)
    }
    #expect(times.allSatisfy { $0.count == 3 && $0.allSatisfy { $0 > 0 } })
  }

  @Test("a process alone is refused with what to do")
  func alone() throws {
    let error = #expect(throws: BenchError.self) { try NetworkBenchmark.parse([]).run() }
    for part in ["at least two processes", "found one alone", "mpirun -n 2"] {
      #expect(error?.description.contains(part) == true)
    }
  }

  @Test("a file of bench network is a network to predict with, any other is refused by its path")
  func files() throws {
    try withTemporaryFolder { folder in
      let result = NetworkResult.example(processes: 2, nodes: 2)
      try json(result).write(toFile: "\(folder)/network.json", atomically: true, encoding: .utf8)
      #expect(try ScalingBenchmark.network("\(folder)/network.json") == result.network)
      try "{}".write(toFile: "\(folder)/other.json", atomically: true, encoding: .utf8)
      for name in ["other.json", "none.json"] {
        #expect { try ScalingBenchmark.network("\(folder)/\(name)") } throws: { "\($0)".contains(name) }
      }
    }
  }

  @Test("all-reduces are compared by the median of all rounds")
  func comparison() {
    let row = ExchangeResult.Row(
      model: "m", parameters: 5, hourglass: [2e-3, 1e-3, 3e-3], mpi: [4e-3, 4e-3], gloo: [1e-3])
    let lines = ExchangeResult(processes: 4, nodes: 2, rows: [row]).lines
    #expect(lines[0] == "4 processes on 2 nodes")
    #expect(lines[2].split(whereSeparator: { $0 == " " }) == ["m", "5", "2.00", "4.00", "0.50", "1.00", "2.00"])
  }
}
