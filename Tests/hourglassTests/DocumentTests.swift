import Foundation
import HourglassData
import Testing

/// Documents through the program, from files to precision and accuracy.
@Suite struct DocumentTests {
  /// Documents of two kinds, of which each has words of its own.
  private static func writeSet(_ program: Program) throws {
    try FileManager.default.createDirectory(atPath: program.path("set"), withIntermediateDirectories: true)
    try program.write("alpha\nbeta\ngamma\nkappa\nlambda\nsigma\n", to: "set/vocab.txt")
    for (split, count) in [("train", 24), ("test", 8)] {
      let lines = (0..<count).map { n in
        let first = n % 2 == 0 ? 0 : 3
        return "\(n % 2) \(first + n / 2 % 2):\(1 + n % 3) \(first + 2):\(1 + n / 3 % 2)\n"
      }
      try program.write(lines.joined(), to: "set/bow-\(split).txt")
    }
    try program.write("0\talpha gamma\n1\tLambda, sigma sigma\n", to: "new.tsv")
  }

  @Test func documentsAreTrainedOnSearchedAndProbed() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeSet(program)
      for command in [
        "pca --no-centre --components 2 --data set --run lsa",
        "train --model 6-4-2 --data set --epochs 2 --batch-size 8 --run run --quiet",
        "train --run run --resume --epochs 3 --quiet", "report --run run", "data set",
        "train --config run/recipe.json --run again --quiet --epochs 3",
      ] {
        let done = try program.run(command)
        #expect(done.status == Status.done.rawValue, "\(command): \(done.errors)")
      }
      let recipe = String(decoding: program.contents("run/recipe.json") ?? Data(), as: UTF8.self)
      #expect(recipe.contains("\"terms\" : \"24 alpha:6 beta:6 gamma:12 kappa:6 lambda:6 sigma:12\""))
      let found = try program.run("search --run lsa --metric cosine --k 1,5 --pixels --json")
      #expect(found.objects.count == 2, "\(found.errors)")
      for report in found.objects { #expect((report["precision"] as? [String: Double]) == ["1": 1, "5": 1]) }

      let probed = try program.run("probe --run lsa --k 1,3 --pixels --beside run --json")
      #expect(probed.objects.map { $0["features"] as? String } == ["lsa-2", "6-4-2", "pixels"], "\(probed.errors)")
      for report in [probed.objects[0], probed.objects[2]] {
        #expect(report["linear"] as? Double == 1 && (report["neighbours"] as? [String: Double]) == ["1": 1, "3": 1])
      }
      #expect(try program.run("probe --run lsa").output.contains("20 nearest"))
      // Without the vocabulary and the counts the run still knows what it learned.
      try FileManager.default.removeItem(atPath: program.path("set"))
      let encoded = try program.run("encode --run lsa --data new.tsv --output codes.npy")
      #expect(encoded.status == Status.done.rawValue, "\(encoded.errors)")
      #expect(try NPYFile.read(program.path("codes.npy")).shape == [2, 2])
    }
  }

  @Test func whatCannotBeProbedIsRefused() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeSet(program)
      for (run, data) in [("lsa", "set"), ("pca", "images.npy")] {
        #expect(try program.run("pca --components 2 --data \(data) --run \(run)").status == Status.done.rawValue)
      }
      for (arguments, status, sentence) in [
        ("--run lsa --k 25", Status.wrongUsage, "wanted at most 24"), ("--run lsa --k 0", .wrongUsage, "found 0"),
        ("--run lsa --beside pca", .wrongUsage, "wanted a model of images of 6"),
        ("--run pca", .badData, "--holdout 0.1 divides it"),
        ("--run pca --k 1 --holdout 0.5", .badData, "wanted labels of two or more classes"),
        ("--run lsa --data none", .badData, "none"),
      ] {
        let refused = try program.run("probe \(arguments)")
        #expect(refused.status == status.rawValue, "\(arguments): \(refused.errors)")
        #expect(refused.errors.contains(sentence), "\(arguments): \(refused.errors)")
      }
    }
  }
}
