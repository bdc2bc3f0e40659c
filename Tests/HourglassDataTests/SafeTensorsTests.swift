import Foundation
import HourglassData
import Testing

@Suite struct SafeTensorsTests {
  /// Written by Python's safetensors, by Reference/reference.py.
  static let python = bytes(
    base64: """
      uAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzdGVwIjoiMTIgXCJzbyBmYXJcIiJ9LCJlbmNvZGVyLjAuYmlhcyI6eyJkdHlwZSI6IkYzMiIsInNo\
      YXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzAsNF19LCJlbmNvZGVyLjAud2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDNdLCJkYXRh\
      X29mZnNldHMiOls0LDI4XX19ICAgICAgAADAvwAAAAAAAIA+AAAAPwAAQD8AAIA/AACgPw==
      """)
  static let contents = SafeTensors(
    tensors: [
      .init(name: "encoder.0.bias", shape: [1], values: [-1.5]),
      .init(name: "encoder.0.weight", shape: [2, 3], values: [0, 0.25, 0.5, 0.75, 1, 1.25]),
    ], metadata: ["step": "12 \"so far\""])

  @Test func bytesAreThoseOfPythonInBothDirections() throws {
    let folder = try TemporaryFolder()
    #expect(try SafeTensors.read(folder.file("a", Self.python)) == Self.contents)
    let written = folder.path + "/b"
    try Self.contents.write(to: written)
    #expect(FileManager.default.contents(atPath: written).map { [UInt8]($0) } == Self.python)
  }

  @Test func everythingComesBack() throws {
    let folder = try TemporaryFolder()
    let cases = [
      SafeTensors(tensors: []),
      SafeTensors(
        tensors: [.init(name: "x", shape: [], values: [.pi])], metadata: ["b": "", "a": "\u{1}\n\\\"/é😀"]),
      SafeTensors(
        tensors: [
          .init(name: "z \"quoted\"", shape: [2, 0], values: []),
          .init(name: "b", shape: [2], values: [.infinity, -0.0]),
          .init(name: "a", shape: [1, 1, 3, 1], values: [1, 2, .leastNonzeroMagnitude]),
        ]),
    ]
    for contents in cases {
      let path = folder.path + "/a.safetensors"
      try contents.write(to: path)
      #expect(try SafeTensors.read(path) == contents)
      let bytes = try #require(FileManager.default.contents(atPath: path))
      try contents.write(to: path)
      #expect(FileManager.default.contents(atPath: path) == bytes && (bytes.count - 8) % 4 == 0)
      #expect(bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } % 8 == 0)
    }
    #expect(Self.contents["encoder.0.bias"]?.values == [-1.5] && Self.contents["none"] == nil)
  }

  @Test func brokenFilesAreRefusedWithTheirReason() throws {
    func made(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
      let length = length ?? UInt64(header.utf8.count)
      return (0..<8).map { UInt8(length >> (8 * $0) & 255) } + header.utf8 + [UInt8](repeating: 0, count: data)
    }
    func entry(_ from: Int, _ to: Int, shape: String = "[2]", type: String = "F32") -> String {
      "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(from),\(to)]}"
    }
    let cases: [(content: [UInt8], fragments: [String])] = [
      ([1, 2, 3], ["at least 8 bytes, found 3"]),
      (made("{}", length: .max), ["header of 18446744073709551615 bytes", "found 2"]),
      (made("{}", length: 3), ["header of 3 bytes, found 2"]),
      (made("{\"a\""), ["header"]),
      (made("[]"), ["header"]),
      (made("{\"a\":{\"dtype\":\"F32\"}}"), ["a: ", "wanted a field"]),
      (made("{\"__metadata__\":{\"a\":1}}"), ["header"]),
      (made("{\"a\":\(entry(0, 8, type: "I64"))}", data: 8), ["tensor a", "wanted the type F32, found I64"]),
      (made("{\"a\":\(entry(0, 8))}", data: 4), ["within 4 bytes", "[0, 8]", "cut short"]),
      (made("{\"a\":\(entry(8, 0))}", data: 8), ["tensor a", "[8, 0]"]),
      (made("{\"a\":\(entry(-8, 0))}", data: 8), ["tensor a"]),
      (made("{\"a\":\(entry(4, 12))}", data: 12), ["wanted to begin", "at 0, found 4"]),
      (made("{\"a\":\(entry(0, 8)),\"b\":\(entry(4, 12))}", data: 12), ["tensor b", "at 8, found 4"]),
      (made("{\"a\":\(entry(0, 8, shape: "[3]"))}", data: 8), ["shape [3]", "8 bytes"]),
      (made("{\"a\":\(entry(0, 8, shape: "[-1,-2]"))}", data: 8), ["shape [-1, -2]"]),
      (made("{\"a\":\(entry(0, 8, shape: "[4611686018427387904,4]"))}", data: 8), ["does not fill"]),
      (made("{\"a\":\(entry(0, 8)),\"a\":\(entry(0, 8))}", data: 8), ["found two"]),
      (made("{\"a\":\(entry(0, 8)),\"\\u0061\":\(entry(8, 16))}", data: 16), ["found two"]),
      (made("{\"\u{e9}\":\(entry(0, 8)),\"e\u{301}\":\(entry(8, 16))}", data: 16), ["found two"]),
      (made("{\"__metadata__\":{\"b\":\"1\",\"b\":\"2\"}}"), ["found two"]),
      (
        made("{\"a\":{\"dtype\":\"I64\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8),
        ["a.dtype: wanted one value"]
      ),
      (made("{\"a\":\(entry(0, 8))}", data: 12), ["describes 8 bytes of data, found 12"]),
    ]
    let folder = try TemporaryFolder()
    for (content, fragments) in cases {
      let path = try folder.file("a", content)
      for fragment in fragments { expectRefusal(path, fragment) { try SafeTensors.read(path) } }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let folder = try TemporaryFolder()
    for length in 0..<Self.python.count {
      let path = try folder.file("a", Array(Self.python[..<length]))
      #expect(throws: DataError.self) { try SafeTensors.read(path) }
    }
  }
}
