import Foundation
import HourglassData
import Testing

/// A folder of its own for one test, removed at the end.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "hourglass-data-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file without the code under test and returns its path. A new file each time, by the C library: otherwise
  /// it would be synced, which is slow for hundreds of files.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(path)/\(name)"
    unlink(path)
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    return path
  }

  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
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

/// Numbers for altering files (Numerical Recipes' linear congruential generator), the same in every run.
struct Chance {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }

  /// One to three bytes changed, and in a third of all cases the end cut off or some bytes added.
  mutating func altered(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...below(3) { bytes[below(bytes.count)] = [0, 1, 0x7f, 0x80, 0xff, UInt8(below(256))][below(6)] }
    switch below(6) {
    case 0: bytes.removeLast(below(bytes.count))
    case 1: bytes += [UInt8](repeating: UInt8(below(256)), count: 1 + below(40))
    default: break
    }
    return bytes
  }
}

/// Seconds that each reader is tried for instead of a fixed number of files; Scripts/fuzz-readers sets it.
let fuzzSeconds = ProcessInfo.processInfo.environment["HOURGLASS_FUZZ_SECONDS"].flatMap(Double.init)

/// Reads `count` altered versions of a file; each must be read or be refused by a `DataError`, never trap.
func expectNoTrap(
  _ original: [UInt8], count: Int = 300, name: String = "altered", _ read: (String) throws -> Void
) throws {
  let folder = try TemporaryFolder()
  var chance = Chance(state: 20)
  var (tried, refused) = (0, 0)
  let start = ContinuousClock.now
  while fuzzSeconds.map({ ContinuousClock.now - start < .seconds($0) }) ?? (tried < count) {
    let path = try folder.file(name, chance.altered(original))
    do { try read(path) } catch let error as DataError {
      #expect(error.path == path && !error.reason.isEmpty)
      refused += 1
    }
    tried += 1
  }
  #expect(refused > 0 && refused < tried, "\(refused) of \(tried) altered files were refused")
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
