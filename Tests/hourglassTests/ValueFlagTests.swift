import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Values in any units, from a file to a run and back.
@Suite struct ValueFlagTests {
  private static let shape = ImageShape(8, 8, 1)

  /// Floats around 500 in `heights.npy`.
  private static func writeHeights(_ program: Program) throws {
    let waves = TestImages.waves(step: 0, samples: 20, shape: shape)
    try NPYFile.write(waves.map { 400 + 200 * $0 }, shape: [20, 8, 8], to: program.path("heights.npy"))
  }

  @Test func aRunOnStandardizedImagesAnswersInTheirUnits() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeHeights(program)
      let train = "train --model 8x8x1-6,linear --data heights.npy --standardize --batch-size 10 --learning-rate 0.01"
      let trained = try program.run("\(train) --epochs 40 --run run --json")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let by = try #require(try RunFolder.open(program.path("run")).recipe.standardization)
      #expect(by.mean[0] > 400 && by.mean[0] < 600 && by.deviation[0] > 10)

      let evaluation = try #require(try program.run("evaluate --run run --data heights.npy --json").objects.last)
      let (mse, loss) = (try #require(evaluation["mse"] as? Double), try #require(evaluation["loss"] as? Double))
      #expect(abs(mse - loss / 64 * by.deviation[0] * by.deviation[0]) < 1e-3 * mse)
      #expect(try program.run("reconstruct --run run --data heights.npy --output out.npy").status == 0)
      let (found, wanted) = (
        try NPYFile.read(program.path("out.npy")).floats, try NPYFile.read(program.path("heights.npy")).floats
      )
      let error = zip(found, wanted).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / Double(found.count)
      #expect(abs(error - mse) < 1e-3 * mse)

      // By either file of weights the same run again.
      for (format, name) in [("safetensors", "weights.safetensors"), ("npy", "weights.npz")] {
        #expect(try program.run("export --run run --format \(format) --output w").status == 0)
        let imported = try program.run(
          "import --weights w/\(name) --model 8x8x1-6,linear --data heights.npy --run \(format)")
        #expect(imported.status == Status.done.rawValue, "\(imported.errors)")
        let again = try #require(try program.run("evaluate --run \(format) --data heights.npy --json").objects.last)
        #expect(abs(try #require(again["mse"] as? Double) - mse) < 1e-4 * mse)
      }
      #expect(try program.run("train --run run --resume --epochs 41 --standardize").status == 0)
      let config = try program.run("train --config run/recipe.json --seed 2 --epochs 1 --run other")
      #expect(config.status == Status.done.rawValue, "\(config.errors)")
    }
  }

  @Test func numbersThatAModelCannotPutOutAreMappedByWhatIsAdvised() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeHeights(program)
      for (model, data) in [("8x8x1-6", "heights.npy"), ("tiny.json", "heights.npy")] {
        let train = "train --model \(model) --data \(data) --steps 2 --batch-size 4 --run"
        let refused = try program.run("\(train) refused")
        #expect(refused.status == Status.badData.rawValue, "\(refused.errors)")
        let flag = try #require(refused.errors.firstMatch(of: /--range [^ ]+/)?.output)
        let name = "run-\(model.prefix(2))"
        let taken = try program.run("\(train) \(name) \(flag)")
        #expect(taken.status == Status.done.rawValue, "\(flag): \(taken.errors)")
        // The run remembers it.
        #expect(try program.run("evaluate --run \(name) --data \(data)").status == Status.done.rawValue)
        let other = try program.run("train --run \(name) --resume --steps 3 --range 0:1")
        #expect(other.status == Status.wrongUsage.rawValue)
      }
      // Nothing demands [0, 1] of a linear output.
      let taken = try program.run("train --model 8x8x1-6,linear --data heights.npy --steps 1 --run linear")
      #expect(taken.status == Status.done.rawValue, "\(taken.errors)")
    }
  }

  @Test func preparationsOfValuesAreFlagsAndSettings() throws {
    try Program.inTemporaryFolder { program in
      let plain = try #require(try program.run("data images.npy --json").objects.last)
      let inverted = try #require(try program.run("data images.npy --invert --json").objects.last)
      let (mean, inverse) = (try #require(plain["mean"] as? [Double]), try #require(inverted["mean"] as? [Double]))
      #expect(abs(mean[0] + inverse[0] - 1) < 1e-6)
      let fitted = try #require(try program.run("data images.npy --fit 12x10 --json").objects.last)
      #expect(fitted["shape"] as? [Int] == [10, 12, 1])
      try program.write(
        """
        {"model": "conv-ae@10x12x1,linear", "data": {"path": "images.npy", "preparation":
          {"fit": [10, 12], "range": "-1:1", "inverts": true, "standardizes": true}}, "steps": 1, "batchSize": 4}
        """, to: "settings.json")
      let trained = try program.run("train --config settings.json --run run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let preparation = try #require(try RunFolder.open(program.path("run")).recipe.data.preparation)
      #expect(preparation.inverts == true && preparation.range?.rawValue == "-1:1")
      #expect(preparation.standardization?.mean.count == 1)
    }
  }

  @Test func pairsAreTrainedMeasuredAndRepaired() throws {
    try Program.inTemporaryFolder { program in
      let waves = TestImages.waves(step: 0, samples: 20, shape: Self.shape)
      try NPYFile.write(waves.map { min($0 + 0.2, 1) }, shape: [20, 8, 8], to: program.path("noisy.npy"))
      let train = "train --model plain.json --pairs noisy.npy images.npy --batch-size 5 --learning-rate 0.02"
      let trained = try program.run("\(train) --epochs 30 --holdout 0.2 --run run --json")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let recipe = try RunFolder.open(program.path("run")).recipe
      #expect(recipe.data.inputs == program.path("noisy.npy") && recipe.validation?.inputs == recipe.data.inputs)
      let last = try #require(trained.objects.last { $0["event"] as? String == "epoch" })
      let evaluation = try #require(try program.run("evaluate --run run --json").objects.last)
      #expect(evaluation["loss"] as? Double == last["validationLoss"] as? Double)

      let repaired = try program.run("denoise --run run --pairs noisy.npy images.npy --output a.npy --json")
      let object = try #require(repaired.objects.last, "\(repaired.errors)")
      let before = try #require(object["psnrBefore"] as? Double)
      let error = zip(try NPYFile.read(program.path("noisy.npy")).floats, waves).reduce(0) {
        $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
      }
      #expect(abs(before + 10 * log10(error / Double(waves.count))) < 1e-3)
      #expect(try NPYFile.read(program.path("a.npy")).shape == [20, 8, 8, 1])

      #expect(try program.run("train --run run --resume --epochs 31 --pairs noisy.npy images.npy").status == 0)
      let other = try program.run("train --run run --resume --epochs 32 --pairs images.npy images.npy")
      #expect(other.status == Status.wrongUsage.rawValue && other.errors.contains("--pairs"), "\(other.errors)")
      #expect(try program.run("report --run run").status == Status.done.rawValue)
      let config = try program.run("train --config run/recipe.json --steps 1 --run again")
      #expect(config.status == Status.done.rawValue, "\(config.errors)")
      let validated = try program.run("\(train) --steps 1 --validation heights.npy --run refused")
      #expect(validated.status == Status.wrongUsage.rawValue || validated.status == Status.badData.rawValue)
    }
  }
}
