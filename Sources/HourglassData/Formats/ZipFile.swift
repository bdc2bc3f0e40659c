import CZlib
import FoundationEssentials

/// A zip archive in memory, of stored or deflated members.
///
/// No more is allocated than deflate can make of a member's bytes and memory is granted for. Encrypted members and
/// zip64, which archives need only beyond 4 GiB or 65,535 members, are refused.
///
/// Source: PKWARE, ".ZIP File Format Specification" (APPNOTE), sections 4.3 and 4.4.
struct ZipFile {
  struct Member {
    var name: String
    fileprivate var method: Int
    fileprivate var checksum: Int
    fileprivate var packed: Int
    fileprivate var size: Int
    fileprivate var header: Int
  }

  let path: String
  let members: [Member]
  private let bytes: [UInt8]

  static let magic: [UInt8] = [0x50, 0x4b, 0x03, 0x04]

  init(_ path: String) throws(DataError) { try self.init(InputFile.contents(of: path), path: path) }

  init(_ bytes: [UInt8], path: String) throws(DataError) {
    (self.bytes, self.path) = (bytes, path)
    let end = try Self.endOfDirectory(bytes, path)
    let reader = Reader(bytes)
    let (count, start) = (reader.number(end + 10, 2), reader.number(end + 16, 4))
    guard count != 0xffff, start != 0xffff_ffff else {
      throw DataError(
        path: path, reason: "wanted a plain zip archive, found zip64; save the arrays as NPY files, which are streamed")
    }
    var members: [Member] = []
    var place = start
    for _ in 0..<count {
      guard place + 46 <= end, reader.number(place, 4) == 0x0201_4b50 else { throw Self.damaged(path, "its directory") }
      let (nameLength, extra, comment) = (
        reader.number(place + 28, 2), reader.number(place + 30, 2), reader.number(place + 32, 2)
      )
      guard place + 46 + nameLength <= end else { throw Self.damaged(path, "its directory") }
      let name = String(decoding: bytes[place + 46..<place + 46 + nameLength], as: UTF8.self)
      let member = Member(
        name: name, method: reader.number(place + 10, 2), checksum: reader.number(place + 16, 4),
        packed: reader.number(place + 20, 4), size: reader.number(place + 24, 4), header: reader.number(place + 42, 4))
      guard reader.number(place + 8, 2) & 1 == 0 else {
        throw DataError(path: path, reason: "\(name): wanted a plain member, found an encrypted one")
      }
      guard [member.packed, member.size, member.header].allSatisfy({ $0 != 0xffff_ffff }) else {
        throw DataError(
          path: path,
          reason: "\(name): wanted a plain member, found zip64; save the arrays as NPY files, which are streamed")
      }
      members.append(member)
      place += 46 + nameLength + extra + comment
    }
    self.members = members
  }

  /// The bytes of a member. Errors: its data is damaged, its checksum wrong or its method unknown; memory is not
  /// granted.
  func contents(_ member: Member) throws(DataError) -> [UInt8] {
    let reader = Reader(bytes)
    guard member.header + 30 <= bytes.count, reader.number(member.header, 4) == 0x0403_4b50 else {
      throw Self.damaged(path, member.name)
    }
    let start = member.header + 30 + reader.number(member.header + 26, 2) + reader.number(member.header + 28, 2)
    guard start + member.packed <= bytes.count else { throw Self.damaged(path, member.name) }
    let range = start..<start + member.packed
    let data: [UInt8]
    switch member.method {
    case 0 where member.packed == member.size:
      try GrantedMemory.require(member.size, for: path, "hold \(member.name)")
      data = Array(bytes[range])
    // Deflate packs at most 1032 to 1 (zlib's technical note).
    case 8 where member.size <= 1032 * member.packed:
      try GrantedMemory.require(member.size, for: path, "hold \(member.name)")
      guard let inflated = inflated(range, size: member.size) else { throw Self.damaged(path, member.name) }
      data = inflated
    case 0, 8:
      throw DataError(
        path: path,
        reason: "\(member.name): the archive says \(member.size) bytes, which its \(member.packed) cannot hold")
    default:
      throw DataError(
        path: path, reason: "\(member.name): wanted stored or deflated data, found zip's method \(member.method)")
    }
    guard Int(crc32_z(0, data, data.count)) == member.checksum else {
      throw DataError(path: path, reason: "\(member.name): its checksum (CRC-32) is wrong; copy the file again")
    }
    return data
  }

  /// Exactly `size` bytes of a raw deflate stream, or nil.
  private func inflated(_ range: Range<Int>, size: Int) -> [UInt8]? {
    var stream = z_stream()
    // A negative window means data without a wrapper.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var isWhole = false
    let data = [UInt8](unsafeUninitializedCapacity: max(1, size)) { out, initialized in
      bytes.withUnsafeBufferPointer { input in
        // Sizes are below 4 GiB without zip64. zlib does not write to its input.
        stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress.map { $0 + range.lowerBound })
        stream.avail_in = UInt32(range.count)
        (stream.next_out, stream.avail_out) = (out.baseAddress, UInt32(size))
        let status = inflate(&stream, Z_FINISH)
        isWhole = status == Z_STREAM_END && stream.avail_out == 0
      }
      initialized = isWhole ? size : 0
    }
    return isWhole ? data : nil
  }

  /// The place where the record at the end begins, before a comment of at most 65,535 bytes.
  private static func endOfDirectory(_ bytes: [UInt8], _ path: String) throws(DataError) -> Int {
    let reader = Reader(bytes)
    var place = bytes.count - 22
    while place >= max(0, bytes.count - 22 - 0xffff) {
      if bytes[place] == 0x50, reader.number(place, 4) == 0x0605_4b50 { return place }
      place -= 1
    }
    throw DataError(
      path: path, reason: "wanted a zip archive, found no directory at its end; the file is cut short or another kind")
  }

  private static func damaged(_ path: String, _ what: String) -> DataError {
    DataError(path: path, reason: "the zip archive is damaged at \(what); copy or download the file again")
  }

  /// A reader of little-endian numbers, which are 0 beyond the end.
  private struct Reader {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func number(_ place: Int, _ width: Int) -> Int {
      guard place >= 0, place + width <= bytes.count else { return 0 }
      return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
  }
}

extension ZipFile {
  /// An archive of stored members. It bears no date, so that equal contents give equal bytes.
  ///
  /// - Throws: only zip64 could hold the members, or memory is not granted for the archive.
  static func archive(_ members: [(name: String, contents: Data)], path: String) throws(DataError) -> Data {
    let size = members.reduce(0) { $0 + $1.contents.count + 2 * $1.name.utf8.count + 76 }
    guard size < 0xffff_ffff, members.count < 0xffff else {
      throw DataError(
        path: path,
        reason: "wanted less than 4 GiB in fewer than 65,535 arrays, found \(size) bytes in \(members.count)")
    }
    // Memory holds the archive, and twice the archive with its directory.
    try GrantedMemory.require(
      3 * size, for: path, "make an archive of \(size) bytes", advice: "safetensors files need less")
    func numbers(_ fields: [(Int, Int)]) -> [UInt8] {
      fields.flatMap { value, width in (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
    var (archive, directory): ([UInt8], [UInt8]) = ([], [])
    archive.reserveCapacity(size + 22)
    for (name, contents) in members {
      let checksum = contents.withUnsafeBytes {
        Int(crc32_z(0, $0.bindMemory(to: UInt8.self).baseAddress, $0.count))
      }
      // Version 2.0, no flags, stored, midnight of 1980-01-01; checksum, packed and plain size, length of the name.
      let common = [
        (20, 2), (0, 2), (0, 2), (0, 2), (0x21, 2), (checksum, 4), (contents.count, 4), (contents.count, 4),
        (name.utf8.count, 2), (0, 2),
      ]
      // Version and lengths again; no comment, first disk, no attributes, where the member begins.
      let rest = [(0, 2), (0, 2), (0, 2), (0, 4), (archive.count, 4)]
      directory += numbers([(0x0201_4b50, 4), (20, 2)] + common + rest) + name.utf8
      archive += numbers([(0x0403_4b50, 4)] + common) + name.utf8
      archive += contents
    }
    let end = numbers([
      (0x0605_4b50, 4), (0, 2), (0, 2), (members.count, 2), (members.count, 2), (directory.count, 4),
      (archive.count, 4), (0, 2),
    ])
    return Data(archive + directory + end)
  }
}
