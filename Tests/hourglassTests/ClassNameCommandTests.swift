import Foundation
import HourglassData
import Testing

/// Classes go by name from one set to another: pictures in which cats are bright above, dogs below, ants to the left.
@Suite struct ClassNameCommandTests {
  private static func write(_ classes: [String], each count: Int, seed: Int, to folder: String) throws {
    for name in classes {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      for index in 0..<count {
        let pixels = (0..<64).map { place in
          let isBright = name == "cat" ? place < 32 : name == "dog" ? place >= 32 : place % 8 < 4
          return UInt8((isBright ? 150 : 0) + (place * 37 + index * 101 + seed * 53) % 40)
        }
        try PNGImage(width: 8, height: 8, channels: 1, pixels: pixels).write(to: "\(folder)/\(name)/\(index).png")
      }
    }
  }

  private static func rows(_ program: Program, _ name: String) throws -> [[String]] {
    String(decoding: try #require(program.contents(name)), as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
  }

  @Test func aClassifierKnowsClassesByName() throws {
    try Program.inTemporaryFolder { program in
      for (name, classes) in [
        ("two", ["cat", "dog"]), ("dogs", ["dog"]), ("three", ["ant", "cat", "dog"]), ("ants", ["ant"]),
      ] { try Self.write(classes, each: 10, seed: name.utf8.count, to: program.path(name)) }
      let classifier = """
        {"name": "classifier", "input": [8, 8, 1], "likelihood": "categorical", "encoder": [],
         "latent": {"layer": "Dense", "units": 8, "activation": "relu"}, "decoder": [{"layer": "Dense", "units": 2}]}
        """
      try program.write(classifier, to: "classifier.json")
      let trained = try program.run(
        "train --model classifier.json --data two --validation three --epochs 20 --batch-size 5 --learning-rate 0.01 "
          + "--run run --json")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      #expect(trained.errors.contains("ant"), "\(trained.errors)")
      let last = try #require(trained.objects.last { $0["event"] as? String == "epoch" })
      #expect(abs((last["validationErrorRate"] as? Double ?? 9) - 1.0 / 3) < 1e-12)

      for (name, wrong, classes) in [
        ("two", 0.0, ["cat", "dog"]), ("dogs", 0, ["cat", "dog"]), ("three", 1.0 / 3, ["cat", "dog", "ant"]),
      ] {
        let result = try program.run("evaluate --run run --data \(name) --per-sample \(name).csv --json")
        let found = try #require(result.objects.last, "\(result.errors)")
        #expect(abs((found["errorRate"] as? Double ?? 9) - wrong) < 1e-12, "\(name)")
        #expect(found["classes"] as? [String] == classes && (found["loss"] as? Double ?? 9) < 0.1)
        #expect(result.errors.contains("does not know, ant") == (name == "three"), "\(result.errors)")
        let confusion = try #require(found["confusion"] as? [[Int]])
        #expect(confusion.count == classes.count && confusion.allSatisfy { $0.count == 2 })
        let rows = try Self.rows(program, "\(name).csv")
        #expect(rows[0] == ["index", "name", "class", "loss", "kl", "prediction"])
        for row in rows.dropFirst() {
          #expect(row[1].hasPrefix("\(row[2])/") && (row[2] == row[5]) == (row[2] != "ant"))
          #expect((row[3] == "") == (row[2] == "ant"))
        }
      }
      let none = try program.run("evaluate --run run --data ants")
      #expect(
        none.status == Status.badData.rawValue && none.errors.contains("knows, cat, dog, found"), "\(none.errors)")
      #expect(try program.run("report --run run --json").objects.last?["missing"] == nil)
      // To train on, a class must be known.
      let other = try program.run("train --config run/recipe.json --data three --run other")
      #expect(other.status == Status.badData.rawValue && other.errors.contains("2 logits"), "\(other.errors)")
    }
  }

  @Test func searchAndProbeCompareNames() throws {
    try Program.inTemporaryFolder { program in
      try Self.write(["cat", "dog"], each: 8, seed: 1, to: program.path("searched"))
      try Self.write(["ant", "cat", "dog"], each: 4, seed: 2, to: program.path("queries"))
      try Self.write(["cat", "dog"], each: 8, seed: 1, to: program.path("split/train"))
      try Self.write(["ant", "cat", "dog"], each: 4, seed: 2, to: program.path("split/test"))
      #expect(try program.run("pca --components 3 --data searched --run run").status == Status.done.rawValue)
      let found = try program.run(
        "search --run run --database searched --data queries --split train --k 1,3 --output near.csv --json")
      #expect(found.errors.contains("of the class ant, which is never found"), "\(found.errors)")
      let precision = try #require(found.objects.last?["precision"] as? [String: Double])
      #expect(precision.values.allSatisfy { abs($0 - 2.0 / 3) < 1e-12 })
      let rows = try Self.rows(program, "near.csv")
      #expect(rows[0] == ["query", "query_name", "rank", "index", "name", "class", "distance"])
      #expect(rows.count == 1 + 12 * 3)
      for row in rows.dropFirst() {
        #expect(row[4].hasPrefix("\(row[5])/") && (row[1].hasPrefix("ant") || row[1].hasPrefix(row[5])))
      }
      #expect(rows.dropFirst().map { $0[2] } == (0..<36).map { "\($0 % 3 + 1)" })
      let probe = try #require(try program.run("probe --run run --data split --k 1 --json").objects.last)
      #expect(abs((probe["linear"] as? Double ?? 9) - 2.0 / 3) < 1e-12)
      #expect((probe["neighbours"] as? [String: Double])?["1"].map { abs($0 - 2.0 / 3) < 1e-12 } == true)
      let encoded = try program.run("encode --run run --data queries --split train --output codes.npz")
      #expect(encoded.status == Status.done.rawValue && program.contents("codes.npz") != nil, "\(encoded.errors)")
    }
  }
}
