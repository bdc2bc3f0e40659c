import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

@Suite("Names of images")
struct ItemNameTests {
  /// A grey picture of 2 x 2 pixels, all of one value.
  private static func write(_ value: UInt8, to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: AtomicFile.split(path).folder, withIntermediateDirectories: true)
    try PNGImage(width: 2, height: 2, channels: 1, pixels: [UInt8](repeating: value, count: 4)).write(to: path)
  }

  private static func folder(_ body: (String) throws -> Void) throws {
    let folder = try TemporaryFolder()
    for index in 0..<12 { try write(UInt8(20 * index), to: "\(folder.path)/\(["cat", "dog"][index % 2])/\(index).png") }
    try body(folder.path)
  }

  /// The pixel tells which picture it is, so that a name or number which shifts is seen.
  private static func check(_ data: Dataset, _ all: Dataset) throws {
    let places = Dictionary(uniqueKeysWithValues: try (0..<all.count).map { (try all.image($0)[0], $0) })
    for index in 0..<data.count {
      let place = try #require(places[try data.image(index)[0]])
      #expect(data.number(index) == place && data.name(index) == all.name(place))
      #expect(data.name(index).hasPrefix("\(data.className(index) ?? "none")/"))
    }
  }

  @Test("Names and numbers stay with their pictures, whatever is chosen")
  func chosen() throws {
    try Self.folder { path in
      let all = try Dataset.open(path: path, split: .train)
      #expect(all.count == 12 && (0..<12).allSatisfy { all.number($0) == $0 })
      try Self.check(all, all)
      for change in [
        { $0.limit = 5 }, { $0.holdout = 0.25 }, { $0.labels = ["dog"] }, { $0.resize = Extent2D(1, 1) },
        { ($0.labels, $0.limit, $0.skipsBad) = (["dog"], 3, true) },
      ] as [(inout Preparation) -> Void] {
        var preparation = Preparation()
        change(&preparation)
        for split in [Split.train, .test] {
          let data = try Dataset.open(path: path, split: split, preparation: preparation)
          try Self.check(data, all)
          try Self.check(data.spread(2), all)
        }
      }
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: "\(path)/cat/0.png"))
      var preparation = Preparation()
      preparation.skipsBad = true
      let rest = try Dataset.open(path: path, split: .train, preparation: preparation)
      #expect(rest.count == 11 && rest.number(0) == 1 && rest.inventory.leftOut.first?.count == 1)
      try Self.check(rest, all)
      // Where memory holds few of them.
      let streamed = try Dataset.open(path: path, split: .train, preparation: preparation, memory: 16)
      #expect(streamed.keptCount != nil)
      try Self.check(streamed, all)
    }
  }

  @Test("Images of arrays are called by their file and their place there")
  func arrays() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/array.npy"
    try NPYFile.write((0..<24).map { Float($0) / 24 }, shape: [6, 2, 2], to: path)
    var preparation = Preparation()
    preparation.limit = 3
    for memory in [1 << 20, 32] {
      let data = try Dataset.open(path: path, split: .train, preparation: preparation, memory: memory)
      #expect((0..<3).map(data.name) == ["array.npy[0]", "array.npy[2]", "array.npy[4]"])
      let file = try #require(try data.storedFiles().first)
      let bytes = try InputFile.contents(of: path)
      #expect(file.name == "array.npy" && file.bytes == bytes.count)
      #expect(file.digest == bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) })
    }
  }

  @Test("Files are known by their bytes")
  func files() throws {
    try Self.folder { path in
      let before = try Dataset.open(path: path, split: .train).storedFiles()
      #expect(before.count == 12 && Set(before.map(\.digest)).count == 12 && before[0].name == "cat/0.png")
      try Self.write(1, to: "\(path)/dog/3.png")
      let after = try Dataset.open(path: path, split: .train).storedFiles()
      #expect(before.indices.filter { before[$0] != after[$0] }.map { before[$0].name } == ["dog/3.png"])
    }
  }

  @Test("A set of images of several kinds of elements is kept in the widest")
  func kinds() throws {
    let bytes = Elements.bytes([0, 1, 128, 255])
    guard case .words(let words) = bytes.widened(to: .uint16) else { throw DataError(path: "", reason: "no words") }
    #expect(words == [0, 257, 32_896, 65_535])
    // Each stands for the same number, and narrowing undoes widening.
    for kind in Elements.Kind.allCases {
      let image = Image(shape: ImageShape(vector: 4), elements: bytes)
      #expect(image.converted(to: kind).converted(to: .uint8) == image)
      var floats = [Float](repeating: -1, count: 4)
      image.converted(to: kind).elements.fill(0, 4, into: &floats)
      #expect(floats == [0, 1 / 255, 128 / 255, 1])
    }
  }

  @Test(
    "A cell of CSV is quoted where it would be misread",
    arguments: [
      ("a/b.png", "a/b.png"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("two\nlines", "\"two\nlines\""),
      (" edge", "\" edge\""), ("", ""),
    ])
  func cells(_ text: String, _ cell: String) { #expect(csvCell(text) == cell) }
}
