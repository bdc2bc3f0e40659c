import Foundation
import HourglassTraining
import Testing

/// What `train` shows and keeps beside the model.
@Suite struct ProfileFlagTests {
  @Test func aProfileIsPrintedAndKeptAndChangesNoWeight() throws {
    try Program.inTemporaryFolder { program in
      let plain = try program.train("--steps 6", run: "plain")
      #expect(program.contents("plain/profile.json") == nil && plain.objects.allSatisfy { $0["rows"] == nil })
      let json = try program.train("--steps 6 --profile --workers 2", run: "json")
      #expect(json.status == Status.done.rawValue, "\(json.errors)")
      #expect(plain.weightsHash != nil && json.weightsHash == plain.weightsHash)
      let line = try #require(json.objects.dropLast().last)
      #expect(line["event"] as? String == "profile" && line["steps"] as? Int == 5 && line["workers"] as? Int == 2)
      let kept = try #require(program.contents("json/profile.json"))
      let profile = try JSONDecoder().decode(StepProfile.self, from: kept)
      #expect(profile.rows.count == (line["rows"] as? [Any])?.count)

      // By the file of settings, as a table.
      try program.write(
        """
        {"model": "tiny.json", "data": "images.npy", "batchSize": 4, "steps": 6, "profile": true,
         "tensorboard": true}
        """, to: "settings.json")
      let table = try program.run("train --config settings.json --run table --quiet")
      #expect(table.status == Status.done.rawValue, "\(table.errors)")
      for part in ["5 steps of 4 samples", "GFLOP/s", "imbalance", "decoder.2", "backward-filter", "waiting"] {
        #expect(table.output.contains(part), "\(part): \(table.output)")
      }
      #expect(FileManager.default.fileExists(atPath: program.path("table/tensorboard")))
      #expect(!FileManager.default.fileExists(atPath: program.path("json/tensorboard")))
    }
  }

  /// The advice is printed where there is one, and its command begins a run whose layers have Winograd's form, which is
  /// advised no more. Whether there is one depends on times, so that the command is asked of an advice that is made up.
  @Test func adviceIsACommandThatHolds() throws {
    try Program.inTemporaryFolder { program in
      let profiled = try program.run("train --model conv-ae-28 --steps 2 --batch-size 16 --profile --quiet --run a")
      let kept = try #require(program.contents("a/profile.json"))
      var profile = try JSONDecoder().decode(StepProfile.self, from: kept)
      #expect(profiled.output.contains("Winograd's form") == (profile.winograd != nil))
      let made = Data(#"{"layers": ["encoder.2", "decoder.2"], "timeSaved": 0.2}"#.utf8)
      profile.winograd = try JSONDecoder().decode(StepProfile.Winograd.self, from: made)
      let advice = try #require(profile.advice(recipe: "a/recipe.json"))
      let command = try #require(advice.split(separator: ": ").last?.split(separator: "hourglass ").last)
      let followed = try program.run("\(command) --profile --json --quiet --run b")
      #expect(followed.status == Status.done.rawValue, "\(followed.errors)")
      let recipe = String(decoding: try #require(program.contents("b/recipe.json")), as: UTF8.self)
      #expect(recipe.components(separatedBy: "\"winograd\"").count == 3)
      #expect(followed.objects.contains { $0["event"] as? String == "profile" && $0["winograd"] == nil })
    }
  }

  @Test func anInstructionSetThatIsNotHereIsWarnedOfOnce() throws {
    try Program.inTemporaryFolder { program in
      func train(_ variable: String, run: String) throws -> Program.Result {
        let words = "train --model tiny.json --data images.npy --steps 2 --json --quiet --workers 1 --run \(run)"
        let arguments = [variable, Program.executable] + words.split(separator: " ").map(String.init)
        return try program.start(arguments, executable: "/usr/bin/env").finish()
      }
      let used = RunEnvironment.instructionSetName
      let result = try train("HOURGLASS_ISA=vax", run: "vax")
      #expect(result.status == Status.done.rawValue)
      let warnings = result.errors.split(separator: "\n")
      #expect(warnings.count == 1 && warnings[0].contains("vax") && warnings[0].contains("\(used) is used"))
      #expect(try train("HOURGLASS_ISA=\(used)", run: "used").errors.isEmpty)
    }
  }
}
