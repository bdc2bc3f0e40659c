/// The machine and the program of a study, for whoever reads its figures elsewhere.
struct MachineBlock: Codable {
  var processor: String
  /// Cores of the affinity mask, and of these what the cgroup's quota grants.
  var cores: Int
  var grantedCores: Int
  /// Bytes of the caches that hold data, nearest first, as a core sees them.
  var caches: [Int]
  var memoryBytes: Int
  var instructionSet: String
  var openMP: String
  var compilers: String
  var revision: String
  /// Multiply-adds from registers on one core, in GFLOP/s.
  var peakGflops: Double
  /// Bytes a second from memory on one core and on all, by `bench limits`' triad, in GB/s.
  var bandwidth: [Double]
}
