import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Training and looking at images under mpirun, with the library built by the mpicc of the machine; skipped where there
/// is none. What differs between MPIs is tested with each that is installed.
@Suite(.serialized, .enabled(if: !MPI.all.isEmpty, "no mpicc and mpirun in PATH; Scripts/setup mpi installs them"))
struct MPITests {
  static let tiny = "train --model tiny.json --data images.npy --batch-size 8 --workers 1 --json"

  /// An epoch of 20 images is three steps.
  @Test(arguments: MPI.all) func anyNumberOfProcessesEndsWithTheWeightsOfOne(_ mpi: MPI) throws {
    try MPIMachine.inTemporaryFolder(mpi) { machine in
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
        let kept = machine.program.contents("runs/\(count)\(nodes)/training.safetensors")
        #expect(kept != nil && kept == machine.program.contents("runs/alone/training.safetensors"))
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

  @Test func timeEndsAll() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let result = try machine.run(2, "\(Self.tiny) --steps 100000000 --max-time 1s --run r")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.objects.last?["event"] as? String == "outOfTime")
    }
  }

  /// One command begins a run, goes on with it, and has nothing to do once it is done.
  @Test func aRequeuedJobGoesOn() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let job = "\(Self.tiny) --run r --resume-or-start"
      for (steps, end) in [(2, 2), (6, 6), (6, 6)] {
        let result = try machine.run(2, "\(job) --steps \(steps)")
        #expect(result.status == 0 && result.steps == end, "\(result.errors)")
      }
      let straight = try machine.program.run("\(Self.tiny) --steps 6 --run straight")
      #expect(try machine.program.run("\(job) --steps 6").weightsHash == straight.weightsHash)
      let other = try machine.run(2, "\(job) --steps 9 --seed 2")
      #expect(
        other.status == Status.wrongUsage.rawValue && other.errors.contains("--seed: wanted 1"), "\(other.errors)")
    }
  }

  @Test func stagesEndWithTheWeightsOfOneProcess() throws {
    try MPIMachine.inTemporaryFolder { machine in
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
    try MPIMachine.inTemporaryFolder { machine in
      let verify = "verify --model plain.json --data images.npy --batch-size 18 --steps 2 --processes 2 --json"
      let result = try machine.program.run(
        verify.split(separator: " ").map(String.init), environment: machine.environment)
      #expect(result.status == 0, "\(result.errors)")
      let launched = result.objects.filter { $0["processes"] != nil }
      #expect(launched.map { $0["areNodes"] as? Bool } == (0..<4).flatMap { _ in [false, true] })
      #expect(launched.allSatisfy { $0["equal"] as? Bool == true })
    }
  }

  /// What is printed and written has the bytes that one process prints and writes. 600 images are three batches.
  @Test(arguments: MPI.all) func imagesAreDivided(_ mpi: MPI) throws {
    try MPIMachine.inTemporaryFolder(mpi) { machine in
      let program = machine.program
      let many = TestImages.waves(step: 1, samples: 600, shape: ImageShape(8, 8, 1))
      try NPYFile.write(many, shape: [600, 8, 8], to: program.path("many.npy"))
      #expect(try program.run("\(Self.tiny) --steps 6 --run r").status == 0)
      for (command, file) in [
        ("evaluate --json --importance-samples 2 --per-sample", "losses.csv"), ("encode --output", "codes.npy"),
        ("encode --count 590 --output", "codes.npz"), ("score --contamination 0.2 --json --output", "scores.csv"),
      ] {
        let alone = try program.run("\(command) alone-\(file) --run r --data many.npy")
        #expect(alone.status == 0, "\(alone.errors)")
        let written = try #require(program.contents("alone-\(file)"))
        for count in [2, 4] {
          let result = try machine.run(count, "\(command) \(count)-\(file) --run r --data many.npy")
          #expect(result.status == 0, "\(command): \(result.errors)")
          #expect(result.output == alone.output.replacing("alone-", with: "\(count)-"), "\(command)")
          #expect(program.contents("\(count)-\(file)") == written, "\(command)")
        }
      }
      let other = try machine.start([
        .init(arguments: "evaluate --run r --data many.npy"), .init(arguments: "evaluate --run r --data images.npy"),
      ]).finish()
      let host = ProcessPlace(position: 1, count: 2).name
      #expect(other.status != 0 && other.errors.contains("\(host): arguments: wanted "), "\(other.errors)")
      let missing = try machine.run(2, "score --run r --data none.npy")
      #expect(missing.status != 0 && missing.errors.contains("none.npy: wanted a file"), "\(missing.errors)")
    }
  }

  /// The doctor lists all processes with their cores, and says what is wrong where they are none.
  @Test func theDoctorListsProcesses() throws {
    try MPIMachine.inTemporaryFolder { machine in
      let result = try machine.run(2, "doctor tiny.json --json")
      #expect(result.status == 0 && result.objects.count == 1, "\(result.errors)")
      let processes = try #require(result.objects.first?["processes"] as? [[String: Any]])
      #expect(
        processes.compactMap { $0["name"] as? String } == (0..<2).map { ProcessPlace(position: $0, count: 2).name })
      let text = try machine.run(2, "doctor tiny.json")
      #expect(text.output.contains("position 1 on ") && text.output.contains("by default, of "), "\(text.output)")
      let strange = try machine.run(2, "doctor tiny.json", with: ["HOURGLASS_MPI_LIBRARY": "none.so"])
      #expect(strange.status == 0 && strange.output.contains("SIZE says that a launcher"), "\(strange.output)")
    }
  }
}
