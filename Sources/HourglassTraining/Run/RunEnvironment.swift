import FoundationEssentials
import HourglassData
import HourglassKernels

/// The environment in which one session of a run ran; nothing of it decides the result.
public struct RunEnvironment: Codable, Sendable, Equatable {
  /// The version of Hourglass.
  public var version: String
  /// The version of the compiler that built it.
  public var swift: String
  /// The name of the processor, where the system tells.
  public var processor: String?
  /// The cores that the session might use, see `GrantedCores`.
  public var grantedCores: Int
  /// The instruction set that the kernels used.
  public var instructionSet: String
  /// Whether the kernels were built with OpenMP.
  public var openMP: Bool
  /// The workers of the session.
  public var workers: Int
  /// The OpenMP threads of each worker.
  public var threads: Int
  /// The processes of the session; nil for one that was started alone.
  public var processes: Int?
  /// When the session began, in UTC, as ISO 8601 writes it.
  public var date: String
  /// The arguments of the command line, without the program's own path.
  public var arguments: [String]

  /// The session that begins now.
  ///
  /// - Parameter arguments: the arguments of the command line, without the program's own path.
  public init(parallel: ParallelPlan, arguments: [String]) {
    (version, swift) = (Self.programVersion, Self.swiftVersion)
    (processor, grantedCores) = (Self.processorName(), GrantedCores.count)
    (instructionSet, openMP) = (Self.instructionSetName, Self.hasOpenMP)
    (workers, threads) = (parallel.workers, parallel.threads)
    date = Date().formatted(.iso8601)
    self.arguments = arguments
  }

  /// The version of Hourglass.
  public static var programVersion: String { String(cString: hg_version()) }
  /// The instruction set that the kernels use.
  public static var instructionSetName: String { String(cString: hg_isa_name()) }
  /// The instruction sets that this build and this machine have, the widest first.
  public static var instructionSetNames: [String] {
    Array(
      sequence(state: 0) { index in
        defer { index += 1 }
        return hg_isa_names(index).map { String(cString: $0) }
      })
  }
  /// Whether the kernels were built with OpenMP.
  public static var hasOpenMP: Bool { hg_has_openmp() }

  /// What must be the same in all processes that work together, by its name.
  static var sharedFacts: [String: String] {
    [
      "version of Hourglass": programVersion,
      "fused multiply-add": hg_isa_has_fma() ? "yes" : "no (\(instructionSetName))",
    ]
  }

  /// The version of the compiler that built the program.
  public static var swiftVersion: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  /// The name of the processor, where the system tells.
  package static func processorName() -> String? {
    let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
    let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last
    return name?.trimmed()
  }
}

extension RunFolder {
  /// Adds a session to environment.json, which lists all sessions of the run, the newest last. A file that cannot be
  /// understood is kept aside.
  ///
  /// Errors: the file cannot be written.
  public func append(_ environment: RunEnvironment) throws(DataError) {
    let bytes = try InputFile.contents(ifThere: file(Self.environmentName))
    var earlier: [RunEnvironment] = []
    do { earlier = try sessions(in: bytes) } catch let error {
      try keepAside(Data(bytes ?? []), of: Self.environmentName, found: error.reason)
    }
    try save(earlier + [environment], as: Self.environmentName)
  }

  /// All sessions of the run that environment.json tells of; none where it is not there.
  ///
  /// Errors: the file cannot be read, or is damaged.
  public func sessions() throws(DataError) -> [RunEnvironment] {
    try sessions(in: try InputFile.contents(ifThere: file(Self.environmentName)))
  }

  private func sessions(in bytes: [UInt8]?) throws(DataError) -> [RunEnvironment] {
    guard let bytes else { return [] }
    return try JSONFile.decode(
      [RunEnvironment].self, from: bytes, path: file(Self.environmentName), what: "no list of sessions")
  }

  private static let environmentName = "environment.json"
}
