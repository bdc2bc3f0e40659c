import Foundation
import Testing

/// The flags that end a run, or only show it.
@Suite struct RunEndFlagTests {
  @Test func aSessionThatIsOutOfTimeLeavesACheckpointToGoOnFrom() throws {
    try Program.inTemporaryFolder { program in
      let first = try program.train("--steps 100000000 --max-time 0.3s", run: "run")
      let steps = try #require(first.steps, "\(first.errors)")
      #expect(first.status == Status.done.rawValue && first.objects.last?["event"] as? String == "outOfTime")
      // The time is counted anew.
      let second = try program.run("train --run run --resume --json --max-time 0.3s")
      let more = try #require(second.steps, "\(second.errors)")
      #expect(second.status == Status.done.rawValue && more > steps)
      let whole = try program.train("--steps \(more)", run: "whole")
      #expect(whole.weightsHash != nil && second.weightsHash == whole.weightsHash)
    }
  }

  @Test func aRunThatNoLongerImprovesEndsAndMayGoOnWithMorePatience() throws {
    try Program.inTemporaryFolder { program in
      let still = "--validation images.npy --optimizer sgd --learning-rate 1e-30 --epochs 9"
      let first = try program.train("\(still) --patience 2", run: "run")
      #expect(first.status == Status.done.rawValue, "\(first.errors)")
      #expect(first.objects.last?["event"] as? String == "stoppedEarly" && first.objects.last?["epochs"] as? Int == 3)
      #expect(program.contents("run/pictures/loss.svg") != nil)
      let more = try program.run("train --run run --resume --patience 3 --json")
      #expect(more.objects.last?["epochs"] as? Int == 4, "\(more.errors)")
      // A recipe that could not be opened again is never saved.
      _ = try program.train("--steps 2", run: "plain")
      let refused = try program.run("train --run plain --resume --steps 3 --min-delta 0.1")
      #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains("wanted a patience too"))
      #expect(try program.run("train --run plain --resume --steps 3 --json").steps == 3)
    }
  }

  @Test func aDryRunShowsThePlanAndWritesNothing() throws {
    try Program.inTemporaryFolder { program in
      let names = { try FileManager.default.contentsOfDirectory(atPath: program.folder).filter { !$0.contains("-") } }
      let before = Set(try names())
      let result = try program.train("--epochs 3 --validation images.npy --dry-run --workers 3 --threads 1", run: "run")
      let plan = try #require(result.objects.last, "\(result.errors)")
      #expect(result.status == Status.done.rawValue && plan["event"] as? String == "plan")
      #expect(plan["stepsPerEpoch"] as? Int == 5 && plan["lastStep"] as? Int == 15 && plan["workers"] as? Int == 3)
      #expect(plan["samples"] as? Int == 20 && plan["validationSamples"] as? Int == 20)
      let few = try program.train("--epochs 3 --overfit-batches 2 --dry-run", run: "run")
      #expect(few.objects.last?["stepsPerEpoch"] as? Int == 2)
      let text = try program.run("train --model tiny.json --data images.npy --dry-run --run run")
      for part in ["encoder.1", "in all", "workers x", "20 of 20", "1 an epoch, 5 in all"] {
        #expect(text.output.contains(part), "\(part): \(text.output)")
      }
      #expect(Set(try names()) == before)
      // A run that is there does not change either.
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      let recipe = program.contents("run/recipe.json")
      let resumed = try program.run("train --run run --resume --steps 9 --dry-run --json")
      #expect(resumed.objects.last?["lastStep"] as? Int == 9 && program.contents("run/recipe.json") == recipe)
      #expect(try program.train("--steps 3 --dry-run", run: "run").status == Status.wrongUsage.rawValue)
    }
  }

  @Test func schedulesAreKeptAndACosineIsNotExtended() throws {
    try Program.inTemporaryFolder { program in
      let flags = "--steps 8 --warmup 2 --schedule cosine --beta-warmup 1epochs"
      let whole = try program.train(flags, run: "whole")
      let plain = try program.train("--steps 8", run: "plain")
      #expect(whole.weightsHash != nil && whole.weightsHash != plain.weightsHash, "\(whole.errors)")
      let again = try program.run("train --config whole/recipe.json --run again --json --workers 2")
      #expect(again.weightsHash == whole.weightsHash, "\(again.errors)")
      for (flag, named) in [
        ("--steps 9", "learning rate"), ("--warmup 3", "--warmup"), ("--schedule constant", "--schedule"),
      ] {
        let refused = try program.run("train --run whole --resume \(flag)")
        #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains(named), "\(refused.errors)")
      }
    }
  }
}
