import Foundation
import HourglassData
import Testing

@Suite struct AtomicFileTests {
  @Test func aFileIsReplacedWhole() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.txt"
    for text in ["first", "", "the third, longer than the first"] {
      try AtomicFile.write(text, to: path)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
    #expect(folder.names == ["a.txt"])
  }

  /// A process that may write no more bytes stands for a full disk.
  @Test func onAFullDiskTheOldFileStays() async throws {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let path = try folder.file("a.txt", Array("old".utf8))
      signal(SIGXFSZ, SIG_IGN)
      var full = rlimit(rlim_cur: 1000, rlim_max: .max)
      precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &full) == 0)
      do {
        try AtomicFile.write(String(repeating: "new", count: 1000), to: path)
        preconditionFailure("written beyond the limit")
      } catch let error as DataError {
        precondition(error.path == path && error.isOutput, "\(error)")
        precondition(error.reason == "cannot be written (3000 bytes), what was there before is kept: File too large")
      }
      precondition(FileManager.default.contents(atPath: path) == Data("old".utf8))
      precondition(folder.names == ["a.txt"], "\(folder.names)")
    }
  }

  /// What a killed process left is taken over; modes stay, and links lead to what they led to.
  @Test func aFileThatIsReplacedKeepsItsModeAndLinks() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.txt", Array("old".utf8))
    _ = try folder.file(".a.txt.tmp", Array("half of what a killed process wrote, which is longer".utf8))
    #expect(chmod(path, 0o640) == 0)
    let link = folder.path + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "a.txt")
    try AtomicFile.write("new", to: link)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "a.txt")
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o640 && folder.names == ["a.txt", "link"])
    let dangling = folder.path + "/dangling"
    try FileManager.default.createSymbolicLink(atPath: dangling, withDestinationPath: "b.txt")
    try AtomicFile.write("made", to: dangling)
    #expect(folder.names == ["a.txt", "b.txt", "dangling", "link"])
  }

  @Test func twoWritersOfOneFileDoNotMix() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.txt"
    try AtomicFile.write(pieces: 2, to: path) { piece throws(DataError) in
      if piece == 1 {
        expectRefusal(path, "another process writing it") { try AtomicFile.write("second", to: path) }
      }
      return Data("first".utf8)
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "firstfirst" && folder.names == ["a.txt"])
  }

  @Test func aLockIsHeldByOneAndNamesItsHolder() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/lock"
    var lock: FileLock? = try FileLock(path, use: "a run")
    expectRefusal(path, "process \(getpid()) on \(ProcessInfo.processInfo.hostName)") {
      _ = try FileLock(path, use: "a run")
    }
    withExtendedLifetime(lock) {}
    lock = nil
    _ = try FileLock(path, use: "a run")
  }

  @Test func failuresLeaveNothingBehind() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path + "/none/a.txt"
    expectRefusal(missing, "No such file or directory") { try AtomicFile.write("new", to: missing) }
    let occupied = folder.path + "/occupied"
    try FileManager.default.createDirectory(atPath: occupied, withIntermediateDirectories: true)
    expectRefusal(occupied, "found a folder") { try AtomicFile.write("new", to: occupied) }
    expectRefusal("/dev/null", "a device") { try AtomicFile.write("new", to: "/dev/null") }
    #expect(folder.names == ["occupied"])
  }
}

@Suite struct SHA256Tests {
  /// The examples of FIPS 180-4 (NIST, "Cryptographic Standards and Guidelines: Examples with Intermediate Values").
  @Test(arguments: [
    ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (String(repeating: "a", count: 1000), 1000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  ])
  func knownAnswers(text: String, times: Int, digits: String) {
    var hash = SHA256()
    let bytes = Array(text.utf8)
    for _ in 0..<times { bytes.withUnsafeBytes { hash.update($0) } }
    #expect(hash.hexDigits() == digits)
  }
}
