import Foundation
import HourglassTraining
import Synchronization

/// A mutex that the thread sanitizer sees, which does not see those of Synchronization.
private final class Seen<Value: Sendable>: Sendable {
  private let lock = NSLock()
  private let value: Mutex<Value>

  init(_ value: Value) { self.value = Mutex(value) }

  func withLock<R: Sendable>(_ body: (inout sending Value) throws -> sending R) rethrows -> R {
    lock.lock()
    defer { lock.unlock() }
    return try value.withLock(body)
  }
}

/// A transport between threads of one process, which stand for processes: every message is copied into a room that all
/// share.
public final class ThreadTransport: Transport {
  public let place: ProcessPlace
  private let room: Room
  /// The receives that this process has begun, and how many gathers it has done.
  private let own = Mutex(Own())

  /// The bytes of the longest message that this process has sent to one other.
  public var longestMessage: Int { own.withLock { $0.longestMessage } }

  private struct Own {
    var longestMessage = 0
    var receives: [(from: Int, number: Int, address: UInt, count: Int)] = []
    var received: [Int: Int] = [:]
    var gathers = [0, 0]
    var memories = 0
  }

  private final class Room: Sendable {
    struct State {
      /// By sender and receiver all that was sent, until it is received.
      var sent: [[Int]: [[UInt8]?]] = [:]
      /// What each member of a group brought to a gather, and how many have taken it.
      var gathers: [[Int]: (parts: [Int: [UInt32]], taken: Int)] = [:]
      /// The memory of the nodes.
      var memories: [[Int]: NodeMemory] = [:]
    }
    let state = Seen(State())
  }

  private final class Results<R: Sendable>: Sendable {
    let all = Seen<[Int: Result<R, any Error>]>([:])
  }

  private init(_ place: ProcessPlace, _ room: Room) { (self.place, self.room) = (place, room) }

  /// Runs a body in each of so many processes at the same time, and answers what they answer, by their positions.
  ///
  /// - Parameter perNode: how many processes a node has, the last one perhaps fewer.
  public static func run<R: Sendable>(
    processes: Int, perNode: Int = 1, _ body: @escaping @Sendable (any Transport) throws -> R
  ) throws -> [R] {
    let (room, results) = (Room(), Results<R>())
    for position in 0..<processes {
      var place = ProcessPlace(position: position, count: processes)
      (place.node, place.local) = position.quotientAndRemainder(dividingBy: perNode)
      place.localCount = min(perNode, processes - place.node * perNode)
      place.nodes = (processes + perNode - 1) / perNode
      let transport = ThreadTransport(place, room)
      Thread.detachNewThread {
        let result = Result { try body(transport) }
        results.all.withLock { $0[position] = result }
      }
    }
    while results.all.withLock({ $0.count }) < processes { usleep(200) }
    return try (0..<processes).map { position in
      guard let result = results.all.withLock({ $0[position] }) else { preconditionFailure("nobody is missing") }
      return try result.get()
    }
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to position: Int, _ message: inout Message) {
    let copy = Array(bytes)
    own.withLock { $0.longestMessage = max($0.longestMessage, bytes.count) }
    room.state.withLock { $0.sent[[place.position, position], default: []].append(copy) }
    message.words = (0, 0)
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from position: Int, _ message: inout Message) {
    message.words.0 = own.withLock { own in
      let number = own.received[position, default: 0]
      own.received[position] = number + 1
      own.receives.append((position, number, UInt(bitPattern: bytes.baseAddress), bytes.count))
      return UInt64(own.receives.count)
    }
  }

  public func isDone(_ message: inout Message) -> Bool {
    guard message.words.0 > 0 else { return true }
    let receive = own.withLock { $0.receives[Int(message.words.0) - 1] }
    let found = room.state.withLock { state in
      let key = [receive.from, place.position]
      guard let all = state.sent[key], receive.number < all.count else { return [UInt8]?.none }
      defer { state.sent[key]?[receive.number] = nil }
      return all[receive.number]
    }
    guard let found, let memory = UnsafeMutableRawPointer(bitPattern: receive.address) else { return false }
    precondition(found.count == receive.count, "wanted a message of \(receive.count) bytes, found \(found.count)")
    memory.copyMemory(from: found, byteCount: found.count)
    message.words.0 = 0
    return true
  }

  public func gather(
    _ words: UnsafeMutablePointer<UInt32>, counts: UnsafePointer<Int32>, offsets: UnsafePointer<Int32>,
    among group: ProcessGroup
  ) {
    func run(_ member: Int) -> UnsafeMutableBufferPointer<UInt32> {
      UnsafeMutableBufferPointer(start: words + Int(offsets[member]), count: Int(counts[member]))
    }
    let (me, members, kind) = group == .nodes ? (place.node, place.nodes, 1) : (place.position, place.count, 0)
    let number = own.withLock { own in
      defer { own.gathers[kind] += 1 }
      return [kind, own.gathers[kind]]
    }
    let mine = Array(run(me))
    room.state.withLock { $0.gathers[number, default: ([:], 0)].parts[me] = mine }
    while true {
      let parts = room.state.withLock { state -> [Int: [UInt32]]? in
        guard let all = state.gathers[number], all.parts.count == members else { return nil }
        state.gathers[number]?.taken += 1
        if all.taken + 1 == members { state.gathers[number] = nil }
        return all.parts
      }
      guard let parts else {
        sched_yield()
        continue
      }
      for (member, part) in parts where member != me {
        precondition(part.count == run(member).count, "a gather of other counts")
        _ = run(member).update(fromContentsOf: part)
      }
      return
    }
  }

  public func nodeMemory(bytes: Int) throws(ProcessError) -> NodeMemory {
    let number = own.withLock { own in
      defer { own.memories += 1 }
      return own.memories
    }
    let memory = room.state.withLock { state in
      let memory = state.memories[[place.node, number]] ?? NodeMemory(bytes: bytes)
      state.memories[[place.node, number]] = memory
      return memory
    }
    guard let memory else { throw ProcessError(reason: "\(place.name): no memory of \(bytes) bytes") }
    return memory
  }

  public func wait(until isDone: () -> Bool) { while !isDone() { sched_yield() } }

  public func endAll(_ reason: String, status: Int32) { preconditionFailure("\(place.name): \(reason)") }
}
