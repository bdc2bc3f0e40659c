import Foundation
import HourglassData
import HourglassKernels

/// Where and how one session of a run ran: nothing that decides its result.
public struct RunEnvironment: Codable, Sendable, Equatable {
  /// The program's version, and the Swift it was built with.
  public var version: String
  public var swift: String
  /// The processor as the system names it, where it does.
  public var processor: String?
  public var grantedCores: Int
  public var instructionSet: String
  public var openMP: Bool
  public var workers: Int
  public var threads: Int
  /// When the session began, in UTC.
  public var date: String
  public var arguments: [String]

  /// - Parameter arguments: of the command line, without the program's own path.
  public init(parallel: ParallelPlan, arguments: [String]) {
    (version, swift) = (Self.programVersion, Self.swiftVersion)
    (processor, grantedCores) = (Self.processorName(), GrantedCores.count)
    (instructionSet, openMP) = (Self.instructionSetName, Self.hasOpenMP)
    (workers, threads) = (parallel.workers, parallel.threads)
    date = Date().formatted(.iso8601)
    self.arguments = arguments
  }

  public static var programVersion: String { String(cString: hg_version()) }
  public static var instructionSetName: String { String(cString: hg_isa_name()) }
  public static var hasOpenMP: Bool { hg_has_openmp() }

  public static var swiftVersion: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  static func processorName() -> String? {
    let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
    let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last
    return name?.trimmingCharacters(in: .whitespaces)
  }
}

extension RunFolder {
  /// Adds a session to environment.json, which lists all sessions of the run, the newest last.
  public func append(_ environment: RunEnvironment) throws(DataError) {
    try save(sessions + [environment], as: "environment.json")
  }

  /// All sessions of the run that environment.json tells of.
  public var sessions: [RunEnvironment] {
    let data = FileManager.default.contents(atPath: file("environment.json"))
    return data.flatMap { try? JSONDecoder().decode([RunEnvironment].self, from: $0) } ?? []
  }
}
