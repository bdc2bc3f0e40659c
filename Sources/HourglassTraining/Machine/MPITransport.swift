import CMPI
import Dispatch
import FoundationEssentials
import Glibc
import Synchronization

/// Messages by MPI, of which the program knows nothing but a library that it opens when a launcher has started several
/// processes.
///
/// The library is one C file (`Sources/CMPI/mpi.c`), built by `make mpi` for the MPI of the machine.
public final class MPITransport: Transport {
  public let place: ProcessPlace
  /// The name and version of the MPI.
  public let version: String
  /// The address of the library's table of calls, which stays for ever.
  private let table: UInt
  private let report: @Sendable (String) -> Void
  private let wait = Wait()

  /// When this process began to wait for the others, in nanoseconds; 0 while it does not wait.
  private final class Wait: Sendable {
    let since = Atomic<UInt64>(0)
  }

  /// The name of the library.
  public static let libraryName = "libhourglass_mpi.so"

  /// Where the library may lie: at HOURGLASS_MPI_LIBRARY, or else beside the program or where `make install` puts it.
  static var libraries: [String] {
    if let named = ProcessInfo.processInfo.environment["HOURGLASS_MPI_LIBRARY"] { return [named] }
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    return [program, program.deletingLastPathComponent().appending(path: "lib")].map {
      $0.appending(path: libraryName).path
    }
  }

  /// The path of the library and the version of its MPI; nil where there is none.
  ///
  /// Errors: it is there and cannot be loaded.
  public static func library() throws(ProcessError) -> (path: String, version: String)? {
    try load().map { ($0.path, text($0.calls.pointee.version)) }
  }

  private static func load() throws(ProcessError) -> (path: String, calls: UnsafePointer<hg_mpi>)? {
    guard let path = libraries.first(where: { FileManager.default.fileExists(atPath: $0) }) else { return nil }
    guard let library = dlopen(path, RTLD_NOW | RTLD_GLOBAL), let symbol = dlsym(library, "hourglass_mpi") else {
      throw ProcessError(reason: "\(path) cannot be loaded: \(dlerror().map { String(cString: $0) } ?? "unknown")")
    }
    typealias Entry = @convention(c) () -> UnsafePointer<hg_mpi>
    let calls = unsafeBitCast(symbol, to: Entry.self)()
    guard calls.pointee.size == MemoryLayout<hg_mpi>.size else {
      throw ProcessError(reason: "\(path) belongs to another version of Hourglass; build it again with make mpi")
    }
    return (path, calls)
  }

  /// Joins the processes that the launcher has started.
  ///
  /// Errors: there is no library, or it cannot be loaded; MPI does not begin; MPI knows fewer processes than the
  /// launcher has started, since it belongs to another launcher.
  ///
  /// - Parameters:
  ///   - launch: what the launcher has said.
  ///   - report: tells why all processes end, and when others are long in coming.
  public convenience init(_ launch: Launch, report: @escaping @Sendable (String) -> Void) throws(ProcessError) {
    let started = "\(launch.variable) says that a launcher has started \(launch.count) processes"
    guard let (path, calls) = try Self.load() else {
      throw ProcessError(
        reason: "\(started), found no library to join them with at \(Self.libraries.joined(separator: ", ")); build it "
          + "with make mpi, or train alone without mpirun or srun")
    }
    var found = hg_mpi_place()
    let error = calls.pointee.begin(&found)
    guard error == 0 else {
      throw ProcessError(reason: "\(path): MPI does not begin: \(Self.text { calls.pointee.text(error, $0, $1) })")
    }
    let version = Self.text(calls.pointee.version)
    guard Int(found.count) >= launch.count else {
      throw ProcessError(
        reason: "\(started), and the MPI of \(path), \(version), knows \(found.count): launcher and library do not "
          + "belong together; build the library with the mpicc of this launcher (make mpi MPICC=...)")
    }
    let alone = ProcessPlace(position: Int(found.position), count: Int(found.count))
    var place = alone
    (place.local, place.localCount) = (Int(found.local), Int(found.localCount))
    (place.node, place.nodes) = (Int(found.node), Int(found.nodes))
    let table = UInt(bitPattern: calls)
    let probe = MPITransport(place, version, table, report)
    if place.nodes < place.count, probe.areSeparate || (try? probe.nodeMemory(bytes: 1)) == nil {
      probe.check(calls.pointee.separate())
      place = alone
    }
    self.init(place, version, table, report)
  }

  private init(
    _ place: ProcessPlace, _ version: String, _ table: UInt, _ report: @escaping @Sendable (String) -> Void
  ) {
    (self.place, self.version, self.table, self.report) = (place, version, table, report)
  }

  /// The variable that says `separate` where each process is to be a node of its own and share no memory. So it is
  /// without the variable in containers of one machine, which do not see each other's processes.
  public static let nodesVariable = "HOURGLASS_NODES"

  /// Whether any process was told that each is a node. All processes call it together.
  private var areSeparate: Bool {
    gather(ProcessInfo.processInfo.environment[Self.nodesVariable] ?? "").contains("separate")
  }

  private static func text(_ write: (UnsafeMutablePointer<CChar>?, Int) -> Void) -> String {
    var text = [CChar](repeating: 0, count: 512)
    write(&text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private var calls: hg_mpi? { UnsafePointer<hg_mpi>(bitPattern: table)?.pointee }

  /// Ends all processes where a call failed.
  private func check(_ error: Int32?) {
    guard let error, error != 0 else { return }
    endAll("MPI failed: \(Self.text { calls?.text(error, $0, $1) })", status: 1)
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to position: Int, _ message: inout Message) {
    withRequest(&message) { check(calls?.send(bytes.baseAddress, bytes.count, Int32(position), $0)) }
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from position: Int, _ message: inout Message) {
    withRequest(&message) { check(calls?.receive(bytes.baseAddress, bytes.count, Int32(position), $0)) }
  }

  public func isDone(_ message: inout Message) -> Bool {
    var isDone: Int32 = 0
    withRequest(&message) { check(calls?.test($0, &isDone)) }
    if isDone != 0 {
      wait.since.store(0, ordering: .relaxed)
    } else if wait.since.load(ordering: .relaxed) == 0 {
      wait.since.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
    }
    return isDone != 0
  }

  private func withRequest(_ message: inout Message, _ body: (UnsafeMutablePointer<hg_mpi_message>) -> Void) {
    withUnsafeMutablePointer(to: &message) {
      $0.withMemoryRebound(to: hg_mpi_message.self, capacity: 1, body)
    }
  }

  public func gather(
    _ words: UnsafeMutablePointer<UInt32>, counts: UnsafePointer<Int32>, offsets: UnsafePointer<Int32>,
    among group: ProcessGroup
  ) {
    wait.since.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
    check(calls?.gather(words, counts, offsets, group == .nodes))
    wait.since.store(0, ordering: .relaxed)
  }

  public func wait(until isDone: () -> Bool) {
    guard !isDone() else { return }
    wait.since.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
    while !isDone() { sched_yield() }
    wait.since.store(0, ordering: .relaxed)
  }

  public func nodeMemory(bytes: Int) throws(ProcessError) -> NodeMemory {
    let made = place.isFirstOfNode ? NodeMemory(bytes: bytes) : nil
    let told = gather(made?.name ?? "")[place.position - place.local]
    let memory = made ?? NodeMemory(bytes: bytes, of: told)
    // A file stays open until all have opened it.
    if let lacking = gather(memory == nil ? place.name : "").first(where: { !$0.isEmpty }) {
      throw ProcessError(
        reason: "\(lacking): wanted \(bytes) bytes of memory that the processes of the node share, found none")
    }
    guard let memory else { preconditionFailure("nobody lacks memory") }
    return memory
  }

  public func endAll(_ reason: String, status: Int32) {
    report(reason)
    calls?.endAll(status)
  }

  /// From now on tells when other processes are a minute in coming, which they do not tell themselves where they hang,
  /// and ends this process, and the launcher all others, once that takes too long.
  ///
  /// - Parameter limit: seconds; nil to wait on.
  public func watch(limit: Double?) {
    let (wait, report, name) = (wait, report, place.name)
    _ = SystemThread {
      var told: UInt64 = 0
      while true {
        sleep(1)
        let since = wait.since.load(ordering: .relaxed)
        guard since > 0 else { continue }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - since) / 1e9
        if seconds >= 60, told != since {
          told = since
          report("\(name) has waited a minute for a process that tells nothing")
        }
        if let limit, seconds >= limit {
          report("\(name) has waited \(Int(clamping: seconds)) s for another process and ends, as --stall-limit says")
          kill(getpid(), SIGKILL)
        }
      }
    }
  }

  /// Leaves the others, once all come to this.
  public func end() { _ = calls?.end() }
}

/// How many processes a launcher has started together, as its environment says.
public struct Launch: Sendable, Equatable {
  /// The number of processes, at least 2.
  public var count: Int
  /// The variable that says so.
  public var variable: String
  /// Whether this process is the first of them.
  public var isFirst: Bool

  /// The variables with the number of processes and that of this one: of Open MPI's mpirun, of MPICH's mpiexec and
  /// other launchers with its interface, and of srun. SLURM_NTASKS is none of them: batch scripts have it, in which one
  /// process runs.
  private static let variables = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
  ]

  /// Variables with which mpirun of Open MPI starts more processes than there are cores, which leave each other the
  /// cores and are bound to none.
  package static let ofManyProcesses = [
    "OMPI_MCA_rmaps_base_oversubscribe": "1", "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_mpi_yield_when_idle": "1",
  ]

  /// Nil for a process that was started alone.
  public init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    let found = Self.variables.compactMap { size, rank in
      environment[size].flatMap(Int.init).map { (variable: size, count: $0, isFirst: environment[rank] ?? "0" == "0") }
    }
    guard let launch = found.max(by: { $0.count < $1.count }), launch.count > 1 else { return nil }
    (variable, count, isFirst) = (launch.variable, launch.count, launch.isFirst)
  }
}
