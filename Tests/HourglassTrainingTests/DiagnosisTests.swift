import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// What the program finds on its machine.
@Suite struct DiagnosisTests {
  private static func maps(_ paths: String...) -> String {
    let lines = (["/usr/lib/libc.so.6"] + paths).enumerated().map { "7f\($0)0-7f\($0)1 r-xp 0000 00:00 1   \($1)" }
    return lines.joined(separator: "\n") + "\n7fff-8000 rw-p 0\n"
  }

  @Test func theOpenMPRuntimesAreFoundAmongTheMappedFiles() {
    let (llvm, gcc) = ("/usr/lib/llvm-14/lib/libomp.so.5", "/usr/lib/libgomp.so.1.0.0")
    #expect(OpenMPRuntime.libraries(maps: Self.maps("/usr/lib/libm.so.6")).isEmpty)
    // A library is mapped in several pieces.
    #expect(OpenMPRuntime.libraries(maps: Self.maps(llvm, llvm, gcc, llvm)) == [llvm, gcc])
    #expect(OpenMPRuntime.name(llvm) == "libomp.so.5 of LLVM 14" && OpenMPRuntime.name(gcc) == "libgomp.so.1.0.0")
    #expect(OpenMPRuntime.libraries.isEmpty == !RunEnvironment.hasOpenMP, "of this very process")
  }

  @Test(
    arguments: [
      ([], [:], nil),
      (["/a/libomp.so.5"], [:], nil),
      (
        ["/a/libomp.so.5", "/b/libgomp.so.1"], [:], "2 OpenMP runtimes are loaded, /a/libomp.so.5 and /b/libgomp.so.1;"
      ),
      ([], ["HOURGLASS_ISA": "vax"], "HOURGLASS_ISA: wanted an instruction set that is here, found vax"),
      ([], ["HOURGLASS_ISA": ""], nil),
      ([], ["OMP_NUM_THREADS": "few"], "found few; ignored"),
      ([], ["OMP_NUM_THREADS": "1000"], "1 workers x 1000 threads are more than"),
    ] as [([String], [String: String], String?)])
  func whatIsAmissIsWarnedOfAndNothingElse(
    _ libraries: [String], _ environment: [String: String], _ warning: String?
  ) throws {
    let none = try Diagnosis(environment: [:], libraries: []).warnings
    let more = try Diagnosis(environment: environment, libraries: libraries).warnings.filter { !none.contains($0) }
    #expect(more.count == (warning == nil ? 0 : 1) && more.allSatisfy { $0.contains(warning ?? "") }, "\(more)")
  }

  @Test func theDefaultsAreThoseOfTraining() throws {
    let environment = ["OMP_NUM_THREADS": "1", "PATH": "/bin", "KMP_BLOCKTIME": "0"]
    let found = try Diagnosis(environment: environment, libraries: [])
    #expect(found.variables == ["OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"])
    #expect(found.defaults.map(\.model) == ModelCatalog.models.map(\.name))
    for (row, model) in zip(found.defaults, ModelCatalog.models) {
      let plan = try ExecutionPlan(model, batchSize: Recipe(model: model).batchSize)
      let parallel = ParallelPlan(shards: plan.shards, environment: OpenMPEnvironment(environment))
      #expect(row.shards == plan.shards && row.workers == parallel.workers && row.threads == parallel.threads)
      #expect(row.plannedBytes == PlannedMemory(training: plan, parallel: parallel).total)
      #expect(row.reason.contains("OMP_NUM_THREADS"))
      let forecast = try StepForecast(
        Recipe(model: model), cores: found.cores.granted, environment: OpenMPEnvironment(environment))
      #expect(row.efficiency == forecast.division.efficiency && row.sufficient == forecast.sufficient)
    }
    let one = try Diagnosis(models: [TinyModels.wide], environment: environment, libraries: [])
    #expect(one.defaults.map(\.model) == ["wide"])
    let (cores, memory) = (found.cores, found.memory)
    #expect(cores.granted <= cores.affinity && cores.affinity <= cores.online && cores.granted >= 1)
    #expect(memory.granted == [memory.physical, memory.group, memory.addressSpace].compactMap(\.self).min())
  }

  @Test(
    arguments: [
      (nil, nil, 16, 16, "in 1 round; a worker for each core"), (nil, nil, 16, 2, "in 8 rounds; a worker"),
      (nil, nil, 4, 16, "threads take the cores"), (nil, "1", 16, 4, "OMP_THREAD_LIMIT leaves 1"),
      ("2", "1", 16, 4, "OMP_NUM_THREADS says"), (nil, "64", 16, 4, "a worker for each core"),
    ] as [(String?, String?, Int, Int, String)])
  func aDivisionHasAReason(_ threads: String?, _ limit: String?, _ shards: Int, _ cores: Int, _ reason: String) {
    let variables = ["OMP_NUM_THREADS": threads ?? "", "OMP_THREAD_LIMIT": limit ?? ""]
    let environment = OpenMPEnvironment(variables)
    let plan = ParallelPlan(shards: shards, cores: cores, environment: environment)
    #expect(Diagnosis.reason(plan, shards: shards, cores: cores, environment).contains(reason))
  }

  /// A tree of files as the kernel shows it, the process's line in it, and the bytes that it grants.
  @Test(
    arguments: [
      ("0::/\n", ["memory.max": "1048576\n"], 1 << 20),
      ("0::/\n", ["memory.max": "max\n"], nil),
      ("0::/a/b\n", ["a/b/memory.max": "max\n", "a/memory.max": "4096\n", "memory.max": "8192\n"], 4096),
      ("5:memory:/\n", ["memory/memory.limit_in_bytes": "4096\n"], 4096),
      ("5:memory:/\n", ["memory/memory.limit_in_bytes": "9223372036854771712\n"], nil),
      ("5:cpu:/\n", ["memory/memory.limit_in_bytes": "4096\n"], nil),
    ] as [(String, [String: String], UInt64?)])
  func theMemoryOfACgroupIsRead(_ membership: String, _ files: [String: String], _ bytes: UInt64?) throws {
    try withTemporaryFolder { folder in
      for (name, text) in files {
        let url = URL(filePath: folder).appending(path: "cgroup/\(name)")
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
      }
      try membership.write(toFile: folder + "/membership", atomically: false, encoding: .utf8)
      #expect(ControlGroup(root: folder + "/cgroup", membership: folder + "/membership").memory == bytes)
    }
  }
}
