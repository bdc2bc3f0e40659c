import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

@Suite struct InputFileTests {
  @Test func onlyAFileThatIsNotThereIsNone() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a", [1, 2, 3])
    #expect(try InputFile.contents(ifThere: path) == [1, 2, 3] && InputFile.contents(of: path) == [1, 2, 3])
    #expect(try InputFile.contents(ifThere: folder.path + "/b") == nil)
    #expect(try InputFile.contents(ifThere: path + "/below") == nil && InputFile.isThere(folder.path))
    let loop = folder.path + "/loop"
    try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
    expectRefusal(loop, "cannot be looked up", "Too many levels") { try InputFile.contents(ifThere: loop) }
    expectRefusal(folder.path, "wanted a file, found a folder") { try InputFile.contents(ifThere: folder.path) }
    // As files of the kernel do, it holds more than it says.
    expectRefusal("/proc/self/status", "wanted the 0 bytes", "it is being written") {
      try InputFile.contents(of: "/proc/self/status")
    }
  }

  /// Nothing writes to the pipes, and the devices never end: whoever waited would do so for ever.
  @Test(.timeLimit(.minutes(1))) func whatIsNoFileIsNotWaitedFor() throws {
    let folder = try TemporaryFolder()
    let kinds: [(path: String, kind: String)] = [
      (folder.path + "/pipe", "found a pipe"), (folder.path + "/socket", "found a socket"),
      ("/dev/zero", "found a device"),
    ]
    mkfifo(kinds[0].path, 0o600)
    let socket = try Self.socket(kinds[1].path)
    defer { close(socket) }
    for (path, kind) in kinds { expectRefusal(path, kind) { try InputFile(path) } }

    // Under every name that a reader looks for, alone, in a folder, and beside what is read.
    let names = ["a.png", "a.jpg", "a.npy", "a.npz", "a.npy.gz", "a.bin", "a-idx3-ubyte", "a.txt", "a.tsv", "a"]
    for (target, kind) in kinds {
      for name in names {
        let lone = try TemporaryFolder()
        let path = "\(lone.path)/\(name)"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        if name.hasPrefix("a.t") { _ = try lone.file("vocab.txt", Array("a\n".utf8)) }
        expectRefusal(path, kind) { try Dataset.open(path: path, split: .train) }
        if name.hasSuffix("g") { expectRefusal(path, kind) { try Dataset.open(path: lone.path, split: .train) } }
      }
      for reader in FuzzedReader.all where !reader.others.isEmpty {
        for name in reader.others.keys {
          let full = try TemporaryFolder()
          let path = try full.file(reader.file, reader.original)
          for (other, content) in reader.others where other != name { _ = try full.file(other, content) }
          let place = URL(fileURLWithPath: "\(full.path)/\(name)")
          try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
          try FileManager.default.createSymbolicLink(atPath: place.path, withDestinationPath: target)
          // What belongs to the other split is not opened.
          if name.hasPrefix("test/") { continue }
          expectRefusal(place.path, kind) { try reader.read(path, full.path) }
        }
      }
      expectRefusal(target, kind) { try SafeTensors.read(target) }
      expectRefusal(target, kind) { try NPZFile.tensors(target) }
    }
  }

  private static func socket(_ path: String) throws -> Int32 {
    let socket = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(107)) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
    return socket
  }
}

/// What claims more than is granted is refused in a sentence, and nothing traps: in a child process that may take
/// little more than it has.
@Suite(.enabled(if: !isSanitized, "sanitizers take terabytes of addresses")) struct GrantedMemoryTests {
  @Test func aNeedIsComparedWithWhatIsLeft() async throws {
    #expect(GrantedMemory.available > 0 && UInt64(GrantedMemory.available) <= GrantedMemory.bytes)
    #expect(GrantedMemory.forImages <= GrantedMemory.available / 2)
    try GrantedMemory.require(2 << 20, for: "a", "hold it")
    for need in [Int.max, nil] {
      expectRefusal("a", "wanted memory to hold it within", "MiB that", "still grants, found a need of", "; do so") {
        try GrantedMemory.require(need, for: "a", "hold it", advice: "do so")
      }
    }
    await #expect(processExitsWith: .success) {
      try limitAddressSpace(toFurther: 64 << 20)
      expectRefusal("a", "ulimit -v still grants, found a need of 64 MiB") {
        try GrantedMemory.require(64 << 20, for: "a", "hold it")
      }
      try GrantedMemory.require(32 << 20, for: "a", "hold it")
      // What is taken is no longer left.
      let taken = [UInt8](repeating: 1, count: 32 << 20)
      expectRefusal("a", "ulimit -v") { try GrantedMemory.require(32 << 20, for: "a", "hold it") }
      try #require(taken.last == 1)
    }
  }

  /// Files of a terabyte, nearly all of it a hole.
  @Test func largeFilesAreNotBelieved() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try limitAddressSpace(toFurther: 64 << 20)
      func hole(_ name: String, _ start: [UInt8] = []) throws -> String {
        let path = try folder.file(name, start)
        try #require(truncate(path, 1 << 40) == 0)
        return path
      }
      for name in ["a.png", "a.jpg", "a.npz", "a.txt", "a.tsv"] {
        let picture = FuzzedReader.all.first { $0.file == name }?.original ?? []
        let path = try hole(name, name == "a.npz" ? ZipFile.magic : name.hasSuffix("g") ? picture : [])
        if name.hasPrefix("a.t") { _ = try folder.file("vocab.txt", Array("a\n".utf8)) }
        expectRefusal(path, "wanted memory to", "ulimit -v still grants") {
          try Dataset.open(path: path, split: .train)
        }
      }
      // Headers of 0 bytes, of 100 MB and of more than the format allows; then tensors that are not as long as said.
      for (length, reason) in [
        (0, "no valid JSON"), (100_000_000, "wanted memory to"), (100_000_001, "at most 100000000"),
      ] {
        let weights = try hole("a.safetensors", (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) })
        expectRefusal(weights, reason) { try SafeTensors.read(weights) }
      }
      let header = #"{"a":{"dtype":"F32","shape":[274877906922],"data_offsets":[0,1099511627688]}}   "#
      let weights = try hole("a.safetensors", [80, 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8))
      expectRefusal(weights, "wanted memory to read a") { try SafeTensors.read(weights) }
      for name in ["vocab.txt", "classes.txt"] {
        let set = try TemporaryFolder()
        for other in ["bow-train.txt", "vocab.txt", "classes.txt"] {
          _ = try set.file(other, Array((other == "bow-train.txt" ? "0 0:1\n" : "a\n").utf8))
        }
        let path = "\(set.path)/\(name)"
        try #require(truncate(path, 1 << 40) == 0)
        expectRefusal(path, "wanted memory to") { try Dataset.open(path: set.path, split: .train) }
      }
      // Arrays stay on disk, but not what is made for each image.
      let many = try hole("many-idx3-ubyte", idx([1 << 30, 32, 32], []))
      let size = 16 + 1 << 40
      try #require(truncate(many, off_t(size)) == 0)
      expectRefusal(many, "wanted memory to choose among 1073741824 images") {
        try Dataset.open(path: many, split: .train)
      }
      let large = try hole("large-idx3-ubyte", idx([1, 1 << 20, 1 << 20], []))
      try #require(truncate(large, off_t(size)) == 0)
      let data = try Dataset.open(path: large, split: .train)
      expectRefusal(large, "wanted memory to") { try DatasetSummary(data) }
      expectRefusal(large, "wanted memory to", "take fewer") { try data.images(0..<1) }
      expectRefusal(large, "wanted memory to") { try NPYFile.write(data, to: folder.path + "/out.npy") }
      #expect(!folder.names.contains("out.npy"))
    }
  }

  /// What is packed well: a gzip file of 256 MiB, a PNG of 16,000 x 16,000, and images that are to become large.
  @Test func whatGrowsIsNotBelieved() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let zeros = gzipOfZeros(1 << 28)
      let header = { (shape: String) in DiskImagesTests.npy("|u1", shape, []) }
      let packed = [
        ("a.npy.gz", header("1024, 512, 512")), ("a.gz", idx([1024, 512, 512], [])), ("a.bin.gz", [UInt8]()),
        ("a.txt.gz", Array("0 0:1\n".utf8)), ("a.tsv.gz", Array("0\ta\n".utf8)), ("vocab.txt", [UInt8]()),
      ]
      for (name, start) in packed { _ = try folder.file(name, gzip(start) + zeros) }
      let picture = try folder.file("a.png", whitePNG(16_000))
      let small = try folder.file("small.png", whitePNG(16))
      try limitAddressSpace(toFurther: 64 << 20)
      expectRefusal(picture, "wanted memory to decode 16000 x 16000 pixels") {
        try Dataset.open(path: picture, split: .train)
      }
      for (name, _) in packed where !name.hasPrefix("a.t") && name != "vocab.txt" {
        let path = "\(folder.path)/\(name)"
        expectRefusal(path, "MiB") { try Dataset.open(path: path, split: .train) }
      }
      expectRefusal("\(folder.path)/vocab.txt", "wanted memory to hold") {
        try Dataset.open(path: folder.path + "/a.txt.gz", split: .train)
      }
      _ = try folder.file("vocab.txt", Array("a\n".utf8))
      for name in ["a.txt.gz", "a.tsv.gz"] {
        let path = "\(folder.path)/\(name)"
        expectRefusal(path, "wanted memory to hold") { try Dataset.open(path: path, split: .train) }
      }
      for size in [4096, 65_536, 65_537, Int.max, 0, -1] {
        var preparation = Preparation()
        preparation.resize = Extent2D(size, size)
        expectRefusal(small, (1...65_536).contains(size) ? "wanted memory to prepare" : "--resize: wanted a width") {
          try Dataset.open(path: small, split: .train, preparation: preparation)
        }
      }
      for (shape, count) in [
        (ImageShape(65_536, 65_536, 3), 1), (ImageShape(8, 8, 1), 1 << 24), (ImageShape(8, 8, 1), Int.max),
        (ImageShape(.max, .max, 3), 2), (ImageShape(8, 8, 1), -1),
      ] {
        let images = try SyntheticImages(shape: shape, seed: 1, split: .train)
        expectRefusal("built-in images", "wanted memory to draw", "smaller or fewer") { try images.make(count: count) }
      }
      let set = folder.path + "/set"
      expectRefusal(set, "wanted memory to draw and write an image") {
        try SyntheticImages.write(shape: ImageShape(65_536, 65_536, 3), count: 8, seed: 1, to: set)
      }
      #expect(!folder.names.contains { $0.contains("set") })
    }
  }

  /// Threads that decode at once share what is left: a set opens or is refused, whatever the limit.
  @Test(arguments: [4, 8, 12, 16, 24, 32, 48, 64, 96, 192]) func threadsDoNotTakeTheSameRest(_ limit: Int) async {
    await #expect(processExitsWith: .success) { [limit = limit as Int] in
      let folder = try TemporaryFolder()
      let picture = whitePNG(1200)
      for i in 0..<8 { _ = try folder.file("\(i).png", picture) }
      let path = folder.path
      try limitAddressSpace(toFurther: UInt64(limit) << 20)
      do {
        let data = try Dataset.open(path: path, split: .train)
        #expect(data.count == 8 && data.refused.isEmpty)
      } catch let error as DataError {
        #expect(limit < 192 && error.lacksMemory, "\(error)")
      }
    }
  }
}
