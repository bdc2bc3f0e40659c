import CZlib
import HourglassData
import Testing

@Suite struct GzipFileTests {
  static let text = Array("It is by will alone I set my mind in motion.".utf8)

  @Test func plainAndGzipGiveTheSameBytesWhateverTheName() throws {
    let folder = try TemporaryFolder()
    let long = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
    let cases: [(name: String, content: [UInt8], wanted: [UInt8])] = [
      ("plain", Self.text, Self.text), ("plain.gz", Self.text, Self.text), ("packed", gzip(Self.text), Self.text),
      ("long.gz", gzip(long), long), ("two.gz", gzip(Self.text) + gzip(long), Self.text + long),
      ("empty", [], []), ("empty.gz", gzip([]), []), ("short", [0x1f], [0x1f]),
    ]
    for (name, content, wanted) in cases {
      let path = try folder.file(name, content)
      #expect(try GzipFile(path).read(Int.max) == wanted, "\(name)")
      let parts = try GzipFile(path)
      #expect(try parts.read(10) + parts.read(Int.max) == wanted, "\(name) in two parts")
      #expect(try GzipFile(path).countRemaining(upTo: 1 << 20) == wanted.count, "\(name) counted")
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let folder = try TemporaryFolder()
    let packed = gzip(Self.text)
    for length in 2..<packed.count {
      let path = try folder.file("cut.gz", Array(packed[..<length]))
      expectRefusal(path, "cut short", "\(length) bytes") { try GzipFile(path).read(Int.max) }
    }
  }

  @Test func wrongChecksumsAndTrailingBytesAreRefused() throws {
    let folder = try TemporaryFolder()
    var wrong = gzip(Self.text)
    wrong[wrong.count - 8] ^= 1
    let crc = try folder.file("crc.gz", wrong)
    expectRefusal(crc, "checksum") { try GzipFile(crc).read(Int.max) }
    let trailing = try folder.file("trailing.gz", gzip(Self.text) + Array("more".utf8))
    expectRefusal(trailing, "not gzip") { try GzipFile(trailing).read(Int.max) }
    expectRefusal(folder.path, "wanted a file, found a folder") { try GzipFile(folder.path) }
    expectRefusal(folder.path + "/none", "No such file") { try GzipFile(folder.path + "/none") }
  }

  @Test func aBombIsRefusedWithoutInflatingIt() throws {
    // 64 MiB of zeros behind a header that claims one image of 2 x 2.
    var content = idx([1, 2, 2], [])
    content += [UInt8](repeating: 0, count: 64 << 20)
    var length = compressBound(UInt(content.count)) + 64
    var packed = [UInt8](repeating: 0, count: Int(length))
    var stream = z_stream()
    #expect(
      deflateInit2_(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        == Z_OK)
    content.withUnsafeMutableBufferPointer { input in
      packed.withUnsafeMutableBufferPointer { output in
        (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
        (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
        #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
      }
    }
    length = stream.total_out
    deflateEnd(&stream)
    let folder = try TemporaryFolder()
    let path = try folder.file("bomb.gz", Array(packed[..<Int(length)]))
    expectRefusal(path, "wanted 4 bytes", "at least 1048576 more") { try IDXFile.read(path) }
  }
}
