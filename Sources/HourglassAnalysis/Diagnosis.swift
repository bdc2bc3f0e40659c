import Foundation
import HourglassData
import HourglassKernels
import HourglassModels
import HourglassTraining

/// The facts that this process finds on its machine, and their consequences for training.
public struct Diagnosis: Codable, Sendable, Equatable {
  public struct Cores: Codable, Sendable, Equatable {
    /// The cores of the machine, the cores of the affinity mask, and the quota of CPU time in cores, nil without one.
    public var online: Int
    public var affinity: Int
    public var quota: Double?
    public var granted: Int
  }

  public struct Memory: Codable, Sendable, Equatable {
    /// The bytes of the machine, of the control group's limit, and of the address space's limit; nil without a limit.
    public var physical: UInt64
    public var group: UInt64?
    public var addressSpace: UInt64?
    public var granted: UInt64
  }

  /// The division by which a model would be trained by default.
  public struct Default: Codable, Sendable, Equatable {
    public var model: String
    public var batchSize: Int
    public var shards: Int
    public var workers: Int
    public var threads: Int
    /// All bytes planned for training, images not among them.
    public var plannedBytes: Int
    public var reason: String
  }

  public var version: String
  public var swift: String
  public var processor: String?
  public var cores: Cores
  public var instructionSet: String
  public var instructionSetReason: String
  /// Whether the kernels were built with OpenMP, and the paths of the runtimes that are loaded.
  public var openMP: Bool
  public var openMPLibraries: [String]
  public var memory: Memory
  /// The environment's variables that the program or the OpenMP runtime reads.
  public var variables: [String: String]
  public var defaults: [Default]
  /// Sentences about facts that make training slower, or its results differ from those of other machines.
  public var warnings: [String]

  /// Diagnoses this process.
  ///
  /// - Parameters environment, libraries: the environment and OpenMP libraries of the process, or of another one in
  ///   tests.
  public init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    libraries: [String] = OpenMPRuntime.libraries, batchSize: Int = Recipe.defaultBatchSize
  ) throws(ModelError) {
    (version, swift) = (RunEnvironment.programVersion, RunEnvironment.swiftVersion)
    processor = RunEnvironment.processorName()
    cores = Cores(
      online: ProcessInfo.processInfo.processorCount, affinity: GrantedCores.affinity, quota: ControlGroup().cores,
      granted: GrantedCores.count)
    memory = Memory(
      physical: GrantedMemory.physical, group: GrantedMemory.group, addressSpace: GrantedMemory.addressSpace,
      granted: GrantedMemory.bytes)
    instructionSet = RunEnvironment.instructionSetName
    (openMP, openMPLibraries) = (RunEnvironment.hasOpenMP, libraries)
    variables = environment.filter { name, _ in
      name == Self.isaVariable || ["OMP_", "KMP_", "GOMP_"].contains(where: name.hasPrefix)
    }
    let wanted = environment[Self.isaVariable].flatMap { $0.isEmpty ? nil : $0 }
    instructionSetReason =
      switch wanted {
      case nil: "the widest of this machine and build"
      case instructionSet: "\(Self.isaVariable) asks for it"
      default: "the widest of this machine and build, which have no \(wanted ?? "") as \(Self.isaVariable) asks"
      }
    let openMPEnvironment = OpenMPEnvironment(environment)
    defaults = []
    for model in ModelCatalog.models {
      let plan = try ExecutionPlan(model, batchSize: batchSize)
      let parallel = ParallelPlan(shards: plan.shards, cores: cores.granted, environment: openMPEnvironment)
      defaults.append(
        Default(
          model: model.name, batchSize: batchSize, shards: plan.shards, workers: parallel.workers,
          threads: parallel.threads, plannedBytes: PlannedMemory(training: plan, parallel: parallel).total,
          reason: Self.reason(parallel, shards: plan.shards, cores: cores.granted, openMPEnvironment)))
    }
    warnings = []
    if let warning = Self.instructionSetWarning(environment) { warnings.append(warning) }
    if !hg_isa_has_fma() {
      warnings.append("\(instructionSet) has no fused multiply-add: slow, and not the bits of machines that have it")
    }
    if let warning = openMPEnvironment.warning { warnings.append(warning) }
    if !openMP { warnings.append("built without OpenMP: a worker has one thread, whatever --threads says") }
    if libraries.count > 1 {
      warnings.append(
        "\(libraries.count) OpenMP runtimes are loaded, \(libraries.joined(separator: " and ")); each starts threads "
          + "of its own, so leave one out, for example of LD_PRELOAD")
    }
    if cores.granted < cores.affinity {
      warnings.append(
        "the control group's quota grants \(cores.granted) of \(cores.affinity) cores; more threads would be held up "
          + "in the middle of a step")
    }
    for wish in defaults where wish.workers * wish.threads > cores.granted {
      warnings.append(
        "OMP_NUM_THREADS: \(wish.workers) workers x \(wish.threads) threads are more than the \(cores.granted) granted "
          + "cores; this will be slow")
      break
    }
    for wish in defaults where UInt64(wish.plannedBytes) > memory.granted {
      warnings.append("\(wish.model) wants \(wish.plannedBytes >> 20) MiB, more than is granted; smaller --batch-size")
    }
  }

  private static let isaVariable = "HOURGLASS_ISA"

  /// A sentence where the environment asks for an instruction set that this machine, or this build, lacks.
  public static func instructionSetWarning(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    let used = RunEnvironment.instructionSetName
    guard let wanted = environment[isaVariable], !wanted.isEmpty, wanted != used else { return nil }
    return "\(isaVariable): wanted an instruction set that is here, found \(wanted); \(used) is used"
  }

  /// Why the work would be divided like this.
  static func reason(_ plan: ParallelPlan, shards: Int, cores: Int, _ environment: OpenMPEnvironment) -> String {
    let rounds = (shards + plan.workers - 1) / plan.workers
    let work = "\(shards) shards in \(rounds) round\(rounds == 1 ? "" : "s")"
    if environment.threads != nil { return "\(work); OMP_NUM_THREADS says the threads" }
    if let limit = environment.threadLimit, limit < cores { return "\(work); OMP_THREAD_LIMIT leaves \(limit) cores" }
    if plan.threads > 1 { return "\(work); threads take the cores that workers leave over" }
    return "\(work); a worker for each core, because workers wait for each other least"
  }
}
