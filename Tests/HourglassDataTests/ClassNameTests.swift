import HourglassModels
import Testing

@testable import HourglassData

@Suite("Classes across sets")
struct ClassNameTests {
  private static func set(_ labels: [Int], _ classes: [String]?) throws -> Dataset {
    var set = try Dataset(
      .bytes([UInt8](repeating: 0, count: labels.count)), shape: ImageShape(1, 1, 1), labels: labels, source: "set")
    set.classes = classes
    return set
  }

  @Test("Classes go by name, those that are unknown come behind")
  func relabelled() throws {
    let known = ["cat", "dog", "eel"]
    for (labels, classes, wanted, unknown) in [
      ([0, 0], ["dog"], [1, 1], []), ([0, 1, 2], ["eel", "cat", "dog"], [2, 0, 1], []),
      ([0, 1, 2, 3], ["ant", "bee", "cat", "dog"], [3, 4, 0, 1], ["ant", "bee"]),
      // A class without images is nowhere unknown.
      ([1, 1], ["ant", "cat"], [0, 0], []), ([1, 2, 0], known, [1, 2, 0], []),
      // Labels without names are numbers of classes.
      ([2, 0], nil, [2, 0], []), ([1, 3, 5], nil, [1, 3, 4], ["3", "5"]), ([-1], nil, [3], ["-1"]),
    ] as [([Int], [String]?, [Int], [String])] {
      let set = try Self.set(labels, classes).relabelled(by: known)
      #expect(set.labels == wanted && set.unknownClasses == unknown && set.classes == known + unknown)
      #expect(labels.indices.allSatisfy { set.className($0) == (known + unknown)[wanted[$0]] })
      let strangers = wanted.count { $0 >= 3 }
      #expect(set.inventory.notes.map(\.count) == (strangers == 0 ? [] : [strangers]))
    }
    // Or names, where all of them are some.
    #expect(try Self.set([1, 12], nil).relabelled(by: ["1", "2", "12"]).labels == [0, 2])
    #expect(try Self.set([1, 3], nil).relabelled(by: ["1", "2", "12"]).labels == [1, 3])
    #expect(try Self.set([0, 1], ["7", "3"]).relabelled(by: (0..<10).map { "\($0)" }).labels == [7, 3])
  }

  @Test("Sets without names are compared by their numbers")
  func numbered() throws {
    let (named, numbered) = (try Self.set([0, 1], ["b", "0"]), try Self.set([0, 5], nil))
    #expect(try numbered.relabelled(as: try Self.set([0, 2], nil)).labels == [0, 5])
    #expect(try named.relabelled(as: numbered).labels == [6, 0])
    #expect(try numbered.classNames() == ["0", "1", "2", "3", "4", "5"] && named.classNames() == ["b", "0"])
  }

  /// Bytes of `numpy.save` for the same arrays, from 128 on after a header that is padded to there.
  @Test("Columns are written as NumPy reads them")
  func columns() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.npz"
    try NPZFile.write(
      columns: [("a", .texts(["cat/ü", "x"])), ("b", .integers([3, 258])), ("c", .floats([1, 2, 3, 4], width: 2))],
      to: path)
    let zip = try ZipFile(path)
    #expect(zip.members.map(\.name) == ["a.npy", "b.npy", "c.npy"])
    let texts = try zip.contents(zip.members[0])
    #expect(
      String(decoding: texts[10..<127], as: UTF8.self).hasPrefix(
        "{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }"))
    let characters = stride(from: 128, to: texts.count, by: 4).map { Int(texts[$0]) + Int(texts[$0 + 1]) << 8 }
    #expect(characters == [99, 97, 116, 47, 252, 120, 0, 0, 0, 0])
    let integers = try zip.contents(zip.members[1])
    #expect(Array(integers[128...]) == [3, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    #expect(try Labels(npy: integers, path: "").numbers == [3, 258])
    #expect(try NPYFile.decodeFloats(zip.contents(zip.members[2]), path: "").shape == [2, 2])
  }
}
