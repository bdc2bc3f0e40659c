import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

/// Pictures in folders: which are read, of which part and class, and what becomes of the rest.
@Suite struct FolderTests {
  /// Grey pictures of 2 x 3 pixels whose first pixel is their place in the list.
  static func folder(_ names: [String], _ body: (TemporaryFolder) throws -> Void) throws {
    let folder = try TemporaryFolder()
    for (place, name) in names.enumerated() { try write(UInt8(place), to: folder, name) }
    try body(folder)
  }

  private static func write(_ value: UInt8, to folder: TemporaryFolder, _ name: String) throws {
    let picture = PNGImage(width: 3, height: 2, channels: 1, pixels: [UInt8](repeating: value, count: 6))
    _ = try folder.file(name, [UInt8](try picture.encoded()))
  }

  private static func names(_ data: Dataset) -> [String] { (0..<data.count).map(data.name) }

  private func open(
    _ path: String, _ split: Split = .train, at depth: Int? = nil, skipBad: Bool = false
  ) throws -> Dataset {
    var preparation = Preparation()
    (preparation.classesAt, preparation.skipsBad) = (depth, skipBad ? true : nil)
    return try Dataset.open(path: path, split: split, preparation: preparation)
  }

  // MARK: Parts

  @Test(arguments: ["val", "valid", "validation", "dev", "Val"]) func partsAreFoundByTheirNames(_ name: String) throws {
    try Self.folder(["train/a/0.png", "train/b/1.png", "\(name)/b/2.png", "test/b/3.png", "extra/4.png", "5.png"]) {
      folder in
      #expect(try Self.names(open(folder.path, .validation)) == ["\(name)/b/2.png"])
      let test = try open(folder.path, .test)
      #expect(Self.names(test) == ["test/b/3.png"] && test.labels == [1] && test.classes == ["a", "b"])
      #expect(test.isSplit && test.source == "\(folder.path), test")
      #expect(
        test.inventory.parts == [
          .init(reason: "for train", count: 2, names: ["train/a/0.png", "train/b/1.png"]),
          .init(reason: "for validation", count: 1, names: ["\(name)/b/2.png"]),
        ])
      #expect(test.inventory.skipped.map(\.names) == [["5.png", "extra/4.png"]])
      #expect(try Dataset.parts(at: folder.path) == [.train, .validation, .test])
    }
  }

  @Test func aValidationPartStandsInForATestPart() throws {
    try Self.folder(["train/a/0.png", "val/a/1.png"]) { folder in
      let data = try open(folder.path, .test)
      #expect(Self.names(data) == ["val/a/1.png"] && data.source == "\(folder.path), validation in place of test")
    }
    try Self.folder(["train/a/0.png", "test/a/1.png"]) { folder in
      expectRefusal(folder.path, "wanted the validation images in a folder validation", "found test, train") {
        try open(folder.path, .validation)
      }
    }
    // A class may be called so.
    try Self.folder(["dev/0.png", "prod/1.png"]) { folder in
      let data = try open(folder.path, .validation)
      #expect(data.classes == ["dev", "prod"])
    }
  }

  @Test func filesOfAValidationPartAreFound() throws {
    let folder = try TemporaryFolder()
    for (value, part) in [(UInt8(1), "train"), (2, "val")] {
      _ = try folder.file("\(part)-images-idx3-ubyte", idx([1, 1, 1], [value]))
      _ = try folder.file("\(part)-labels-idx1-ubyte", idx([1], [value]))
    }
    for (split, value) in [(Split.train, 1), (.validation, 2), (.test, 2)] {
      #expect(try open(folder.path, split).labels == [value])
    }
    let array = { (value: UInt8) in DiskImagesTests.npy("|u1", "1, 1, 1", [value]) }
    let archive = try folder.file("a.npz", zip([("x_train.npy", array(3)), ("x_val.npy", array(4))]))
    for (split, value) in [(Split.train, Float(3)), (.validation, 4), (.test, 4)] {
      #expect(try open(archive, split).image(0) == [value / 255])
    }
    #expect(try Dataset.parts(at: archive) == [.train, .validation])
    let records = try TemporaryFolder()
    for (value, name) in [(UInt8(1), "data_batch_1.bin"), (2, "val.bin")] {
      _ = try records.file(name, RecordFileTests.records([value]))
    }
    #expect(try open(records.path, .validation).labels == [2] && open(records.path).labels == [1])
    let documents = try TemporaryFolder()
    _ = try documents.file("vocab.txt", Array("a\nb\n".utf8))
    for (label, part) in [(0, "train"), (1, "dev")] {
      _ = try documents.file("bow-\(part).txt", Array("\(label) 0:1\n".utf8))
    }
    #expect(try open(documents.path, .validation).labels == [1] && Dataset.parts(at: documents.path).count == 2)
  }

  // MARK: Classes

  @Test func classesCountAsPeopleDo() throws {
    try Self.folder((1...12).map { "\($0)/\($0).png" }) { folder in
      let data = try open(folder.path)
      #expect(data.classes == (1...12).map(String.init))
      // Images keep the order of their paths.
      #expect(Self.names(data).prefix(3) == ["1/1.png", "10/10.png", "11/11.png"] && data.labels?[1] == 9)
    }
    let sorted = ["", "1", "01", "2", "10", "a", "a2b", "a02c", "a10", "a99999999999999999999999", "b", "é"]
    #expect(sorted.shuffled().sorted(by: isNaturallyBefore) == ["", "01", "1"] + sorted[3...])
  }

  @Test func classesLieAtAnyDepth() throws {
    let names = ["x/a/1.png", "x/b/2.png", "y/a/3.png", "y/a/deep/4.png", "z/5.png"]
    try Self.folder(names) { folder in
      #expect(try open(folder.path).classes == ["x", "y", "z"])
      expectRefusal("\(folder.path)/z/5.png", "--classes-at 2", "found 1 in fewer", "--skip-bad") {
        try open(folder.path, at: 2)
      }
      let data = try open(folder.path, at: 2, skipBad: true)
      #expect(data.classes == ["x/a", "x/b", "y/a"] && data.labels == [0, 1, 2, 2] && data.number(3) == 3)
      #expect(data.inventory.leftOut == [.init(reason: "not in 2 folders", count: 1, names: ["z/5.png"])])
    }
  }

  @Test func aPictureBesideClassesIsNamed() throws {
    try Self.folder(["train/a/0.png", "train/b/1.png", "train/preview.png"]) { folder in
      let data = try open(folder.path)
      #expect(data.count == 3 && data.classes == nil && data.labels == nil)
      #expect(data.inventory.notes.map(\.names) == [["train/preview.png"]])
      #expect(data.inventory.line.contains("--classes-at 1 --skip-bad"))
      // As the note advises.
      let kept = try open(folder.path, at: 1, skipBad: true)
      #expect(kept.classes == ["a", "b"] && Self.names(kept) == ["train/a/0.png", "train/b/1.png"])
    }
    try Self.folder(["0.png", "1.png"]) { folder in
      let data = try open(folder.path)
      #expect(data.inventory.isPlain)
    }
  }

  // MARK: Links and names

  @Test func linksAreFollowed() throws {
    try Self.folder(["set/a/0.png", "elsewhere/b/1.png", "elsewhere/c/2.png"]) { folder in
      let set = folder.path + "/set"
      func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: "\(set)/\(name)", withDestinationPath: target)
      }
      try link("b", to: "../elsewhere/b")
      try link("again", to: "../elsewhere/b")
      try link("a/3.png", to: "../../elsewhere/c/2.png")
      let data = try open(set)
      #expect(Self.names(data) == ["a/0.png", "a/3.png", "again/1.png", "b/1.png"])
      #expect(data.classes == ["a", "again", "b"] && data.inventory.isPlain)
      // A link that leads nowhere is broken where it may have been a picture or a class.
      try link("lost.txt", to: "nowhere")
      #expect(try open(set).inventory.skipped.map(\.names) == [["lost.txt"]])
      for name in ["a/lost.png", "lost"] {
        try link(name, to: "nowhere")
        expectRefusal("\(set)/\(name)", "No such file") { try open(set) }
        #expect(try open(set, skipBad: true).inventory.leftOut.map(\.names) == [["\(set)/\(name)"]])
        unlink("\(set)/\(name)")
      }
      try link("a/loop", to: "../../set")
      expectRefusal("\(set)/a/loop", "link to a folder that the link itself lies in") { try open(set) }
    }
  }

  @Test(.timeLimit(.minutes(1))) func whatIsNoFileIsNamed() throws {
    try Self.folder(["a/0.png"]) { folder in
      for name in ["a/pipe", "a/1.png"] {
        mkfifo("\(folder.path)/\(name)", 0o600)
        expectRefusal("\(folder.path)/\(name)", "found a pipe") { try open(folder.path) }
        let data = try open(folder.path, skipBad: true)
        #expect(data.count == 1)
        unlink("\(folder.path)/\(name)")
      }
    }
  }

  @Test func whatIsSkippedIsCounted() throws {
    try Self.folder(["a/0.png", "a/1.png"]) { folder in
      for name in [
        ".DS_Store", "a/.hidden.png", ".git/2.png", "a/Thumbs.db", "__MACOSX/a/._0.png", "readme.txt", "a/boxes.json",
        "labels.csv", "notes", "a/e.xml",
      ] { _ = try folder.file(name, Array("x".utf8)) }
      let data = try open(folder.path)
      #expect(
        data.inventory.skipped == [
          .init(reason: "hidden", count: 3, names: [".DS_Store", ".git", "a/.hidden.png"]),
          .init(reason: "of the system", count: 2, names: ["__MACOSX", "a/Thumbs.db"]),
          .init(reason: "no images", count: 5, names: ["a/boxes.json", "a/e.xml", "labels.csv"]),
        ])
      // The contents tell where the name does not.
      for name in ["a/photo", "a/photo.2024"] { try Self.write(9, to: folder, name) }
      #expect(try Self.names(open(folder.path)) == ["a/0.png", "a/1.png", "a/photo", "a/photo.2024"])
    }
  }
}
