import Foundation
import HourglassModels
import Testing

@testable import HourglassData

@Suite struct PictureFolderTests {
  /// Writes PNG pictures of one value each, wide, high and deep as told, at paths in a folder.
  private static func write(_ pictures: [(path: String, value: UInt8)], _ shape: ImageShape, to folder: String) throws {
    for (path, value) in pictures {
      let url = URL(fileURLWithPath: "\(folder)/\(path)")
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      let pixels = [UInt8](repeating: value, count: shape.count)
      try PNGImage(width: shape.width, height: shape.height, channels: shape.channels, pixels: pixels).encoded()
        .write(to: url)
    }
  }

  private static let small = ImageShape(4, 6, 1)

  private static func values(_ data: Dataset) throws -> [Int] {
    try (0..<data.count).map { try Int(clamping: (255 * data.image($0)[0]).rounded()) }
  }

  @Test func foldersAreClassesAndPairsAreSplits() throws {
    for names in [("train", "test"), ("Training", "Test"), ("train", "testing")] {
      let folder = try TemporaryFolder()
      try Self.write(
        [
          ("\(names.0)/pear/deep/er/b.png", 2), ("\(names.0)/apple/a.PNG", 1), ("\(names.0)/pear/c.png", 3),
          ("\(names.1)/quince/d.png", 4), ("\(names.1)/pear/e.png", 5), ("\(names.1)/.hidden/f.png", 6),
        ], Self.small, to: folder.path)
      _ = try folder.file("README.md", Array("text".utf8))
      let train = try Dataset.open(path: folder.path, split: .train)
      #expect(train.classes == ["apple", "pear", "quince"] && train.labels == [0, 1, 1] && train.form == .pictures)
      #expect(try Self.values(train) == [1, 3, 2] && train.shape == Self.small)
      let test = try Dataset.open(path: folder.path, split: .test)
      #expect(try test.labels == [1, 2] && Self.values(test) == [5, 4] && test.classes == train.classes)
    }
  }

  @Test func picturesBesideFoldersHaveNoClassesAndOneSplitAloneIsNoPair() throws {
    let folder = try TemporaryFolder()
    try Self.write([("x/a.png", 1), ("b.png", 2)], Self.small, to: folder.path)
    let all = try Dataset.open(path: folder.path, split: .test)
    #expect(all.labels == nil && all.classes == nil && all.count == 2)
    let only = try TemporaryFolder()
    try Self.write([("train/a.png", 1)], Self.small, to: only.path)
    #expect(try Dataset.open(path: only.path, split: .train).labels == nil)
    expectRefusal(only.path, "test or testing", "found train") { try Dataset.open(path: only.path, split: .test) }
    let one = try Dataset.open(path: "\(folder.path)/b.png", split: .train)
    #expect(try Self.values(one) == [2])
  }

  @Test func aFolderOfSeveralFormsIsRefusedWithTheList() throws {
    let folder = try TemporaryFolder()
    try Self.write([("x/a.png", 1)], Self.small, to: folder.path)
    _ = try folder.file("train_1.bin", [1])
    _ = try folder.file("x.npy", [1])
    expectRefusal(
      folder.path, "one form", "CIFAR-10 records (1, first train_1.bin)", "NPY (1, first x.npy)",
      "pictures (1, first x/a.png)"
    ) { try Dataset.open(path: folder.path, split: .train) }
    let empty = try TemporaryFolder()
    expectRefusal(empty.path, "PNG or JPEG", "found none") { try Dataset.open(path: empty.path, split: .train) }
    _ = try empty.file("x.npy", [1])
    expectRefusal(empty.path, "name of a file", "x.npy") { try Dataset.open(path: empty.path, split: .train) }
  }

  @Test func picturesMustBeAlikeAndCanBeMadeAlike() throws {
    let folder = try TemporaryFolder()
    try Self.write([("a.png", 10), ("c.png", 30)], Self.small, to: folder.path)
    try Self.write([("b.png", 20)], ImageShape(4, 6, 3), to: folder.path)
    expectRefusal(folder.path + "/b.png", "wanted 4 x 6 x 1", "a.png", "found 4 x 6 x 3; --rgb makes them alike") {
      try Dataset.open(path: folder.path, split: .train)
    }
    var preparation = Preparation()
    preparation.color = .rgb
    let color = try Dataset.open(path: folder.path, split: .train, preparation: preparation)
    #expect(try color.shape == ImageShape(4, 6, 3) && Self.values(color) == [10, 20, 30])
    try Self.write([("d.png", 40)], ImageShape(8, 6, 1), to: folder.path)
    expectRefusal(folder.path + "/d.png", "found 8 x 6 x 3; --fit 6x4 makes them alike") {
      try Dataset.open(path: folder.path, split: .train, preparation: preparation)
    }
    var fitted = preparation
    fitted.fit = Extent2D(4, 6)
    #expect(try Dataset.open(path: folder.path, split: .train, preparation: fitted).count == 4)
    preparation.color = .grey
    preparation.crop = Extent2D(4, 5)
    preparation.resize = Extent2D(3, 2)
    let all = try Dataset.open(path: folder.path, split: .train, preparation: preparation, threads: 3)
    #expect(try all.shape == ImageShape(3, 2, 1) && Self.values(all) == [10, 20, 30, 40] && all.elements == .uint8)
  }

  @Test func brokenPicturesAreRefusedOrLeftOutAndListed() throws {
    let folder = try TemporaryFolder()
    let names = (0..<40).map { "\($0 % 4)/\($0 + 100).png" }
    try Self.write(names.enumerated().map { ($1, UInt8($0)) }, Self.small, to: folder.path)
    let broken = [names[0], names[17], names[38]].sorted()
    for name in broken { _ = try folder.file(name, Array("no picture".utf8)) }
    let first = "\(folder.path)/\(broken[0])"
    expectRefusal(first, "wanted a picture", "2 more are refused", "--skip-bad") {
      try Dataset.open(path: folder.path, split: .train)
    }
    var preparation = Preparation()
    preparation.skipsBad = true
    for threads in [1, 4] {
      let data = try Dataset.open(path: folder.path, split: .train, preparation: preparation, threads: threads)
      #expect(data.refused.map(\.path) == broken.map { "\(folder.path)/\($0)" })
      let kept = names.indices.filter { ![0, 17, 38].contains($0) }
      #expect(try Self.values(data) == kept.sorted { names[$0] < names[$1] })
      #expect(try data.labels == Self.values(data).map { $0 % 4 } && data.count == 37)
    }
    for name in names { _ = try folder.file(name, []) }
    expectRefusal("\(folder.path)/\(names.sorted()[0])", "empty", "39 others") {
      try Dataset.open(path: folder.path, split: .train, preparation: preparation)
    }
  }
}

@Suite struct PreparationTests {
  private static func chosen(
    _ labels: [Int]?, _ count: Int, _ edit: (inout Preparation) -> Void, split: Split? = .train
  )
    throws -> [Int]
  {
    var preparation = Preparation()
    edit(&preparation)
    return try preparation.chosen(
      count: count, labels: labels, classes: ["a", "b", "c"], split: split, seed: 7, path: "p")
  }

  @Test func heldOutImagesAndTheOthersAreTheWholeSet() throws {
    for (part, held) in [(0.1, 10), (0.5, 50), (0.994, 99)] {
      let train = try Self.chosen(nil, 100) { $0.holdout = part }
      let test = try Self.chosen(nil, 100, { $0.holdout = part }, split: .test)
      #expect(test.count == held && (train + test).sorted() == Array(0..<100))
      #expect(train == train.sorted() && test == test.sorted() && test != Array(0..<held))
      #expect(try Self.chosen(nil, 100, { $0.holdout = part }, split: nil).count == 100)
    }
    expectRefusal("p", "--holdout 0.001", "found 0 of 100") { try Self.chosen(nil, 100) { $0.holdout = 0.001 } }
  }

  /// Every image is held out equally often: of 400 draws a tenth, 40 +- 6 (a standard deviation) each.
  @Test func seedsHoldOutDifferentImages() throws {
    var counts = [Int](repeating: 0, count: 50)
    for seed in 0..<400 as Range<UInt64> {
      var preparation = Preparation()
      preparation.holdout = 0.1
      for index in try preparation.chosen(
        count: 50, labels: nil, classes: nil, split: .test, seed: seed, path: "p")
      {
        counts[index] += 1
      }
    }
    #expect(counts.allSatisfy { abs($0 - 40) < 30 } && Set(counts).count > 5)
  }

  @Test func labelsAreFilteredByNameOrNumber() throws {
    let labels = [0, 1, 2, 1, 0]
    #expect(try Self.chosen(labels, 5) { $0.labels = ["b"] } == [1, 3])
    #expect(try Self.chosen(labels, 5) { $0.labels = ["2", "a"] } == [0, 2, 4])
    expectRefusal("p", "--label-filter", "a, b, c", "found d") { try Self.chosen(labels, 5) { $0.labels = ["d"] } }
    expectRefusal("p", "--label-filter", "found 3") { try Self.chosen(labels, 5) { $0.labels = ["3"] } }
    expectRefusal("p", "wanted labels, found none") { try Self.chosen(nil, 5) { $0.labels = ["a"] } }
  }

  @Test func aLimitIsSpreadEvenlyOverTheSet() throws {
    #expect(try Self.chosen(nil, 10) { $0.limit = 4 } == [0, 2, 5, 7])
    #expect(try Self.chosen(nil, 3) { $0.limit = 4 } == [0, 1, 2])
    #expect(try Self.chosen([0, 1, 0, 1, 0, 1], 6) { ($0.labels, $0.limit) = (["b"], 2) } == [1, 3])
  }

  @Test func arraysArePreparedLikePicturesAndBadImagesLeftOut() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.npy"
    var pixels = (0..<4 * 12).map { Float($0) / 48 }
    pixels[13] = .infinity
    try NPYFile.write(pixels, shape: [4, 2, 2, 3], to: path)
    expectRefusal(path, "image 1: wanted finite numbers, found inf") { try Dataset.open(path: path, split: .train) }
    var preparation = Preparation()
    preparation.skipsBad = true
    let rest = try Dataset.open(path: path, split: .train, preparation: preparation)
    #expect(try rest.count == 3 && rest.image(1) == Array(pixels[24..<36]) && rest.refused.count == 1)
    preparation.resize = Extent2D(1, 1)
    let means = try Dataset.open(path: path, split: .train, preparation: preparation)
    for c in 0..<3 {
      let wanted = (0..<4).reduce(Float(0)) { $0 + pixels[36 + 3 * $1 + c] } / 4
      #expect(try abs(means.image(2)[c] - wanted) < 1e-6)
    }
  }

  /// In memory, streamed and mapped.
  @Test func binarizedImagesAreDrawnByTheirPixels() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.npy"
    // An image spans two of the blocks that are drawn at once.
    let (shape, wanted) = (ImageShape(20, 15, 1), [Float(0), 0.125, 0.5, 1])
    let pixels = (0..<3 * shape.count).map { wanted[$0 % 4] }
    try NPYFile.write(pixels, shape: [3, 20, 15], to: path)
    func draws(_ count: Int, seed: UInt64 = 5, skipsBad: Bool? = nil, memory: Int = 1 << 20) throws -> [[Float]] {
      var preparation = Preparation()
      (preparation.binarizes, preparation.skipsBad) = (true, skipsBad)
      let data = try Dataset.open(path: path, split: .train, preparation: preparation, seed: seed, memory: memory)
      #expect(data.isOnDisk == (memory == 1))
      return try (0..<count).map { draw in
        try (0..<3).flatMap { index in
          var image = [Float](repeating: -1, count: shape.count)
          try data.fill(index, draw: draw, into: &image)
          if draw == 0 { #expect(try image == data.image(index)) }
          return image
        }
      }
    }
    let found = try draws(50)
    #expect(Set(found.joined()) == [0, 1] && Set(found).count == 50)
    #expect(Set((0..<3).map { Array(found[0][$0 * shape.count..<($0 + 1) * shape.count]) }).count == 3)
    for (place, probability) in wanted.enumerated() {
      let drawn = found.flatMap { draw in stride(from: place, to: draw.count, by: 4).map { Double(draw[$0]) } }
      // Five deviations of a mean.
      let bound = 5 * (Double(probability * (1 - probability)) / Double(drawn.count)).squareRoot()
      #expect(abs(drawn.reduce(0, +) / Double(drawn.count) - Double(probability)) <= bound)
    }
    #expect(try draws(3, skipsBad: true) == Array(found[..<3]))
    #expect(try draws(3, memory: 1) == Array(found[..<3]))
    #expect(try draws(1, seed: 6)[0] != found[0])
  }

  @Test func whatIsExportedIsRead() throws {
    let folder = try TemporaryFolder()
    let out = folder.path + "/out.npy"
    let bytes = try Dataset(.bytes((0..<24).map { UInt8($0) }), shape: ImageShape(2, 2, 3), source: "a")
    try NPYFile.write(bytes, to: out)
    #expect(try NPYFile.read(out) == NPYArray(shape: [2, 2, 2, 3], elements: .bytes((0..<24).map { UInt8($0) })))
    let floats = try Dataset(.floats([0, 0.25, 0.5, 1]), shape: ImageShape(1, 2, 1), source: "a")
    try NPYFile.write(floats, to: out)
    #expect(try NPYFile.read(out) == NPYArray(shape: [2, 1, 2, 1], elements: .floats([0, 0.25, 0.5, 1])))
  }

  @Test func theSummaryIsThatOfTheDefinition() throws {
    let data = try Dataset(
      .bytes([0, 51, 102, 204, 0, 255]), shape: ImageShape(1, 1, 2), labels: [4, 2, 4], source: "a")
    let summary = try DatasetSummary(data)
    #expect(summary.minimum == 0 && summary.maximum == 1 && summary.count == 3)
    for (found, wanted) in zip(summary.mean + summary.standardDeviation, [2.0 / 15, 2.0 / 3, 0.188562, 0.339935]) {
      #expect(abs(found - wanted) < 1e-6)
    }
    #expect(summary.classes == [.init(label: 2, count: 1), .init(label: 4, count: 2)])
  }
}
