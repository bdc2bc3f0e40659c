import Foundation
import HourglassData
import HourglassModels
import Testing

/// Sets that memory cannot hold are left in their files and are the same sets.
@Suite struct DiskImagesTests {
  private static let pixels: [UInt8] = (0..<360).map { (i: Int) -> UInt8 in UInt8((i * 89 + 7) % 251) }

  static func npy(_ type: String, _ shape: String, _ data: [UInt8]) -> [UInt8] {
    let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape)), }\n"
    var bytes = Array(NPYFileTests.floatArray[..<8])
    bytes += [UInt8(header.utf8.count), 0]
    return bytes + Array(header.utf8) + data
  }

  private static let files: [(name: String, content: [UInt8])] = {
    let floats = pixels.flatMap { littleEndian((Float($0) / 255).bitPattern) }
    return [
      ("a.npy", npy("|u1", "6, 4, 5, 3", pixels)), ("b.npy", npy("|u1", "6, 3, 5, 4", pixels)),
      ("c.npy", npy("<f4", "6, 5, 12", floats)), ("d.npy", npy("<f4", "6, 3, 4, 5", floats)),
      ("e-idx3-ubyte", idx([6, 12, 5], pixels)), ("f.bin", RecordFileTests.records([3, 1, 4, 1, 5, 9])),
    ]
  }()

  @Test func setsOnDiskHoldWhatReadOnesHold() throws {
    let folder = try TemporaryFolder()
    for (name, content) in Self.files {
      let path = try folder.file(name, content)
      for limit in [nil, 4] as [Int?] {
        var preparation = Preparation()
        preparation.limit = limit
        let read = try Dataset.open(path: path, split: .train, preparation: preparation)
        let onDisk = try Dataset.open(path: path, split: .train, preparation: preparation, memory: 100)
        #expect(onDisk.isOnDisk && !read.isOnDisk && onDisk.elements == read.elements, "\(name)")
        #expect(onDisk.count == limit ?? 6 && onDisk.shape == read.shape && onDisk.labels == read.labels)
        #expect(try (0..<onDisk.count).allSatisfy { try onDisk.image($0) == read.image($0) }, "\(name)")
        onDisk.announce([0, 1, 2, 3])
        try NPYFile.write(onDisk, to: folder.path + "/out.npy")
        let exported = try Dataset.open(path: folder.path + "/out.npy", split: .train)
        #expect(try (0..<onDisk.count).allSatisfy { try exported.image($0) == read.image($0) }, "\(name)")
      }
      // What is made of them may fit.
      var preparation = Preparation()
      preparation.resize = Extent2D(2, 2)
      let small = try Dataset.open(path: path, split: .train, preparation: preparation, memory: 300)
      let read = try Dataset.open(path: path, split: .train, preparation: preparation)
      #expect(try !small.isOnDisk && (0..<6).allSatisfy { try small.image($0) == read.image($0) })
    }
  }

  @Test func whatCannotStayOnDiskIsRefused() throws {
    let folder = try TemporaryFolder()
    func refusal(_ name: String, _ content: [UInt8], _ fragments: String...) throws {
      let path = try folder.file(name, content)
      for fragment in fragments {
        expectRefusal(path, fragment) { try Dataset.open(path: path, split: .train, memory: 100) }
      }
    }
    for (name, content) in Self.files {
      try refusal(name, Array(content.dropLast()), "wanted", "cut short")
      try refusal(name + ".gz", gzip(content), "not compressed", "gunzip")
    }
    let bad = Self.npy("<f4", "2, 4, 4", [UInt8](repeating: 0, count: 124) + littleEndian(Float.nan.bitPattern))
    try refusal("nan.npy", bad, "image 1: wanted finite numbers, found nan")
    try refusal("double.npy", Self.npy("<f8", "1, 4, 4", [UInt8](repeating: 0, count: 128)), "|u1, <f4, found '<f8'")
  }

  /// Neither a trap (SIGBUS, were it mapped) nor pixels of something else.
  @Test func aFileThatIsCutShortWhileItIsUsedIsNamed() throws {
    let folder = try TemporaryFolder()
    for (name, content) in Self.files {
      let path = try folder.file(name, content)
      let data = try Dataset.open(path: path, split: .train, memory: 100)
      let last = try data.image(5)
      try #require(truncate(path, off_t(content.count - 1)) == 0)
      data.announce([0, 5])
      #expect(throws: Never.self) { try data.image(0) }
      for _ in 0..<2 {
        expectRefusal(path, "image 5: wanted \(content.count) bytes", "cut short") { try data.image(5) }
      }
      // Whole again, as if it had been copied anew.
      let file = try #require(fopen(path, "r+"))
      fwrite(content, 1, content.count, file)
      fclose(file)
      #expect(try data.image(5) == last)
    }
  }

  /// Planes larger than what is read at a time, of which none begins where a part does.
  @Test(arguments: ["|u1", "<f4"]) func planesOfAnySizeAreInterleaved(_ type: String) throws {
    let (height, width, channels) = (67, 71, 3)
    let count = height * width * channels
    let bytes = (0..<2 * count).map { UInt8($0 * 31 % 251) }
    let content = type == "|u1" ? bytes : bytes.flatMap { littleEndian((Float($0) / 255).bitPattern) }
    let folder = try TemporaryFolder()
    let path = try folder.file("a.npy", Self.npy(type, "2, \(channels), \(height), \(width)", content))
    let data = try Dataset.open(path: path, split: .train, memory: 1000)
    #expect(data.isOnDisk)
    for n in 0..<2 {
      let image = try data.image(n)
      let wanted = (0..<count).map { Float(bytes[n * count + $0 % channels * height * width + $0 / channels]) / 255 }
      #expect(image == wanted)
    }
  }
}
