import Glibc
import HourglassBase
import HourglassTraining

/// Measures messages between position 0 and the first position of another node, or the last position where all are on
/// one node. All processes make one and take its measurements together.
struct NetworkMeasurement {
  private let transport: any Transport
  /// The other end.
  let partner: Int
  private let outgoing = AlignedBuffer<UInt8>(count: largest)
  private let incoming = AlignedBuffer<UInt8>(count: largest)
  private let clock = ContinuousClock()

  /// The bytes of the messages that go back and forth: 48 KB is the longest piece of a gradient.
  static let sizes = [8, 1 << 10, 16 << 10, piece, 1 << 20, largest]
  /// The bytes of a piece of a gradient.
  static let piece = 48 << 10
  private static let largest = 4 << 20
  /// How many messages follow each other where the way is to be full.
  private static let row = 64

  init(_ transport: any Transport) {
    self.transport = transport
    let place = transport.place
    let nodes = transport.gather("\(place.node)")
    partner = nodes.firstIndex { $0 != nodes[0] } ?? place.count - 1
  }

  /// The seconds of half a round trip of a message, in each of many; empty elsewhere than at position 0.
  func halfRoundTrips(bytes: Int) -> [Double] {
    turns(bytes <= Self.piece ? 200 : 10) {
      if isFirst { send(bytes, 1) }
      receive(bytes, 1)
      if !isFirst { send(bytes, 1) }
    }.map { $0 / 2 }
  }

  /// The seconds from message to message where many follow each other without a pause. An answer of a few bytes tells
  /// when the last has come.
  func gaps(bytes: Int) -> [Double] {
    turns(10) {
      if isFirst {
        send(bytes, Self.row)
        receive(8, 1)
      } else {
        receive(bytes, Self.row)
        send(8, 1)
      }
    }.map { $0 / Double(Self.row) }
  }

  /// The network of three numbers. All processes call it together; only position 0 gets it.
  func network(name: String) -> Network? {
    let all = [halfRoundTrips(bytes: Self.sizes[0]), gaps(bytes: Self.sizes[0]), gaps(bytes: Self.piece)]
    guard isFirst else { return nil }
    let (short, overhead, gap) = (Samples(all[0]).median, Samples(all[1]).median, Samples(all[2]).median)
    return Network(
      name: name, latency: max(0, short - overhead), overhead: overhead,
      bandwidth: Double(Self.piece) / max(1e-9, gap - overhead))
  }

  /// Waits until all processes are here.
  func meet() { _ = transport.gather("") }

  private var isFirst: Bool { transport.place.isFirst }

  /// The seconds of each turn at position 0, without the first two, which open connections. Both ends take part.
  private func turns(_ count: Int, _ body: () -> Void) -> [Double] {
    meet()
    guard isFirst || transport.place.position == partner else { return [] }
    let all = (0..<count + 2).map { _ in
      let start = clock.now
      body()
      return (clock.now - start) / .seconds(1)
    }
    return isFirst ? Array(all.dropFirst(2)) : []
  }

  private var other: Int { isFirst ? partner : 0 }

  private func send(_ bytes: Int, _ count: Int) {
    var messages = Array(repeating: Message(), count: count)
    let run = UnsafeRawBufferPointer(start: outgoing.pointer, count: bytes)
    for i in messages.indices { transport.send(run, to: other, &messages[i]) }
    wait(for: &messages)
  }

  private func receive(_ bytes: Int, _ count: Int) {
    var messages = Array(repeating: Message(), count: count)
    for i in messages.indices {
      let run = UnsafeMutableRawBufferPointer(start: incoming.pointer + i * bytes, count: bytes)
      transport.receive(run, from: other, &messages[i])
    }
    wait(for: &messages)
  }

  private func wait(for messages: inout [Message]) {
    for i in messages.indices { while !transport.isDone(&messages[i]) { sched_yield() } }
  }
}
