import FoundationEssentials
import Glibc
import HourglassData

/// The place of a process among those that train one model together.
public struct ProcessPlace: Sendable, Equatable {
  /// The place in the order in which shards are divided and gradients are added up, from 0.
  public var position: Int
  /// The number of processes.
  public var count: Int
  /// The place among the processes of its node, from 0.
  public var local = 0
  /// The number of processes of its node.
  public var localCount = 1
  /// The number of its node, from 0. Processes of a node have neighbouring positions.
  public var node: Int
  /// The number of nodes.
  public var nodes: Int

  /// A place of so many, on a node of its own.
  public init(position: Int, count: Int) {
    (self.position, self.count, node, nodes) = (position, count, position, count)
  }

  /// Whether this is the process that writes and prints.
  public var isFirst: Bool { position == 0 }
  /// Whether this is the process that speaks for its node.
  var isFirstOfNode: Bool { local == 0 }

  /// The shards of a minibatch of `used` shards that the process at a position takes: runs of nearly equal length, in
  /// the order of the positions. Some are empty where processes are more than shards.
  func shards(of used: Int, at position: Int) -> Range<Int> { (0..<used).share(position, of: count) }

  /// The most shards of a minibatch that one process takes.
  static func mostShards(of shards: Int, processes: Int) -> Int { (shards + processes - 1) / processes }

  /// The most shards of a minibatch that the processes of this node take.
  func mostShardsOfNode(of shards: Int) -> Int {
    min(shards, localCount * Self.mostShards(of: shards, processes: count))
  }
}

/// What moves bytes between the processes that train one model together. It adds nothing up: every sum is one of
/// Hourglass's own, in its own order.
///
/// Only the thread that made a transport may call it. A transport that fails ends all processes, so that no call
/// throws.
public protocol Transport: AnyObject, Sendable {
  /// The place of this process.
  var place: ProcessPlace { get }

  /// Begins to send bytes, which stay as they are until the message is done. Messages from one process to another
  /// arrive in the order in which they were sent.
  func send(_ bytes: UnsafeRawBufferPointer, to position: Int, _ message: inout Message)

  /// Begins to receive as many bytes, which nobody touches until the message is done.
  func receive(_ bytes: UnsafeMutableRawBufferPointer, from position: Int, _ message: inout Message)

  /// Whether a message is done.
  func isDone(_ message: inout Message) -> Bool

  /// Gives all members of a group counts[p] words at offsets[p] of the memory of each member p. All call it together,
  /// with the same counts and offsets.
  func gather(
    _ words: UnsafeMutablePointer<UInt32>, counts: UnsafePointer<Int32>, offsets: UnsafePointer<Int32>,
    among group: ProcessGroup)

  /// Memory of so many bytes that the processes of this node share, all zero. All processes call it together with the
  /// same number.
  ///
  /// Errors: there is none left.
  func nodeMemory(bytes: Int) throws(ProcessError) -> NodeMemory

  /// Waits for other processes, and tells where that takes long.
  func wait(until isDone: () -> Bool)

  /// Tells why, and ends all processes.
  func endAll(_ reason: String, status: Int32)
}

/// Who gathers words together.
public enum ProcessGroup: Sendable {
  /// All processes, by their positions.
  case processes
  /// The first process of each node, by the numbers of the nodes.
  case nodes
}

/// A message under way, as its transport remembers it.
public struct Message: BitwiseCopyable, Sendable {
  /// Words of the transport.
  public var words: (UInt64, UInt64) = (0, 0)
  public init() {}
}

/// Processes that cannot train one model together.
public struct ProcessError: Error, Equatable, CustomStringConvertible, LocalizedError {
  /// A sentence with what was wanted, what was found and what to do.
  public let reason: String
  public init(reason: String) { self.reason = reason }
  public var description: String { reason }
  public var errorDescription: String? { description }
}

extension Transport {
  /// The texts of all processes, in the order of their positions. All processes call it together.
  public func gather(_ text: String) -> [String] {
    let bytes = Array(text.utf8)
    let lengths = AlignedBuffer<UInt32>(count: place.count)
    lengths[place.position] = UInt32(bytes.count)
    gather(lengths, counts: Array(repeating: 1, count: place.count))
    let counts = lengths.elements.map { Int32((Int($0) + 3) / 4) }
    let words = AlignedBuffer<UInt32>(count: counts.reduce(0) { $0 + Int($1) })
    let starts = counts.indices.map { counts[..<$0].reduce(0) { $0 + Int($1) } }
    UnsafeMutableRawPointer(words.pointer + starts[place.position]).copyMemory(from: bytes, byteCount: bytes.count)
    gather(words, counts: counts)
    return zip(starts, lengths.elements).map { start, length in
      String(decoding: UnsafeRawBufferPointer(start: words.pointer + start, count: Int(length)), as: UTF8.self)
    }
  }

  /// Gathers runs that lie one behind the other.
  private func gather(_ words: AlignedBuffer<UInt32>, counts: [Int32]) {
    gather(words.pointer, counts: counts, offsets: counts.indices.map { counts[..<$0].reduce(0, +) }, among: .processes)
  }

  /// Gives all nodes the values that the first one has in their memory. The first process of each node calls it.
  func copyFromFirst(_ values: UnsafeMutableBufferPointer<Float>) {
    guard let start = values.baseAddress else { return }
    var counts = Array(repeating: Int32(0), count: place.nodes)
    let offsets = counts
    // Counts are 32-bit numbers.
    for first in stride(from: 0, to: values.count, by: 1 << 28) {
      let count = min(values.count - first, 1 << 28)
      counts[0] = Int32(count)
      UnsafeMutableRawPointer(start + first).withMemoryRebound(to: UInt32.self, capacity: count) {
        gather($0, counts: counts, offsets: offsets, among: .nodes)
      }
    }
  }

  /// The failure of the lowest position that has one, named with its position and host; nil where none has. All
  /// processes call it together.
  func agreed(_ failure: DataError?) -> DataError? {
    let mine = failure.map { JSONText.line([$0.path, $0.reason + suffix]) } ?? ""
    guard let told = gather(mine).first(where: { !$0.isEmpty }) else { return nil }
    let parts = (try? JSONDecoder().decode([String].self, from: Data(told.utf8))) ?? []
    return DataError(path: parts.first ?? "", reason: parts.last ?? told)
  }

  /// The position and host of this process, for the end of a sentence; empty at position 0, whose errors are those of
  /// one process.
  private var suffix: String { place.isFirst ? "" : " (\(place.name))" }

  /// Refuses to train with processes of which one has other facts than position 0. All processes call it together.
  ///
  /// Errors: `ProcessError` at every position, which names the lowest position that differs, its host and the first
  /// fact by its name.
  func requireEqual(_ facts: [String: String]) throws(ProcessError) {
    let told = gather(JSONText.line(facts.merging([Self.hostName: place.name]) { $1 })).map { text in
      (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
    }
    for other in told.dropFirst() {
      let names = Set(told[0].keys).union(other.keys).subtracting([Self.hostName]).sorted()
      guard let name = names.first(where: { told[0][$0] != other[$0] }) else { continue }
      throw ProcessError(
        reason: "\(other[Self.hostName] ?? ""): \(name): wanted \(told[0][name] ?? "none") as position 0 has, found "
          + "\(other[name] ?? "none")")
    }
  }

  private static var hostName: String { "" }

  /// How many processes of this node, this one among them, may use the same cores as this one. All processes call it
  /// together.
  public func processesOfSameCores() -> Int {
    let mine = "\(place.node) \(GrantedCores.allowed)"
    return gather(mine).count { $0 == mine }
  }
}

extension ProcessPlace {
  /// The position and the host of this process, for people.
  public var name: String { "position \(position) on \(Self.host)" }

  private static let host: String = {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()
}
