import FoundationEssentials
import HourglassData
import HourglassKernels
import HourglassModels
import HourglassTraining

/// What this process finds on its machine, and what follows from it for training.
public struct Diagnosis: Codable, Sendable, Equatable {
  /// The cores that this process may use.
  public struct Cores: Codable, Sendable, Equatable {
    /// The cores of the machine.
    public var online: Int
    /// The cores in the affinity mask of the process.
    public var affinity: Int
    /// The CPU time that the control group grants, in cores; nil without a limit.
    public var quota: Double?
    /// The cores that training uses by default: the smaller of the affinity mask and the quota rounded up, at least 1.
    public var granted: Int
  }

  /// The memory that this process may use, in bytes.
  public struct Memory: Codable, Sendable, Equatable {
    /// The memory of the machine.
    public var physical: UInt64
    /// The limit of the control group; nil without one.
    public var group: UInt64?
    /// The limit of the address space (`ulimit -v`); nil without one.
    public var addressSpace: UInt64?
    /// The least of the three.
    public var granted: UInt64
  }

  /// One of the processes that a launcher has started together.
  public struct Member: Codable, Sendable, Equatable {
    /// Its position and host, for people to read.
    public var name: String
    /// The number of its node, from 0.
    public var node: Int
    /// The cores that it may use, as in 0-3,8.
    public var allowed: String
    /// How many of them training uses by default: its share where processes of the node may use the same ones.
    public var cores: Int

    /// This process, with its share of the cores.
    public init(_ place: ProcessPlace, cores: Int) {
      (name, node, self.cores) = (place.name, place.node, cores)
      allowed = Self.runs(GrantedCores.allowed)
    }

    /// Numbers in ascending order as runs, 0-3,8.
    static func runs(_ numbers: [Int]) -> String {
      var runs: [ClosedRange<Int>] = []
      for number in numbers {
        if let last = runs.last, last.upperBound == number - 1 {
          runs[runs.count - 1] = last.lowerBound...number
        } else {
          runs.append(number...number)
        }
      }
      return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        .joined(separator: ",")
    }
  }

  /// How a model would be trained by default.
  public struct Default: Codable, Sendable, Equatable {
    public var model: String
    public var batchSize: Int
    public var shards: Int
    /// The workers and threads of this process, where there are several.
    public var workers: Int
    public var threads: Int
    /// The predicted speed-up over one core, divided by the granted cores; nil where there are several processes.
    public var efficiency: Double?
    /// Where that is below 0.8, a minibatch and division that is predicted to reach it.
    public var sufficient: StepForecast.Division?
    /// All bytes planned for training; the images are not among them.
    public var plannedBytes: Int
    /// Why the work would be divided like this, for people to read.
    public var reason: String
  }

  /// The version of Hourglass.
  public var version: String
  /// The version of the compiler that built it.
  public var swift: String
  /// The name of the processor, where the system tells.
  public var processor: String?
  public var cores: Cores
  /// The instruction set that the kernels use.
  public var instructionSet: String
  /// Why they use it, for people to read.
  public var instructionSetReason: String
  /// Whether the kernels were built with OpenMP.
  public var openMP: Bool
  /// The paths of the OpenMP runtimes that are loaded.
  public var openMPLibraries: [String]
  /// The library by which several processes would train together, with the version of its MPI; nil where there is none.
  public var mpi: String?
  /// The processes that a launcher has started together, by their positions; nil for one that was started alone.
  public var processes: [Member]?
  public var memory: Memory
  /// The environment variables that the program or the OpenMP runtime reads, by name.
  public var variables: [String: String]
  /// How each model would be trained by default.
  public var defaults: [Default]
  /// Sentences about what makes training slower, or lets its results differ from those of other machines.
  public var warnings: [String]

  /// Looks at this process and its machine.
  ///
  /// Errors: a model that cannot be planned with this batch size.
  ///
  /// - Parameters:
  ///   - models: the models for which the defaults are given.
  ///   - environment: the variables of this process, or of another one in tests.
  ///   - libraries: the paths of the loaded OpenMP runtimes.
  ///   - batchSize: the samples of a minibatch for which the defaults are given.
  ///   - processes: those that a launcher has started together, of which this is the first; nil for none.
  ///   - place: the place of this one among them; nil for none.
  public init(
    models: [Autoencoder] = ModelCatalog.models, environment: [String: String] = ProcessInfo.processInfo.environment,
    libraries: [String] = OpenMPRuntime.libraries, batchSize: Int = Recipe.defaultBatchSize,
    processes: [Member]? = nil, place: ProcessPlace? = nil
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
    var refusals: [String] = []
    do { mpi = try MPITransport.library().map { "\($0.version), \($0.path)" } } catch { refusals.append(error.reason) }
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
    self.processes = processes
    let (own, count) = (processes?.first?.cores ?? cores.granted, processes?.count ?? 1)
    defaults = []
    for model in models {
      let recipe = Recipe(model: model, batchSize: batchSize)
      let plan = try recipe.plan()
      let forecast = try processes == nil ? StepForecast(recipe, cores: own, environment: openMPEnvironment) : nil
      let shards = (plan.shards + count - 1) / count
      let parallel = ParallelPlan(shards: shards, cores: own, environment: openMPEnvironment)
      defaults.append(
        Default(
          model: model.name, batchSize: batchSize, shards: plan.shards, workers: parallel.workers,
          threads: parallel.threads, efficiency: forecast?.division.efficiency, sufficient: forecast?.sufficient,
          plannedBytes: PlannedMemory(training: plan, parallel: parallel, place: place).total,
          reason: Self.reason(parallel, shards: shards, cores: own, openMPEnvironment)))
    }
    warnings = refusals
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
    for wish in defaults where wish.workers * wish.threads > own {
      warnings.append(
        "OMP_NUM_THREADS: \(wish.workers) workers x \(wish.threads) threads are more than the \(own) granted cores; "
          + "this will be slow")
      break
    }
    for wish in defaults where UInt64(wish.plannedBytes) > memory.granted {
      warnings.append("\(wish.model) wants \(wish.plannedBytes >> 20) MiB, more than is granted; smaller --batch-size")
    }
  }

  private static let isaVariable = "HOURGLASS_ISA"

  /// A sentence where the environment asks for an instruction set that this machine or this build lacks; else nil.
  public static func instructionSetWarning(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    let used = RunEnvironment.instructionSetName
    guard let wanted = environment[isaVariable], !wanted.isEmpty, wanted != used else { return nil }
    return "\(isaVariable): wanted an instruction set that is here, found \(wanted); \(used) is used"
  }

  /// Why a plan divides the work as it does.
  static func reason(_ plan: ParallelPlan, shards: Int, cores: Int, _ environment: OpenMPEnvironment) -> String {
    let rounds = (shards + plan.workers - 1) / plan.workers
    let work = "\(shards) shards in \(rounds) round\(rounds == 1 ? "" : "s")"
    if environment.threads != nil { return "\(work); OMP_NUM_THREADS says the threads" }
    if let limit = environment.threadLimit, limit < cores { return "\(work); OMP_THREAD_LIMIT leaves \(limit) cores" }
    if plan.threads > 1 { return "\(work); threads take the cores that workers leave over" }
    return "\(work); a worker for each core, because workers wait for each other least"
  }
}
