import Foundation
import HourglassAnalysis
import HourglassTraining
import Testing

/// What `doctor` says of a machine that a test has narrowed.
@Suite struct DoctorTests {
  @Test func jsonAndTextTellWhatTheProcessWasGranted() throws {
    try Program.inTemporaryFolder { program in
      // One core, two gigabytes of addresses, threads by the environment.
      let narrow = "ulimit -v 2097152; OMP_NUM_THREADS=1 HOURGLASS_ISA=vax exec taskset -c \"$1\" \"$0\" doctor $2"
      let core = try #require(Self.allowedCore())
      func doctor(_ flag: String) throws -> Program.Result {
        try program.start(["-c", narrow, Program.executable, core, flag], executable: "/bin/sh").finish()
      }
      let result = try doctor("--json")
      #expect(result.status == Status.done.rawValue, "\(result.errors)")
      let found = try JSONDecoder().decode(Diagnosis.self, from: Data(result.output.utf8))
      #expect(found.cores.affinity == 1 && found.cores.granted == 1 && found.memory.addressSpace == 2 << 30)
      #expect(found.variables["OMP_NUM_THREADS"] == "1" && found.openMPLibraries.count == (found.openMP ? 1 : 0))
      #expect(found.defaults.allSatisfy { $0.workers == 1 && $0.threads == 1 })
      #expect(found.warnings.contains { $0.contains("HOURGLASS_ISA") && $0.contains("vax") })
      let text = try doctor("")
      #expect(text.status == Status.done.rawValue && text.errors.isEmpty)
      for part in ["cores granted", "2,048 MiB", "OMP_NUM_THREADS=1", "conv-vae-64", "1 x 1", "warning: HOURGLASS_ISA"]
      {
        #expect(text.output.contains(part), "\(part): \(text.output)")
      }
    }
  }

  @Test func givenModelsAreDiagnosedAlone() throws {
    try Program.inTemporaryFolder { program in
      let result = try program.run("doctor tiny.json conv-ae@32x32x1 --json")
      let found = try JSONDecoder().decode(Diagnosis.self, from: Data(result.output.utf8))
      #expect(found.defaults.map(\.model) == ["tiny", "conv-ae@32x32x1"])
      #expect(found.defaults.allSatisfy { ($0.efficiency.map { $0 > 0 && $0 <= 1 }) == true })
      #expect(try program.run("doctor nobody").status == Status.wrongUsage.rawValue)
    }
  }

  /// What `inspect --cores` predicts is what `train` would be told on such a machine, and its advice holds.
  @Test func coresOfAnotherMachineArePredicted() throws {
    try Program.inTemporaryFolder { program in
      func forecast(_ arguments: String) throws -> StepForecast {
        let result = try program.run("inspect \(arguments) --json")
        return try JSONDecoder().decode(StepForecast.self, from: Data(result.output.utf8))
      }
      let found = try forecast("conv-ae-32 --cores 64")
      #expect(found.cores == 64 && found.division.shards == 16 && found.division.workers * found.division.threads == 64)
      let advised = try #require(found.sufficient)
      let there = try forecast("conv-ae-32 --cores 64 --batch-size \(advised.batchSize)")
      #expect(there.division == advised && there.sufficient == nil)
      let text = try program.run("inspect conv-ae-32 --cores 64").output
      for part in [
        "batches of 128 in 16 shards, 16 workers x 4 threads", "64 cores: 16 workers x 4 threads on 16 shards",
        "an efficiency of 0.", "--batch-size \(advised.batchSize) --shards \(advised.shards) ",
      ] { #expect(text.contains(part), "\(part): \(text)") }
      #expect(try program.run("inspect tiny.json --batch-size 512").output.contains("batches of 512 in 64 shards"))
      for wrong in ["--cores 0", "--cores 1025", "--batch-size 0"] {
        #expect(try program.run("inspect tiny.json \(wrong)").status == Status.wrongUsage.rawValue)
      }
    }
  }

  /// The first core that this process may use.
  private static func allowedCore() -> String? {
    let lines = ((try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "").split(separator: "\n")
    let list = lines.first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last
    return list?.prefix { $0.isNumber }.description
  }
}
