import Glibc
import HourglassBase
import HourglassModels
import Synchronization

/// What processes that share a step tell each other, so that all of them come to the weights of one process.
///
///     phase 1    each process takes its run of shards
///     report     everybody gets the losses of all samples, and learns whether a process failed or wants to stop
///     operands   all nodes get what some products read of all samples: inputs and output errors of dense layers
///     phase 2    the sums of all other gradients go from node to node, each of which continues them with its own
///                shards and samples, and come back as totals; every node updates everything
///
/// The processes of a node share its memory, and work as one with the workers of all of them (`NodeTeam`); only the
/// first of them exchanges messages with other nodes. Samples and shards keep the numbers that they have in one
/// process, and sums their order. All memory is there before the first step.
final class StepExchange: Sendable {
  let team: NodeTeam
  var transport: any Transport { team.transport }
  var place: ProcessPlace { transport.place }
  let plan: ExecutionPlan
  let shared: SharedMemory
  /// Arrays of the minibatch's memory that all nodes need of all samples.
  let operands: [Place]
  /// How many pieces of the flat vector have sums that go from node to node, one by one, so that nodes work at the same
  /// time.
  private let pieces: Int
  /// What goes in one message: runs of the flat vector, and the piece that each is a part of.
  private let chunks: [(run: Range<Int>, piece: Int)]
  private let report: AlignedBuffer<UInt32>
  private let counts: AlignedBuffer<Int32>
  private let offsets: AlignedBuffer<Int32>
  let messages: AlignedBuffer<Message>
  /// In the memory of the node what each of its processes tells, and last what the nodes have told.
  private let headers: AlignedBuffer<Header>
  /// In the memory of the node how many pieces, from the front, have come from the node before, how many are totals,
  /// and for each 1 once this node has added what is its own.
  private let progress: AlignedBuffer<Int>
  private let partials: WorkCounter
  private let totals: WorkCounter

  /// Floats of the longest message: MPI sends up to 64 KB over TCP at once. More it announces first, and the permission
  /// to send them waits behind all that goes the other way.
  static let messageFloats = 12288
  /// Receives that are begun before their chunks come.
  private static let ahead = 16

  /// - Parameter pieces: the runs of the flat vector whose sums go from node to node, in order.
  ///
  /// Errors: a `ProcessError` where memory lacks.
  init(_ team: NodeTeam, plan: ExecutionPlan, shared: SharedMemory, pieces: [Range<Int>]) throws {
    (self.team, self.plan, self.shared, self.pieces) = (team, plan, shared, pieces.count)
    chunks = pieces.enumerated().flatMap { index, run in
      let count = (run.count + Self.messageFloats - 1) / Self.messageFloats
      return (0..<count).map { chunk in
        let part = (0..<run.count).share(chunk, of: count)
        return (run.lowerBound + part.lowerBound..<run.lowerBound + part.upperBound, index)
      }
    }
    let (chained, place) = (Self.areChained(plan, nodes: team.transport.place.nodes), team.transport.place)
    var places = Set(zip(plan.products, chained).filter { !$1 }.flatMap(\.0.terms).flatMap(\.operands))
    if let contrast = plan.contrastiveDivergence, contrast.isPersistent { places.insert(contrast.chains) }
    operands = places.sorted { $0.offset < $1.offset }
    report = AlignedBuffer(count: place.nodes * Header.words + plan.batchSize * (shared.sums.count + 1))
    (counts, offsets) = (AlignedBuffer(count: place.nodes), AlignedBuffer(count: place.nodes))
    messages = AlignedBuffer(
      count: max(1, chunks.count * Way.count, 2 * Self.mostMessages(of: operands, plan, nodes: place.nodes)))
    headers = try team.buffer(of: place.localCount + 1)
    progress = try team.buffer(of: 2 + pieces.count)
    (partials, totals) = (team.counter(2), team.counter(3))
  }

  /// For each product of a plan whether its sum goes from node to node, and not the operands of all B samples to all
  /// nodes: whichever makes a node send less. Of P nodes each sends B (R + C) (P - 1) / P numbers of operands; of a sum
  /// R C numbers where there are two nodes, and twice as many where there are nodes between the first and the last. A
  /// sum of several terms cannot be continued, since each term goes over all samples.
  static func areChained(_ plan: ExecutionPlan, nodes: Int) -> [Bool] {
    plan.products.map { product in
      let layer = plan.products.filter { $0.use == product.use }
      guard nodes > 1, layer.allSatisfy({ $0.terms.count == 1 }) else { return false }
      let operands = Set(layer.flatMap(\.terms).flatMap(\.operands)).reduce(0) { $0 + $1.count }
      let sums = layer.reduce(0) { $0 + $1.rows * $1.columns }
      return plan.batchSize.timesClamping(operands) / nodes * (nodes - 1) >= (nodes == 2 ? 1 : 2) * sums
    }
  }

  /// The shards of a minibatch of `used` shards that this process takes.
  func shards(of used: Int) -> Range<Int> { place.shards(of: used, at: place.position) }

  /// The places of the images of a minibatch of `count` images that this process reads.
  func images(of count: Int) -> Range<Int> {
    let samples = count * plan.samplesPerImage
    let own = plan.samples(of: shards(of: plan.shards(of: samples)), in: samples)
    return own.lowerBound / plan.samplesPerImage..<own.upperBound / plan.samplesPerImage
  }

  // MARK: Report and operands

  private struct Header: BitwiseCopyable {
    static let words = 4
    var step: UInt32
    var samples: UInt32
    var before: UInt32
    var flags: UInt32

    static let failed: UInt32 = 1
    static let wantsStop: UInt32 = 2
  }

  /// What the processes told each other.
  struct Answer {
    var hasFailure: Bool
    var wantsStop: Bool
  }

  /// Tells the others how phase 1 of a minibatch went here, and puts what they did in place. Where a process has
  /// failed, only the losses are.
  func tell(_ now: StepWork.Current, hasFailed: Bool, wantsStop: Bool) -> Answer {
    var header = Header(
      step: UInt32(truncatingIfNeeded: now.step), samples: UInt32(truncatingIfNeeded: now.count),
      before: UInt32(truncatingIfNeeded: now.samplesBefore),
      flags: (hasFailed ? Header.failed : 0) | (wantsStop ? Header.wantsStop : 0))
    headers.pointer[place.local] = header
    team.meet()
    for local in 0..<place.localCount { join(headers.pointer[local], to: &header) }
    if place.nodes > 1 {
      if place.isFirstOfNode {
        shareReport(&header, count: now.count)
        if header.flags & Header.failed == 0 { gatherOperands(count: now.count) }
        headers.pointer[place.localCount] = header
      }
      team.meet()
      header = headers.pointer[place.localCount]
    }
    return Answer(
      hasFailure: header.flags & Header.failed != 0, wantsStop: header.flags & Header.wantsStop != 0)
  }

  /// Joins what another process or node tells to what is known. All must be at the same place of the same step.
  private func join(_ other: Header, to header: inout Header) {
    if (other.step, other.samples, other.before) != (header.step, header.samples, header.before) {
      transport.endAll(
        "\(place.name) is at step \(header.step) with \(header.samples) samples, another process at step "
          + "\(other.step) with \(other.samples)", status: 1)
    }
    header.flags |= other.flags
  }

  /// Puts the losses of all nodes in place, and learns what they tell.
  private func shareReport(_ header: inout Header, count: Int) {
    var next = 0
    for node in 0..<place.nodes {
      var words = Header.words
      forEachColumn { _, samples in words += self.samples(of: node, in: count).count / samples }
      (counts.pointer[node], offsets.pointer[node]) = (Int32(words), Int32(next))
      next += words
    }
    self.header(of: place.node).pointee = header
    copyColumns(of: place.node, count) { report, column, count in report.update(from: column, count: count) }
    transport.gather(report.pointer, counts: counts.pointer, offsets: offsets.pointer, among: .nodes)
    for node in 0..<place.nodes where node != place.node {
      join(self.header(of: node).pointee, to: &header)
      copyColumns(of: node, count) { report, column, count in column.update(from: report, count: count) }
    }
  }

  /// Where the report of a node begins.
  private func header(of node: Int) -> UnsafeMutablePointer<Header> {
    UnsafeMutableRawPointer(report.pointer + Int(offsets.pointer[node])).assumingMemoryBound(to: Header.self)
  }

  func samples(of node: Int, in count: Int) -> Range<Int> {
    plan.samples(of: team.shards(of: plan.shards(of: count), node: node), in: count)
  }

  /// Calls with every array of losses, and how many samples have one number in it.
  private func forEachColumn(_ body: (_ column: UnsafeMutablePointer<Float>, _ samples: Int) -> Void) {
    body(shared.losses.pointer, 1)
    for term in 0..<shared.sums.count - 2 { body(shared.terms.pointer + term * plan.batchSize, 1) }
    guard let weights = shared.importanceWeights else { return }
    body(weights.pointer, 1)
    body(shared.bounds.pointer, plan.samplesPerImage)
  }

  /// Calls with every array's run of a node, in the report and in its place.
  private func copyColumns(
    of node: Int, _ count: Int,
    _ copy: (_ report: UnsafeMutablePointer<Float>, _ column: UnsafeMutablePointer<Float>, _ count: Int) -> Void
  ) {
    let own = samples(of: node, in: count)
    var next = UnsafeMutableRawPointer(header(of: node) + 1).assumingMemoryBound(to: Float.self)
    forEachColumn { column, samples in
      let count = own.count / samples
      copy(next, column + own.lowerBound / samples, count)
      next += count
    }
  }

  // MARK: Sums from node to node

  /// Whether phase 2 sends sums to other nodes.
  var sendsSums: Bool { pieces > 0 }

  /// Forgets the sums of the minibatch before. The first process of a node calls it, before all meet.
  func reset() {
    progress.clear()
    if place.node == 0 { arrived = pieces }
    partials.reset()
    totals.reset()
  }

  private var arrived: Int {
    get { progress.atomic(0).pointee.load(ordering: .acquiring) }
    set { progress.atomic(0).pointee.store(newValue, ordering: .releasing) }
  }
  private var returned: Int {
    get { progress.atomic(1).pointee.load(ordering: .acquiring) }
    set { progress.atomic(1).pointee.store(newValue, ordering: .releasing) }
  }

  /// A piece to which this node may add what is its own; nil while there is none.
  func takePartial() -> Int? { partials.take(partOf: 1, sizes: 1...1, below: arrived)?.lowerBound }

  /// Says that this node has added what is its own to a piece.
  func finish(_ piece: Int) { progress.atomic(2 + piece).pointee.store(1, ordering: .releasing) }

  private func isFinished(_ piece: Int) -> Bool { progress.atomic(2 + piece).pointee.load(ordering: .acquiring) == 1 }

  /// A piece that is a total and no message reads any more; nil while there is none.
  func takeTotal() -> Int? { totals.take(partOf: 1, sizes: 1...1, below: returned)?.lowerBound }

  /// Whether all totals are there.
  var isComplete: Bool { returned == pieces }

  /// What the first process of a node knows of the messages of a minibatch: how many chunks, from the front, have come
  /// so far.
  struct Pump {
    fileprivate var (expected, arrived, sent, left, awaited, came, ready) = (0, 0, 0, 0, 0, 0, 0)
    /// Whether the last turn moved a chunk.
    fileprivate(set) var hasMoved = false
  }

  /// Moves on what can be moved without waiting. The thread of the transport calls it.
  func turn(_ pump: inout Pump, _ gradient: UnsafeMutablePointer<Float>) {
    let (me, end) = (place.node, chunks.count)
    let (previous, next) = (me > 0 ? first(of: me - 1) : nil, me < place.nodes - 1 ? first(of: me + 1) : nil)
    let before = pump
    if let previous {
      while pump.expected < min(end, pump.arrived + Self.ahead) {
        receive(pump.expected, gradient, from: previous, .partialIn)
        pump.expected += 1
      }
      while pump.arrived < pump.expected, isDone(pump.arrived, .partialIn) { pump.arrived += 1 }
      arrived = pieces(in: pump.arrived)
    }
    while pump.sent < end, isFinished(chunks[pump.sent].piece) {
      if let next {
        send(pump.sent, gradient, to: next, .partialOut)
      } else if let previous {
        send(pump.sent, gradient, to: previous, .totalOut)
      }
      pump.sent += 1
    }
    if let next {
      while pump.left < pump.sent, isDone(pump.left, .partialOut) { pump.left += 1 }
      // A total comes into the place of the partial sum, which must have left.
      while pump.awaited < min(pump.left, pump.came + Self.ahead) {
        receive(pump.awaited, gradient, from: next, .totalIn)
        pump.awaited += 1
      }
      while pump.came < pump.awaited, isDone(pump.came, .totalIn) {
        if let previous { send(pump.came, gradient, to: previous, .totalOut) }
        pump.came += 1
      }
    } else {
      pump.came = pump.sent
    }
    while pump.ready < pump.came, previous == nil || isDone(pump.ready, .totalOut) { pump.ready += 1 }
    returned = pieces(in: pump.ready)
    pump.hasMoved = (pump.sent, pump.came, pump.ready) != (before.sent, before.came, before.ready)
  }

  /// How many whole pieces so many chunks are, from the front.
  private func pieces(in chunks: Int) -> Int { chunks < self.chunks.count ? self.chunks[chunks].piece : pieces }

  func first(of node: Int) -> Int { team.positions[node].lowerBound }

  /// The messages of a chunk.
  private enum Way: Int {
    case partialIn, partialOut, totalIn, totalOut
    static let count = 4
  }

  private func send(_ chunk: Int, _ gradient: UnsafeMutablePointer<Float>, to position: Int, _ way: Way) {
    let run = chunks[chunk].run
    send(gradient + run.lowerBound, run.count, to: position, chunk * Way.count + way.rawValue)
  }

  private func receive(_ chunk: Int, _ gradient: UnsafeMutablePointer<Float>, from position: Int, _ way: Way) {
    let run = chunks[chunk].run
    receive(gradient + run.lowerBound, run.count, from: position, chunk * Way.count + way.rawValue)
  }

  private func isDone(_ chunk: Int, _ way: Way) -> Bool { isDone(chunk * Way.count + way.rawValue) }

  // MARK: Messages

  func send(_ start: UnsafeMutablePointer<Float>, _ count: Int, to position: Int, _ message: Int) {
    transport.send(
      UnsafeRawBufferPointer(UnsafeMutableBufferPointer(start: start, count: count)), to: position,
      &messages.pointer[message])
  }

  func receive(_ start: UnsafeMutablePointer<Float>, _ count: Int, from position: Int, _ message: Int) {
    transport.receive(
      UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: start, count: count)), from: position,
      &messages.pointer[message])
  }

  func isDone(_ message: Int) -> Bool { transport.isDone(&messages.pointer[message]) }
}
