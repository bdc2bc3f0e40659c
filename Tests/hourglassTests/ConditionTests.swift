import Foundation
import HourglassData
import TestSupport
import Testing

/// Models that are told the class of each sample: training, every command that reads one, and what is refused.
@Suite struct ConditionTests {
  /// Images of the built-in set, of ten classes.
  private static let conditional = """
    {"name": "cvae", "input": [8, 8, 1], "likelihood": "bernoulli",
     "encoder": [{"layer": "Condition", "classes": 10},
                 {"layer": "Conv2D", "filters": 4, "kernel": 4, "stride": 2, "activation": "relu"}],
     "latent": {"layer": "GaussianLatent", "units": 2},
     "decoder": [{"layer": "Condition", "classes": 10, "embedding": 3},
                 {"layer": "Dense", "units": 64, "activation": "relu"}, {"layer": "Reshape", "shape": [4, 4, 4]},
                 {"layer": "ConvTranspose2D", "filters": 1, "kernel": 4, "stride": 2}]}
    """

  @Test func aConditionalModelIsTrainedAndSampledByClass() throws {
    try Program.inTemporaryFolder { program in
      try program.write(Self.conditional, to: "cvae.json")
      let trained = try program.run(
        "train --model cvae.json --limit 256 --epochs 6 --batch-size 16 --learning-rate 0.01 --run run --json")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let losses = trained.objects.compactMap { $0["loss"] as? Double }
      #expect(losses.count == 6 && losses[5] < losses[0])
      let page = String(decoding: try #require(program.contents("run/report.html")), as: UTF8.self)
      #expect(page.contains("<h2>Reconstructions</h2>"))

      for command in [
        "evaluate --split train --limit 64", "evaluate --limit 32 --importance-samples 3",
        "encode --limit 20 --output codes.npy", "reconstruct --limit 20", "score --limit 20", "report",
        "decode --input codes.npy --class 3 --output decoded.npy", "interpolate --stops 4 --limit 20",
        "sample --count 20 --output turn.npy", "sample --class 7 --count 5 --output sevens.npy",
        "sample --class 2 --count 5 --output twos.npy", "sample", "grid --side 4 --output grid.npy",
        "grid --side 3 --class 1 --output plane.npy", "denoise --corrupt mask:0.5 --limit 16",
        "export --format onnx --output exported",
      ] {
        let result = try program.run(command + " --run run")
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
      }
      func images(_ name: String) throws -> [Float] { try NPYFile.read(program.path(name)).floats }
      // Sample n of a seed has the same code in each class, and the class is what makes the images differ.
      let (turn, sevens, twos) = (try images("turn.npy"), try images("sevens.npy"), try images("twos.npy"))
      #expect(sevens != twos && turn[(2 * 64)..<(3 * 64)] == twos[(2 * 64)..<(3 * 64)])
      let grid = try NPYFile.read(program.path("grid.npy"))
      #expect(grid.shape == [40, 8, 8, 1])
      #expect(grid.floats[(7 * 4 * 64)..<(7 * 4 * 64 + 64)] == sevens[..<64])
      #expect(try NPYFile.read(program.path("plane.npy")).shape == [9, 8, 8, 1])

      for (command, sentence) in [
        ("decode --input codes.npy", "decode: wanted --class, which of its 10 classes cvae is told"),
        ("sample --class 10", "--class: wanted "), ("sample --class disc,ring", ", found disc,ring"),
        ("compress --output codes.hgc", "compress: wanted a model that decodes a code alone, found cvae"),
        ("encode --input images.npy", "wanted a label for each image, which the model cvae reads in a Condition"),
      ] {
        let refused = try program.run(command + " --run run")
        #expect(refused.status != Status.done.rawValue && refused.errors.contains(sentence), "\(refused.errors)")
      }
      #expect(try program.train("--steps 1", run: "plain").status == Status.done.rawValue)
      let plain = try program.run("sample --run plain --class 1")
      #expect(plain.errors.contains("--class 1: wanted a model that is told a class (a layer Condition), found tiny"))
      let staged = try program.run("pretrain --model cvae.json --limit 64 --epochs 1 --run staged")
      #expect(staged.errors.contains("wanted layers that read no labels"), "\(staged.errors)")
    }
  }

  /// Classes go by name: a set that numbers them otherwise gives the same images.
  @Test func classesGoByName() throws {
    try Program.inTemporaryFolder { program in
      try program.write(Self.conditional.replacingOccurrences(of: "10", with: "2"), to: "cvae.json")
      for (folder, names) in [("set", ["cat", "dog"]), ("other", ["dog"]), ("strange", ["bird"])] {
        for (k, name) in names.enumerated() {
          try FileManager.default.createDirectory(
            atPath: program.path("\(folder)/\(name)"), withIntermediateDirectories: true)
          let shade = name == "dog" ? 1 : k
          for n in 0..<4 {
            let pixels = (0..<64).map { UInt8(($0 * (3 + n) + 90 * shade) % 256) }
            try PNGImage(width: 8, height: 8, channels: 1, pixels: pixels)
              .write(to: program.path("\(folder)/\(name)/\(n).png"))
          }
        }
      }
      let trained = try program.run("train --model cvae.json --data set --epochs 2 --batch-size 4 --run run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      for command in [
        "encode --data set --output all.npy", "encode --data other --output dogs.npy",
        "sample --class dog --count 3 --output dog.npy", "sample --class 1 --count 3 --output one.npy",
      ] {
        let result = try program.run(command + " --run run")
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
      }
      let (all, dogs) = try (NPYFile.read(program.path("all.npy")), NPYFile.read(program.path("dogs.npy")))
      #expect(all.floats.suffix(dogs.floats.count) == dogs.floats[...])
      #expect(program.contents("dog.npy") == program.contents("one.npy"))
      let refused = try program.run("evaluate --run run --data strange")
      #expect(refused.errors.contains("wanted images of the classes that the model cvae knows, cat, dog, found "))
    }
  }
}
