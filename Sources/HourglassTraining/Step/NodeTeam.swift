import HourglassBase
import Synchronization

/// The processes of a node that share a training step. They share its memory, and so work as one process would with
/// the workers of all of them.
final class NodeTeam: Sendable {
  let transport: any Transport
  /// For each node its positions.
  let positions: [Range<Int>]
  /// How many processes have come to all meetings so far, then the counters.
  private let numbers: AlignedBuffer<Int>
  /// The meetings of this process so far. Only the thread of the transport meets others.
  private let meetings = Atomic<Int>(0)

  /// Errors: a `ProcessError` where there is no memory left.
  init(_ transport: any Transport) throws(ProcessError) {
    self.transport = transport
    let nodes = transport.gather("\(transport.place.node)").map { Int($0) ?? 0 }
    positions = (0..<transport.place.nodes).map { node in
      let first = nodes.firstIndex(of: node) ?? 0
      return first..<first + nodes.count { $0 == node }
    }
    let count = (1 + Self.counters) * Self.line
    numbers = try transport.sharedBuffer(of: count) ?? AlignedBuffer(count: count)
  }

  private static let counters = 4
  /// The numbers of a cache line, so that none holds two that are counted with.
  private static let line = 8

  /// A counter that all processes of the node share.
  func counter(_ number: Int) -> WorkCounter {
    precondition(number < Self.counters, "the counter \(number)")
    return WorkCounter(numbers, at: (1 + number) * Self.line)
  }

  /// Values that all processes of the node share, all zero.
  func buffer<Element>(of count: Int) throws(ProcessError) -> AlignedBuffer<Element> {
    try transport.sharedBuffer(of: count) ?? AlignedBuffer(count: count)
  }

  /// Values that all processes of the node share and divide among them to write first.
  func buffer<Element>(unwritten count: Int) throws(ProcessError) -> AlignedBuffer<Element> {
    try transport.sharedBuffer(of: count) ?? AlignedBuffer(unwritten: count)
  }

  /// Waits until all processes of the node have come here, and see what the others wrote before.
  func meet() {
    let meetings = meetings.add(1, ordering: .relaxed).newValue
    let arrived = numbers.atomic(0)
    arrived.pointee.add(1, ordering: .acquiringAndReleasing)
    let wanted = meetings * transport.place.localCount
    transport.wait { arrived.pointee.load(ordering: .acquiring) >= wanted }
  }

  /// The shards of a minibatch of `used` shards that the processes of this node take.
  func shards(of used: Int) -> Range<Int> { shards(of: used, node: transport.place.node) }

  /// The shards that the processes of a node take.
  func shards(of used: Int, node: Int) -> Range<Int> {
    let (place, positions) = (transport.place, positions[node])
    return place.shards(of: used, at: positions.lowerBound)
      .lowerBound..<place.shards(of: used, at: positions.upperBound - 1).upperBound
  }
}

extension Transport {
  /// Values that the processes of this node share, all zero; nil where each process is a node of its own. All processes
  /// call it together with the same number.
  fileprivate func sharedBuffer<Element>(of count: Int) throws(ProcessError) -> AlignedBuffer<Element>? {
    guard place.nodes < place.count else { return nil }
    return try nodeMemory(bytes: max(64, count * MemoryLayout<Element>.stride)).buffer(of: count)
  }
}
