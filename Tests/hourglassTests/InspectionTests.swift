import Foundation
import TestSupport
import Testing

@testable import HourglassData

/// Thresholds, maps and folders of results, as a person asks for them.
@Suite struct InspectionTests {
  /// Pictures of two classes in a folder, and a run of them: `set/a/1.png` ... `set/b/5.png`, those of b with a white
  /// square.
  private static func prepared(_ body: (Program) throws -> Void) throws {
    try Program.inTemporaryFolder { program in
      for name in ["a", "b"] {
        try FileManager.default.createDirectory(
          atPath: program.path("set/\(name)"), withIntermediateDirectories: true)
        for n in 1...5 {
          var pixels = (0..<256).map { UInt8(100 + ($0 * n) % 7) }
          if name == "b" { for i in 0..<9 { pixels[(4 + i / 3) * 16 + 4 + n + i % 3] = 255 } }
          let picture = PNGImage(width: 16, height: 16, channels: 1, pixels: pixels)
          try picture.write(to: program.path("set/\(name)/\(n).png"))
        }
      }
      let made = try program.run("pca --components 2 --data set --label-filter a --run run")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      try body(program)
    }
  }

  private static func report(_ program: Program, _ arguments: String) throws -> [String: Any] {
    let result = try program.run("score --run run \(arguments) --json")
    return try #require(result.objects.last, "\(arguments): \(result.errors)")
  }

  @Test func aThresholdIsChosenInOneWayAndKept() throws {
    try Self.prepared { program in
      let best = try Self.report(program, "--normal-class a --best-f1")
      #expect(best["precision"] as? Double == 1 && best["recall"] as? Double == 1 && best["f1"] as? Double == 1)
      #expect(
        best["confusion"] as? [String: Int]
          == ["truePositives": 5, "falsePositives": 0, "falseNegatives": 0, "trueNegatives": 5])
      #expect(try Self.report(program, "")["threshold"] == nil, "nothing is kept unasked")
      let rate = try Self.report(program, "--normal-class a --false-positive-rate 0 --save-threshold --by error")
      #expect(rate["confusion"] as? [String: Int] == best["confusion"] as? [String: Int])
      let kept = try Self.report(program, "")
      #expect(kept["by"] as? String == "error" && kept["anomalies"] as? Int == 0, "of the class of the run alone")
      #expect(kept["threshold"] as? Double == rate["threshold"] as? Double)
      let all = try Self.report(program, "--normal-class a --output scores.csv")
      #expect(all["anomalies"] as? Int == 5 && all["threshold"] as? Double == rate["threshold"] as? Double)
      let rows = String(decoding: try #require(program.contents("scores.csv")), as: UTF8.self).split(separator: "\n")
      #expect(rows[0] == "index,name,class,score,anomaly" && rows.count == 11)
      #expect(rows[1].hasPrefix("0,a/1.png,a,") && rows[10].hasPrefix("9,b/5.png,b,") && rows[10].hasSuffix(",1"))
      let given = try Self.report(program, "--threshold 1e9 --by likelihood")
      #expect(given["threshold"] as? Double == 1e9 && given["anomalies"] as? Int == 0)
      let part = try Self.report(program, "--contamination 0.3 --by likelihood")
      #expect((1...2).contains(part["anomalies"] as? Int ?? 0))
      #expect(part["thresholdChosen"] as? String == "a part of 0.3 of 5 images trained on is above it")

      for (arguments, status, words) in [
        ("--by likelihood", Status.wrongUsage, "--by error"), ("--threshold 1 --best-f1", .wrongUsage, "--best-f1"),
        ("--save-threshold", .wrongUsage, "--contamination"), ("--best-f1", .wrongUsage, "--normal-class"),
        ("--best-f1 --normal-class a --label-filter a", .wrongUsage, "only normal"),
        ("--normal-class c", .badData, "one of a, b"), ("--threshold inf", .wrongUsage, "finite"),
        ("--false-positive-rate 1", .wrongUsage, "below 1"), ("--samples 3 --threshold 1", .wrongUsage, "variational"),
        ("--samples 3 --by error", .wrongUsage, "--by likelihood"),
      ] {
        let refused = try program.run("score --run run \(arguments)")
        #expect(refused.status == status.rawValue && refused.errors.contains(words), "\(arguments): \(refused.errors)")
      }
      let other = try program.run("pca --components 1 --data set --label-filter a --run other")
      #expect(other.status == Status.done.rawValue)
      try Data(try #require(program.contents("run/threshold.json")))
        .write(to: URL(fileURLWithPath: program.path("other/threshold.json")))
      let foreign = try program.run("score --run other")
      #expect(foreign.status == Status.badData.rawValue && foreign.errors.contains("--save-threshold"))
      let page = try program.run("report --run other")
      #expect(page.status == Status.done.rawValue && page.errors.contains("other weights"), "\(page.errors)")
      #expect(try program.run("score --run other --contamination 0.1").status == Status.done.rawValue)
    }
  }

  /// Each map in three forms: the raw one is the smoothed squared error of what reconstruct writes, the others follow
  /// from it by the scale that maps.json tells.
  @Test func mapsAreCalledAsTheirImagesAndOneScaleHolds() throws {
    try Self.prepared { program in
      let flags = "--data set --smooth 1.5"
      _ = try Self.report(program, "\(flags) --maps raw/ --map-format npy")
      _ = try Self.report(program, "\(flags) --maps grey --map-format png16")
      let report = try Self.report(program, "\(flags) --maps colour")
      let high = try #require(report["mapScale"] as? Double)
      #expect(try program.run("reconstruct --run run --data set --output expected.npy").status == Status.done.rawValue)
      let expected = try NPYFile.read(program.path("expected.npy")).floats
      #expect(try program.run("data set --export set.npy").status == Status.done.rawValue)
      let images = try NPYFile.read(program.path("set.npy")).floats
      let filter = GaussianFilter(sigma: 1.5)
      var all: [Float] = []
      for (index, name) in ["a", "b"].flatMap({ name in (1...5).map { "\(name)/\($0)" } }).enumerated() {
        let raw = try NPYFile.read(program.path("raw/\(name).npy"))
        let errors = (index * 256..<(index + 1) * 256).map { (place: Int) -> Float in
          let difference = images[place] - expected[place]
          return difference * difference
        }
        let wanted = filter.smoothed(errors, height: 16, width: 16)
        #expect(raw.shape == [16, 16] && zip(raw.floats, wanted).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(name)")
        all += raw.floats
        // Three images of 128 pixels and gaps of 2; the third has three channels of one colour each.
        let picture = try program.picture("colour/\(name).png")
        #expect(picture.width == 3 * 128 + 4 && picture.height == 128)
      }
      let greatest = try #require(all.max())
      let legend = try Self.object(program, "grey/maps.json")
      #expect(abs((legend["scale"] as? Double ?? 0) - Double(greatest)) < 1e-6 && legend["smooth"] as? Double == 1.5)
      let grey = try PictureFiles.decode(program.path("grey/b/3.png"))
      guard case .words(let words) = grey.elements else { throw DataError(path: "grey", reason: "not of 16 bits") }
      let raw = try NPYFile.read(program.path("raw/b/3.npy")).floats
      for (word, value) in zip(words, raw) {
        #expect(abs(Float(word) - value / greatest * 65_535) <= 1)
      }
      // At most two of 2560 numbers are above the 99.9th percentile.
      #expect(all.count { Double($0) > high } <= 2 && all.count { Double($0) >= high * 0.98 } >= 2)
      let files = try #require(try Self.object(program, "colour/maps.json")["files"] as? [[String: Any]])
      #expect(files.count == 10 && files[9]["name"] as? String == "b/5.png")
      for name in ["colour", "grey"] {
        let svg = String(decoding: try #require(program.contents("\(name)/legend.svg")), as: UTF8.self)
        #expect(svg.contains("squared error, mean over channels, smoothed by 1.5 pixels"))
      }
      #expect(program.contents("raw/legend.svg") == nil)
      let fixed = try Self.report(program, "--data set --maps fixed --map-scale 0.5")
      #expect(fixed["mapScale"] as? Double == 0.5)
    }
  }

  private static func object(_ program: Program, _ name: String) throws -> [String: Any] {
    let data = try #require(program.contents(name))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test func aFolderOfResultsHoldsAFileOfEachName() throws {
    try Self.prepared { program in
      #expect(try program.run("reconstruct --run run --data set --output expected.npy").status == Status.done.rawValue)
      let made = try program.run("reconstruct --run run --data set --output out/")
      #expect(made.status == Status.done.rawValue && made.output.contains("10 pictures"), "\(made.errors)")
      let expected = try NPYFile.read(program.path("expected.npy")).floats
      let picture = try program.picture("out/b/2.png")
      #expect(picture.pixels == expected[6 * 256..<7 * 256].map { UInt8(max(0, min($0, 1)) * 255 + 0.5) })
      let repaired = try program.run(
        "denoise --run run --data images.npy --resize 16x16 --corrupt mask:0.5 --output den")
      #expect(repaired.status == Status.done.rawValue, "\(repaired.errors)")
      #expect(try program.picture("den/images-19.png").width == 16)

      for (arguments, words) in [
        ("reconstruct --run run --data set --output out", "--force"),
        ("reconstruct --run run --data set --output set/new/", "apart from what is read"),
        ("reconstruct --run run --data set --output nope/../set/new", "apart from what is read"),
        ("reconstruct --run run --data set --output .", "apart from what is read"),
        ("reconstruct --run run --output run/new/", "no part of a run"),
        ("reconstruct --run run --data set --output expected.npy/", "which is a file"),
        ("score --run run --data set --maps out", "--force"), ("score --run run --maps set", "apart from"),
        ("score --run run --maps run", "no part of a run"), ("score --run run --maps=", "--maps"),
        ("score --run run --map-format npy", "--maps"), ("score --run run --map-scale 1", "--maps"),
        ("score --run run --maps new --map-scale 0", "above 0"), ("score --run run --smooth 0", "0.1 to 1000"),
        ("score --run run --maps new --map-format npy --map-scale 1", "which keeps numbers"),
        ("encode --run run --output new/", "ends in .npy"),
      ] {
        let refused = try program.run(arguments)
        #expect(refused.status == Status.wrongUsage.rawValue, "\(arguments): \(refused.errors)")
        #expect(refused.errors.contains(words), "\(arguments): \(refused.errors)")
      }
      #expect(program.contents("set/new") == nil && program.contents("new") == nil)
      #expect(try program.run("reconstruct --run run --data set --output out --force").status == Status.done.rawValue)
      #expect(try program.run("score --run run --data set --maps run/pictures/maps").status == Status.done.rawValue)
    }
  }

  /// One row, one map and one file for each picture, whose size they have; the score is that of the tiles.
  @Test func tilesAreJoinedToTheirPictures() throws {
    try Self.prepared { program in
      let made = try program.run("pca --components 2 --data set --tile 8x8 --stride 5 --run tiles")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      let line = "score --run tiles --by error --maps maps --map-format npy --output s.csv --contamination 0.2 --json"
      let scored = try program.run(line)
      let report = try #require(scored.objects.last, "\(scored.errors)")
      #expect(report["samples"] as? Int == 10 && report["anomalies"] as? Int == 2)
      let rows = String(decoding: try #require(program.contents("s.csv")), as: UTF8.self).split(separator: "\n")
      #expect(rows.count == 11 && rows[10].hasPrefix("9,b/5.png,b,"))
      #expect(try program.run("reconstruct --run tiles --output out/").status == Status.done.rawValue)
      #expect(try program.run("denoise --run tiles --corrupt mask:0.5 --output den/").status == Status.done.rawValue)
      for name in ["a/1", "b/5"] {
        let map = try NPYFile.read(program.path("maps/\(name).npy"))
        let original = try program.picture("set/\(name).png")
        let expected = try program.picture("out/\(name).png")
        #expect(map.shape == [16, 16] && expected.width == 16 && expected.height == 16)
        #expect(try program.picture("den/\(name).png").width == 16)
        for (place, value) in map.floats.enumerated() where expected.pixels[place] > 0 && expected.pixels[place] < 255 {
          let difference = (Float(original.pixels[place]) - Float(expected.pixels[place])) / 255
          #expect(abs(value.squareRoot() - abs(difference)) < 1.0 / 255)
        }
      }
    }
  }

  /// MVTec's layout: the truth of images and pixels comes from the masks, and pixels are measured by the raw maps.
  @Test(arguments: [true, false]) func masksTellTheTruth(_ isBeside: Bool) throws {
    try Program.inTemporaryFolder { program in
      func write(_ name: String, _ pixels: [UInt8]) throws {
        let folder = program.path(String(name[..<(name.lastIndex(of: "/") ?? name.startIndex)]))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try PNGImage(width: 16, height: 16, channels: 1, pixels: pixels).write(to: program.path(name))
      }
      let truth = isBeside ? "set/ground_truth" : "masks/test"
      var masks: [String: [UInt8]] = [:]
      for n in 1...8 {
        let plain = (0..<256).map { UInt8(100 + ($0 * n) % 7) }
        try write("set/train/good/\(n).png", plain)
        guard n > 4 else { continue }
        try write("set/test/good/\(n).png", plain)
        let mask = (0..<256).map { UInt8(abs($0 / 16 - n) < 2 && abs($0 % 16 - 7) < 2 ? 255 : 0) }
        try write("set/test/spot/\(n).png", zip(plain, mask).map { $1 > 0 ? $0 + 60 : $0 })
        try write("\(truth)/spot/\(n)_mask.png", mask)
        masks["test/spot/\(n).png"] = mask
      }
      if !isBeside { for n in 5...8 { try write("\(truth)/good/\(n).png", [UInt8](repeating: 0, count: 256)) } }
      let made = try program.run("pca --components 2 --data set --run run")
      #expect(made.status == Status.done.rawValue, "\(made.errors)")
      let flags =
        "--best-f1 --save-threshold --smooth 1 --maps maps --map-format npy" + (isBeside ? "" : " --masks masks")
      let report = try Self.report(program, flags)
      #expect(report["rocAUC"] as? Double == 1 && report["f1"] as? Double == 1)
      #expect(report["regions"] as? Int == 4 && report["pixels"] as? Int == 8 * 256)
      #expect(report["pixelsAreExact"] as? Bool == true)
      var (marked, others): ([Float], [Float]) = ([], [])
      let files = try #require(try Self.object(program, "maps/maps.json")["files"] as? [[String: Any]])
      for file in files {
        let map = try NPYFile.read(program.path("maps/\(file["file"] ?? "")")).floats
        for (pixel, value) in map.enumerated() {
          if masks[file["name"] as? String ?? ""]?[pixel] ?? 0 > 0 {
            marked.append(value)
          } else {
            others.append(value)
          }
        }
      }
      others.sort()
      let area = marked.reduce(0.0) { sum, value in
        let (below, above) = (others.count { $0 < value }, others.count { $0 > value })
        return sum + (Double(below) + Double(others.count - above)) / 2
      }
      let wanted = area / Double(marked.count) / Double(others.count)
      #expect(abs((report["pixelROCAUC"] as? Double ?? 0) - wanted) < 1e-9)
      for name in ["pixelPRAUC", "regionOverlap"] { #expect((0.5...1).contains(report[name] as? Double ?? 0)) }
      if isBeside {
        let reported = try program.run("report --run run")
        let page = String(decoding: try #require(program.contents("run/report.html")), as: UTF8.self)
        #expect(
          page.contains("<h2>Anomalies</h2>") && page.contains("Precision 1, recall 1, F1 1."), "\(reported.errors)")
        #expect(page.components(separatedBy: "original, reconstruction and map").count == 9, "all eight are shown")
        #expect(page.contains("ROC-AUC, is 1.") && page.contains("test/spot/5.png: "))
        try program.write("{}", to: "run/threshold.json")
        let damaged = try program.run("report --run run")
        #expect(damaged.status == Status.done.rawValue && damaged.errors.contains("threshold.json"))
        try FileManager.default.removeItem(atPath: program.path("run/threshold.json"))
      }
      let text = try program.run("score --run run" + (isBeside ? "" : " --masks masks"))
      #expect(text.output.contains("region overlap") && text.output.contains("to a false positive rate of 0.3"))
      if !isBeside {
        let refused = try program.run("score --run run --smooth 2")
        #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains("--maps, or masks"))
        #expect(try program.run("score --run run --masks nowhere").status == Status.badData.rawValue)
      }
    }
  }
}
