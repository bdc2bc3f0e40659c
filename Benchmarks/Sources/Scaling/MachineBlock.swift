import CLimits
import Foundation
import HourglassTraining

/// The machine and the program of a study, for people who read its figures elsewhere.
struct MachineBlock: Codable {
  var processor: String
  /// The cores of the affinity mask, and as many of these as the cgroup's quota grants.
  var cores: Int
  var grantedCores: Int
  /// The bytes of the caches that hold data, nearest first, as a core sees them.
  var caches: [Int]
  var memoryBytes: Int
  var instructionSet: String
  var openMP: String
  var compilers: String
  var revision: String
  /// The rate of multiply-adds from registers on one core, in GFLOP/s.
  var peakGflops: Double
  /// The bandwidth of memory on one core and on all, by the triad of `bench limits`, in GB/s.
  var bandwidth: [Double]
}

extension MachineBlock {
  /// Measures the machine and the program at hand, which takes about four seconds.
  static func measured() -> MachineBlock {
    let granted = GrantedCores.count
    let limits = (granted > 1 ? [1, granted] : [1]).map(Limits.init(threads:))
    let triads = limits.map { $0.levels.last?.triad.median ?? 0 }
    return MachineBlock(
      processor: Machine.current.processor, cores: GrantedCores.affinity, grantedCores: granted,
      caches: Machine.current.caches, memoryBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory),
      instructionSet: RunEnvironment.instructionSetName,
      openMP: OpenMPRuntime.libraries.first.map(OpenMPRuntime.name) ?? "none",
      compilers: compilers(), revision: revision(),
      peakGflops: limits[0].multiplyAdd.median, bandwidth: [triads[0], triads[triads.count - 1]])
  }

  private static func compilers() -> String {
    // The repository that clang adds to its version is cut off.
    let c = String(cString: limits_compiler()).split(separator: " (")[0]
    return "Swift \(RunEnvironment.swiftVersion), \(c)"
  }

  /// The revision of the sources in the working directory, "unknown" without git or a repository.
  private static func revision() -> String {
    let git = try? Subprocess(["git", "describe", "--always", "--dirty"], quiet: true)
    return git.flatMap { $0.status == 0 && !$0.text.isEmpty ? $0.text : nil } ?? "unknown"
  }
}
