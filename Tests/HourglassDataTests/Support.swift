import CZlib
import Foundation
import HourglassData
import TestSupport
import Testing

/// A folder of its own for one test, removed at the end.
final class TemporaryFolder {
  let path: String

  private let isOwn: Bool

  init() throws {
    (path, isOwn) = (NSTemporaryDirectory() + "hourglass-data-" + UUID().uuidString, true)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// The folder of another process, which is left to it.
  init(at path: String) { (self.path, isOwn) = (path, false) }

  deinit { if isOwn { try? FileManager.default.removeItem(atPath: path) } }

  /// Writes a file without the code under test and returns its path. A new file each time, by the C library: otherwise
  /// it would be synced, which is slow for hundreds of files.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(path)/\(name)"
    if name.contains("/") {
      try FileManager.default.createDirectory(
        atPath: String(path[..<path.lastIndex(of: "/")!]), withIntermediateDirectories: true)
    }
    unlink(path)
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    return path
  }

  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}

/// Lets this process take so many bytes of addresses more, and no more. Sanitizers, which take terabytes, go without.
func limitAddressSpace(toFurther bytes: UInt64) throws {
  if isSanitized { return }
  let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).prefix { $0 != " " }
  let most = try #require(UInt64(pages)) * UInt64(getpagesize()) + bytes
  var limit = rlimit(rlim_cur: rlim_t(most), rlim_max: rlim_t(most))
  let status = setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  try #require(status == 0)
}

/// The folder of real data, or nil where there is none.
let realData = ProcessInfo.processInfo.environment["HOURGLASS_DATA"].flatMap {
  FileManager.default.fileExists(atPath: $0) ? $0 : nil
}
let withoutRealData: Comment = "HOURGLASS_DATA does not name a folder of real data"

func bytes(base64: String) -> [UInt8] { [UInt8](Data(base64Encoded: base64)!) }

/// Expects a `DataError` about `path` whose reason has all `fragments`.
func expectRefusal<T>(
  _ path: String, _ fragments: String..., at location: SourceLocation = #_sourceLocation, _ body: () throws -> T
) {
  do {
    _ = try body()
    Issue.record("nothing was refused, wanted an error with \(fragments)", sourceLocation: location)
  } catch let error as DataError {
    #expect(error.path == path, sourceLocation: location)
    #expect(error.description.hasPrefix(path + ": "), sourceLocation: location)
    for fragment in fragments {
      #expect(error.reason.contains(fragment), "\(error)", sourceLocation: location)
    }
  } catch {
    Issue.record("wanted a DataError, found \(error)", sourceLocation: location)
  }
}

/// IDX by its definition.
func idx(type: UInt8 = 0x08, _ shape: [Int], _ data: [UInt8]) -> [UInt8] {
  [0, 0, type, UInt8(shape.count)] + shape.flatMap { bigEndian(UInt32($0)) } + data
}

func bigEndian(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
func littleEndian(_ value: UInt32) -> [UInt8] { bigEndian(value).reversed() }

/// One gzip member of stored blocks (RFC 1951, 3.2.4; RFC 1952), its checksum by the definition.
func gzip(_ data: [UInt8]) -> [UInt8] {
  var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
  var rest = data[...]
  repeat {
    let block = rest.prefix(65_535)
    rest = rest.dropFirst(block.count)
    let length = UInt16(block.count)
    out.append(rest.isEmpty ? 1 : 0)
    out += [UInt8(length & 255), UInt8(length >> 8), UInt8(~length & 255), UInt8(~length >> 8)] + block
  } while !rest.isEmpty
  return out + littleEndian(checksum(data)) + littleEndian(UInt32(data.count))
}

/// CRC-32 by its definition (ISO 3309).
func checksum(_ data: some Sequence<UInt8>) -> UInt32 {
  var crc = UInt32.max
  for byte in data {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
  }
  return ~crc
}

/// A zip archive of stored members (APPNOTE 4.3.7, 4.3.12, 4.3.16).
func zip(_ members: [(name: String, data: [UInt8])]) -> [UInt8] {
  var (archive, directory): ([UInt8], [UInt8]) = ([], [])
  for (name, data) in members {
    let sizes = littleEndian(checksum(data)) + littleEndian(UInt32(data.count)) + littleEndian(UInt32(data.count))
    let common = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0] + sizes + [UInt8(name.utf8.count), 0, 0, 0]
    directory += [0x50, 0x4b, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10)
    directory += littleEndian(UInt32(archive.count)) + Array(name.utf8)
    archive += [0x50, 0x4b, 3, 4] + common + Array(name.utf8) + data
  }
  let count = [UInt8(members.count), 0]
  let end = [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + count + count + littleEndian(UInt32(directory.count))
  return archive + directory + end + littleEndian(UInt32(archive.count)) + [0, 0]
}

/// One gzip member of so many zeros.
func gzipOfZeros(_ count: Int) -> [UInt8] { deflated(count, windowBits: 31, period: 1) { _ in 0 } }

/// A square, grey PNG of one bit a pixel, all white.
func whitePNG(_ size: Int) -> [UInt8] {
  let row = 1 + (size + 7) / 8
  let pixels = deflated(row * size, windowBits: 15, period: row) { $0 % row == 0 ? 0 : 0xff }
  func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let content = Array(name.utf8) + data
    let sum = UInt32(crc32_z(0, content, content.count))
    return bigEndian(UInt32(data.count)) + content + bigEndian(sum)
  }
  let header = bigEndian(UInt32(size)) + bigEndian(UInt32(size)) + [1, 0, 0, 0, 0]
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header) + chunk("IDAT", pixels)
    + chunk("IEND", [])
}

/// What zlib makes of `count` bytes, of which those of a period repeat.
private func deflated(_ count: Int, windowBits: Int32, period: Int, _ byte: (Int) -> UInt8) -> [UInt8] {
  var stream = z_stream()
  deflateInit2_(
    &stream, 1, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  defer { deflateEnd(&stream) }
  var (packed, room) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
  var part = (0..<min(count, 65_536 / period * period)).map(byte)
  var left = count
  var status = Z_OK
  while status != Z_STREAM_END {
    let length = min(left, part.count)
    left -= length
    part.withUnsafeMutableBufferPointer { input in
      (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(length))
      repeat {
        room.withUnsafeMutableBufferPointer { output in
          (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
          status = deflate(&stream, left == 0 ? Z_FINISH : Z_NO_FLUSH)
        }
        packed += room[..<(room.count - Int(stream.avail_out))]
      } while stream.avail_out == 0
    }
  }
  return packed
}
