import Foundation
import HourglassData
import HourglassTraining
import Testing

/// What `train` prints and leaves behind.
@Suite struct TrainTests {
  @Test func jsonHasAnObjectForEachEpochAndOneAtTheEnd() throws {
    try Program.inTemporaryFolder { program in
      let result = try program.train("--epochs 2 --validation images.npy", run: "run")
      #expect(result.status == Status.done.rawValue, "\(result.errors)")
      #expect(result.objects.count == result.output.split(separator: "\n").count)
      #expect(result.objects.map { $0["event"] as? String } == ["epoch", "epoch", "finished"])
      for (index, epoch) in result.objects.dropLast().enumerated() {
        #expect(epoch["epoch"] as? Int == index + 1 && epoch["step"] as? Int == 5 * (index + 1))
        for field in ["loss", "reconstruction", "kl", "validationLoss", "samplesPerSecond"] {
          #expect(epoch[field] is Double, "\(field)")
        }
      }
      let end = try #require(result.objects.last)
      #expect(end["epochs"] as? Int == 2 && end["steps"] as? Int == 10 && end["run"] as? String == "run")
      #expect((end["samplesPerSecond"] as? Double ?? 0) > 0)
      #expect(end["weightsHash"] as? String != nil)
      #expect(Set(end.keys) == ["event", "epochs", "steps", "samplesPerSecond", "weightsHash", "run"])
    }
  }

  @Test func theRunFolderHoldsRecipeEnvironmentMetricsCheckpointsAndPictures() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--epochs 2", run: "run").status == Status.done.rawValue)
      for file in [
        "recipe.json", "environment.json", "metrics.csv", "metrics.jsonl", "steps.csv", "checkpoints/last.safetensors",
        "checkpoints/previous.safetensors", "checkpoints/best.safetensors", "pictures/loss.svg",
      ] { #expect(program.contents("run/\(file)")?.isEmpty == false, "\(file)") }
      let recipe = String(decoding: try #require(program.contents("run/recipe.json")), as: UTF8.self)
      #expect(recipe.contains("\"path\" : \"/"), "the data's path is from the root, so that any folder can resume")
    }
  }

  /// Images of 8 x 8 are enlarged 16 times; gaps of 2 pixels, 10 after a pair of rows, margins of 12.
  @Test func picturesHoldAsManyImagesAsTheySay() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 2", run: "run").status == Status.done.rawValue)
      let samples = try program.picture("run/pictures/samples.png")
      #expect((samples.width, samples.height) == (24 + 16 * 130 - 2, 24 + 8 * 130 - 2))
      let pairs = try program.picture("run/pictures/reconstructions.png")
      #expect((pairs.width, pairs.height) == (24 + 10 * 130 - 2, 24 + 4 * 130 - 2 + 8))
      let traversals = try program.picture("run/pictures/traversals.png")
      #expect(traversals.width == 24 + 11 * 130 - 2 && (traversals.height - 22) % 130 == 0)
      let plain = "train --model plain.json --data images.npy --steps 1 --batch-size 4 --run plain"
      #expect(try program.run(plain).status == Status.done.rawValue)
      let between = try program.picture("plain/pictures/interpolations.png")
      #expect((between.width, between.height) == (24 + 11 * 130 - 2, 24 + 10 * 130 - 2))
    }
  }

  @Test func quietSilencesStandardErrorAndNothingElse() throws {
    try Program.inTemporaryFolder { program in
      let loud = try program.train("--steps 2", run: "loud")
      let quiet = try program.train("--steps 2 --quiet", run: "quiet")
      #expect(!loud.errors.isEmpty && quiet.errors.isEmpty)
      #expect(quiet.objects.count == loud.objects.count && quiet.weightsHash == loud.weightsHash)
    }
  }

  @Test func moreWorkersThanCoresAreObeyedWithOneWarningAndChangeNoResult() throws {
    try Program.inTemporaryFolder { program in
      let one = try program.train("--steps 3 --quiet --shards 4 --workers 1", run: "one")
      let cores = ProcessInfo.processInfo.activeProcessorCount
      let many = try program.train("--steps 3 --quiet --shards 4 --workers \(cores + 1)", run: "many")
      #expect(one.errors.isEmpty)
      #expect(many.errors.split(separator: "\n").count == 1 && many.errors.contains("warning"))
      #expect(many.weightsHash != nil && many.weightsHash == one.weightsHash)
    }
  }

  @Test func boundThreadsChangeNoResult() throws {
    try Program.inTemporaryFolder { program in
      let free = try program.train("--steps 3 --quiet --workers 2 --threads 2", run: "free")
      for binding in ["close", "spread"] {
        let bound = try program.train("--steps 3 --quiet --workers 2 --threads 2 --bind \(binding)", run: binding)
        #expect(free.weightsHash != nil && bound.weightsHash == free.weightsHash, "\(bound.errors)")
        // Four threads on two cores begin again with the first core, with the one warning of all that are too many.
        #expect(bound.errors == free.errors)
      }
    }
  }

  @Test(
    arguments: [
      // variables, flags -> workers, threads, words of the one warning
      (["OMP_NUM_THREADS=2,1"], "--workers 1", 1, 2, nil),
      (["OMP_NUM_THREADS=64"], "--workers 1 --threads 1", 1, 1, nil),
      (["OMP_THREAD_LIMIT=1"], "", 1, 1, nil),
      (["OMP_NUM_THREADS=few"], "--workers 1 --threads 1", 1, 1, "found few; ignored"),
    ] as [([String], String, Int, Int, String?)])
  func theEnvironmentOfOpenMPIsRespectedAndFlagsWin(
    _ variables: [String], _ flags: String, _ workers: Int, _ threads: Int, _ warning: String?
  ) throws {
    try Program.inTemporaryFolder { program in
      let train = "train --model tiny.json --data images.npy --steps 1 --quiet --run run \(flags)"
      let words = variables + [Program.executable] + train.split(separator: " ").map(String.init)
      let result = try program.start(words, executable: "/usr/bin/env").finish()
      #expect(result.status == Status.done.rawValue, "\(result.errors)")
      let sessions = try #require(program.contents("run/environment.json"))
      let session = try #require(try JSONDecoder().decode([RunEnvironment].self, from: sessions).last)
      #expect(session.workers == workers && session.threads == threads)
      if let warning { #expect(result.errors.contains(warning)) }
      // More threads than the machine has cores bring the other warning.
      let warnings = (warning == nil ? 0 : 1) + (workers * threads > session.grantedCores ? 1 : 0)
      #expect(result.errors.split(separator: "\n").count == warnings, "\(result.errors)")
    }
  }

  @Test func withoutARunTheFolderIsNamedAfterTheModel() throws {
    try Program.inTemporaryFolder { program in
      let result = try program.run("train --model tiny.json --data images.npy --steps 1 --batch-size 4 --json")
      let run = try #require(result.objects.last?["run"] as? String)
      #expect(run.hasPrefix("runs/tiny-") && program.contents("\(run)/recipe.json") != nil)
    }
  }

  @Test func theBuiltInImagesNeedNoData() throws {
    try Program.inTemporaryFolder { program in
      let result = try program.run("train --model tiny.json --steps 2 --batch-size 4 --json --quiet --run run")
      #expect(result.status == Status.done.rawValue && result.steps == 2, "\(result.errors)")
    }
  }

  @Test func whatInspectPrintsCanBeTrained() throws {
    try Program.inTemporaryFolder { program in
      let json = try program.run("inspect tiny.json --json")
      #expect(json.status == Status.done.rawValue)
      try program.write(json.output, to: "again.json")
      let first = try program.train("--steps 2", run: "first")
      let again = try program.run(
        "train --model again.json --data images.npy --batch-size 4 --json --run again --steps 2")
      #expect(first.weightsHash != nil && again.weightsHash == first.weightsHash)
      let table = try program.run("inspect first")
      #expect(table.output.contains("latent") && table.output.contains("total") && table.output.contains("in all"))
    }
  }

  @Test func inspectChangesTheAlgorithmOfConvolutionsThatGain() throws {
    try Program.inTemporaryFolder { program in
      let json = try program.run("inspect conv-vae-64 --algorithm winograd --json").output
      try program.write(json, to: "faster.json")
      let table = try program.run("inspect faster.json").output
      let changed = table.split(separator: "\n").filter { $0.contains(", winograd") }.compactMap {
        $0.split(separator: " ").first
      }
      // Three channels are too few, and the filters of 128 to 256 channels too large.
      #expect(changed == ["encoder.1", "encoder.2", "decoder.3", "decoder.4"])
      let back = try program.run("inspect faster.json --algorithm direct --json").output
      #expect(back == (try program.run("inspect conv-vae-64 --json").output))
      #expect(try program.run("inspect conv-vae-64 --algorithm fast").status == Status.wrongUsage.rawValue)
    }
  }

  @Test func everyModelOfTheListCanBeInspected() throws {
    try Program.inTemporaryFolder { program in
      let table = try #require(try program.run("models").output.components(separatedBy: "\n\n").first)
      let names = table.split(separator: "\n").compactMap { $0.split(separator: " ").first }
      #expect(names.count >= 4)
      for name in names { #expect(try program.run("inspect \(name)").output.contains("decoder."), "\(name)") }
      #expect(try program.run("inspect contractive-ae").output.contains("\npenalty: exact, in closed form\n"))
    }
  }
}
