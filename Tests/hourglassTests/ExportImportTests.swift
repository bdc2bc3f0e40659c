import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import Testing

/// From a run to files for other programs, and from files to a run.
@Suite struct ExportImportTests {
  @Test func exportWritesIntoTheRunOrWhereItIsTold() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.train("--epochs 1", run: "run")
      for (format, names) in [
        ("onnx", ["encoder.onnx", "decoder.onnx", "autoencoder.onnx"]), ("safetensors", ["weights.safetensors"]),
        ("npy", ["weights.npz"]),
      ] {
        let shown = try program.run("export --run run --format \(format)")
        #expect(shown.status == Status.done.rawValue, "\(shown.errors)")
        for name in names { #expect(shown.output.contains("run/export/\(name)")) }
        let result = try program.run("export --run run --format \(format) --from best --output a/b --json")
        let object = try #require(result.objects.last, "\(result.errors)")
        let files = try #require(object["files"] as? [[String: Any]])
        #expect(files.map { $0["path"] as? String } == names.map { "a/b/\($0)" })
        #expect(object["weightsHash"] as? String == trained.weightsHash && object["format"] as? String == format)
        for name in names { #expect(program.contents("a/b/\(name)") == program.contents("run/export/\(name)")) }
      }
      let shown = try program.run("export --run run --format onnx").output
      #expect(shown.contains("image N,1,8,8 -> mean N,3; log_variance N,3"))
      #expect(shown.contains("code N,3 -> reconstruction N,1,8,8"))
    }
  }

  @Test(arguments: ["safetensors", "npz"]) func importedWeightsMakeARun(_ suffix: String) throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.train("--steps 7", run: "run")
      let export = try program.run("export --run run --format \(suffix == "npz" ? "npy" : suffix) --output w")
      #expect(export.status == Status.done.rawValue, "\(export.errors)")
      let imported = try program.run(
        "import --weights w/weights.\(suffix) --model tiny.json --data images.npy --batch-size 4 --steps 2 --run again "
          + "--json")
      #expect(imported.objects.last?["weightsHash"] as? String == trained.weightsHash, "\(imported.errors)")

      for command in ["evaluate --json --data images.npy", "encode --data images.npy --output codes.npy --force"] {
        let results = try ["run", "again"].map { try program.run("\(command) --run \($0)") }
        #expect(results.allSatisfy { $0.status == Status.done.rawValue }, "\(results.map(\.errors))")
        if let first = results[0].objects.last as NSDictionary? {
          #expect(first == results[1].objects.last as NSDictionary? && first["weightsHash"] != nil)
        }
      }
      #expect(try program.run("report --run again").status == Status.done.rawValue)
      let resumed = try program.run("train --run again --resume --json")
      #expect(resumed.status == Status.done.rawValue && resumed.steps == 2, "\(resumed.errors)")
      #expect(resumed.weightsHash != trained.weightsHash)
    }
  }

  @Test func importTakesItsRecipeFromAFileToo() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 2 --seed 9", run: "run").status == Status.done.rawValue)
      #expect(try program.run("export --run run --format npy").status == Status.done.rawValue)
      let command = "import --weights run/export/weights.npz --config run/recipe.json --seed 4 --ema 0.5 --run again"
      let imported = try program.run(command)
      #expect(imported.status == Status.done.rawValue, "\(imported.errors)")
      #expect(imported.output.contains("hourglass train --run again --resume"))
      #expect(try program.run("train --run again --resume").status == Status.done.rawValue)
      let recipe = try RunFolder.open(program.path("again")).recipe
      #expect(recipe.seed == 4 && recipe.steps == 2 && recipe.batchSize == 4 && recipe.model.name == "tiny")
    }
  }

  @Test func weightsOfAnotherModelAreRefusedAndLeaveNothing() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 1", run: "run").status == Status.done.rawValue)
      #expect(try program.run("export --run run --format safetensors").status == Status.done.rawValue)
      let result = try program.run(
        "import --weights run/export/weights.safetensors --model plain.json --run other")
      #expect(result.status == Status.badData.rawValue)
      #expect(result.errors.contains("weights.safetensors") && result.errors.contains("missing are latent.weight"))
      #expect(!FileManager.default.fileExists(atPath: program.path("other")))
    }
  }
}
