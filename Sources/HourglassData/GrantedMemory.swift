import FoundationEssentials
import Glibc
import HourglassBase

/// The memory that this process may really use.
public enum GrantedMemory {
  /// The smallest of the machine's memory, the control group's limit and the limit of the address space, in bytes.
  public static var bytes: UInt64 { [physical, group, addressSpace].compactMap(\.self).min() ?? physical }

  /// The bytes that this process may still take.
  ///
  /// Pages in memory count against the machine's memory and the control group's limit, all that was asked for counts
  /// against the limit of the address space; a sixteenth of the rest is kept for what libraries take unasked.
  public static var available: Int { rest.bytes }

  /// The bytes that the decoded images of one set may take by default: a third of what is available, because there may
  /// be a second set to validate with.
  public static var forImages: Int { available / 3 }

  /// Refuses what is not available, before anything is allocated.
  ///
  /// Less than a mebibyte is not compared, for every library takes as much unasked.
  ///
  /// - Parameters:
  ///   - need: the bytes that are wanted; nil where they are more than an `Int` holds.
  ///   - path: the file or set that the error is about.
  ///   - purpose: what the bytes are for, after "memory to".
  ///   - advice: what helps, a clause without an end.
  public static func require(
    _ need: Int?, for path: String, _ purpose: String, advice: String? = nil
  ) throws(DataError) {
    if let need, need < smallest { return }
    let rest = rest
    guard let need, need <= rest.bytes else {
      let found = need.map { "\($0 >> 20) MiB" } ?? "more than 2^63 bytes"
      throw DataError(
        path: path,
        reason: "wanted memory to \(purpose) within the \(rest.bytes >> 20) MiB that \(rest.limit) still grants, found "
          + "a need of \(found)" + (advice.map { "; \($0)" } ?? ""),
        lacksMemory: true)
    }
  }

  /// Refuses bytes beyond what one image may take, before anything is allocated; less than a mebibyte is not compared.
  static func require(_ need: Int?, of memory: Int, for path: String, _ purpose: String) throws(DataError) {
    if let need, need < smallest || need <= memory { return }
    throw DataError(
      path: path,
      reason: "wanted memory to \(purpose) within the \(memory >> 20) MiB that images may take, found "
        + "a need of \(need.map { "\($0 >> 20) MiB" } ?? "more than 2^63 bytes")",
      lacksMemory: true)
  }

  /// Refuses what is not available, and otherwise runs the body that takes the memory. Threads that each want much wait
  /// for each other, so that no two count on one rest.
  static func require<R>(
    _ need: Int?, for path: String, _ purpose: String, advice: String? = nil, while body: () throws(DataError) -> R
  ) throws(DataError) -> R {
    if let need, need < smallest { return try body() }
    let isLarge = need.map { $0 > available / (8 * ProcessInfo.processInfo.activeProcessorCount) } ?? true
    if isLarge { turn.lock() }
    defer { if isLarge { turn.unlock() } }
    try require(need, for: path, purpose, advice: advice)
    return try body()
  }

  /// The least number of bytes that is compared.
  private static let smallest = 1 << 20

  private static let turn = Turn()

  /// A lock that the thread which has it may take again.
  private struct Turn: Sendable {
    private let memory = AlignedBuffer<UInt8>(count: MemoryLayout<pthread_mutex_t>.size)
    private var mutex: UnsafeMutablePointer<pthread_mutex_t> {
      UnsafeMutableRawPointer(memory.pointer).assumingMemoryBound(to: pthread_mutex_t.self)
    }

    init() {
      var attributes = pthread_mutexattr_t()
      pthread_mutexattr_init(&attributes)
      pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
      pthread_mutex_init(mutex, &attributes)
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
  }

  /// The bytes of memory in the machine.
  public static var physical: UInt64 { ProcessInfo.processInfo.physicalMemory }

  /// The limit of the control group in bytes, nil without one.
  public static var group: UInt64? { ControlGroup().memory }

  /// The limit of the address space in bytes (`ulimit -v`), nil without one.
  public static var addressSpace: UInt64? {
    // RLIM_INFINITY, which Swift cannot import, is the largest number.
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != .max else { return nil }
    return UInt64(limit.rlim_cur)
  }

  /// The limit of pages in memory, kept because looking it up opens a dozen files, too slow for each decoded image.
  private static let resident =
    group.map { $0 < physical ? ($0, "the control group") : (physical, "this machine") }
    ?? (physical, "this machine")

  private static var rest: (bytes: Int, limit: String) {
    let used = used
    func rest(_ limit: UInt64, _ used: UInt64) -> Int {
      let rest = Int(clamping: limit > used ? limit - used : 0)
      return rest - rest / 16
    }
    let memory = (rest(resident.0, used.resident), resident.1)
    guard let addressSpace else { return memory }
    let addresses = (rest(addressSpace, used.addresses), "ulimit -v")
    return addresses.0 < memory.0 ? addresses : memory
  }

  /// The bytes in memory and the bytes of the address space (`proc(5)`, statm); 0 where the system does not tell.
  private static var used: (resident: UInt64, addresses: UInt64) {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return (0, 0) }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { text in
      let count = read(descriptor, text.baseAddress, text.count)
      // Pages: all, in memory, and others.
      let numbers = text[..<max(0, count)].split(separator: UInt8(ascii: " "), maxSplits: 2).prefix(2).map { digits in
        digits.reduce(UInt64(0)) { 10 * $0 + UInt64($1 & 15) } * UInt64(getpagesize())
      }
      return numbers.count == 2 ? (numbers[1], numbers[0]) : (0, 0)
    }
  }
}
