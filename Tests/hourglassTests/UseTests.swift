import Foundation
import HourglassData
import Testing

/// Using a trained model: evaluate, reconstruct, encode, decode, sample.
@Suite struct UseTests {
  @Test func evaluateMeasuresWhatReconstructShows() throws {
    try Program.inTemporaryFolder { program in
      let plain = "train --model plain.json --data images.npy --steps 20 --batch-size 4 --json --run run"
      let trained = try program.run(plain)
      let result = try program.run("evaluate --run run --json --per-sample rows.csv")
      let evaluation = try #require(result.objects.last)
      #expect(Set(evaluation.keys) == ["samples", "loss", "mse", "psnr", "ssim", "weightsHash"])
      #expect(evaluation["samples"] as? Int == 20 && evaluation["weightsHash"] as? String == trained.weightsHash)

      #expect(try program.run("reconstruct --run run --output again.npy").status == Status.done.rawValue)
      let originals = try NPYFile.read(program.path("images.npy")).floats
      let again = try NPYFile.read(program.path("again.npy"))
      #expect(again.shape == [20, 8, 8, 1])
      let squares = zip(originals, again.floats).map { Double(($0 - $1) * ($0 - $1)) }
      let mse = squares.reduce(0, +) / Double(squares.count)
      // The sum of 64 floats is off by at most 64 units of 2^-24, relatively.
      #expect(abs((evaluation["mse"] as? Double ?? 0) - mse) < mse * 1e-5)
      #expect(abs((evaluation["psnr"] as? Double ?? 0) + 10 * log10(mse)) < 1e-3)

      let rows = String(decoding: try #require(program.contents("rows.csv")), as: UTF8.self).split(separator: "\n")
      #expect(rows.first == "index,name,reconstruction,kl,mse,ssim" && rows.count == 21)
      let first = try #require(rows[1].split(separator: ",").compactMap { Double($0) }[safely: 3])
      #expect(abs(first - squares[..<64].reduce(0, +) / 64) < 1e-5 * first)
    }
  }

  @Test func evaluatingAVariationalModelTellsReconstructionAndDivergence() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--epochs 2", run: "run").status == Status.done.rawValue)
      for kept in ["last", "best", "previous"] {
        let result = try program.run("evaluate --run run --json --from \(kept)")
        let evaluation = try #require(result.objects.last)
        let (loss, elbo) = (evaluation["loss"] as? Double, evaluation["negativeELBO"] as? Double)
        let parts = [evaluation["reconstruction"], evaluation["kl"]].compactMap { $0 as? Double }
        #expect(parts.count == 2 && loss == elbo && evaluation["activeUnits"] is Int)
        #expect(abs(parts.reduce(0, +) - (elbo ?? 0)) < 1e-9 * (elbo ?? 0))
      }
      #expect(try program.run("evaluate --run run").output.contains("nats per image"))
    }
  }

  @Test func labelsStandInTheRowsOfAnEvaluation() throws {
    try Program.inTemporaryFolder { program in
      // Two images of 8 x 8 with the labels 7 and 9, as MNIST's test split is laid out.
      try FileManager.default.createDirectory(atPath: program.path("set"), withIntermediateDirectories: true)
      let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8] + [UInt8](repeating: 100, count: 128)
      try Data(images).write(to: URL(fileURLWithPath: program.path("set/t10k-images-idx3-ubyte")))
      try Data([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]).write(
        to: URL(fileURLWithPath: program.path("set/t10k-labels-idx1-ubyte")))
      #expect(try program.train("--steps 1", run: "run").status == Status.done.rawValue)
      let result = try program.run("evaluate --run run --data set --per-sample rows.csv --json")
      #expect(result.objects.last?["samples"] as? Int == 2, "\(result.errors)")
      let rows = String(decoding: try #require(program.contents("rows.csv")), as: UTF8.self).split(separator: "\n")
      #expect(
        rows.map { $0.split(separator: ",").prefix(3).joined(separator: ",") } == [
          "index,name,class", "0,t10k-images-idx3-ubyte[0],7", "1,t10k-images-idx3-ubyte[1],9",
        ])
    }
  }

  @Test func decodingTheCodesReconstructs() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      for command in [
        "encode --run run --input images.npy --output codes.npy",
        "decode --run run --input codes.npy --output decoded.npy",
        "reconstruct --run run --input images.npy --output direct.npy",
        "decode --run run --input codes.npy --output decoded.png --count 7",
        "reconstruct --run run --output direct.png",
      ] {
        let result = try program.run(command)
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
      }
      #expect(try NPYFile.read(program.path("codes.npy")).shape == [20, 3])
      let decoded = try NPYFile.read(program.path("decoded.npy"))
      let direct = try NPYFile.read(program.path("direct.npy"))
      #expect(decoded == direct)
      // Margins of 12, images of 128, gaps of 2.
      #expect(try program.picture("decoded.png").width == 24 + 7 * 130 - 2)
    }
  }

  /// Switches come from an image: what decodes codes alone is refused, or left out with a sentence.
  @Test func aModelWithSwitchesReconstructsAndDecodesNoCodes() throws {
    try Program.inTemporaryFolder { program in
      try program.write(
        """
        {"name": "unpool", "input": [8, 8, 1], "likelihood": "squaredError",
         "encoder": [{"layer": "Conv2D", "filters": 3, "kernel": 3}, {"layer": "BatchNorm"}, {"layer": "GELU"},
                     {"layer": "MaxPool2D", "kernel": 2}],
         "latent": {"layer": "Dense", "units": 4},
         "decoder": [{"layer": "Dense", "units": 48}, {"layer": "Reshape", "shape": [4, 4, 3]},
                     {"layer": "MaxUnpool2D", "of": "encoder.3"}, {"layer": "GroupNorm", "groups": 3},
                     {"layer": "Conv2D", "filters": 1, "kernel": 3, "activation": "sigmoid"}]}
        """, to: "unpool.json")
      let trained = try program.run("train --model unpool.json --data images.npy --batch-size 8 --steps 3 --run run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      #expect(program.contents("run/pictures/reconstructions.png") != nil)
      #expect(program.contents("run/pictures/interpolations.png") == nil)
      let sentence = "decoder.2 of unpool wants the switches that encoder.3 finds in an image"
      let page = program.contents("run/report.html").map { String(decoding: $0, as: UTF8.self) }
      #expect(page?.contains("No pictures: \(sentence)") == true)
      for command in ["reconstruct --run run", "encode --run run", "evaluate --run run"] {
        let result = try program.run(command)
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
      }
      let refused = try program.run("decode --run run --input run/codes.npy")
      #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains("decode: \(sentence)"))
    }
  }

  @Test func withoutOutputResultsGoToTheRun() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      for (command, file) in [
        ("reconstruct", "pictures/reconstruct.png"), ("encode", "codes.npy"),
        ("decode --input run/codes.npy", "pictures/decode.png"), ("sample", "pictures/sample.png"),
      ] {
        let result = try program.run("\(command) --run run")
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
        #expect(program.contents("run/\(file)")?.isEmpty == false, "\(file)")
      }
    }
  }

  @Test func samplesDependOnTheSeedAlone() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      for (name, arguments) in [("a", "--seed 1"), ("b", "--seed 1"), ("c", "--seed 2"), ("d", "--seed 1 --count 3")] {
        let count = arguments.contains("count") ? "" : "--count 5"
        let result = try program.run("sample --run run --output \(name).npy \(arguments) \(count)")
        #expect(result.status == Status.done.rawValue, "\(result.errors)")
      }
      let (a, b) = (try NPYFile.read(program.path("a.npy")), try NPYFile.read(program.path("b.npy")))
      let (c, d) = (try NPYFile.read(program.path("c.npy")), try NPYFile.read(program.path("d.npy")))
      #expect(a.shape == [5, 8, 8, 1] && a == b && a != c)
      #expect(d.shape == [3, 8, 8, 1] && d.floats == Array(a.floats.prefix(192)))
    }
  }

  /// A plain autoencoder has no prior, but a mixture of its codes.
  @Test func aMixtureIsAPriorOfAnyAutoencoder() throws {
    try Program.inTemporaryFolder { program in
      let model = "--model 8x8x1-12-3,tanh --steps 3"
      #expect(try program.run("train --quiet --data images.npy --run plain \(model)").status == Status.done.rawValue)
      let refused = try program.run("sample --run plain --output a.npy")
      #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains("--prior mixture:10"))
      for name in ["a", "b"] {
        let result = try program.run("sample --run plain --prior mixture:2 --count 3 --output \(name).npy")
        #expect(result.status == Status.done.rawValue, "\(result.errors)")
        for word in ["mixture of 2", "standard normal", "log density", "discrepancy"] {
          #expect(result.output.contains(word), "\(result.output)")
        }
      }
      let (a, b) = (try NPYFile.read(program.path("a.npy")), try NPYFile.read(program.path("b.npy")))
      #expect(a.shape == [3, 8, 8, 1] && a == b && a.floats.allSatisfy(\.isFinite))
      let many = try program.run("sample --run plain --prior mixture:1000 --output c.npy")
      #expect(many.status == Status.wrongUsage.rawValue && many.errors.contains("--prior: wanted 1002 images"))
    }
  }

  @Test func anOutputThatCannotBeWrittenFails() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 1", run: "run").status == Status.done.rawValue)
      for output in ["missing/a.npy", "missing/a.png"] {
        let result = try program.run("reconstruct --run run --output \(output)")
        #expect(result.status == Status.failed.rawValue && result.errors.contains(output), "\(result.errors)")
      }
    }
  }
}

extension Array {
  fileprivate subscript(safely index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
