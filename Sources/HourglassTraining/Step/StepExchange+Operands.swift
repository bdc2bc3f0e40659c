import HourglassModels

extension StepExchange {
  /// Gives all nodes the operands of all samples. The nodes are a ring: each hands the next one its own samples, then
  /// in P - 2 more rounds the samples that the node before has handed it.
  ///
  /// Source: the ring of MPICH's all-gather (Thakur, Rabenseifner and Gropp, Optimization of Collective Communication
  /// Operations in MPICH, 2005), whose rounds here overlap message by message.
  func gatherOperands(count: Int) {
    let (me, nodes) = (place.node, place.nodes)
    let (previous, next) = (first(of: (me + nodes - 1) % nodes), first(of: (me + 1) % nodes))
    var (expected, sent, came) = (0, 0, 0)
    var receives = Round(first: me + nodes - 1, last: me + 1)
    while let run = self.next(&receives, count) {
      receive(run.start, run.count, from: previous, 2 * expected)
      expected += 1
    }
    func hand(_ run: (start: UnsafeMutablePointer<Float>, count: Int)) {
      send(run.start, run.count, to: next, 2 * sent + 1)
      sent += 1
    }
    var own = Round(first: me + nodes, last: me + nodes)
    while let run = self.next(&own, count) { hand(run) }
    var arrivals = Round(first: me + nodes - 1, last: me + 1)
    while came < expected {
      transport.wait { isDone(2 * came) }
      came += 1
      // The next node has its own samples.
      if let run = self.next(&arrivals, count), arrivals.node > me + 1 { hand(run) }
    }
    for message in 0..<sent { transport.wait { isDone(2 * message + 1) } }
  }

  /// The place among the messages of some rounds, of which each has the samples of one node.
  private struct Round {
    /// The node whose samples are handed on, plus P: rounds go downwards.
    var node: Int
    let last: Int
    var operand = 0
    var floats = 0

    init(first: Int, last: Int) { (node, self.last) = (first, last) }
  }

  /// The floats of the next message; nil after the last one.
  private func next(_ round: inout Round, _ count: Int) -> (start: UnsafeMutablePointer<Float>, count: Int)? {
    while round.node >= round.last {
      let samples = samples(of: round.node % place.nodes, in: count)
      while round.operand < operands.count {
        let operand = operands[round.operand]
        let length = min(samples.count * operand.count - round.floats, Self.messageFloats)
        if length > 0 {
          defer { round.floats += length }
          let first = operand.offset * plan.batchSize + samples.lowerBound * operand.count + round.floats
          return (shared.batch.pointer + first, length)
        }
        (round.operand, round.floats) = (round.operand + 1, 0)
      }
      (round.node, round.operand) = (round.node - 1, 0)
    }
    return nil
  }

  /// The most messages that a node sends for the operands of a minibatch, or receives.
  static func mostMessages(of operands: [Place], _ plan: ExecutionPlan, nodes: Int) -> Int {
    operands.reduce(0) { $0 + ($1.count.timesClamping(plan.batchSize) / messageFloats + nodes) }
  }
}
