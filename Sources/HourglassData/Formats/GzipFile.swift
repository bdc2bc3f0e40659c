import CZlib
import Glibc

/// The bytes of a file in order, inflated if the file is gzip (RFC 1952). Its first two bytes 1f 8b decide that, not
/// its name. Several gzip members joined are one stream.
///
/// No more is allocated than the caller asks for, the file can deliver and memory is granted for.
///
/// Errors: there is no such file; gzip data is damaged, cut short or followed by other bytes; a checksum is wrong;
/// memory is not granted.
public final class GzipFile {
  private static let chunkSize = 1 << 18

  /// Whether the file is gzip.
  public private(set) var isCompressed = false
  private let file: InputFile
  /// The bytes of the file as it is stored.
  var size: Int { file.size }
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 64)
  private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 64)
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  /// The bytes of `input` that are not yet consumed.
  private var pending = 0..<0
  private var insideMember = true

  /// Opens a file and looks at its first two bytes.
  public init(_ path: String) throws(DataError) {
    file = try InputFile(path)
    stream.initialize(to: z_stream())
    // 31 is 15 for the largest window and 16 for gzip's wrapper with its checksum.
    let status = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw DataError(path: path, reason: "zlib has no memory to read it") }
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
    // Deflate packs at most 1032 to 1 (zlib's technical note).
    let (inflated, overflow) = file.size.multipliedReportingOverflow(by: isCompressed ? 1032 : 1)
    let room = min(count, overflow ? .max : inflated)
    try GrantedMemory.require(room, for: file.path, "hold \(room) bytes of it")
    return try [UInt8](room: room) { (room) throws(DataError) in try fill(room) }
  }

  /// All bytes that are left.
  public func readAll() throws(DataError) -> [UInt8] {
    if !isCompressed { return try read(file.size) }
    var bytes: [UInt8] = []
    while true {
      let filled = try fill(output)
      if filled == 0 { return bytes }
      if bytes.capacity < bytes.count + filled {
        let room = 2 * bytes.capacity + filled
        try GrantedMemory.require(room, for: file.path, "hold \(room) bytes of it and more")
        bytes.reserveCapacity(room)
      }
      bytes.append(contentsOf: output[..<filled])
    }
  }

  /// How many bytes are left, counted up to `limit`. Reaching the end also checks the last checksum.
  public func countRemaining(upTo limit: Int) throws(DataError) -> Int {
    var total = 0
    while total <= limit {
      let filled = try fill(output)
      if filled == 0 { break }
      total += filled
    }
    return min(total, limit)
  }

  /// Puts the next bytes into `room`, fewer than it holds only at the end, and returns their number.
  private func fill(_ room: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    var filled = 0
    while filled < room.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: room[filled...])
      if pending.isEmpty {
        // Bytes that need not be inflated are read in place.
        if !isCompressed && rest.count >= Self.chunkSize { return filled + (try file.read(into: rest)) }
        pending = 0..<(try file.read(into: input))
      }
      if pending.isEmpty { break }
      filled += isCompressed ? try inflateStep(into: rest) : copyStep(into: rest)
    }
    if isCompressed && pending.isEmpty && filled < room.count && insideMember {
      throw DataError(
        path: file.path, reason: "the gzip data is cut short after \(file.size) bytes; copy or download the file again")
    }
    return filled
  }

  private func copyStep(into room: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(room.count, pending.count)
    room.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[pending.lowerBound..<pending.lowerBound + count]))
    pending = (pending.lowerBound + count)..<pending.upperBound
    return count
  }

  private func inflateStep(into room: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    let betweenMembers = !insideMember
    if betweenMembers { inflateReset(stream) }
    insideMember = true
    // zlib counts in 32 bits.
    let count = min(room.count, 1 << 30)
    stream.pointee.next_in = input.baseAddress!.advanced(by: pending.lowerBound).assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = UInt32(pending.count)
    stream.pointee.next_out = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(count)
    let status = inflate(stream, Z_NO_FLUSH)
    pending = (pending.upperBound - Int(stream.pointee.avail_in))..<pending.upperBound
    switch status {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END: insideMember = false
    default: throw DataError(path: file.path, reason: damage(betweenMembers))
    }
    return count - Int(stream.pointee.avail_out)
  }

  private func damage(_ betweenMembers: Bool) -> String {
    if betweenMembers { return "bytes that are not gzip follow the gzip data; cut them off or compress the file again" }
    let detail = stream.pointee.msg.map { String(cString: $0) } ?? "invalid data"
    let meaning = detail == "incorrect data check" ? "its checksum (CRC-32) is wrong" : "zlib says: \(detail)"
    return "the gzip data is damaged, \(meaning); copy or download the file again"
  }
}
