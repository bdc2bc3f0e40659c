import HourglassModels
import HourglassTraining

/// What nodes exchange and compute in phase 2 of a step.
struct ExchangeDesign {
  /// The floats of the operands that everybody gets, over the whole minibatch.
  let operands: Double
  /// The floats of the pieces that go along the chain, in their order.
  let pieces: [Int]
  /// The seconds in which a node adds its part to each piece.
  let additions: [Double]
  /// The seconds of products of gathered operands, which every node computes over the whole minibatch.
  let gatheredProducts: Double

  /// - Parameters:
  ///   - plan: of the whole minibatch.
  ///   - samples: of a node.
  ///   - sum: the seconds in which a node adds up a float of the gradients of its shards.
  ///   - multiplyAdd: the seconds of a multiply-add of a dense gradient's slice of so many rows.
  init(
    _ plan: ExecutionPlan, nodes: Int, samples: Int, sum: Double, multiplyAdd: (_ rows: Int) -> Double
  ) {
    let messages = TrainingStep.messages(of: plan, nodes: nodes)
    operands = messages.operands.reduce(0) { $0 + Double(plan.batchSize * $1) }
    pieces = messages.sums.map(\.parameters)
    // The gradient of a bias is a sum too, of a product with one row.
    func seconds(_ slice: (parameters: Int, rows: Int), samples: Int) -> Double {
      Double(slice.parameters) * (slice.rows > 1 ? Double(samples) * multiplyAdd(slice.rows) : sum)
    }
    additions = messages.sums.map { seconds($0, samples: samples) }
    gatheredProducts = messages.products.reduce(0) { $0 + seconds($1, samples: plan.batchSize) }
  }
}

/// The ordered chain, followed message by message. Every node has one way out and one way in, which partial sums and
/// totals share.
struct ChainSimulation {
  private let network: Network
  private let bytes: [Double]
  private let additions: [Double]
  private let nodes: Int
  /// Until when the ways and the cores of each node are taken.
  private var out, into, busy: [Double]
  /// The messages that come to each node, in the order of their times, since they share its way in; how many have come,
  /// and when the next one does.
  private var messages: [[Message]]
  private var taken: [Int]
  private var times: [Double]
  private var end = 0.0

  private struct Message {
    var time: Double
    var piece: Int
    var isTotal: Bool
  }

  /// The seconds until every node has all totals.
  ///
  /// - Parameters:
  ///   - pieces: in floats.
  ///   - additions: the seconds in which a node adds its part to each piece.
  static func seconds(pieces: [Int], additions: [Double], nodes: Int, _ network: Network) -> Double {
    guard nodes > 1 else { return additions.reduce(0, +) }
    var simulation = ChainSimulation(pieces, additions, nodes, network)
    return simulation.run()
  }

  private init(_ pieces: [Int], _ additions: [Double], _ nodes: Int, _ network: Network) {
    (self.network, self.nodes, self.additions) = (network, nodes, additions)
    bytes = pieces.map { 4 * Double($0) }
    out = Array(repeating: 0, count: nodes)
    (into, busy) = (out, out)
    (messages, taken) = (Array(repeating: [], count: nodes), Array(repeating: 0, count: nodes))
    times = Array(repeating: .infinity, count: nodes)
  }

  private mutating func run() -> Double {
    for piece in bytes.indices { add(piece, on: 0, at: 0) }
    while let node = nextNode() {
      let message = messages[node][taken[node]]
      taken[node] += 1
      times[node] = taken[node] < messages[node].count ? messages[node][taken[node]].time : .infinity
      if !message.isTotal {
        add(message.piece, on: node, at: message.time)
      } else {
        end = max(end, message.time)
        if node > 0 { send(message.piece, node, to: node - 1, isTotal: true, at: message.time) }
      }
    }
    return end
  }

  /// The node to which the next message comes; nil where none is under way.
  private func nextNode() -> Int? {
    var (node, first) = (0, 0)
    while node < nodes {
      if times[node] < times[first] { first = node }
      node += 1
    }
    return times[first] < .infinity ? first : nil
  }

  private mutating func add(_ piece: Int, on node: Int, at time: Double) {
    busy[node] = max(busy[node], time) + additions[piece]
    let isLast = node == nodes - 1
    if isLast { end = max(end, busy[node]) }
    send(piece, node, to: isLast ? node - 1 : node + 1, isTotal: isLast, at: busy[node])
  }

  private mutating func send(_ piece: Int, _ from: Int, to node: Int, isTotal: Bool, at time: Double) {
    let seconds = bytes[piece] / network.bandwidth
    let start = max(time, out[from])
    out[from] = start + network.overhead + seconds
    into[node] = max(start + network.overhead + network.latency, into[node]) + seconds
    if taken[node] == messages[node].count { times[node] = into[node] }
    messages[node].append(Message(time: into[node], piece: piece, isTotal: isTotal))
  }
}
