import Glibc
import HourglassModels

extension TrainingStep {
  /// Exchanges what a step exchanges and computes nothing, for measurements of the messages alone: losses and operands
  /// of a whole minibatch, then sums, to which no node adds. The weights stay; a step must have been taken. All
  /// processes call it together.
  package func exchangeAlone() {
    guard let exchange = work.exchange else { return }
    let isFirstOfNode = exchange.team.transport.place.isFirstOfNode
    work.current.pointer[0].count = plan.batchSize
    if isFirstOfNode { exchange.reset() }
    _ = exchange.tell(work.current.pointer[0], hasFailed: false, wantsStop: false)
    if isFirstOfNode {
      var pump = StepExchange.Pump()
      while !exchange.isComplete {
        exchange.turn(&pump, work.reducer.gradient.pointer)
        while let piece = exchange.takePartial() { exchange.finish(piece) }
        if !pump.hasMoved { sched_yield() }
      }
    }
    exchange.team.meet()
  }

  /// What a step exchanges between nodes: how many floats of each sample all of them get, and the sums that go from
  /// node to node; and the products that every node computes over the whole minibatch. Each sum is one of so many
  /// parameters, with the rows of a product, 0 where it is one over shards.
  ///
  /// - Parameter plan: of the whole minibatch.
  package static func messages(
    of plan: ExecutionPlan, nodes: Int
  ) -> (operands: [Int], sums: [(parameters: Int, rows: Int)], products: [(parameters: Int, rows: Int)]) {
    let areChained = StepExchange.areChained(plan, nodes: nodes)
    let gathered = zip(plan.products, areChained).filter { !$1 }
    let operands = Set(gathered.flatMap(\.0.terms).flatMap(\.operands))
    var (sums, products) = ([(parameters: Int, rows: Int)](), [(parameters: Int, rows: Int)]())
    for slice in GradientReducer.slices(plan, workers: 1, areSent: areChained) {
      if case .product(let product, let rows) = slice.sum {
        let entry = (parameters: slice.range.count, rows: rows.count)
        if areChained[product] { sums.append(entry) } else { products.append(entry) }
      } else {
        sums.append((slice.range.count, 0))
      }
    }
    return (operands.map(\.count), sums, products)
  }
}
