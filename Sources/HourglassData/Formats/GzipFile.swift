import CZlib
import Foundation

/// The bytes of a file in order, inflated if the file is gzip (RFC 1952), which its first two bytes decide, 1f 8b, and
/// not its name. Several gzip members joined are one stream.
///
/// Nothing is allocated beyond what the caller asks for and the file really delivers.
///
/// Errors: no such file, damaged gzip data, a wrong checksum, data cut short, bytes after the gzip data.
public final class GzipFile {
  private static let chunkSize = 1 << 18

  public private(set) var isCompressed = false
  private let file: InputFile
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 64)
  private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 64)
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  /// Bytes of `input` not yet consumed.
  private var pending = 0..<0
  private var insideMember = true

  public init(_ path: String) throws(DataError) {
    file = try InputFile(path)
    stream.initialize(to: z_stream())
    // 15 + 16: the largest window, gzip wrapper with its checksum.
    let status = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib cannot start")
    pending = 0..<(try file.read(into: input))
    isCompressed = pending.count >= 2 && input[0] == 0x1f && input[1] == 0x8b
  }

  deinit {
    inflateEnd(stream)
    input.deallocate()
    output.deallocate()
    stream.deallocate()
  }

  /// The next bytes, fewer than `count` only at the end.
  public func read(_ count: Int) throws(DataError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, file.size))
    while bytes.count < count {
      let filled = try fill(min(Self.chunkSize, count - bytes.count))
      if filled == 0 { break }
      bytes.append(contentsOf: output[..<filled])
    }
    return bytes
  }

  /// How many bytes follow, counted up to `limit`. Reaching the end also checks the last checksum.
  public func countRemaining(upTo limit: Int) throws(DataError) -> Int {
    var total = 0
    while total <= limit {
      let filled = try fill(Self.chunkSize)
      if filled == 0 { break }
      total += filled
    }
    return min(total, limit)
  }

  /// Puts up to `count` next bytes at the start of `output`; 0 only at the end.
  private func fill(_ count: Int) throws(DataError) -> Int {
    var filled = 0
    while filled < count {
      if pending.isEmpty { pending = 0..<(try file.read(into: input)) }
      if pending.isEmpty { break }
      filled += isCompressed ? try inflateStep(from: filled, to: count) : copyStep(from: filled, to: count)
    }
    if isCompressed && pending.isEmpty && filled < count && insideMember {
      throw DataError(
        path: file.path, reason: "the gzip data is cut short after \(file.size) bytes; copy or download the file again")
    }
    return filled
  }

  private func copyStep(from start: Int, to end: Int) -> Int {
    let count = min(end - start, pending.count)
    output.baseAddress!.advanced(by: start)
      .copyMemory(from: input.baseAddress! + pending.lowerBound, byteCount: count)
    pending = (pending.lowerBound + count)..<pending.upperBound
    return count
  }

  private func inflateStep(from start: Int, to end: Int) throws(DataError) -> Int {
    let betweenMembers = !insideMember
    if betweenMembers { inflateReset(stream) }
    insideMember = true
    stream.pointee.next_in = input.baseAddress!.advanced(by: pending.lowerBound).assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = UInt32(pending.count)
    stream.pointee.next_out = output.baseAddress!.advanced(by: start).assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(end - start)
    let status = inflate(stream, Z_NO_FLUSH)
    pending = (pending.upperBound - Int(stream.pointee.avail_in))..<pending.upperBound
    switch status {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END: insideMember = false
    default: throw DataError(path: file.path, reason: damage(betweenMembers))
    }
    return end - start - Int(stream.pointee.avail_out)
  }

  private func damage(_ betweenMembers: Bool) -> String {
    if betweenMembers { return "bytes that are not gzip follow the gzip data; cut them off or compress the file again" }
    let detail = stream.pointee.msg.map { String(cString: $0) } ?? "invalid data"
    let meaning = detail == "incorrect data check" ? "its checksum (CRC-32) is wrong" : "zlib says: \(detail)"
    return "the gzip data is damaged, \(meaning); copy or download the file again"
  }
}
