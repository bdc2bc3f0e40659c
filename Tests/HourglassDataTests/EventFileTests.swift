import Foundation
import Testing

@testable import HourglassData

/// Events for TensorBoard, whose own reader the tests of training ask.
@Suite struct EventFileTests {
  /// The check value of the catalogue of parametrised CRC algorithms, and the examples of RFC 3720, B.4.
  @Test func theChecksumIsThePublishedOne() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.checksum(0..<32) == 0x46dd_794e)
    #expect(CRC32C.checksum([]) == 0)
  }

  /// A record by the definition: the reader turns the mask back as crc32c.h does.
  @Test(arguments: [0, 1, 200, 70_000]) func aRecordIsItsEventBetweenChecksums(_ count: Int) {
    let event = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let record = EventFile.record(event)
    #expect(record.count == count + 16 && Array(record[12..<12 + count]) == event)
    let length = withUnsafeBytes(of: UInt64(count).littleEndian, Array.init)
    #expect(Array(record[..<8]) == length)
    for (bytes, place) in [(length, 8), (event, 12 + count)] {
      let masked = (0..<4).reduce(UInt32(0)) { $0 | UInt32(record[place + $1]) << (8 * UInt32($1)) }
      let rotated = masked &- 0xa282_ead8
      #expect(rotated >> 17 | rotated << 15 == CRC32C.checksum(bytes))
    }
  }

  @Test func filesOfAFolderAreNumberedAndAFolderThatCannotBeIsRefused() throws {
    let folder = try TemporaryFolder()
    let inside = "\(folder.path)/events"
    let first = try EventFile(in: inside, from: 1)
    let second = try EventFile(in: inside, from: 8)
    #expect(first.isFirst && !second.isFirst && first.path < second.path && second.path.contains("tfevents"))
    let size = { try Data(contentsOf: URL(fileURLWithPath: second.path)).count }
    let before = try size()
    try second.append(step: 9, [("loss", .scalar(1.5))])
    #expect(try size() > before)
    let error = #expect(throws: DataError.self) { try EventFile(in: second.path, from: 1) }
    #expect(error?.path == second.path)
    try FileManager.default.removeItem(atPath: second.path)
    #expect(throws: DataError.self) { try second.append(step: 10, [("loss", .scalar(1))]) }
  }
}
