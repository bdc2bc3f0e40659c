import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// What goes wrong in one of several processes ends all of them, says where, and leaves a run that goes on with any
/// number of processes to the bits of one that nothing happened to.
extension MPITests {
  private static let endless = "\(tiny) --steps 100000000 --checkpoint-every 1"
  private static let checkpoint = "r/checkpoints/last.safetensors"

  /// Expects that the run `r` goes on with so many processes, to the weights of a run of as many steps without a stop.
  private func expectToGoOn(_ machine: MPIMachine, _ count: Int) throws {
    let resumed = try machine.run(count, "train --run r --resume --max-time 1s --workers 1 --json")
    #expect(resumed.status == 0, "\(resumed.errors)")
    let steps = try #require(resumed.steps)
    let straight = try machine.program.run("\(Self.tiny) --steps \(steps) --run straight-\(UUID().uuidString)")
    #expect(straight.status == 0 && resumed.weightsHash == straight.weightsHash, "\(straight.errors)")
  }

  @Test func differencesAndMistakesAreRefused() throws {
    try MPIMachine.inTemporaryFolder { machine in
      typealias Group = MPIMachine.Group
      let tiny = "\(Self.tiny) --run r"
      func refusal(_ groups: [Group], with more: [String: String] = [:]) throws -> String {
        let result = try machine.start(groups, with: more).finish()
        #expect(result.status != 0)
        #expect(!machine.isThere("r"))
        return result.errors
      }
      let host = ProcessPlace(position: 1, count: 2).name
      let seed = try refusal([Group(arguments: tiny), Group(arguments: "\(tiny) --seed 7")])
      #expect(seed.contains("\(host): seed: wanted 1 as position 0 has, found 7"), "\(seed)")
      let count = try refusal([Group(arguments: tiny), Group(arguments: "\(tiny) --limit 7")])
      #expect(count.contains("\(host): ") && count.contains("as position 0 has"), "\(count)")
      let shape = ImageShape(8, 8, 1)
      try NPYFile.write(
        TestImages.waves(step: 1, samples: 20, shape: shape), shape: [20, 8, 8], to: machine.program.path("other.npy"))
      let other = Group(arguments: tiny.replacing("images.npy", with: "other.npy"))
      let data = try refusal([Group(arguments: tiny), other])
      #expect(data.contains("\(host): images: wanted 20 of 8 x 8 x 1 with the digest "), "\(data)")
      let missing = try refusal([
        Group(arguments: tiny), Group(arguments: "train --model tiny.json --data none.npy --run r"),
      ])
      #expect(missing.contains("\(host): ") && missing.contains("none.npy: wanted a file"), "\(missing)")
      let narrow = Group(arguments: tiny, before: "export HOURGLASS_ISA=baseline")
      if RunEnvironment.instructionSetName != "baseline" {
        let set = try refusal([Group(arguments: tiny), narrow])
        #expect(
          set.contains("\(host): fused multiply-add: wanted yes as position 0 has, found no (baseline)"), "\(set)")
      }
      let library = try refusal([Group(count: 2, arguments: tiny)], with: ["HOURGLASS_MPI_LIBRARY": "none.so"])
      #expect(library.contains("SIZE says that a launcher has started 2 processes, found no library"), "\(library)")
      // A launcher whose processes are strangers to this MPI.
      let stranger = try machine.program.run(
        tiny.split(separator: " ").map(String.init),
        environment: [
          "HOURGLASS_MPI_LIBRARY": machine.program.path(MPITransport.libraryName), "SLURM_STEP_NUM_TASKS": "4",
          "SLURM_PROCID": "0",
        ])
      #expect(stranger.status == 1 && stranger.errors.contains("knows 1: launcher and library do not belong together"))
    }
  }

  /// The launcher of one MPI with the library of another.
  @Test(.enabled(if: MPI.all.count > 1, "one MPI alone is installed")) func twoMPIsDoNotMix() throws {
    for (library, launcher) in [(MPI.all[0], MPI.all[1]), (MPI.all[1], MPI.all[0])] {
      try MPIMachine.inTemporaryFolder(library, launcher: launcher) { machine in
        let result = try machine.run(2, "\(Self.tiny) --run r")
        #expect(result.status != 0 && !machine.isThere("r"))
        #expect(result.errors.contains("launcher and library do not belong together"), "\(result.errors)")
      }
    }
  }

  @Test func twoRunsDoNotShareAFolder() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let running = try machine.start([.init(count: 2, arguments: "\(Self.endless) --run r")])
      running.wait { machine.isThere(Self.checkpoint) }
      let second = try machine.run(2, "\(Self.tiny) --run r")
      #expect(second.status != 0 && second.errors.contains("the run folder exists already"), "\(second.errors)")
      let third = try machine.run(2, "train --run r --resume --json")
      #expect(third.status != 0 && third.errors.contains("found it in use by process "), "\(third.errors)")
      running.send(SIGUSR1)
      #expect(try running.finish().objects.last?["event"] as? String == "interrupted")
    }
  }

  /// SIGUSR1 to position 1, and to the launcher, ends all of them after the same step, with a checkpoint.
  @Test(arguments: MPI.all) func aSignalEndsAllWithACheckpoint(_ mpi: MPI) throws {
    for toLauncher in [false, true] {
      try MPIMachine.inTemporaryFolder(mpi) { machine in
        let running = try machine.start([.init(count: 2, arguments: "\(Self.endless) --run r")])
        running.wait { machine.isThere(Self.checkpoint) }
        if toLauncher { running.send(SIGUSR1) } else { kill(try #require(machine.process(rank: 1)), SIGUSR1) }
        let result = try running.finish()
        #expect(result.objects.last?["event"] as? String == "interrupted", "\(result.errors)")
        let steps = try #require(result.steps)
        let straight = try machine.program.run("\(Self.tiny) --steps \(steps) --run straight")
        #expect(straight.status == 0 && result.weightsHash == straight.weightsHash, "\(straight.errors)")
      }
    }
  }

  /// Launchers pass SIGTERM and SIGINT on, and some kill soon after. The run goes on in any case, with any number of
  /// processes.
  @Test(arguments: [SIGTERM, SIGINT]) func launchersMayKill(_ signal: Int32) throws {
    try MPIMachine.inTemporaryFolder { machine in
      let running = try machine.start([.init(count: 2, arguments: "\(Self.endless) --run r")])
      running.wait { machine.isThere(Self.checkpoint) }
      running.send(signal)
      #expect(try running.finish().status != 0)
      try expectToGoOn(machine, 3)
    }
  }

  @Test func aKilledProcessEndsAll() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let running = try machine.start([.init(count: 2, arguments: "\(Self.endless) --run r")])
      running.wait { machine.isThere(Self.checkpoint) }
      kill(try #require(machine.process(rank: 1)), SIGKILL)
      #expect(try running.finish().status != 0)
      #expect(machine.process(rank: 0) == nil)
      try expectToGoOn(machine, 3)
    }
  }

  /// Two machines train, one is lost, and one alone goes on to the bits of a single machine.
  @Test(.enabled(if: MPI.ofNamespaces != nil, "Benchmarks/nodes needs root, ip, tc, unshare and Open MPI 4"))
  func aLostNodeEndsAll() throws {
    try MPIMachine.inTemporaryFolder(MPI.ofNamespaces) { machine in
      var nodes = machine
      nodes.namespaces = 2
      let doctor = try nodes.run(2, "doctor tiny.json --json").objects.first?["processes"] as? [[String: Any]]
      #expect(doctor?.compactMap { $0["name"] as? String } == ["position 0 on node0", "position 1 on node1"])
      let running = try nodes.start([.init(count: 2, arguments: "\(Self.endless) --run r")])
      running.wait { machine.isThere(Self.checkpoint) }
      kill(try #require(machine.process(rank: 1)), SIGKILL)
      #expect(try running.finish().status != 0)
      try expectToGoOn(machine, 1)
      try expectToGoOn(nodes, 2)
    }
  }

  /// A process that hangs says nothing; the one that waits for it ends all.
  @Test func aStalledProcessEndsAll() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let running = try machine.start([.init(count: 2, arguments: "\(Self.endless) --run r --stall-limit 2s")])
      running.wait { machine.isThere(Self.checkpoint) }
      kill(try #require(machine.process(rank: 1)), SIGSTOP)
      let result = try running.finish()
      let host = ProcessPlace(position: 0, count: 2).name
      #expect(result.status != 0 && result.errors.contains("\(host) has waited "), "\(result.errors)")
      #expect(result.errors.contains("for another process and ends, as --stall-limit says"), "\(result.errors)")
      try expectToGoOn(machine, 1)
    }
  }

  /// A disk that becomes full for position 0.
  @Test(.enabled(if: FaultShim.isSupported)) func aFullDiskEndsAll() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let first = try machine.run(2, "\(Self.tiny) --steps 100000000 --max-time 1s --run r")
      #expect(first.status == 0, "\(first.errors)")
      let resume = "train --run r --resume --workers 1 --checkpoint-every 1 --json"
      let fault = Fault(kind: .writes, what: "ENOSPC", isSticky: true, at: 100)
        .environment(folder: machine.program.path("r"), log: machine.program.path("log"))
      let result = try machine.start([
        .init(arguments: resume, before: fault.map { "export \($0)='\($1)'" }.joined(separator: "; ")),
        .init(arguments: resume),
      ]).finish()
      let host = ProcessPlace(position: 0, count: 2).name
      #expect(result.status == Status.failed.rawValue, "\(result.errors)")
      #expect(result.errors.contains("\(host) ends all processes: "), "\(result.errors)")
      #expect(result.errors.contains("No space left on device"), "\(result.errors)")
      try expectToGoOn(machine, 3)
    }
  }

  /// Each process has a copy of the pictures; one of a copy goes while they are decoded anew in each epoch.
  @Test func aPictureThatOneProcessCannotRead() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let shape = ImageShape(8, 8, 1)
      let pixels = TestImages.waves(step: 0, samples: 20, shape: shape).map { UInt8(255 * $0) }
      for copy in ["0", "1"] {
        try AtomicFile.makeFolder(machine.program.path(copy))
        for n in 0..<20 {
          let picture = PNGImage(width: 8, height: 8, channels: 1, pixels: Array(pixels[n * 64..<(n + 1) * 64]))
          try picture.write(to: machine.program.path("\(copy)/\(n).png"))
        }
      }
      let arguments = (0..<2).map { copy in
        MPIMachine.Group(
          arguments: Self.endless.replacing("images.npy", with: "\(copy)") + " --memory-limit 1K --run r")
      }
      let running = try machine.start(arguments)
      running.wait { machine.isThere(Self.checkpoint) }
      try FileManager.default.removeItem(atPath: machine.program.path("1/7.png"))
      let result = try running.finish()
      let host = ProcessPlace(position: 1, count: 2).name
      #expect(result.status == Status.badData.rawValue, "\(result.errors)")
      #expect(result.errors.contains("1/7.png: ") && result.errors.contains("(\(host))"), "\(result.errors)")
      let resumed = try machine.run(3, "train --run r --resume --max-time 1s --workers 1 --json")
      let steps = try #require(resumed.steps)
      let straight = try machine.program.run(
        Self.tiny.replacing("images.npy", with: "0") + " --steps \(steps) --run straight")
      #expect(straight.status == 0 && resumed.weightsHash == straight.weightsHash, "\(resumed.errors)")
    }
  }
}
