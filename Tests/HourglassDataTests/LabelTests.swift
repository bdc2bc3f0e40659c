import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

/// Labels that lie beside an array or pictures.
@Suite struct LabelTests {
  private static let images = DiskImagesTests.npy("|u1", "4, 3, 2", (0..<24).map { UInt8($0) })

  /// Four images with the labels of a file.
  private static func open(_ name: String, _ labels: [UInt8], split: Split = .train) throws -> Dataset {
    let folder = try TemporaryFolder()
    return try open(folder, try folder.file("images.npy", images), name, labels, split: split)
  }

  private static func open(
    _ folder: TemporaryFolder, _ path: String, _ name: String, _ labels: [UInt8], split: Split = .train,
    skipBad: Bool = false
  ) throws -> Dataset {
    var preparation = Preparation()
    preparation.labelsFile = try folder.file(name, labels)
    preparation.skipsBad = skipBad ? true : nil
    return try Dataset.open(path: path, split: split, preparation: preparation)
  }

  private static func words(_ values: [Int], _ width: Int, big: Bool = false) -> [UInt8] {
    values.flatMap { value in
      let bytes = (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return big ? bytes.reversed() : bytes
    }
  }

  // MARK: Arrays

  /// Labels 2, 0, 1, 2 as NumPy stores them under each type.
  @Test func numbersOfAnyTypeAreUnderstood() throws {
    let labels = [2, 0, 1, 2]
    let hot = labels.flatMap { label in (0..<3).map { $0 == label ? 1 : 0 } }
    var files: [(String, [UInt8])] = [
      ("<f4", labels.flatMap { littleEndian(Float($0).bitPattern) }),
      ("<f8", labels.flatMap { Self.words([Int(bitPattern: UInt(Double($0).bitPattern))], 8) }),
    ].map { ("a.npy", DiskImagesTests.npy($0, "4,", $1)) }
    for (type, width) in [("i1", 1), ("u1", 1), ("i2", 2), ("u2", 2), ("i4", 4), ("u4", 4), ("i8", 8), ("u8", 8)] {
      for order in ["<", ">"] {
        let descriptor = (width == 1 ? "|" : order) + type
        for (shape, values) in [("4,", labels), ("4, 1", labels), ("4, 3", hot)] {
          files.append(
            ("a.npy", DiskImagesTests.npy(descriptor, shape, Self.words(values, width, big: order == ">"))))
        }
      }
    }
    files.append(("a.npy", DiskImagesTests.npy("|b1", "4, 3", hot.map(UInt8.init))))
    files.append(("a.npy", DiskImagesTests.npy("<f4", "4, 3", hot.flatMap { littleEndian(Float($0).bitPattern) })))
    files.append(("a-idx1-ubyte", idx([4], [2, 0, 1, 2])))
    files += files.map { ("a.gz", gzip($0.1)) }
    for (name, content) in files {
      let data = try Self.open(name, content)
      #expect(data.labels == labels && data.classes == nil, "\(String(decoding: content.prefix(80), as: UTF8.self))")
    }
  }

  /// np.save of np.array(["cat", "dog", "kätzchen", "cat"]), and of np.array([b"cat", b"dog", b"k\xe4tz", b"cat"]).
  @Test func namesBecomeClasses() throws {
    let header = "k05VTVBZAQB2AHsnZGVzY3InOiAn"
    let rest =
      "JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDQsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
      + "ICAgICAgICAgICAgICAgICAgICAgIAp"
    let text = bytes(
      base64: header + "PFU4" + rest + "jAAAAYQAAAHQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAGQAAABvAAAAZwAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAawAAAOQAAAB0AAAAegAAAGMAAABoAAAAZQAAAG4AAABjAAAAYQAAAHQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")
    let data = try Self.open("a.npy", text)
    #expect(data.classes == ["cat", "dog", "kätzchen"] && data.labels == [0, 1, 2, 0])
    let latin = try Self.open("a.npy", bytes(base64: header + "fFM0" + rest + "jYXQAZG9nAGvkdHpjYXQA"))
    #expect(latin.classes == ["cat", "dog", #"k\xE4tz"#] && latin.labels == data.labels)
    let numbers = try Self.open("a.npy", DiskImagesTests.npy("|S2", "4,", Array("9\0102\010".utf8)))
    #expect(numbers.classes == ["2", "9", "10"] && numbers.labels == [1, 2, 0, 2] && numbers.className(3) == "10")
  }

  @Test func whatIsNoLabelIsRefusedWithAdvice() throws {
    let cases: [(content: [UInt8], fragments: [String])] = [
      (DiskImagesTests.npy("|O", "4,", [0x80]), ["type |O", "labels.astype(str)"]),
      (DiskImagesTests.npy("<M8[D]", "4,", Self.words([1, 2, 3, 4], 8)), ["<M8[D]", "labels.astype(str)"]),
      (DiskImagesTests.npy("<i8", "4,", Self.words([1, -1, 0, 1], 8)), ["found -1 at 1", "np.unique"]),
      (DiskImagesTests.npy("<u8", "4,", Self.words([1, -1, 0, 1], 8)), ["not whole at 1"]),
      (
        DiskImagesTests.npy("<f4", "4,", [Float.nan, 1, 2, 3].flatMap { littleEndian($0.bitPattern) }),
        ["not whole at 0"]
      ),
      (DiskImagesTests.npy("|u1", "4, 2", [0, 1, 1, 1, 0, 1, 1, 0]), ["found 2 other numbers than 0 in row 1"]),
      (DiskImagesTests.npy("|u1", "4, 2", [0, 1, 1, 0, 0, 0, 1, 0]), ["found 0 other", "row 2"]),
      (DiskImagesTests.npy("|S1", "4, 2", Array("abcdabcd".utf8)), ["one axis", "4 x 2", "labels[:, 0]"]),
      (DiskImagesTests.npy("|u1", "5,", [0, 1, 2, 3, 4]), ["wanted 4 labels", "images.npy", "found 5"]),
      (DiskImagesTests.npy("|u1", "4,", [0, 1, 2]), ["cut short"]),
      (DiskImagesTests.npy("<U1", "4,", Self.words([0xd800, 1, 1, 1], 4)), ["in Unicode", "at 0"]),
      (DiskImagesTests.npy("|S0", "9223372036854775807,", []), ["type |S0"]),
      (idx([4, 1, 1], [1, 2, 3, 4]), ["wanted labels, one dimension of bytes"]),
      ([1, 2, 0, 4], ["wanted labels as an IDX, NPY or NPZ file, or a CSV file"]),
      ([], ["wanted labels as an IDX"]),
    ]
    for (content, fragments) in cases {
      do {
        _ = try Self.open("labels", content)
        Issue.record("nothing was refused, wanted \(fragments)")
      } catch let error as DataError {
        #expect(error.path.hasSuffix("/labels") && fragments.allSatisfy(error.reason.contains), "\(error)")
      }
    }
    var preparation = Preparation()
    preparation.labelsFile = "/nowhere"
    let folder = try TemporaryFolder()
    let path = try folder.file("images.npy", Self.images)
    expectRefusal("/nowhere", "nothing there") { try Dataset.open(path: path, split: .train, preparation: preparation) }
  }

  @Test func archivesKeepTheirLabels() throws {
    let folder = try TemporaryFolder()
    let labels = DiskImagesTests.npy("<i8", "4,", Self.words([2, 0, 1, 2], 8))
    let hot = DiskImagesTests.npy("|u1", "4, 3", [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    let column = DiskImagesTests.npy("|u1", "4, 1", [2, 0, 1, 2])
    // As np.savez(images, labels) names them, whichever comes first.
    for other in [labels, hot, column] {
      for names in [["arr_0.npy", "arr_1.npy"], ["arr_1.npy", "arr_0.npy"]] {
        let path = try folder.file("a.npz", zip([(names[0], Self.images), (names[1], other)]))
        let data = try Dataset.open(path: path, split: .train)
        #expect(data.count == 4 && data.labels == [2, 0, 1, 2] && data.inventory.isPlain)
      }
    }
    // What is not read is named.
    let more = try folder.file("b.npz", zip([("x.npy", Self.images), ("ids.npy", labels), ("y.npy", hot)]))
    let data = try Dataset.open(path: more, split: .train)
    #expect(data.labels == [2, 0, 1, 2])
    #expect(data.inventory.skipped == [.init(reason: "arrays of something else", count: 1, names: ["ids"])])
    // A file of labels alone, of one set or of parts.
    #expect(try Self.open("l.npz", zip([("arr_0.npy", labels)])).labels == [2, 0, 1, 2])
    let parts = zip([("y_train.npy", labels), ("y_test.npy", column)])
    #expect(try Self.open("l.npz", parts, split: .test).labels == [2, 0, 1, 2])
    expectRefusal(more, "wanted one array of x") {
      let path = try folder.file("b.npz", zip([("x.npy", Self.images), ("data.npy", Self.images)]))
      return try Dataset.open(path: path, split: .train)
    }
  }

  // MARK: Tables

  @Test(arguments: [
    "name,class\na/0.png,red\na/1.png,blue\nb/0.png,red\nb/2.png,\"green, or \"\"so\"\"\"\n",
    "\u{feff}a/0.png,red\r\na/1.png,blue\r\n\r\nb/0.png,red\r\nb/2.png,\"green, or \"\"so\"\"\"",
    "index,class,name\n0,red,a/0.png\n1,blue,1\n2,red,b/0.png\n3,\"green, or \"\"so\"\"\",2.png\n",
    "photo\tkind\na/0.png\tred\n1.png\tblue\nb/0.png\tred\n2\t\"green, or \"\"so\"\"\"\n",
  ]) func tablesGoByName(_ text: String) throws {
    try FolderTests.folder(["a/0.png", "a/1.png", "b/0.png", "b/2.png"]) { folder in
      let data = try Self.open(folder, folder.path, "../\(UUID().uuidString).csv", Array(text.utf8))
      #expect(data.classes == ["blue", #"green, or "so""#, "red"] && data.labels == [2, 0, 2, 1])
      #expect(data.inventory.isPlain, "\(data.inventory.line)")
    }
  }

  @Test func tablesThatDoNotFitAreRefusedByTheirRow() throws {
    try FolderTests.folder(["a/0.png", "b/0.png", "b/1.png"]) { folder in
      let table = folder.path + "/table.csv"
      for (text, reason) in [
        ("a/0.png,x\nb/0.png,x\n", "found none for b/1.png; --skip-bad"),
        ("c,d\n", "found none for a/0.png and 2 more"),
        ("0.png,x\n", "row 1: wanted the name of one image, found 0.png, which several have"),
        ("1.png,x\nb/1.png,y\n", "row 2: wanted one class for b/1.png"),
        ("1.png,\"x\n0.png,x\n", "found none for a/0.png"),
        ("1.png,x\n0.png\n", "row 2: wanted 2 columns, found 1"), ("a,b,c\n", "found 3 columns"),
      ] {
        expectRefusal(table, reason) { try Self.open(folder, folder.path, "table.csv", Array(text.utf8)) }
      }
      let rows = "a/0.png,x\nz.png,q\nb/0.png,x\n"
      let data = try Self.open(folder, folder.path, "table.csv", Array(rows.utf8), skipBad: true)
      #expect(data.count == 2 && data.labels == [1, 1] && data.classes == ["q", "x"])
      #expect(data.inventory.leftOut.map(\.names) == [["b/1.png"]])
      #expect(data.inventory.notes.map(\.names) == [["z.png"]])
      // A change of the labels is seen like one of the images.
      let before = try #require(try DataTable(data))
      let other = try Self.open(
        folder, folder.path, "table.csv", Array((rows + "1.png,x\n").replacing("z", with: "y").utf8))
      let after = try #require(try DataTable(other))
      #expect(other.count == 3 && before.changes(to: after) == "1 new (b/1.png)", "\(before.changes(to: after))")
    }
  }
}
