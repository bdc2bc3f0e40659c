import Foundation
import HourglassData
import HourglassModels
import Testing

/// Looking at sets of images, and training on what flags make of them.
@Suite struct DataTests {
  @Test func theBuiltInImagesAreWrittenAndDescribed() throws {
    try Program.inTemporaryFolder { program in
      let written = try program.run("data synthesize --output set --size 12x8 --grey --count 40 --seed 3")
      #expect(written.status == Status.done.rawValue && written.output.contains("40 images"), "\(written.errors)")
      let described = try program.run("data set --json --export all.npy")
      let summary = try #require(described.objects.last)
      #expect(summary["count"] as? Int == 40 && summary["shape"] as? [Int] == [8, 12, 1])
      #expect(summary["form"] as? String == "pictures" && (summary["refused"] as? [Any])?.isEmpty == true)
      let classes = try #require(summary["classes"] as? [[String: Any]])
      #expect(classes.compactMap { $0["count"] as? Int }.reduce(0, +) == 40)
      #expect(classes.contains { $0["name"] as? String == "ring" })
      #expect(try program.run("data set --split test --json").objects.last?["count"] as? Int == 5)
      // The images are those that the library makes, by class.
      let (pixels, labels) = try SyntheticImages(shape: ImageShape(8, 12, 1), seed: 3, split: .train).make(count: 40)
      let names = labels.map { "\(SyntheticClass.allCases[Int($0)])" }
      let order = names.indices.sorted { (names[$0], $0) < (names[$1], $1) }
      let wanted = order.flatMap { pixels[$0 * 96..<($0 + 1) * 96] }
      #expect(try NPYFile.read(program.path("all.npy")) == NPYArray(shape: [40, 8, 12, 1], elements: .bytes(wanted)))
      #expect(try program.run("data synthesize --output set").status == Status.wrongUsage.rawValue)
    }
  }

  /// What the error says brings images of one shape to a model of another, done as it says.
  @Test func adviceForImagesOfAnotherShapeHolds() throws {
    try Program.inTemporaryFolder { program in
      func model(_ input: String, _ decoder: String) -> String {
        """
        {"name": "vectors", "input": \(input), "likelihood": "squaredError", "encoder": [],
         "latent": {"layer": "Dense", "units": 2}, "decoder": [\(decoder)]}
        """
      }
      let (dense, tied) = (#"{"layer": "Dense", "units": 64}"#, #"{"layer": "TiedDense", "to": "latent"}"#)
      let reshape = #"{"layer": "Reshape", "shape": [8, 8, 1]}"#
      for (decoder, advice, changed) in [
        (
          dense,
          #"; np.save of a.reshape(len(a), -1) makes them fit, "input": [8, 8, 1] with \#(reshape) at the end of the "#
            + "decoder in the model file takes them", "\(dense), \(reshape)"
        ),
        (tied, #"makes them fit, "input": [8, 8, 1] in the model file takes them"#, tied),
      ] {
        try program.write(model("[1, 1, 64]", decoder), to: "vectors.json")
        let arguments = "--data images.npy --steps 2 --batch-size 4 --quiet"
        let refused = try program.run("train --model vectors.json \(arguments) --run a")
        #expect(refused.status == Status.badData.rawValue && refused.errors.contains(advice), "\(refused.errors)")
        try program.write(model("[8, 8, 1]", changed), to: "vectors.json")
        #expect(try program.run("train --model vectors.json \(arguments) --run \(decoder.count)").status == 0)
      }
      try program.write(model("[4, 4, 1]", #"{"layer": "TiedDense", "to": "latent"}"#), to: "small.json")
      let small = try program.run("train --model small.json --data images.npy --steps 2 --run b")
      #expect(small.errors.contains("found 8 x 8 x 1; --resize 4x4 makes them fit"), "\(small.errors)")
      #expect(
        try program.run(
          "train --model small.json --data images.npy --resize 4x4 --steps 2 --batch-size 4 --run b --quiet"
        )
        .status == 0)
    }
  }

  @Test func brokenImagesEndWithThreeOrAreListed() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.run("data synthesize --output set --size 8x8 --grey --count 24").status == 0)
      for name in ["set/train/disc/bad.png", "set/train/ring/bad.jpg"] { try program.write("no image", to: name) }
      let refused = try program.run("data set")
      #expect(refused.status == Status.badData.rawValue && refused.output.contains("24"))
      let lines = refused.errors.split(separator: "\n")
      #expect(
        lines.count == 2 && lines[0].contains("disc/bad.png: wanted a picture") && lines[1].contains("ring/bad.jpg"))
      let skipped = try program.run("data set --skip-bad")
      #expect(skipped.status == Status.done.rawValue && skipped.errors.contains("left out: set/train/disc/bad.png"))

      let train = "train --model tiny.json --data set --steps 2 --batch-size 4 --json --run"
      #expect(try program.run("\(train) one").status == Status.badData.rawValue)
      let trained = try program.run("\(train) two --skip-bad")
      #expect(trained.status == Status.done.rawValue && trained.errors.contains("left out: "), "\(trained.errors)")
      // The recipe remembers it.
      let more = try program.run("train --run two --resume --steps 4 --json")
      #expect(more.status == Status.done.rawValue && more.errors.contains("left out: "), "\(more.errors)")
    }
  }

  @Test func everyImageIsListedByNameAndClass() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.run("data synthesize --output set --size 8x8 --grey --count 24").status == 0)
      let before = try program.run("data set --list --label-filter disc").output.split(separator: "\n")[1]
      let first = try #require(before.split(separator: ",").first.flatMap { Int($0) })
      try program.write("no image", to: "set/train/disc/0.png")
      try program.write("notes", to: "set/train/disc/read, me.txt")
      let listed = try program.run("data set --list --skip-bad --label-filter disc")
      let lines = listed.output.split(separator: "\n").map(String.init)
      #expect(
        lines[0] == "index,name,class" && lines[1].hasPrefix("\(first + 1),train/disc/") && lines[1].hasSuffix(",disc"))
      let object = try #require(
        try program.run("data set --list --skip-bad --label-filter disc --json").objects.last)
      let images = try #require(object["images"] as? [[String: Any]])
      #expect(images.count == lines.count - 1)
      #expect(images.map { "\($0["index"]!),\($0["name"]!),\($0["class"]!)" } == Array(lines[1...]))
      let table = try program.run("data set --skip-bad")
      for row in ["skipped", "1 no images (train/disc/read, me.txt)", "1 broken or unreadable", "elsewhere"] {
        #expect(table.output.contains(row), "\(table.output)")
      }
      #expect(try program.run("data images.npy --list").output.hasPrefix("index,name\n0,images.npy[0]\n"))
      // What the run would refuse ends so here too, and all is named.
      let deep = try program.run("data set --classes-at 2 --limit 3")
      #expect(deep.status == Status.badData.rawValue, "\(deep.output) \(deep.errors)")
    }
  }

  /// A folder and files whose names are Latin-1.
  @Test func namesNeedNotBeUTF8() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.run("data synthesize --output set --size 8x8 --grey --count 24").status == 0)
      for (old, new) in [("set/train/disc", "set/train/caf\u{f7e9}"), ("set", "\u{f7fc}ber")] {
        #expect(rename(systemPath(program.path(old)), systemPath(program.path(new))) == 0)
      }
      func run(_ command: String) throws -> Program.Result {
        let quoted = command.replacing("SET", with: #""$(printf '\374ber')""#)
        return try program.start(
          ["-c", "exec '\(Program.executable)' \(quoted)"], executable: "/bin/sh"
        ).finish()
      }
      let described = try run("data SET --json --list")
      let object = try #require(described.objects.last, "\(described.errors)")
      #expect(object["source"] as? String == #"\xFCber, train"#)
      let images = try #require(object["images"] as? [[String: Any]])
      #expect(images.contains { $0["class"] as? String == #"caf\xE9"# && "\($0["name"]!)".contains(#"caf\xE9/"#) })
      #expect(try run("data SET").output.contains(#"caf\xE9"#))
      let trained = try run("train --model tiny.json --data SET --steps 2 --batch-size 4 --json --run run")
      #expect(trained.status == 0 && trained.weightsHash != nil, "\(trained.errors)")
      // The recipe keeps the bytes.
      let resumed = try program.run("train --run run --resume --steps 4 --json")
      #expect(resumed.status == 0 && resumed.steps == 4, "\(resumed.errors)")
      // Results may have such names too.
      #expect(try run("data SET --export SET.npy").status == 0)
      #expect(try run("data SET.npy --json").objects.last?["count"] as? Int == 24)
    }
  }

  @Test func preparedImagesAreThoseOfAFileMadeBefore() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.run("data synthesize --output set --size 24x20 --count 48").status == 0)
      let flags = "--grey --crop 20x20 --resize 8x8 --label-filter disc,ring,star,arrow,hook --limit 12"
      #expect(try program.run("data set \(flags) --export some.npy").status == 0)
      let direct = try program.run(
        "train --model tiny.json --data set \(flags) --steps 5 --batch-size 4 --json --run direct")
      let file = try program.run(
        "train --model tiny.json --data some.npy --steps 5 --batch-size 4 --json --run file")
      #expect(direct.status == 0 && direct.weightsHash != nil && direct.weightsHash == file.weightsHash)

      // A run goes on with its images, measures them, and contradiction is refused.
      let resumed = try program.run("train --run direct --resume --steps 7 --json")
      let further = try program.run("train --run file --resume --steps 7 --json")
      #expect(resumed.weightsHash != nil && resumed.weightsHash == further.weightsHash)
      #expect(try program.run("evaluate --run direct --split train --json").objects.last?["samples"] as? Int == 12)
      let other = try program.run("train --run direct --resume --steps 9 --limit 11")
      #expect(other.status == Status.wrongUsage.rawValue && other.errors.contains("prepared"))
    }
  }

  @Test func corruptionAndAugmentationBelongToTheRun() throws {
    try Program.inTemporaryFolder { program in
      let flags = "--corrupt mask:0.25 --augment flip,shift:1"
      let straight = try program.train("--steps 8 --workers 1 \(flags)", run: "straight")
      #expect(try program.train("--steps 3 --workers 3 \(flags)", run: "parts").status == 0)
      let resumed = try program.run("train --run parts --resume --steps 8 --json")
      let plain = try program.train("--steps 8", run: "plain")
      #expect(straight.weightsHash != nil && resumed.weightsHash == straight.weightsHash, "\(straight.errors)")
      #expect(plain.weightsHash != straight.weightsHash)
      let other = try program.run("train --run parts --resume --steps 9 --corrupt mask:0.5")
      #expect(other.status == Status.wrongUsage.rawValue && other.errors.contains("mask:0.25"))
    }
  }

  @Test func whatIsHeldOutIsValidatedOnAndEvaluated() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.run(
        "train --model tiny.json --data images.npy --holdout 0.25 --epochs 1 --batch-size 4 --json --run run")
      #expect(trained.status == 0 && trained.objects.first?["validationLoss"] is Double, "\(trained.errors)")
      #expect(trained.objects.last?["steps"] as? Int == 4)
      #expect(try program.run("evaluate --run run --json").objects.last?["samples"] as? Int == 5)
      #expect(try program.run("evaluate --run run --json --split train").objects.last?["samples"] as? Int == 15)
      // Another set is taken whole.
      #expect(try program.run("evaluate --run run --json --data images.npy").objects.last?["samples"] as? Int == 20)
    }
  }
}
