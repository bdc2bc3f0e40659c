import Foundation
import HourglassData
import Testing

/// What is done with codes, some of it on a labelled set laid out as MNIST is.
@Suite struct CodeUseTests {
  /// Images 0 ... 19: even ones hardly vary and are of class 0, odd ones are of class 1.
  private static func writeSet(_ program: Program) throws {
    try FileManager.default.createDirectory(atPath: program.path("set"), withIntermediateDirectories: true)
    for (split, count) in [("train", 20), ("t10k", 10)] {
      var pixels: [UInt8] = []
      for n in 0..<count {
        for i in 0..<64 {
          let value = n % 2 == 0 ? 100 + (n + i) % 3 : (n * 37 + i * i * 13) % 256
          pixels.append(UInt8(value))
        }
      }
      let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, UInt8(count), 0, 0, 0, 8, 0, 0, 0, 8]
      try Data(header + pixels).write(to: URL(fileURLWithPath: program.path("set/\(split)-images-idx3-ubyte")))
      let labels = (0..<count).map { UInt8($0 % 2) }
      try Data([0, 0, 8, 1, 0, 0, 0, UInt8(count)] + labels).write(
        to: URL(fileURLWithPath: program.path("set/\(split)-labels-idx1-ubyte")))
    }
  }

  @Test func aModelOfOneClassFindsTheOther() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeSet(program)
      let made = try program.run("pca --components 2 --data set --label-filter 0 --run run")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      let result = try program.run(
        "score --run run --normal-class 0 --contamination 0.2 --output scores.csv --json")
      let report = try #require(result.objects.last, "\(result.errors)")
      #expect(report["samples"] as? Int == 10, "all classes of the test images")
      #expect(report["rocAUC"] as? Double == 1 && report["prAUC"] as? Double == 1)
      let threshold = try #require(report["threshold"] as? Double)
      let rows = String(decoding: try #require(program.contents("scores.csv")), as: UTF8.self).split(separator: "\n")
        .map { $0.split(separator: ",") }
      #expect(rows[0] == ["index", "name", "class", "score", "anomaly"] && rows.count == 11)
      for row in rows.dropFirst() {
        let score = try #require(Double(row[3]))
        #expect((score > threshold) == (row[4] == "1") && (row[2] == "0" || row[4] == "1"))
      }
      #expect(try program.run("score --run run --by error --output scores.npy").status == Status.done.rawValue)
      #expect(try NPYFile.read(program.path("scores.npy")).shape == [5], "the class of the run alone")
      for (arguments, status) in [
        ("--contamination 0", Status.wrongUsage), ("--contamination 0.6", .wrongUsage),
        ("--contamination nan", .wrongUsage), ("--output a.txt", .wrongUsage), ("--normal-class 7", .badData),
        ("--normal-class 0 --data images.npy", .badData),
      ] {
        let refused = try program.run("score --run run \(arguments)")
        #expect(refused.status == status.rawValue, "\(arguments): \(refused.errors)")
      }
    }
  }

  @Test func searchMeasuresPrecisionBesideOthers() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeSet(program)
      for units in [2, 4] {
        let made = try program.run("pca --components \(units) --data set --run pca\(units)")
        #expect(made.status == Status.done.rawValue, "\(made.errors)")
      }
      let result = try program.run(
        "search --run pca2 --beside pca4 --pixels --k 1,5 --output near.csv --picture near.png --json")
      #expect(result.objects.map { $0["codes"] as? String } == ["pca-2", "pca-4", "pixels"], "\(result.errors)")
      #expect(result.objects.map { $0["units"] as? Int } == [2, 4, 64])
      for report in result.objects {
        let precision = report["precision"] as? [String: Double] ?? [:]
        #expect(precision.count == 2 && precision.values.allSatisfy { (0...1).contains($0) })
      }
      let rows = String(decoding: try #require(program.contents("near.csv")), as: UTF8.self).split(separator: "\n")
      #expect(rows[0] == "query,query_name,rank,index,name,class,distance" && rows.count == 51)
      // Margins of 12, six images of 48 and gaps of 2.
      #expect(try program.picture("near.png").width == 24 + 6 * 50 - 2)
      for arguments in ["--k 21", "--k 0", "--k 1,x", "--output a.png", "--picture a.csv"] {
        let refused = try program.run("search --run pca2 \(arguments)")
        #expect(refused.status == Status.wrongUsage.rawValue, "\(arguments): \(refused.errors)")
      }
    }
  }

  @Test func whatIsCompressedComesBack() throws {
    try Program.inTemporaryFolder { program in
      for units in [2, 4] {
        let made = try program.run("pca --components \(units) --data images.npy --run pca\(units)")
        #expect(made.status == Status.done.rawValue, "\(made.errors)")
      }
      let result = try program.run("compress --run pca2 --levels 256 --output codes.hgc --json")
      let report = try #require(result.objects.last, "\(result.errors)")
      let size = try #require(program.contents("codes.hgc")?.count)
      #expect(report["bytes"] as? Int == size && report["images"] as? Int == 20)
      #expect(report["bitsPerPixel"] as? Double == Double(8 * size) / (20 * 64))
      for command in [
        "decompress --run pca2 --input codes.hgc --output back.npy", "reconstruct --run pca2 --output direct.npy",
        "decompress --run pca2 --input codes.hgc",
      ] {
        let done = try program.run(command)
        #expect(done.status == Status.done.rawValue, "\(command): \(done.errors)")
      }
      let (back, direct) = (
        try NPYFile.read(program.path("back.npy")).floats, try NPYFile.read(program.path("direct.npy")).floats
      )
      #expect(back.count == 1280 && zip(back, direct).allSatisfy { abs($0 - $1) < 0.02 } && back != direct)
      let images = try NPYFile.read(program.path("images.npy")).floats
      let mse = zip(back, images).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / 1280
      #expect(abs((report["psnr"] as? Double ?? 0) + 10 * log10(mse)) < 1e-4)

      let curve = try program.run("compress --run pca2 --curve rate.svg --beside pca4 --json")
      #expect(curve.objects.count == 14, "\(curve.errors)")
      #expect(String(decoding: program.contents("rate.svg") ?? Data(), as: UTF8.self).contains("pca-4, 4 units"))
      for (arguments, status) in [
        ("compress --run pca2 --levels 1", Status.wrongUsage), ("compress --run pca2 --beside pca4", .wrongUsage),
        ("decompress --run pca4 --input codes.hgc", .badData),
        ("decompress --run pca2 --input images.npy", .badData), ("decompress --run pca2 --input none", .badData),
      ] {
        let refused = try program.run(arguments)
        #expect(refused.status == status.rawValue, "\(arguments): \(refused.errors)")
      }
    }
  }

  /// What a run was trained on may move or go once it has ended.
  @Test func aRunIsOfUseWithoutItsImages() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeSet(program)
      let trained = try program.run(
        "train --model plain.json --data set --epochs 2 --batch-size 5 --json --run run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      try FileManager.default.copyItem(atPath: program.path("set"), toPath: program.path("queries"))
      let commands = [
        ("search", "search --run run --data queries --k 3 --output OUT.csv --json"),
        ("compress", "compress --run run --data queries --output OUT.hgc --json"),
        ("score", "score --run run --data queries --contamination 0.2 --json --output OUT-scores.csv"),
      ]
      func results(_ out: String) throws -> [String] {
        try commands.map { name, command in
          let result = try program.run(command.replacing("OUT", with: out))
          #expect(result.status == Status.done.rawValue, "\(name): \(result.errors)")
          #expect(result.errors.contains("are white") == (name == "search" && out == "without"), "\(result.errors)")
          return result.output
        }
      }
      let with = try results("with")
      try FileManager.default.moveItem(atPath: program.path("set"), toPath: program.path("moved"))
      #expect(try results("without") == with)
      for ending in [".csv", ".hgc", "-scores.csv"] {
        let found = program.contents("with\(ending)")
        #expect(found != nil && found == program.contents("without\(ending)"))
      }
      #expect(try program.run("report --run run --json").status == Status.done.rawValue)
      let rows = String(decoding: program.contents("with.csv") ?? Data(), as: UTF8.self).split(separator: "\n")
      #expect(rows.count == 31 && rows[1].contains(",train-images-idx3-ubyte["))

      // What needs the images themselves says what to do, and that helps.
      let pixels = try program.run("search --run run --data queries --k 3 --pixels")
      #expect(pixels.status == Status.badData.rawValue)
      #expect(pixels.errors.contains("hourglass train --run run --resume --data PATH tells it"), "\(pixels.errors)")
      let told = try program.run("train --run run --resume --data moved --json")
      #expect(told.status == Status.done.rawValue && told.weightsHash == trained.weightsHash, "\(told.errors)")
      #expect(try program.run("search --run run --k 3 --pixels").status == Status.done.rawValue)
      // Nothing is kept that belongs to other weights.
      try FileManager.default.removeItem(atPath: program.path("moved"))
      let best = try program.run("compress --run run --from previous --data queries --output other.hgc")
      #expect(best.status == Status.badData.rawValue, "\(best.errors)")
    }
  }

  @Test func thePlaneThePathAndTheRepairAreDrawn() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      let made = try program.run("pca --components 2 --data images.npy --run plane")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      for (command, shape) in [
        ("grid --run plane --side 3", [9, 8, 8, 1]), ("interpolate --run run --second 5 --stops 4", [4, 8, 8, 1]),
        ("interpolate --run run --stops 3 --spherical", [3, 8, 8, 1]),
        ("denoise --run run --corrupt multiplicative:0.2", [20, 8, 8, 1]),
      ] {
        let result = try program.run("\(command) --output out.npy --force")
        #expect(result.status == Status.done.rawValue, "\(command): \(result.errors)")
        #expect(try NPYFile.read(program.path("out.npy")).shape == shape)
        #expect(try program.run(command).status == Status.done.rawValue, "a picture in the run's folder")
      }
      let repaired = try program.run("denoise --run run --corrupt mask:0.5 --json")
      let report = repaired.objects.last
      #expect(report?["corruption"] as? String == "mask:0.5" && report?["samples"] as? Int == 20)
      #expect(repaired.output.split(separator: "\n").count == 1, "nothing but one object")
      // Black images, which a mask leaves as they are: no infinity, which would make an empty object.
      try NPYFile.write([Float](repeating: 0, count: 128), shape: [2, 8, 8], to: program.path("black.npy"))
      let black = try program.run("denoise --run run --corrupt mask:0.5 --input black.npy --json").objects.last
      #expect(black?["psnrBefore"] as? Double ?? 0 > 3000)
      let unlabelled = try program.run("search --run plane --k 2 --json").objects.last
      #expect(unlabelled?["units"] as? Int == 2 && unlabelled?["precision"] == nil)
      let pixels = try program.run("search --run plane --k 2 --pixels")
      #expect(pixels.status == Status.badData.rawValue && pixels.errors.contains("wanted labels"), "\(pixels.errors)")
      for (arguments, sentence) in [
        ("grid --run run", "wanted a model of 2 latent units, found tiny of 3"),
        ("grid --run plane --side 0", "found 0"),
        ("interpolate --run run --second 20", "wanted 0 to 19, found 20"),
        ("interpolate --run run --stops 1", "wanted 2"), ("denoise --run run", "--corrupt"),
      ] {
        let refused = try program.run(arguments)
        #expect(refused.status == Status.wrongUsage.rawValue, "\(arguments): \(refused.errors)")
        #expect(refused.errors.contains(sentence), "\(arguments): \(refused.errors)")
      }
    }
  }
}
