import Foundation
import HourglassTraining
import Testing

/// An MPI of this machine: the commands that compile for it and start processes.
struct MPI: Sendable, CustomTestStringConvertible {
  let compiler: String
  let launcher: String

  var testDescription: String { launcher }

  /// The one of plain names in PATH first, then those that Debian installs beside it.
  static let all: [MPI] = {
    var found: [MPI] = []
    for (compiler, launcher) in [
      ("mpicc", "mpirun"), ("mpicc.openmpi", "mpirun.openmpi"), ("mpicc.mpich", "mpirun.mpich"),
    ] {
      guard let compiler = file(compiler), let launcher = file(launcher) else { continue }
      if found.contains(where: { resolved($0.launcher) == resolved(launcher) }) { continue }
      found.append(MPI(compiler: compiler, launcher: launcher))
    }
    return found
  }()

  /// The MPI that starts processes on nodes that are namespaces of this machine, which root alone makes; nil where
  /// Open MPI 4 or what else Benchmarks/nodes needs is missing.
  static let ofNamespaces: MPI? = {
    guard geteuid() == 0, ["ip", "tc", "unshare"].allSatisfy({ file($0) != nil }) else { return nil }
    return all.first { resolved($0.launcher).hasSuffix("/orterun") }
  }()

  private static func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }

  private static func file(_ command: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(command)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}

/// A program beside the library, and the launcher of an MPI.
struct MPIMachine {
  let program: Program
  let launcher: String
  /// The nodes of the processes, where they are namespaces and not this machine.
  var namespaces: Int?

  /// Processes that are started with the same arguments.
  struct Group {
    var count = 1
    var arguments: String
    /// What a shell does in each of them before the program.
    var before: String?
  }

  /// The environment in which Open MPI starts more processes than there are cores, as root too.
  var environment: [String: String] {
    Launch.ofManyProcesses.merging([
      "HOURGLASS_MPI_LIBRARY": program.path(MPITransport.libraryName), "OMPI_ALLOW_RUN_AS_ROOT": "1",
      "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
      "OMP_WAIT_POLICY": "passive",
    ]) { $1 }
  }

  /// - Parameters:
  ///   - library: the MPI for which the library is built.
  ///   - launcher: the MPI whose launcher starts processes; nil for the same.
  static func inTemporaryFolder<R>(
    _ library: MPI? = nil, launcher: MPI? = nil, _ body: (MPIMachine) throws -> R
  ) throws -> R {
    let mpi = try #require(library ?? MPI.all.first)
    return try Program.inTemporaryFolder { program in
      let file = program.path(MPITransport.libraryName)
      let built = try program.start(
        ["-O2", "-shared", "-fPIC", "-o", file, repository("Sources/CMPI/mpi.c")], executable: mpi.compiler
      ).finish()
      try #require(built.status == 0, "\(built.errors)")
      return try body(MPIMachine(program: program, launcher: (launcher ?? mpi).launcher))
    }
  }

  private static func repository(_ path: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../\(path)").path
  }

  func start(_ groups: [Group], with more: [String: String] = [:]) throws -> Program.Running {
    let arguments = groups.enumerated().flatMap { index, group -> [String] in
      let own = group.arguments.split(separator: " ").map(String.init)
      let shell = group.before.map { ["/bin/sh", "-c", "\($0); exec \"$0\" \"$@\""] } ?? []
      return (index > 0 ? [":"] : []) + ["-n", "\(group.count)"] + shell + [Program.executable] + own
    }
    // Threads of tests block signals, and a launcher inherits that.
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let environment = environment.merging(more) { $1 }
    guard let namespaces else { return try program.start(arguments, executable: launcher, environment: environment) }
    return try program.start(
      ["\(namespaces)", "none", launcher] + arguments, executable: Self.repository("Benchmarks/nodes"),
      environment: environment)
  }

  func run(_ count: Int, _ arguments: String, with more: [String: String] = [:]) throws -> Program.Result {
    try start([Group(count: count, arguments: arguments)], with: more).finish()
  }

  /// The process of a rank.
  func process(rank: Int) -> pid_t? {
    let files = FileManager.default
    let folder = URL(fileURLWithPath: program.folder).resolvingSymlinksInPath().path
    let processes = (try? files.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    return processes.first { number in
      let ranks = ["OMPI_COMM_WORLD_RANK=\(rank)", "PMI_RANK=\(rank)"].map { Array($0.utf8) }
      guard (try? files.destinationOfSymbolicLink(atPath: "/proc/\(number)/cwd")) == folder,
        let environment = files.contents(atPath: "/proc/\(number)/environ")
      else { return false }
      return environment.split(separator: 0).contains { ranks.contains(Array($0)) }
    }
  }

  func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: program.path(name)) }
}
