import Foundation
import HourglassTraining
import TestSupport
import Testing

/// The files of the commands of MPI in PATH; nil for one that is not there.
private enum MPICommands {
  static let compiler = file("mpicc")
  static let launcher = file("mpirun")

  private static func file(_ command: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(command)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}

/// Training under mpirun, with the library built by the mpicc of the machine; skipped where there is none.
@Suite(
  .serialized,
  .enabled(
    if: MPICommands.compiler != nil && MPICommands.launcher != nil,
    "no mpicc and mpirun in PATH; Scripts/setup mpi installs them"))
struct MPITests {
  /// A program beside the library.
  private struct Machine {
    let program: Program

    /// The environment in which Open MPI starts more processes than there are cores, as root too.
    var environment: [String: String] {
      [
        "HOURGLASS_MPI_LIBRARY": program.path(MPITransport.libraryName), "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        "OMP_WAIT_POLICY": "passive",
      ]
    }

    static func inTemporaryFolder<R>(_ body: (Machine) throws -> R) throws -> R {
      try Program.inTemporaryFolder { program in
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/CMPI")
        let library = program.path(MPITransport.libraryName)
        let built = try program.start(
          ["-O2", "-shared", "-fPIC", "-o", library, sources.appending(path: "mpi.c").path],
          executable: try #require(MPICommands.compiler)
        ).finish()
        try #require(built.status == 0, "\(built.errors)")
        return try body(Machine(program: program))
      }
    }

    func start(_ processes: [(count: Int, arguments: String)], with more: [String: String] = [:]) throws
      -> Program.Running
    {
      var arguments: [String] = []
      for (index, group) in processes.enumerated() {
        arguments += (index > 0 ? [":"] : []) + ["-n", "\(group.count)", Program.executable]
        arguments += group.arguments.split(separator: " ").map(String.init)
      }
      return try program.start(
        arguments, executable: try #require(MPICommands.launcher),
        environment: environment.merging(more) { $1 })
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

    func run(_ count: Int, _ arguments: String, with more: [String: String] = [:]) throws -> Program.Result {
      try start([(count, arguments)], with: more).finish()
    }
  }

  private static let tiny = "train --model tiny.json --data images.npy --batch-size 8 --workers 1 --json"

  /// An epoch of 20 images is three steps.
  @Test func anyNumberOfProcessesEndsWithTheWeightsOfOne() throws {
    try Machine.inTemporaryFolder { machine in
      let arguments = "\(Self.tiny) --validation images.npy --ema 0.9 --clip-norm 0.1 --epochs 3"
      let alone = try machine.program.run("\(arguments) --run runs/alone")
      #expect(alone.status == 0, "\(alone.errors)")
      let wanted = try #require(alone.weightsHash)
      // The processes share memory, or each is a node that sends the others messages.
      for (count, nodes) in [(1, ""), (2, ""), (2, "separate"), (3, "separate")] {
        let result = try machine.run(
          count, "\(arguments) --run runs/\(count)\(nodes)", with: [MPITransport.nodesVariable: nodes])
        #expect(result.status == 0 && result.weightsHash == wanted, "\(count) \(nodes): \(result.errors)")
        // One process alone prints.
        #expect(result.objects.count == alone.objects.count)
        for name in ["loss", "validationLoss"] {
          #expect(result.objects[2][name] as? Double == alone.objects[2][name] as? Double)
        }
      }
      // Runs that stop go on with any number of processes.
      let first = try machine.run(3, arguments.replacing("--epochs 3", with: "--epochs 1 --run r"))
      #expect(first.status == 0, "\(first.errors)")
      let second = try machine.run(2, "train --run r --resume --epochs 2 --workers 2 --json")
      #expect(second.status == 0 && second.steps == 6, "\(second.errors)")
      let third = try machine.program.run("train --run r --resume --epochs 3 --json")
      #expect(third.weightsHash == wanted, "\(third.errors)")
    }
  }

  /// SIGUSR1 to position 1 ends all of them after the same step, with a checkpoint.
  @Test func aSignalEndsAllWithACheckpoint() throws {
    try Machine.inTemporaryFolder { machine in
      let running = try machine.start([(2, "\(Self.tiny) --steps 100000000 --checkpoint-every 1 --run r")])
      running.wait { FileManager.default.fileExists(atPath: machine.program.path("r/checkpoints/last.safetensors")) }
      kill(try #require(machine.process(rank: 1)), SIGUSR1)
      let result = try running.finish()
      #expect(result.objects.last?["event"] as? String == "interrupted", "\(result.errors)")
      let steps = try #require(result.steps)
      let straight = try machine.program.run("\(Self.tiny) --steps \(steps) --run straight")
      #expect(straight.status == 0 && result.weightsHash == straight.weightsHash, "\(straight.errors)")
      let resumed = try machine.program.run("train --run r --resume --max-time 1s --json")
      #expect(resumed.status == 0 && resumed.steps ?? 0 > steps, "\(resumed.errors)")
    }
  }

  @Test func timeEndsAll() throws {
    try Machine.inTemporaryFolder { machine in
      let result = try machine.run(2, "\(Self.tiny) --steps 100000000 --max-time 1s --run r")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.objects.last?["event"] as? String == "outOfTime")
    }
  }

  @Test func stagesEndWithTheWeightsOfOneProcess() throws {
    try Machine.inTemporaryFolder { machine in
      let arguments = "pretrain --model 64-8-4-3 --data images.npy --batch-size 8 --workers 1 --epochs 2 --json"
      let alone = try machine.program.run("\(arguments) --run alone")
      #expect(alone.status == 0, "\(alone.errors)")
      let shared = try machine.run(2, "\(arguments) --run shared")
      let wanted = try #require(alone.weightsHash)
      #expect(shared.status == 0 && shared.weightsHash == wanted, "\(shared.errors)")
      #expect(shared.objects.count == alone.objects.count)
    }
  }

  @Test func verifyTrainsWithProcesses() throws {
    try Machine.inTemporaryFolder { machine in
      let verify = "verify --model plain.json --data images.npy --batch-size 18 --steps 2 --processes 2 --json"
      let result = try machine.program.run(
        verify.split(separator: " ").map(String.init), environment: machine.environment)
      #expect(result.status == 0, "\(result.errors)")
      let launched = result.objects.filter { $0["processes"] != nil }
      #expect(launched.map { $0["areNodes"] as? Bool } == (0..<4).flatMap { _ in [false, true] })
      #expect(launched.allSatisfy { $0["equal"] as? Bool == true })
    }
  }

  @Test func differencesAndMistakesAreRefused() throws {
    try Machine.inTemporaryFolder { machine in
      func refusal(_ processes: [(Int, String)], with more: [String: String] = [:]) throws -> String {
        let result = try machine.start(processes, with: more).finish()
        #expect(result.status != 0)
        #expect(!FileManager.default.fileExists(atPath: machine.program.path("r")))
        return result.errors
      }
      let host = ProcessPlace(position: 1, count: 2).name
      let seed = try refusal([(1, "\(Self.tiny) --run r"), (1, "\(Self.tiny) --run r --seed 7")])
      #expect(seed.contains("\(host): seed: wanted 1 as position 0 has, found 7"), "\(seed)")
      let data = try refusal([(1, "\(Self.tiny) --run r"), (1, "\(Self.tiny) --run r --limit 7")])
      #expect(data.contains("\(host): ") && data.contains("as position 0 has"), "\(data)")
      let missing = try refusal([(1, "\(Self.tiny) --run r"), (1, "train --model tiny.json --data none.npy --run r")])
      #expect(missing.contains("\(host): ") && missing.contains("none.npy: wanted a file"), "\(missing)")
      let library = try refusal([(2, "\(Self.tiny) --run r")], with: ["HOURGLASS_MPI_LIBRARY": "none.so"])
      #expect(library.contains("OMPI_COMM_WORLD_SIZE says that a launcher has started 2 processes, found no library"))
      // A launcher whose processes are strangers to this MPI.
      let stranger = try machine.program.run(
        Self.tiny.split(separator: " ").map(String.init) + ["--run", "r"],
        environment: [
          "HOURGLASS_MPI_LIBRARY": machine.program.path(MPITransport.libraryName), "SLURM_STEP_NUM_TASKS": "4",
          "SLURM_PROCID": "0",
        ])
      #expect(stranger.status == 1 && stranger.errors.contains("knows 1: launcher and library do not belong together"))
    }
  }
}
