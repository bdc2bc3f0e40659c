import Foundation
import HourglassTraining
import Testing

/// `train --config FILE.json`.
@Suite struct ConfigTests {
  @Test func theSavedRecipeTrainsTheSameAgain() throws {
    try Program.inTemporaryFolder { program in
      let first = try program.train(
        "--steps 7 --optimizer adamw --beta 0.5 --holdout 0.2 --augment flip --clip-norm 2 --seed 9 --ema 0.5 "
          + "--free-bits 0.25 --memory-limit 1M", run: "first")
      #expect(first.status == Status.done.rawValue, "\(first.errors)")
      let again = try program.run("train --config first/recipe.json --run again --json")
      #expect(first.weightsHash != nil && again.weightsHash == first.weightsHash, "\(again.errors)")
      #expect(program.contents("again/recipe.json") == program.contents("first/recipe.json"))
    }
  }

  @Test func flagsWinOverTheFileAndTheFileOverTheDefaults() throws {
    try Program.inTemporaryFolder { program in
      try program.write(
        """
        {"model": "tiny.json", "data": "images.npy", "batchSize": 4, "steps": 3, "seed": 5, "run": "named",
         "optimizer": {"kind": "sgd", "learningRate": 0.5}, "beta": 0.25, "shards": 2, "workers": 1, "threads": 2,
         "checkpointEvery": 1, "memoryLimit": "0.5G", "json": true, "quiet": true}
        """, to: "settings.json")
      let file = try program.run("train --config settings.json")
      #expect(file.status == Status.done.rawValue && file.steps == 3 && file.errors.isEmpty, "\(file.errors)")
      let flags = try program.train(
        "--steps 3 --seed 5 --optimizer sgd --learning-rate 0.5 --beta 0.25 --shards 2", run: "flags")
      #expect(file.weightsHash != nil && file.weightsHash == flags.weightsHash)
      #expect(program.contents("named/recipe.json") == program.contents("flags/recipe.json"))
      let sessions = try #require(program.contents("named/environment.json"))
      let session = try #require(try JSONDecoder().decode([RunEnvironment].self, from: sessions).last)
      #expect(session.workers == 1 && session.threads == 2)
      let both = try program.run("train --config settings.json --run both --steps 4 --seed 6 --learning-rate 0.25")
      let alone = try program.train(
        "--steps 4 --seed 6 --optimizer sgd --learning-rate 0.25 --beta 0.25 --shards 2", run: "alone")
      #expect(both.weightsHash != nil && both.weightsHash == alone.weightsHash, "\(both.errors)")
    }
  }

  @Test func aFileThatSaysNonsenseIsRefusedAndLeavesNoRun() throws {
    try Program.inTemporaryFolder { program in
      for (text, status, parts) in [
        (#"{"model": "tiny.json", "batchsize": 4}"#, Status.badData, ["settings.json", "batchsize", "batchSize"]),
        (#"{"model": "tiny.json", "batchSize": 0}"#, .badData, ["settings.json: batchSize: wanted 1 to", "0"]),
        (#"{"model": "tiny.json", "workers": 0}"#, .wrongUsage, ["--workers"]),
        (#"{"model": "missing.json"}"#, .badData, ["missing.json"]),
        (#"{"model": "nothing"}"#, .wrongUsage, ["settings.json: model", "nothing", "conv-vae-28"]),
        ("{}", .wrongUsage, ["--model", "settings.json"]),
        (#"{"model": "tiny.json", "optimizer": "newton"}"#, .badData, ["optimizer", "adamw", "newton"]),
      ] {
        try program.write(text, to: "settings.json")
        let result = try program.run("train --config settings.json --run run")
        #expect(result.status == status.rawValue, "\(text): \(result.errors)")
        for part in parts { #expect(result.errors.contains(part), "\(text): \(result.errors)") }
        #expect(program.contents("run/recipe.json") == nil)
      }
      let resumed = try program.run("train --resume --run run --config settings.json")
      #expect(resumed.status == Status.wrongUsage.rawValue && resumed.errors.contains("--config"))
    }
  }
}
