import Foundation
import Testing

/// Models that put out labels: training, evaluating, and what is refused.
@Suite struct ClassifierTests {
  private static let classifier = """
    {"name": "classifier", "input": [8, 8, 1], "likelihood": "categorical",
     "encoder": [{"layer": "Conv2D", "filters": 4, "kernel": 4, "stride": 2, "activation": "relu"}],
     "latent": {"layer": "Dense", "units": 8, "activation": "relu"}, "decoder": [{"layer": "Dense", "units": 10}]}
    """

  @Test func aClassifierIsTrainedAndEvaluated() throws {
    try Program.inTemporaryFolder { program in
      try program.write(Self.classifier, to: "classifier.json")
      let train = "train --model classifier.json --limit 256 --epochs 3 --batch-size 16 --learning-rate 0.01 --run run"
      let trained = try program.run(train + " --json")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let losses = trained.objects.compactMap { $0["loss"] as? Double }
      #expect(losses.count == 3 && losses[2] < losses[0])

      let result = try program.run("evaluate --run run --split train --limit 256 --json --per-sample rows.csv")
      let evaluation = try #require(result.objects.last)
      #expect(Set(evaluation.keys) == ["samples", "loss", "errorRate", "confusion", "classes", "weightsHash"])
      let confusion = try #require(evaluation["confusion"] as? [[Int]])
      #expect(confusion.count == 10 && confusion.joined().reduce(0, +) == 256)
      let wrong = 256 - confusion.indices.reduce(0) { $0 + confusion[$1][$1] }
      #expect(abs((evaluation["errorRate"] as? Double ?? 9) - Double(wrong) / 256) < 1e-12)
      let rows = String(decoding: try #require(program.contents("rows.csv")), as: UTF8.self).split(separator: "\n")
      #expect(rows.first == "index,name,class,loss,kl,prediction" && rows.count == 257)
      let different = rows.dropFirst().count { row in
        let cells = row.split(separator: ",").suffix(4)
        return cells.first != cells.last
      }
      #expect(different == wrong)
      let table = try program.run("evaluate --run run --split train --limit 256").output
      #expect(table.contains("error rate") && table.contains("label (rows) and likeliest class (columns)"))

      let page = String(decoding: try #require(program.contents("run/report.html")), as: UTF8.self)
      #expect(page.contains("<h2>Labels</h2>") && !page.contains("<h2>Reconstructions</h2>"))
      #expect(program.contents("run/pictures/reconstructions.png") == nil)
      #expect(
        try program.run("encode --run run --split train --limit 9 --output codes.npy").status == Status.done.rawValue)
      #expect(try program.run("report --run run --json").status == Status.done.rawValue)
      for command in ["reconstruct", "decode --input codes.npy", "sample"] {
        let refused = try program.run("\(command) --run run")
        #expect(refused.status == Status.wrongUsage.rawValue)
        #expect(refused.errors.contains("wanted a model that puts out images, found classifier"))
      }
    }
  }

  /// With Nesterov's momentum, penalties and a least difference from flags; a resumed run keeps them.
  @Test func theFlagsOfAnOptimizerAreKept() throws {
    try Program.inTemporaryFolder { program in
      let flags =
        "--optimizer sgd --momentum 0.5 --nesterov --weight-decay 0.01 --weight-l1 0.001 --learning-rate 0.001"
      let more = "--patience 3 --min-delta 0.25 --epochs 1"
      let trained = try program.train("\(flags) \(more)", run: "run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let contents = try #require(program.contents("run/recipe.json"))
      let recipe = try #require(try JSONSerialization.jsonObject(with: contents) as? [String: Any])
      let optimizer = try #require(recipe["optimizer"] as? [String: Any])
      #expect(optimizer["nesterov"] as? Bool == true && optimizer["momentum"] as? Double == 0.5)
      #expect(recipe["minDelta"] as? Double == 0.25 && optimizer["weightL1"] as? Double != 0)
      let resumed = try program.run("train --run run --resume --epochs 2 --weight-l1 0.5")
      #expect(resumed.status == Status.wrongUsage.rawValue && resumed.errors.contains("--weight-l1: wanted 0.001"))
      for (wrong, sentence) in [
        ("--optimizer adam --nesterov", "--nesterov: wanted the optimizer sgd with a momentum, found adam"),
        ("--optimizer adagrad --momentum 0.5", "--momentum: wanted the optimizer sgd or rmsprop, found adagrad"),
        ("--weight-l1=-1", "--weight-l1: wanted a number of at least 0, found -1.0"),
        ("--min-delta 1", "--min-delta: wanted a --patience too, found none"),
      ] {
        let refused = try program.train(wrong, run: "other")
        #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains(sentence), "\(refused.errors)")
      }
      for kind in ["rmsprop", "adagrad", "adadelta"] {
        #expect(try program.train("--optimizer \(kind) --epochs 1", run: kind).status == Status.done.rawValue)
      }
    }
  }

  @Test func evaluateBoundsTheLikelihoodByImportance() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--epochs 1", run: "run").status == Status.done.rawValue)
      let command = "evaluate --run run --importance-samples 20"
      let evaluation = try #require(try program.run(command + " --json").objects.last)
      let bound = try #require(evaluation["negativeLogLikelihood"] as? Double)
      #expect(evaluation["importanceSamples"] as? Int == 20)
      #expect(bound < (evaluation["negativeELBO"] as? Double ?? 0) && bound > 0)
      #expect(try program.run(command).output.contains("negative log-likelihood"))
      let plain = "train --model plain.json --data images.npy --steps 2 --batch-size 4 --run plain"
      #expect(try program.run(plain).status == Status.done.rawValue)
      let refused = try program.run("evaluate --run plain --importance-samples 20")
      #expect(refused.status == Status.wrongUsage.rawValue)
      #expect(refused.errors.contains("wanted a variational model with a likelihood in nats"))
    }
  }

  @Test func imagesWithoutLabelsAreRefused() throws {
    try Program.inTemporaryFolder { program in
      try program.write(Self.classifier, to: "classifier.json")
      for more in ["", " --dry-run"] {
        let result = try program.run("train --model classifier.json --data images.npy --run run" + more)
        #expect(result.status == Status.badData.rawValue)
        #expect(result.errors.contains("images.npy: wanted a label for each image"), "\(result.errors)")
        #expect(program.contents("run/recipe.json") == nil)
      }
    }
  }
}
