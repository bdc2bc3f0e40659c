import Foundation
import Testing

/// `pretrain`, `finetune` and `train --start-from`.
@Suite struct PretrainTests {
  private static let pretrain =
    "pretrain --model 8x8x1-12-6-10,sigmoid,categorical --limit 64 --batch-size 16 --epochs 2 --corrupt mask:0.25"

  @Test func anEncoderIsPretrainedAndTaughtLabels() throws {
    try Program.inTemporaryFolder { program in
      let pretrained = try program.run(Self.pretrain + " --run run --json")
      #expect(pretrained.status == Status.done.rawValue, "\(pretrained.errors)")
      #expect(
        pretrained.objects.compactMap { $0["event"] as? String } == [
          "stage", "epoch", "epoch", "stage", "epoch", "epoch", "pretrained",
        ])
      let tuned = try program.run(
        "finetune --from run --limit 48 --validation images --run tuned --epochs 3 --head-epochs 2 --json")
      #expect(tuned.status == Status.badData.rawValue && program.contents("tuned/recipe.json") == nil)
      let again = try program.run("finetune --from run --limit 48 --run tuned --epochs 3 --head-epochs 2 --json")
      #expect(again.status == Status.done.rawValue && again.objects.last?["epochs"] as? Int == 3, "\(again.errors)")
      #expect(again.errors.contains("starts from") && again.errors.contains("encoder.0.weight"))
      let evaluation = try program.run("evaluate --run tuned --split train --limit 64 --json")
      #expect(evaluation.objects.last?["errorRate"] != nil, "\(evaluation.errors)")
      for stage in ["run/stages/2", "tuned/stages/1"] {
        for command in ["evaluate --json", "report --json", "encode --output codes.npy --force"] {
          let used = try program.run("\(command) --run \(stage)")
          #expect(used.status == Status.done.rawValue, "\(command) \(stage): \(used.errors)")
        }
      }
      let recipe = try program.run("train --config run/stages/2/recipe.json --run stage --json")
      #expect(recipe.weightsHash != nil && recipe.weightsHash == pretrained.stageHash(program, "run/stages/2"))
      #expect(try program.run("train --run tuned --resume --epochs 4 --quiet").status == Status.done.rawValue)
    }
  }

  /// Standardised images are the first stage's and the whole model's; stages on codes see these as they are.
  @Test func stagesOfStandardizedImagesGoOn() throws {
    try Program.inTemporaryFolder { program in
      let pretrain = "pretrain --model 8x8x1-12-6,linear --data images.npy --standardize --batch-size 4 --epochs 2"
      let pretrained = try program.run(pretrain + " --run run --json")
      #expect(pretrained.status == Status.done.rawValue, "\(pretrained.errors)")
      let tuned = try program.run("finetune --from run --data labelled --run tuned")
      #expect(tuned.status == Status.badData.rawValue)
      for run in ["run", "run/stages/1"] {
        let found = try program.run("evaluate --run \(run) --data images.npy --json")
        #expect(found.status == Status.done.rawValue, "\(found.errors)")
      }
      let trained = try program.run("train --run run --resume --epochs 3")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
    }
  }

  @Test func aSessionThatRunsOutOfTimeGoesOn() throws {
    try Program.inTemporaryFolder { program in
      let straight = try program.run(Self.pretrain + " --run straight --json")
      let stopped = try program.run(Self.pretrain + " --run run --max-time 0.000001s --json")
      #expect(stopped.status == Status.done.rawValue && stopped.objects.last?["event"] as? String == "outOfTime")
      #expect(stopped.steps == 0 && stopped.objects.last?["run"] as? String == "run/stages/1")
      for refused in [
        "train --run run --resume", "pretrain --run run --resume --epochs 9",
        "pretrain --run run --resume --config run/recipe.json", "finetune --run run --resume --head-epochs 2",
        "finetune --run run --resume --config run/recipe.json",
      ] {
        #expect(try program.run(refused).status == Status.wrongUsage.rawValue, "\(refused)")
      }
      // What is done next follows from the run, whichever of the two commands is given.
      let other = try program.run("finetune --run run --resume --max-time 0.000001s")
      #expect(other.output.contains("hourglass pretrain --run run --resume"), "\(other.errors)")
      let result = try program.run("pretrain --run run --resume --workers 3 --json")
      #expect(result.weightsHash != nil && result.weightsHash == straight.weightsHash, "\(result.errors)")
    }
  }

  @Test func aFileMayNameTheObjective() throws {
    try Program.inTemporaryFolder { program in
      let flags = "--model 8x8x1-12-6-10,sigmoid,categorical --limit 64 --batch-size 16 --epochs 1 --json"
      try program.write(#"{"objective": "cd:2"}"#, to: "settings.json")
      let file = try program.run("pretrain --config settings.json --run file \(flags)")
      let flag = try program.run("pretrain --objective cd:2 --run flag \(flags)")
      #expect(file.weightsHash != nil && file.weightsHash == flag.weightsHash, "\(file.errors)")
      let won = try program.run("pretrain --config settings.json --objective cd:1 --run won \(flags)")
      #expect(won.weightsHash != nil && won.weightsHash != file.weightsHash, "\(won.errors)")
      let train = try program.run("train --config settings.json --run run \(flags)")
      #expect(train.status == Status.badData.rawValue && train.errors.contains("settings.json: objective"))
      try program.write(#"{"objective": "newton"}"#, to: "settings.json")
      let unknown = try program.run("pretrain --config settings.json --run run \(flags)")
      #expect(unknown.status == Status.badData.rawValue && unknown.errors.contains("cd:K"), "\(unknown.errors)")
    }
  }

  @Test func aRunMayStartFromAnother() throws {
    try Program.inTemporaryFolder { program in
      _ = try program.train("--steps 3", run: "first")
      let second = try program.train("--steps 2 --start-from first", run: "second")
      #expect(second.errors.contains("starts from \(program.path("first")): ") && second.weightsHash != nil)
      let file = try program.train("--steps 2 --start-from first/checkpoints/last.safetensors", run: "third")
      #expect(file.weightsHash == second.weightsHash)
      #expect(try program.train("--steps 2", run: "fourth").weightsHash != second.weightsHash)
      let recipe = String(decoding: try #require(program.contents("second/recipe.json")), as: UTF8.self)
      #expect(recipe.contains("\"path\" : \"\(program.path("first"))\""))
      let nothing = try program.run("train --model 8x8x1-5-2 --data images.npy --start-from first --run fifth")
      #expect(nothing.status == Status.badData.rawValue && program.contents("fifth/recipe.json") == nil)
      #expect(
        nothing.errors.contains(
          "wanted weights of the model 8x8x1-5-2 by name and shape, such as encoder.0.weight [5, 64]"))
    }
  }

  @Test func labelsAreWanted() throws {
    try Program.inTemporaryFolder { program in
      _ = try program.train("--steps 2", run: "first")
      let unlabelled = try program.run("finetune --from first --run run")
      #expect(unlabelled.status == Status.badData.rawValue)
      #expect(unlabelled.errors.contains("wanted a label for each image"))
      #expect(program.contents("run/recipe.json") == nil)
      let cases = [
        ("finetune", "--from"), ("finetune --from first --model tiny.json", "--model"),
        ("finetune --from first --classes 1", "--classes"), ("finetune --from first --head-epochs 0", "--head-epochs"),
        ("finetune --from first --classes 3 --regression", "--regression"), ("pretrain", "--model"),
      ]
      for (command, flag) in cases {
        let result = try program.run(command)
        #expect(result.status == Status.wrongUsage.rawValue, "\(command)")
        #expect(result.errors.contains(flag), "\(command): \(result.errors)")
      }
      let missing = try program.run("finetune --from nothing")
      #expect(missing.status == Status.badData.rawValue && missing.errors.contains("nothing"))
    }
  }
}

extension Program.Result {
  /// The hash of the weights that a run ended with.
  fileprivate func stageHash(_ program: Program, _ run: String) -> String? {
    try? program.run("evaluate --run \(run) --json").weightsHash
  }
}
