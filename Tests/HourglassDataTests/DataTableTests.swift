import Foundation
import HourglassModels
import Testing

@testable import HourglassData

@Suite("What a run was trained on")
struct DataTableTests {
  /// What Python's `csv.writer` writes, and what stands in such files otherwise.
  @Test("Tables are read as Python reads them")
  func cells() {
    #expect(
      csvRows("\"a,b\",\"q\"\"q\",\"x\ny\", s,\r\n\u{fc},,,,\r\n") == [
        ["a,b", "q\"q", "x\ny", " s", ""], ["ü", "", "", "", ""],
      ]
    )
    #expect(csvRows("a,b\nc,") == [["a", "b"], ["c", ""]] && csvRows("") == [] && csvRows("\n") == [[""]])
    for text in ["a,b", "\"", "\"\"", " x", "x\ny\r", "ü\t", ""] {
      #expect(csvRows("\(csvCell(text)),1\n") == [[text, "1"]])
    }
  }

  private static func picture(_ value: UInt8, to path: String) throws {
    try FileManager.default.createDirectory(atPath: AtomicFile.split(path).folder, withIntermediateDirectories: true)
    try PNGImage(width: 2, height: 2, channels: 1, pixels: [value, 0, 0, 0]).write(to: path)
  }

  private static func table(_ path: String) throws -> DataTable {
    try #require(try DataTable(try Dataset.open(path: path, split: .train)))
  }

  @Test("What changes is told by its kind, and names do not matter")
  func changes() throws {
    let folder = try TemporaryFolder()
    let set = "\(folder.path)/set"
    for (index, name) in ["a/1.png", "a/2, 3.png", "b/1.png", "b/2.png"].enumerated() {
      try Self.picture(UInt8(index), to: "\(set)/\(name)")
    }
    let before = try Self.table(set)
    #expect(before.rows.map(\.name) == ["a/1.png", "a/2, 3.png", "b/1.png", "b/2.png"])
    #expect(before.rows.map(\.className) == ["a", "a", "b", "b"] && before.rows.map(\.index) == [0, 1, 2, 3])
    let file = "\(folder.path)/data.csv"
    try AtomicFile.write(before.csv, to: file)
    #expect(try DataTable(ifThere: file) == before && DataTable(ifThere: file + "x") == nil)
    for other in ["", "index,name\n", before.csv + "1,2\n"] {
      try AtomicFile.write(other, to: file)
      #expect(try DataTable(ifThere: file) == nil)
    }
    try FileManager.default.moveItem(atPath: "\(set)/a/1.png", toPath: "\(set)/a/0.png")
    let renamed = try Self.table(set)
    #expect(renamed.digest == before.digest)

    try Self.picture(9, to: "\(set)/b/1.png")
    try FileManager.default.moveItem(atPath: "\(set)/b/2.png", toPath: "\(set)/a/9.png")
    try Self.picture(10, to: "\(set)/b/3.png")
    let after = try Self.table(set)
    #expect(after.digest != before.digest)
    #expect(
      before.changes(to: after)
        == "3 new (a/0.png, a/9.png, b/3.png), 2 gone (a/1.png, b/2.png), 1 with other bytes (b/1.png)")
    #expect(after.changes(to: after) == "in another order")
  }

  @Test("What the network sees in place of the images belongs to them")
  func pairs() throws {
    let folder = try TemporaryFolder()
    for (index, name) in ["1.png", "2.png"].enumerated() {
      try Self.picture(UInt8(index), to: "\(folder.path)/clean/\(name)")
      try Self.picture(UInt8(10 + index), to: "\(folder.path)/noisy/\(name)")
    }
    func table() throws -> DataTable {
      let clean = try Dataset.open(path: "\(folder.path)/clean", split: .train)
      let noisy = try Dataset.open(path: "\(folder.path)/noisy", split: .train)
      return try #require(try DataTable(try clean.paired(with: noisy, isWhole: true)))
    }
    let before = try table()
    #expect(before.rows.map(\.name) == ["noisy/1.png", "noisy/2.png", "1.png", "2.png"] && before.images.count == 2)
    try Self.picture(20, to: "\(folder.path)/noisy/2.png")
    let after = try table()
    #expect(before.digest != after.digest && before.changes(to: after) == "1 with other bytes (noisy/2.png)")
  }

  @Test("An array is one file, whose labels are known one by one")
  func arrays() throws {
    let folder = try TemporaryFolder()
    let (images, labels) = ("\(folder.path)/train-images-idx3-ubyte", "\(folder.path)/train-labels-idx1-ubyte")
    let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1]
    try AtomicFile.write(Data(header + [1, 2, 3]), to: images)
    try AtomicFile.write(Data([0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 0]), to: labels)
    let before = try Self.table(folder.path)
    #expect(before.rows.count == 4 && before.rows[0].index == nil && before.rows[0].file?.bytes == 19)
    try AtomicFile.write(before.csv, to: "\(folder.path)/data.csv")
    #expect(try DataTable(ifThere: "\(folder.path)/data.csv") == before)
    try AtomicFile.write(Data([0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 1]), to: labels)
    let relabelled = try Self.table(folder.path)
    #expect(relabelled.digest != before.digest)
    #expect(before.changes(to: relabelled) == "1 of another class (train-images-idx3-ubyte[2])")
    try AtomicFile.write(Data(header + [1, 2, 4]), to: images)
    #expect(relabelled.changes(to: try Self.table(folder.path)) == "1 with other bytes (train-images-idx3-ubyte)")
    #expect(try DataTable(Dataset.synthetic(shape: ImageShape(8, 8, 1), count: 3, seed: 1, split: .train)) == nil)
  }
}
