import Foundation
import HourglassData
import Testing

@Suite struct PCATests {
  @Test func aRunOfComponentsIsARunLikeAnyOther() throws {
    try Program.inTemporaryFolder { program in
      let made = try program.run("pca --components 3 --data images.npy --run run --json")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      let explained = try #require(made.objects.last?["explained"] as? Double)
      for command in [
        "encode --run run --output codes.npy", "reconstruct --run run --output again.npy",
        "decode --run run --input codes.npy --output decoded.npy", "report --run run",
      ] {
        let result = try program.run(command)
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
      }
      #expect(
        try NPYFile.read(program.path("decoded.npy")) == NPYFile.read(program.path("again.npy")))
      let evaluation = try #require(program.run("evaluate --run run --json").objects.last)
      #expect(evaluation["weightsHash"] as? String == made.weightsHash)
      // The part of the variance that is not explained is the error.
      let images = try NPYFile.read(program.path("images.npy")).floats.map(Double.init)
      let variance = (0..<64).reduce(0.0) { sum, d in
        let values = (0..<20).map { images[$0 * 64 + d] }
        let mean = values.reduce(0, +) / 20
        return sum + values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20
      }
      #expect(abs((evaluation["loss"] as? Double ?? 0) - (1 - explained) * variance) < 1e-5 * variance)

      let trained = try program.run("train --run run --resume --epochs 6 --json --quiet")
      #expect(trained.status == Status.done.rawValue && trained.weightsHash != made.weightsHash, "\(trained.errors)")
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    try Program.inTemporaryFolder { program in
      for (arguments, sentence) in [
        ("--components 0", "wanted at least 1, found 0"), ("--components 21", "wanted 1 to 20"),
        ("--components 2 --data none.npy", "none.npy"),
      ] {
        let data = arguments.contains("--data") ? "" : "--data images.npy"
        let result = try program.run("pca \(data) --run run \(arguments)")
        #expect(result.status != Status.done.rawValue && result.errors.contains(sentence), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: program.path("run")))
      }
    }
  }
}
