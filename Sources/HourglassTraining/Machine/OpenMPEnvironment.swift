import FoundationEssentials
import Glibc
import HourglassModels

/// The wishes of OpenMP's environment variables.
///
/// The runtime ends or crashes the process over some values that it cannot read (an empty OMP_NUM_THREADS, a stack of 0
/// bytes), so only variables that are known here, with values of their grammar, are left to it.
public struct OpenMPEnvironment: Sendable, Equatable {
  /// The threads of a worker, from OMP_NUM_THREADS: the first number of a list. Nil where it is not set.
  public let threads: Int?
  /// The threads of all workers together, from OMP_THREAD_LIMIT. Nil where it is not set.
  public let threadLimit: Int?
  /// The bytes of a thread's stack. Nil where nothing is said.
  let stack: Int?
  /// The names of variables whose values say nothing, or nothing sensible, and are ignored.
  public let ignored: [String]
  /// A sentence about the ignored variables that are not empty; nil where there are none.
  public let warning: String?

  /// Whether nothing is said about how idle threads wait.
  public let leavesWaiting: Bool

  public init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    var (sound, ignored, found): ([String: String], [String], [String]) = ([:], [], [])
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where Self.isOfOpenMP(name) {
      let variable = Self.known.first { $0.names.contains(name) }
      if let variable, Self.matches(value, variable.grammar), !variable.isStack || Self.bytes(value, of: name) != nil {
        sound[name] = value
        continue
      }
      ignored.append(name)
      if value.isEmpty { continue }
      found.append("\(name): wanted \(variable?.wanted ?? "a variable that is known here"), found \(value)")
    }
    threads = sound["OMP_NUM_THREADS"].flatMap(Self.first)
    threadLimit = sound["OMP_THREAD_LIMIT"].flatMap(Self.first)
    stack = Self.stacks.compactMap { name in sound[name].flatMap { Self.bytes($0, of: name) } }.max()
    self.ignored = ignored
    leavesWaiting = sound["KMP_BLOCKTIME"] == nil && sound["OMP_WAIT_POLICY"] == nil
    warning = found.isEmpty ? nil : found.joined(separator: "; ") + "; ignored"
  }

  /// Takes the ignored variables out of the environment of this process, before the OpenMP runtime looks at it in the
  /// first parallel region.
  ///
  /// No other thread may read the environment meanwhile, so this is to be called when a program begins.
  ///
  /// - Returns: the sentence about what was ignored, if any.
  public static func clean() -> String? {
    let found = OpenMPEnvironment()
    for name in found.ignored { unsetenv(name) }
    return found.warning
  }

  static func isOfOpenMP(_ name: String) -> Bool { ["OMP_", "KMP_", "GOMP_"].contains(where: name.hasPrefix) }

  private struct Variable: Sendable {
    var names: [String]
    /// A regular expression that the whole value has to match, in capitals or not.
    var grammar: String
    var wanted: String
    var isStack = false
  }

  private static let stacks = ["OMP_STACKSIZE", "KMP_STACKSIZE", "GOMP_STACKSIZE"]
  private static let number = "[0-9]{1,6}"
  private static let threadCount = " *0*(?:[1-9][0-9]{0,2}|10[01][0-9]|102[0-4]) *"
  private static let place = "\\{\(list("!?\(number)(?::\(number)){0,2}"))\\}(?::\(number)(?::-?\(number))?)?"

  private static func list(_ item: String, separator: String = ",") -> String {
    "(?:\(item))(?:\(separator)(?:\(item)))*"
  }

  private static let known: [Variable] = [
    Variable(
      names: ["OMP_NUM_THREADS"], grammar: list(threadCount), wanted: "1 to \(ParallelPlan.most) threads"),
    Variable(
      names: ["OMP_THREAD_LIMIT", "KMP_DEVICE_THREAD_LIMIT", "KMP_ALL_THREADS", "KMP_TEAMS_THREAD_LIMIT"],
      grammar: threadCount, wanted: "1 to \(ParallelPlan.most) threads"),
    Variable(
      names: stacks, grammar: " *[0-9]{1,12} *[bkmgt]? *", wanted: "256K to 1G, such as 8M", isStack: true),
    Variable(
      names: [
        "OMP_DYNAMIC", "OMP_NESTED", "OMP_CANCELLATION", "OMP_DISPLAY_AFFINITY", "OMP_DISPLAY_ENV", "KMP_SETTINGS",
        "KMP_WARNINGS", "KMP_VERSION", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "KMP_DETERMINISTIC_REDUCTION",
      ], grammar: "true|false|yes|no|on|off|1|0|verbose", wanted: "true or false"),
    Variable(
      names: ["OMP_PROC_BIND"], grammar: "true|false|" + list("primary|master|close|spread"),
      wanted: "true, false, primary, close or spread"),
    Variable(
      names: ["OMP_PLACES"],
      grammar: "(?:threads|cores|sockets|ll_caches|numa_domains)(?:\\([1-9][0-9]{0,3}\\))?|" + list(place),
      wanted: "threads, cores, sockets or a list such as {0,1},{2,3}"),
    Variable(names: ["OMP_WAIT_POLICY"], grammar: "active|passive", wanted: "active or passive"),
    Variable(
      names: ["OMP_SCHEDULE"], grammar: "(?:(?:non)?monotonic:)?(?:static|dynamic|guided|auto)(?:, *\(number))?",
      wanted: "static, dynamic, guided or auto"),
    Variable(names: ["OMP_MAX_ACTIVE_LEVELS", "OMP_DEFAULT_DEVICE"], grammar: number, wanted: "a number"),
    Variable(
      names: ["KMP_BLOCKTIME", "GOMP_SPINCOUNT"], grammar: "infinite|infinity|\(number)(?:us|ms)?",
      wanted: "milliseconds or infinite"),
    Variable(names: ["KMP_LIBRARY"], grammar: "serial|turnaround|throughput", wanted: "turnaround or throughput"),
    Variable(
      names: ["KMP_AFFINITY"],
      grammar: list(
        "(?:no)?(?:verbose|warnings|respect|reset)|granularity=[a-z0-9_]{1,16}|compact|scatter|balanced|none|disabled"
          + "|logical|physical|\(number)"), wanted: "compact, scatter, balanced or none"),
    Variable(
      names: ["KMP_HW_SUBSET"], grammar: list("[1-9][0-9]{0,3}[a-z0-9_]{1,16}(?:@[0-9]{1,4})?", separator: "[,*]"),
      wanted: "such as 1s,4c,1t"),
    Variable(
      names: ["GOMP_CPU_AFFINITY"], grammar: list("[0-9]{1,4}(?:-[0-9]{1,4}(?::[1-9][0-9]{0,3})?)?", separator: "[ ,]"),
      wanted: "cores such as 0-3"),
    Variable(names: ["OMP_TOOL"], grammar: "enabled|disabled", wanted: "enabled or disabled"),
    Variable(
      names: ["OMP_TOOL_LIBRARIES", "OMP_TOOL_VERBOSE_INIT", "OMP_AFFINITY_FORMAT"], grammar: ".+", wanted: "a text"),
  ]

  private static func matches(_ value: String, _ grammar: String) -> Bool {
    (try? Regex(grammar).ignoresCase().wholeMatch(in: value)) != nil
  }

  private static func first(_ list: String) -> Int? {
    Int(list.prefix { $0 != "," }.trimmed())
  }

  /// The bytes of a size with a unit. A size without one counts units of 1024 bytes, for KMP_STACKSIZE bytes. Nil where
  /// no thread can have such a stack.
  private static func bytes(_ size: String, of name: String) -> Int? {
    let units: [Character: Int] = ["b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
    let words = size.lowercased().filter { $0 != " " }
    let unit = words.last.flatMap { units[$0] }
    guard let count = Int(unit == nil ? words : String(words.dropLast())) else { return nil }
    let bytes = count.timesClamping(unit ?? (name == "KMP_STACKSIZE" ? 1 : 1 << 10))
    return (1 << 18...1 << 30).contains(bytes) ? bytes : nil
  }
}
