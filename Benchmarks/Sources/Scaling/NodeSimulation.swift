import Foundation
import HourglassModels
import HourglassTraining

/// The predictions of the calibrated model of a step, with the messages between nodes followed one by one.
struct NodeSimulation: Encodable {
  /// The curves of one kind of study, one for each network.
  struct Scenario: Encodable {
    var mode: ScalingStudy.Mode
    /// The samples and shards of a minibatch, of a weak study for each node.
    var batchSize: Int
    var shards: Int
    var curves: [Curve]
  }

  struct Curve: Encodable {
    var network: String
    var points: [Point]
  }

  struct Point: Encodable {
    var nodes: Int
    /// The seconds of a step, and the part of them that messages take.
    var seconds: Double
    var exchange: Double
    var samplesPerSecond: Double
    /// The samples a second over those of one node.
    var speedup: Double
    var efficiency: Double
  }

  /// A measured number of processes, simulated.
  struct Check: Encodable {
    var processes: Int
    var nodes: Int
    var measured: Double
    var predicted: Double
    /// The relative error of the prediction, predicted / measured - 1.
    var error: Double
  }

  /// The cores of a simulated node.
  var cores: Int
  var networks: [Network]
  var assumptions: [String]
  var checks: [Check]
  var scenarios: [Scenario]

  static let nodes = [1, 2, 4, 8, 16, 32, 64]
}

extension NodeSimulation {
  /// Simulates; nil where the study has no point to calibrate the model of a step with.
  ///
  /// - Parameters:
  ///   - networks: beside those that were measured with the study's processes.
  ///   - cores: of a simulated node.
  init?(_ study: ScalingStudy, model: Autoencoder, networks: [Network], cores: Int) throws {
    guard let costs = try StepModel(study, model: model) else { return nil }
    (self.cores, self.networks, assumptions) = (cores, networks, Self.assumptions)
    checks = try study.processes.map { point in
      // Processes of one machine share its cores, also where they seem to be on several nodes.
      let busy = (point.network?.onOneMachine ?? 1) * point.workers
      let sharing = max(1, Double(busy) / Double(study.machine.grantedCores))
      var crowded = costs
      if busy > 1 { crowded.alone = crowded.together }
      let nodes = point.network?.nodes ?? 1
      let predicted = try NodeStep(
        crowded, model, batchSize: point.batchSize, shards: point.shards, nodes: nodes,
        workers: point.workers * point.processes / nodes, sharing: sharing,
        point.network?.network ?? Network.presets[0])
      let measured = Samples(point.seconds).median
      return Check(
        processes: point.processes, nodes: nodes, measured: measured, predicted: predicted.seconds,
        error: predicted.seconds / measured - 1)
    }
    let first = study.points[0]
    let perShard = (first.batchSize + first.shards - 1) / first.shards
    let most = (Self.nodes.last ?? 1) * cores
    scenarios = try [
      Scenario(
        costs, model, mode: .weak, batchSize: cores * first.batchSize, shards: cores * first.shards, networks, cores),
      Scenario(costs, model, mode: .strong, batchSize: most * perShard, shards: most, networks, cores),
    ]
  }

  private static let assumptions = [
    "All nodes are alike, and each is what the simulation of more cores predicts for one process with as many workers.",
    "A node has one way out and one way in, of the latency, overhead and bandwidth of its network; ways of different "
      + "nodes do not disturb each other, and messages take no core from the workers.",
    "Operands of a dense layer are gathered where a node sends fewer numbers so; all other gradients "
      + "go from node to node in pieces of 48 KB, to which each node adds its part, and come back as totals.",
    "While pieces are on their way a node computes products of gathered operands and updates what is complete. Nothing "
      + "else is hidden behind messages.",
    "Operands go round a ring of the nodes in messages of 48 KB, and take nodes - 1 latencies; losses are told in as "
      + "many messages as nodes double.",
  ]
}

extension NodeSimulation.Scenario {
  fileprivate init(
    _ costs: StepModel, _ model: Autoencoder, mode: ScalingStudy.Mode, batchSize: Int, shards: Int,
    _ networks: [Network], _ cores: Int
  ) throws {
    (self.mode, self.batchSize, self.shards) = (mode, batchSize, shards)
    curves = try networks.map { network in
      var points: [NodeSimulation.Point] = []
      for nodes in NodeSimulation.nodes {
        let factor = mode == .weak ? nodes : 1
        let step = try NodeStep(
          costs, model, batchSize: factor * batchSize, shards: factor * shards, nodes: nodes, workers: cores, network)
        let rate = Double(factor * batchSize) / step.seconds
        let speedup = rate / (points.first?.samplesPerSecond ?? rate)
        points.append(
          NodeSimulation.Point(
            nodes: nodes, seconds: step.seconds, exchange: step.exchange, samplesPerSecond: rate, speedup: speedup,
            efficiency: speedup / Double(nodes)))
      }
      return NodeSimulation.Curve(network: network.name, points: points)
    }
  }
}

/// A simulated step of several nodes.
struct NodeStep {
  /// The seconds of the step, and the part of them that messages take.
  let seconds, exchange: Double

  /// - Parameters:
  ///   - batchSize, shards: of the whole minibatch.
  ///   - workers: of each node.
  ///   - sharing: how many times longer a node computes because others use the same cores.
  init(
    _ costs: StepModel, _ model: Autoencoder, batchSize: Int, shards: Int, nodes: Int, workers: Int,
    sharing: Double = 1, _ network: Network
  ) throws {
    // The node with most shards, which the others wait for.
    let (most, perShard) = ((shards + nodes - 1) / nodes, (batchSize + shards - 1) / shards)
    let own = try ExecutionPlan(model, batchSize: min(batchSize, most * perShard), shards: most)
    let alone = costs.step(own, workers: workers).seconds * sharing
    let rates = workers > 1 ? costs.together : costs.alone
    let (fewRows, all) = (costs.fewRows, sharing / Double(workers))
    let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
    let design = ExchangeDesign(
      plan, nodes: nodes, samples: own.batchSize, sum: rates.sum * Double(most + 1) * all,
      multiplyAdd: { rates.product * (1 + fewRows / Double($0)) * all })
    guard nodes > 1 else {
      (seconds, exchange) = (alone, 0)
      return
    }
    let hiding =
      design.additions.reduce(0, +) + design.gatheredProducts + Double(plan.parameterCount) * rates.update * all
    let chain = ChainSimulation.seconds(
      pieces: design.pieces, additions: design.additions, nodes: nodes, network)
    let told =
      Self.ring(floats: design.operands, nodes: nodes, network)
      + Self.report(floats: Double(4 * nodes + 2 * batchSize), nodes: nodes, network)
    // The step alone has the products of the node's own samples.
    let more = design.gatheredProducts * (1 - Double(own.batchSize) / Double(batchSize))
    let computing = alone + more
    exchange = told + max(0, chain - hiding)
    seconds = computing + exchange
  }

  /// The seconds until everybody has the operands, of which each node hands on all but a part.
  static func ring(floats: Double, nodes: Int, _ network: Network) -> Double {
    guard floats > 0 else { return 0 }
    let (rounds, bytes) = (Double(nodes - 1), 4 * floats * Double(nodes - 1) / Double(nodes))
    return rounds * network.latency + max(rounds, bytes / Double(NetworkMeasurement.piece)) * network.overhead + bytes
      / network.bandwidth
  }

  /// The seconds until everybody has the report, of which each node has a part.
  static func report(floats: Double, nodes: Int, _ network: Network) -> Double {
    log2(Double(nodes)).rounded(.up) * (network.latency + network.overhead) + 4 * floats / network.bandwidth
  }
}
