import Foundation
import TestSupport

/// An operation on files that fails, or before which the process is killed.
struct Fault: Sendable, CustomStringConvertible {
  enum Kind: String, Sendable { case reads, writes, all }

  /// Among which operations it is counted.
  var kind: Kind
  /// kill, torn, short or the name of an error, as Tests/FaultShim/fault_shim.c lists them.
  var what: String
  /// Whether all later operations that are like it fail too: a disk that stays full.
  var isSticky = false
  /// The operation's number, from 1.
  var at = 0

  var endsByKill: Bool { what == "kill" || what == "torn" }
  /// Whether the program must not notice it.
  var isHarmless: Bool { what == "short" || what == "EINTR" }
  /// As HOURGLASS_FAULTS names it.
  var description: String { "\(kind) \(name) \(at)" }
  var name: String { what + (isSticky ? "+" : "") }

  func environment(folder: String, log: String) -> [String: String] {
    var environment = [
      "LD_PRELOAD": FaultShim.library, "HOURGLASS_FAULT_FOLDER": folder, "HOURGLASS_FAULT_KIND": kind.rawValue,
      "HOURGLASS_FAULT": what, "HOURGLASS_FAULT_AT": "\(at)", "HOURGLASS_FAULT_LOG": log,
    ]
    if isSticky { environment["HOURGLASS_FAULT_STICKY"] = "1" }
    return environment
  }

  /// Whether it does anything to an operation.
  func concerns(_ operation: FaultShim.Operation) -> Bool {
    let movesBytes = ["write", "pwrite64", "read", "pread64"].contains(operation.call)
    switch what {
    case "torn", "short": return movesBytes
    // Opening is started again by the system where handlers are installed with SA_RESTART, as ours are.
    case "EINTR": return movesBytes || ["flock", "fsync"].contains(operation.call)
    default: return true
    }
  }
}

/// The library that makes operations on files fail, and what it tells of them.
enum FaultShim {
  static let isSupported = !isSanitized && !library.isEmpty

  /// The library, built beside the tests' own executable; empty where it cannot be built.
  static let library: String = {
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FaultShim/fault_shim.c").path
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let library = tests.deletingLastPathComponent().appending(path: "fault_shim.so")
    let new = library.path + ".\(getpid())"
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["clang", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", new, source]
    guard (try? compiler.run()) != nil else { return "" }
    compiler.waitUntilExit()
    return compiler.terminationStatus == 0 && rename(new, library.path) == 0 ? library.path : ""
  }()

  /// A line of the library's log.
  struct Operation: Sendable {
    var number: Int
    var kind: Fault.Kind
    var call: String
    var path: String
    var isFault: Bool
  }

  static func operations(in log: String) -> [Operation] {
    let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      guard words.count == 4, let number = Int(words[0]), let kind = Fault.Kind(rawValue: words[1]) else { return nil }
      let isFault = words[3].hasSuffix(" FAULT")
      let paths = isFault ? String(words[3].dropLast(6)) : words[3]
      return Operation(
        number: number, kind: kind, call: words[2],
        path: paths.components(separatedBy: " -> ").last ?? paths, isFault: isFault)
    }
  }
}
