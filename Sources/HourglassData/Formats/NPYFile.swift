import Foundation
import HourglassModels

/// An array in NumPy's NPY format: versions 1 to 3, plain or gzip, in C order.
///
/// Element types: `|u1` (bytes), `<f4`, and `<f8`, which is rounded to float. Written is `<f4`, version 1.
///
/// Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays".
public struct NPYArray: Sendable, Equatable {
  public let shape: [Int]
  public let elements: Elements

  public init(shape: [Int], elements: Elements) {
    precondition(checkedProduct(shape) == elements.count, "\(elements.count) elements do not fill the shape \(shape)")
    (self.shape, self.elements) = (shape, elements)
  }

  /// The elements as floats: bytes divided by 255, floats as they are.
  public var floats: [Float] {
    switch elements {
    case .bytes(let bytes): bytes.map { Float($0) / 255 }
    case .floats(let floats): floats
    }
  }

  /// Reads the array as samples: N x D (vectors), N x H x W, or N x H x W x C with 1 or 3 channels.
  public func samples(path: String) throws(DataError) -> (count: Int, shape: ImageShape) {
    let found = "found the shape \(extents(shape))"
    guard checkedProduct(shape) != 0 else { throw DataError(path: path, reason: "holds no images: \(found)") }
    switch shape.count {
    case 2: return (shape[0], ImageShape(vector: shape[1]))
    case 3: return (shape[0], ImageShape(shape[1], shape[2], 1))
    case 4 where shape[3] == 1 || shape[3] == 3: return (shape[0], ImageShape(shape[1], shape[2], shape[3]))
    default:
      let channelsFirst = shape.count == 4 && (shape[1] == 1 || shape[1] == 3)
      throw DataError(
        path: path,
        reason: "wanted N,H,W or N,H,W,C with 1 or 3 channels, or vectors N,D, \(found)"
          + (channelsFirst ? "; it looks like N,C,H,W, bring it to N,H,W,C by transpose(0, 2, 3, 1)" : ""))
    }
  }
}

/// Reading and writing of NPY files.
public enum NPYFile {
  /// NumPy itself writes headers of some hundred bytes and refuses to read more than 10,000.
  private static let largestHeader = 1 << 16

  public static func read(_ path: String) throws(DataError) -> NPYArray {
    let file = try GzipFile(path)
    let (type, shape) = try NPYHeader.parse(try readHeader(file, path), path)
    let stated = "the header says \(extents(shape)) elements of type \(type.rawValue)"
    guard let claim = checkedProduct(shape + [type.width]) else {
      throw DataError(path: path, reason: "\(stated), over 2^63 bytes; the header is wrong")
    }
    let data = try file.read(claim)
    let excess = data.count == claim ? try file.countRemaining(upTo: 1 << 20) : 0
    guard data.count == claim, excess == 0 else {
      throw DataError(
        path: path,
        reason: "\(stated), wanted \(claim) bytes of data, found "
          + (excess == 0
            ? "\(data.count); the file is cut short or its header is wrong" : "at least \(excess) more after them"))
    }
    return NPYArray(shape: shape, elements: type.elements(data))
  }

  /// Writes floats in C order as `<f4`, whole or not at all.
  public static func write(_ floats: [Float], shape: [Int], to path: String) throws(DataError) {
    precondition(checkedProduct(shape) == floats.count, "\(floats.count) floats do not fill the shape \(shape)")
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(extents)), }"
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    let padding = (64 - (10 + header.utf8.count + 1) % 64) % 64
    header += String(repeating: " ", count: padding) + "\n"
    var data = Data(NPYHeader.magic + [1, 0])
    data.append(contentsOf: [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
    data.append(contentsOf: header.utf8)
    floats.withUnsafeBytes { data.append(contentsOf: $0) }
    try AtomicFile.write(data, to: path)
  }

  private static func readHeader(_ file: GzipFile, _ path: String) throws(DataError) -> String {
    let start = try file.read(8)
    guard start.count == 8, Array(start[..<6]) == NPYHeader.magic else {
      throw DataError(path: path, reason: "wanted an NPY file, which begins with 93 NUMPY, found something else")
    }
    guard (1...3).contains(start[6]) else {
      throw DataError(path: path, reason: "wanted NPY version 1, 2 or 3, found \(start[6]).\(start[7])")
    }
    let lengthBytes = try file.read(start[6] == 1 ? 2 : 4)
    let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try file.read(min(length, largestHeader))
    guard header.count == length, length > 0 else {
      throw DataError(
        path: path, reason: "wanted an NPY header of \(length) bytes (at most \(largestHeader)), found \(header.count)")
    }
    return String(decoding: header, as: UTF8.self)
  }
}

/// The header of an NPY file, a Python dictionary of three entries.
enum NPYHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  enum ElementType: String, CaseIterable {
    case byte = "|u1"
    case float = "<f4"
    case double = "<f8"

    var width: Int {
      switch self {
      case .byte: 1
      case .float: 4
      case .double: 8
      }
    }

    func elements(_ data: [UInt8]) -> Elements {
      data.withUnsafeBytes { bytes in
        switch self {
        case .byte: .bytes(data)
        case .float:
          .floats(
            (0..<bytes.count / 4).map {
              Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            })
        case .double:
          .floats(
            (0..<bytes.count / 8).map {
              Float(
                Double(
                  bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))))
            })
        }
      }
    }
  }

  static func parse(_ header: String, _ path: String) throws(DataError) -> (ElementType, [Int]) {
    guard let descriptor = entry("descr", header), let order = entry("fortran_order", header),
      let extents = entry("shape", header)
    else {
      throw DataError(
        path: path, reason: "wanted an NPY header with descr, fortran_order and shape, found \(excerpt(header))")
    }
    guard let type = ElementType(rawValue: descriptor.trimmingCharacters(in: ["'", "\""])) else {
      throw DataError(
        path: path,
        reason: "wanted elements of type |u1, <f4 or <f8, found \(excerpt(descriptor)); convert with astype('<f4')")
    }
    guard order == "False" else {
      throw DataError(
        path: path,
        reason: "wanted an array in C order, found fortran_order \(excerpt(order)); convert with ascontiguousarray")
    }
    guard let shape = tuple(extents), (1...4).contains(shape.count) else {
      throw DataError(path: path, reason: "wanted a shape of 1 to 4 extents, found \(excerpt(extents))")
    }
    return (type, shape)
  }

  private static func excerpt(_ text: String) -> String {
    String(text.prefix(80)).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The text of one entry's value: up to the comma or brace that ends it, or to the bracket that closes a tuple.
  private static func entry(_ key: String, _ header: String) -> String? {
    for quote in ["'", "\""] {
      guard let name = header.range(of: quote + key + quote) else { continue }
      let rest = header[name.upperBound...].drop { $0 == " " }
      guard rest.first == ":" else { return nil }
      let value = rest.dropFirst().drop { $0 == " " }
      let end: String.Index?
      if value.first == "(" {
        end = value.firstIndex(of: ")").map { value.index(after: $0) }
      } else {
        end = value.firstIndex { $0 == "," || $0 == "}" }
      }
      return end.map { value[..<$0].trimmingCharacters(in: .whitespaces) }
    }
    return nil
  }

  /// `(2, 3)`, `(2,)` or `()` as integers, none negative.
  private static func tuple(_ text: String) -> [Int]? {
    guard text.first == "(", text.last == ")" else { return nil }
    var parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    if parts.last == "" { parts.removeLast() }
    let extents = parts.compactMap { Int($0) }
    return extents.count == parts.count && extents.allSatisfy { $0 >= 0 } ? extents : nil
  }
}
