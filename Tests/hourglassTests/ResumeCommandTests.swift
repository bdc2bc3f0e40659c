import Foundation
import HourglassData
import HourglassTraining
import TestSupport
import Testing

/// A run that was stopped, in whatever way, ends with the bits of one that never was.
@Suite struct ResumeCommandTests {
  @Test func aResumedRunEndsLikeOneNeverStopped() throws {
    try Program.inTemporaryFolder { program in
      let whole = try program.train("--steps 12", run: "whole")
      #expect(try program.train("--steps 7", run: "parts").status == Status.done.rawValue)
      let resumed = try program.run("train --run parts --resume --steps 12 --workers 3 --threads 2 --json")
      #expect(resumed.status == Status.done.rawValue, "\(resumed.errors)")
      #expect(whole.weightsHash != nil && resumed.weightsHash == whole.weightsHash)
      // Metrics do not differ either, but for the time.
      #expect(resumed.steps == 12 && resumed.objects.count == 2)
      for field in ["epoch", "step", "loss", "reconstruction", "kl"] {
        let (a, b) = (whole.objects[1][field] as? NSNumber, resumed.objects[0][field] as? NSNumber)
        #expect(a != nil && a == b, "\(field)")
      }
      let sessions = try JSONDecoder().decode(
        [RunEnvironment].self, from: try #require(program.contents("parts/environment.json")))
      #expect(sessions.count == 2 && sessions[1].workers == 3 && sessions[1].threads == 2)
    }
  }

  /// A set that was moved is the same by its bytes; one that is another is refused, or taken where that is wanted.
  @Test func aRunGoesOnWithItsImagesWhereverTheyAre() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 12 --validation images.npy", run: "whole").status == Status.done.rawValue)
      let whole = try program.run("evaluate --run whole --json").objects.last?["weightsHash"] as? String
      #expect(try program.train("--steps 7 --validation images.npy", run: "run").status == Status.done.rawValue)
      try FileManager.default.moveItem(atPath: program.path("images.npy"), toPath: program.path("moved.npy"))
      let lost = try program.run("train --run run --resume --steps 12")
      #expect(lost.status == Status.badData.rawValue && lost.errors.contains("--data"), "\(lost.errors)")
      let resumed = try program.run("train --run run --resume --data moved.npy --steps 12 --json")
      #expect(whole != nil && resumed.weightsHash == whole, "\(resumed.errors)")
      let recipe = String(decoding: try #require(program.contents("run/recipe.json")), as: UTF8.self)
      #expect(!recipe.contains("images.npy") && recipe.contains("moved.npy"))
      try NPYFile.write([Float](repeating: 0.5, count: 1280), shape: [20, 8, 8], to: program.path("moved.npy"))
      let refused = try program.run("train --run run --resume --steps 14")
      #expect(refused.status == Status.badData.rawValue && refused.errors.contains("1 with other bytes (moved.npy)"))
      let taken = try program.run("train --run run --resume --accept-changed-data --epochs 3 --json")
      #expect(taken.objects.compactMap { $0["epoch"] as? Int } == [3], "\(taken.errors)")
      #expect(taken.objects.first?["dataChanges"] as? Int == 1 && taken.errors.contains("1 with other bytes"))
      for arguments in ["--accept-changed-data --epochs 1 --run new", "--run run --resume --data none.npy"] {
        #expect(try program.run("train \(arguments)").status != Status.done.rawValue)
      }
    }
  }

  @Test func aResumedRunKeepsItsClipping() throws {
    try Program.inTemporaryFolder { program in
      let free = try program.train("--steps 8 --optimizer sgd", run: "free")
      let whole = try program.train("--steps 8 --optimizer sgd --clip-norm 0.5", run: "whole")
      #expect(whole.weightsHash != nil && whole.weightsHash != free.weightsHash, "\(whole.errors)")
      #expect(try program.train("--steps 3 --optimizer sgd --clip-norm 0.5", run: "parts").status == 0)
      let resumed = try program.run("train --run parts --resume --steps 8 --workers 2 --json")
      #expect(resumed.weightsHash == whole.weightsHash, "\(resumed.errors)")
      let recipe = String(decoding: try #require(program.contents("parts/recipe.json")), as: UTF8.self)
      try program.write(
        recipe.replacingOccurrences(of: "\"clipNorm\" : 0.5", with: "\"clipNorm\" : -0.5"), to: "parts/recipe.json")
      let refused = try program.run("train --run parts --resume --steps 9")
      #expect(refused.status == Status.badData.rawValue)
      #expect(refused.errors.contains("recipe.json: clipNorm: wanted a number greater than 0, found -0.5"))
    }
  }

  /// Shards of two images, four of them a step.
  @Test func aResumedRunKeepsItsMinibatchesOfAStep() throws {
    try Program.inTemporaryFolder { program in
      let train = "train --model tiny.json --data images.npy --json"
      let whole = try program.run("\(train) --batch-size 8 --shards 4 --steps 7 --run whole")
      #expect(whole.weightsHash != nil, "\(whole.errors)")
      let first = try program.run("\(train) --batch-size 4 --shards 2 --accumulate 2 --steps 4 --run parts")
      #expect(first.status == 0 && first.objects.last?["epochs"] as? Int == 1, "\(first.errors)")
      let resumed = try program.run("train --run parts --resume --steps 7 --accumulate 2 --workers 3 --json")
      #expect(resumed.weightsHash == whole.weightsHash, "\(resumed.errors)")
      #expect(try program.run("inspect parts").output.contains("batches of 4 in 2 shards, 2 batches a step, "))
      let recipe = String(decoding: try #require(program.contents("parts/recipe.json")), as: UTF8.self)
      for wrong in ["0", "9000000000000000000"] {
        try program.write(
          recipe.replacingOccurrences(of: "\"accumulate\" : 2", with: "\"accumulate\" : \(wrong)"),
          to: "parts/recipe.json")
        let refused = try program.run("train --run parts --resume --steps 9")
        #expect(refused.status == Status.badData.rawValue)
        #expect(refused.errors.contains("recipe.json: accumulate: wanted 1 to 1048576, found \(wrong)"))
      }
    }
  }

  @Test func aFinishedRunResumesToTheSame() throws {
    try Program.inTemporaryFolder { program in
      let first = try program.train("--epochs 1", run: "run")
      let again = try program.run("train --run run --resume --json")
      #expect(again.status == Status.done.rawValue && again.weightsHash == first.weightsHash && again.steps == 5)
    }
  }

  @Test(arguments: [
    ("--validation images.npy", "--validation"), ("--split test", "--split"),
    ("--seed 2", "--seed"), ("--batch-size 8", "--batch-size"), ("--learning-rate 0.5", "--learning-rate"),
    ("--optimizer sgd", "--optimizer"), ("--beta 2", "--beta"), ("--shards 2", "--shards"),
    ("--clip-norm 1", "--clip-norm"), ("--accumulate 2", "--accumulate"),
    ("--ema 0.5", "--ema"), ("--free-bits 0.5", "--free-bits"), ("--importance-samples 2", "--importance-samples"),
    ("--model conv-vae-28", "--model"), ("--model changed.json", "--model"), ("--steps 5", "--steps"),
  ])
  func aFlagThatContradictsTheRecipeIsWrongUsage(flag: String, named: String) throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 6", run: "run").status == Status.done.rawValue)
      let model = String(decoding: try #require(program.contents("tiny.json")), as: UTF8.self)
      try program.write(model.replacingOccurrences(of: "\"units\": 3", with: "\"units\": 4"), to: "changed.json")
      let (recipe, weights) = (program.contents("run/recipe.json"), program.contents(Self.last))
      let result = try program.run("train --run run --resume \(flag)")
      #expect(result.status == Status.wrongUsage.rawValue, "\(result.errors)")
      #expect(
        result.errors.contains(named) && result.errors.contains("wanted") && result.errors.contains("found"),
        "\(result.errors)")
      #expect(program.contents("run/recipe.json") == recipe && program.contents(Self.last) == weights)
    }
  }

  @Test func flagsThatRepeatTheRecipeAreNoContradiction() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 6 --seed 3", run: "run").status == Status.done.rawValue)
      let result = try program.train("--steps 7 --seed 3 --resume", run: "run")
      #expect(result.status == Status.done.rawValue && result.steps == 7, "\(result.errors)")
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGPIPE])
  func aSignalStopsWithACheckpointToGoOnFrom(_ signal: Int32) throws {
    try Program.inTemporaryFolder { program in
      let running = try program.start(Self.endless)
      let stopped = try stop(running, when: { program.contents(Self.last) != nil }, with: signal)
      let steps = try #require(stopped.steps)
      let whole = try program.train("--steps \(steps)", run: "upToThere")
      #expect(stopped.weightsHash == whole.weightsHash)
      try expectResumed(program, atLeast: steps)
    }
  }

  /// The second of two signals at once does not wait for the step. The checkpoint before it is whole.
  @Test func aSecondSignalEndsTheRunAtOnce() throws {
    try Program.inTemporaryFolder { program in
      let running = try program.start(Self.endless)
      running.wait { program.contents(Self.last) != nil }
      // Stopped, so that both are there when it goes on.
      for signal in [SIGSTOP, SIGINT, SIGTERM, SIGCONT] { running.send(signal) }
      let ended = try running.finish()
      #expect(ended.status == Status.interrupted.rawValue && ended.steps == nil, "\(ended.errors)")
      try expectResumed(program, atLeast: 0)
    }
  }

  @Test(arguments: [0, 20_000, 90_000])
  func aKilledRunGoesOnAsIfNothingHadHappened(_ microseconds: UInt32) throws {
    try Program.inTemporaryFolder { program in
      let running = try program.start(Self.endless)
      running.wait { running.errors.contains("begins") }
      usleep(microseconds)
      running.send(SIGKILL)
      #expect(try running.finish().status == SIGKILL)
      try expectResumed(program, atLeast: 0)
    }
  }

  @Test func aRunKilledBeforeItsFirstCheckpointBeginsAgain() throws {
    try Program.inTemporaryFolder { program in
      let whole = try program.train("--steps 3", run: "whole")
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      try FileManager.default.removeItem(atPath: program.path("run/checkpoints"))
      let resumed = try program.run("train --run run --resume --json")
      #expect(whole.weightsHash != nil && resumed.weightsHash == whole.weightsHash, "\(resumed.errors)")
    }
  }

  @Test func aDamagedCheckpointIsRefusedAndTheOneBeforeItNamed() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--epochs 2", run: "run").status == Status.done.rawValue)
      let whole = try #require(program.contents(Self.last))
      try whole.dropLast(100).write(to: URL(fileURLWithPath: program.path(Self.last)))
      let result = try program.run("train --run run --resume --epochs 3")
      #expect(result.status == Status.badData.rawValue, "\(result.errors)")
      #expect(result.errors.contains(Self.last) && result.errors.contains("previous.safetensors"), "\(result.errors)")
    }
  }

  @Test(.disabled(if: isSanitized, "a sanitizer's own files exceed the limit that stands for a full disk"))
  func aFullDiskEndsTheRunAndLeavesTheEarlierCheckpointWhole() throws {
    try Program.inTemporaryFolder { program in
      let whole = try program.train("--steps 9", run: "whole")
      #expect(try program.train("--steps 4", run: "run").status == Status.done.rawValue)
      let before = try #require(program.contents(Self.last))
      // No file may grow beyond 10 blocks; a checkpoint has more than 10 KiB, a recipe less than 4.
      #expect(before.count > 10 << 10)
      let limited = "trap '' XFSZ; ulimit -f 10; exec \"$0\" train --run run --resume --steps 9"
      let result = try program.start(["-c", limited, Program.executable], executable: "/bin/sh").finish()
      #expect(result.status == Status.failed.rawValue, "\(result.errors)")
      #expect(result.errors.contains("last.safetensors") && result.errors.contains("cannot be written"))
      #expect(program.contents(Self.last) == before)
      let resumed = try program.run("train --run run --resume --json")
      #expect(whole.weightsHash != nil && resumed.weightsHash == whole.weightsHash, "\(resumed.errors)")
    }
  }

  private static let last = "run/checkpoints/last.safetensors"
  private static let endless =
    "train --model tiny.json --data images.npy --batch-size 4 --json --run run --steps 100000000 --checkpoint-every 7"
    .split(separator: " ").map(String.init)

  /// Resumes, lets it train for a while, stops it, and compares with a run that never stopped.
  private func expectResumed(_ program: Program, atLeast steps: Int) throws {
    let running = try program.start(["train", "--run", "run", "--resume", "--json"])
    let before = program.contents(Self.last)
    let stopped = try stop(running, when: { program.contents(Self.last) != before }, with: SIGINT)
    let reached = try #require(stopped.steps)
    #expect(reached > steps)
    let whole = try program.train("--steps \(reached)", run: "whole")
    #expect(whole.weightsHash != nil && stopped.weightsHash == whole.weightsHash, "after \(reached) steps")
  }

  private func stop(_ running: Program.Running, when isSo: () -> Bool, with signal: Int32) throws -> Program.Result {
    running.wait(until: isSo)
    running.send(signal)
    let result = try running.finish()
    #expect(result.status == Status.interrupted.rawValue, "\(result.errors)")
    let end = try #require(result.objects.last)
    #expect(end["event"] as? String == "interrupted")
    #expect(Set(end.keys) == ["event", "epochs", "steps", "samplesPerSecond", "weightsHash", "run"])
    return result
  }
}
