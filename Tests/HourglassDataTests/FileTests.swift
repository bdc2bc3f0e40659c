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

  /// The temporary file is made a link to /dev/full, on which every write fails as on a full disk.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "this system has no /dev/full"))
  func onAFullDiskTheOldFileStays() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.txt", Array("old".utf8))
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/.a.txt.\(getpid()).tmp", withDestinationPath: "/dev/full")
    expectRefusal(path, "cannot be written", "No space left on device", "kept") {
      try AtomicFile.write("new", to: path)
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    #expect(folder.names == ["a.txt"])
  }

  @Test func failuresLeaveNothingBehind() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path + "/none/a.txt"
    expectRefusal(missing, "No such file or directory") { try AtomicFile.write("new", to: missing) }
    let occupied = folder.path + "/occupied"
    try FileManager.default.createDirectory(atPath: occupied, withIntermediateDirectories: true)
    expectRefusal(occupied, "Is a directory") { try AtomicFile.write("new", to: occupied) }
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
