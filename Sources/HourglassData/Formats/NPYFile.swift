import FoundationEssentials
import Glibc
import HourglassBase

/// An array in NumPy's NPY format: versions 1 to 3, plain or gzip, in C order.
///
/// Elements of the types `|u1` (bytes), `<u2` (16-bit numbers), `<f4`, and `<f8`, `|i1`, `<i2`, `<i4`, `<i8`, `<u4` and
/// `<u8`, which are rounded to float, are read.
/// Files are written in version 1.
///
/// Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays".
public struct NPYArray: Sendable, Equatable {
  /// The extents of the array.
  public let shape: [Int]
  /// The elements in C order.
  public let elements: Elements

  public init(shape: [Int], elements: Elements) {
    precondition(checkedProduct(shape) == elements.count, "\(elements.count) elements do not fill the shape \(shape)")
    (self.shape, self.elements) = (shape, elements)
  }

  /// The elements as floats: bytes divided by 255, 16-bit numbers by 65535, floats as they are.
  public var floats: [Float] {
    switch elements {
    case .bytes(let bytes): bytes.map { Float($0) / 255 }
    case .words(let words): words.map { Float($0) / 65_535 }
    case .floats(let floats): floats
    }
  }
}

/// The reader and writer of NPY files.
public enum NPYFile {
  /// The longest header that is read; NumPy writes some hundred bytes and refuses to read more than 10,000.
  private static let largestHeader = 1 << 16

  /// Reads a file, plain or gzip.
  ///
  /// - Parameter most: the most bytes of elements that are taken.
  public static func read(_ path: String, most: Int = .max) throws(DataError) -> NPYArray {
    let file = try GzipFile(path)
    return try array(
      path, NPYHeader.pixels,
      next: { (count) throws(DataError) in
        guard count <= most else {
          throw Dataset.tooLarge(path, count, for: most, isCompressed: file.isCompressed, staysOnDisk: true)
        }
        return try file.read(count)
      },
      excess: { () throws(DataError) in try file.countRemaining(upTo: 1 << 20) })
  }

  /// Reads the bytes of a file; `path` names it in errors.
  static func decode(_ bytes: [UInt8], path: String) throws(DataError) -> NPYArray {
    try array(bytes, path, NPYHeader.pixels)
  }

  /// Reads weights: floats of 32 bits and nothing else.
  static func decodeFloats(_ bytes: [UInt8], path: String) throws(DataError) -> NPYArray {
    try array(bytes, path, NPYHeader.weights)
  }

  /// An array of any type: the descriptor of its elements, its shape, and its bytes.
  static func raw(
    _ bytes: [UInt8], path: String
  ) throws(DataError) -> (descriptor: String, shape: [Int], data: ArraySlice<UInt8>) {
    var place = 0
    let header = try readHeader(path) { (count) throws(DataError) in try take(count, of: bytes, from: &place, path) }
    let (descriptor, shape) = try NPYHeader.fields(header, path)
    return (NPYHeader.unquoted(descriptor), shape, bytes[place...])
  }

  /// The images of an uncompressed file, which stay on disk.
  static func onDisk(
    _ path: String, _ layout: Preparation.Layout?, for input: ImageShape?
  ) throws(DataError) -> DiskImages {
    let file = try GzipFile(path)
    var length = 0
    let header = try readHeader(path) { (count) throws(DataError) in
      let bytes = try file.read(count)
      length += bytes.count
      return bytes
    }
    let (type, shape) = try NPYHeader.parse(header, path, [.byte, .float])
    let (count, image, isPlanar) = try NPYArray.samples(shape, layout, input, path)
    return try DiskImages(
      [path], header: length, shape: image, isPlanar: isPlanar, areFloats: type == .float, count: count)
  }

  private static func take(
    _ count: Int, of bytes: [UInt8], from place: inout Int, _ path: String
  ) throws(DataError) -> [UInt8] {
    let end = min(bytes.count, place + min(count, bytes.count))
    defer { place = end }
    try GrantedMemory.require(end - place, for: path, "hold the array")
    return Array(bytes[place..<end])
  }

  private typealias Parts = (NPYHeader.ElementType, [Int], [UInt8])

  private static func array(
    _ bytes: [UInt8], _ path: String, _ wanted: [NPYHeader.ElementType]
  ) throws(DataError) -> NPYArray {
    var place = 0
    return try array(
      path, wanted, next: { (count) throws(DataError) in try take(count, of: bytes, from: &place, path) },
      excess: { bytes.count - place })
  }

  private static func array(
    _ path: String, _ wanted: [NPYHeader.ElementType], next: (Int) throws(DataError) -> [UInt8],
    excess: () throws(DataError) -> Int
  ) throws(DataError) -> NPYArray {
    let (type, shape, data) = try parts(path, wanted, next: next, excess: excess)
    if type == .word { try GrantedMemory.require(data.count, for: path, "hold the array as 16-bit numbers") }
    if ![.byte, .word].contains(type) {
      try GrantedMemory.require(4 * (data.count / type.width), for: path, "hold the array as floats")
    }
    return NPYArray(shape: shape, elements: type.elements(data))
  }

  /// Reads the header and checks the length.
  ///
  /// - Parameters:
  ///   - next: reads the next bytes of the file, fewer than asked only at its end.
  ///   - excess: counts the bytes that are left.
  private static func parts(
    _ path: String, _ wanted: [NPYHeader.ElementType], next: (Int) throws(DataError) -> [UInt8],
    excess: () throws(DataError) -> Int
  ) throws(DataError) -> Parts {
    let (type, shape) = try NPYHeader.parse(try readHeader(path, next), path, wanted)
    let stated = "the header says \(extents(shape)) elements of type \(type.rawValue)"
    guard let claim = checkedProduct(shape + [type.width]) else {
      throw DataError(path: path, reason: "\(stated), over 2^63 bytes; the header is wrong")
    }
    let data = try next(claim)
    let more = data.count == claim ? try excess() : 0
    guard data.count == claim, more == 0 else {
      throw DataError(
        path: path,
        reason: "\(stated), wanted \(claim) bytes of data, found "
          + (more == 0
            ? "\(data.count); the file is cut short or its header is wrong" : "at least \(more) more after them"))
    }
    return (type, shape, data)
  }

  /// Writes floats in C order as `<f4`, whole or not at all.
  public static func write(_ floats: [Float], shape: [Int], to path: String) throws(DataError) {
    precondition(checkedProduct(shape) == floats.count, "\(floats.count) floats do not fill the shape \(shape)")
    let (header, most) = (header(NPYHeader.ElementType.float.rawValue, shape), 1 << 18)
    try AtomicFile.write(pieces: 1 + (floats.count + most - 1) / most, to: path) { index in
      if index == 0 { return header }
      return floats[(index - 1) * most..<min(index * most, floats.count)].withUnsafeBytes { Data($0) }
    }
  }

  /// Writes floats that are made piece by piece, so that they need not fit into memory. The pieces fill the shape.
  ///
  /// Errors: the file cannot be written; `piece` throws.
  public static func write(
    pieces: Int, shape: [Int], to path: String, _ piece: (Int) throws(DataError) -> [Float]
  ) throws(DataError) {
    let header = header(NPYHeader.ElementType.float.rawValue, shape)
    try AtomicFile.write(pieces: 1 + pieces, to: path) { index throws(DataError) in
      index == 0 ? header : try piece(index - 1).withUnsafeBytes { Data($0) }
    }
  }

  /// The bytes of a file of floats in C order, `<f4`.
  package static func encoded(_ floats: [Float], shape: [Int]) -> Data {
    precondition(checkedProduct(shape) == floats.count, "\(floats.count) floats do not fill the shape \(shape)")
    var data = header(NPYHeader.ElementType.float.rawValue, shape)
    floats.withUnsafeBytes { data.append(contentsOf: $0) }
    return data
  }

  /// Writes all images of a data set, N,H,W,C, as `|u1`, `<u2` or `<f4` as they are stored.
  public static func write(_ images: Dataset, to path: String) throws(DataError) {
    let shape = images.shape
    let type: NPYHeader.ElementType =
      switch images.elements {
      case .uint8: .byte
      case .uint16: .word
      case .float32: .float
      }
    let header = header(type.rawValue, [images.count, shape.height, shape.width, shape.channels])
    try AtomicFile.write(pieces: 1 + images.count, to: path) { index throws(DataError) in
      index == 0 ? header : try images.stored(index - 1)
    }
  }

  /// The header of a file: magic, version 1, length and dictionary; the data begins at a multiple of 64.
  static func header(_ descriptor: String, _ shape: [Int]) -> Data {
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(extents)), }"
    let padding = (64 - (10 + header.utf8.count + 1) % 64) % 64
    header += String(repeating: " ", count: padding) + "\n"
    var data = Data(NPYHeader.magic + [1, 0])
    data.append(contentsOf: [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
    data.append(contentsOf: header.utf8)
    return data
  }

  private static func readHeader(
    _ path: String, _ next: (Int) throws(DataError) -> [UInt8]
  ) throws(DataError) -> String {
    let start = try next(8)
    guard start.count == 8, Array(start[..<6]) == NPYHeader.magic else {
      throw DataError(path: path, reason: "wanted an NPY file, which begins with 93 NUMPY, found something else")
    }
    guard (1...3).contains(start[6]) else {
      throw DataError(path: path, reason: "wanted NPY version 1, 2 or 3, found \(start[6]).\(start[7])")
    }
    let lengthBytes = try next(start[6] == 1 ? 2 : 4)
    let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try next(min(length, largestHeader))
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
    case word = "<u2"
    case float = "<f4"
    case double = "<f8"
    case int8 = "|i1"
    case int16 = "<i2"
    case int32 = "<i4"
    case int64 = "<i8"
    case uint32 = "<u4"
    case uint64 = "<u8"

    var width: Int {
      switch self {
      case .byte, .int8: 1
      case .word, .int16: 2
      case .float, .int32, .uint32: 4
      case .double, .int64, .uint64: 8
      }
    }

    func elements(_ data: [UInt8]) -> Elements {
      data.withUnsafeBytes { bytes in
        func load<Number: FixedWidthInteger>(_ index: Int) -> Number {
          let offset = index * MemoryLayout<Number>.size
          return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
        let places = 0..<bytes.count / width
        return switch self {
        case .byte: .bytes(data)
        case .word: .words(places.map { load($0) })
        case .float: .floats(places.map { Float(bitPattern: load($0)) })
        case .double: .floats(places.map { Float(Double(bitPattern: load($0))) })
        case .int8: .floats(places.map { Float(load($0) as Int8) })
        case .int16: .floats(places.map { Float(load($0) as Int16) })
        case .int32: .floats(places.map { Float(load($0) as Int32) })
        case .int64: .floats(places.map { Float(load($0) as Int64) })
        case .uint32: .floats(places.map { Float(load($0) as UInt32) })
        case .uint64: .floats(places.map { Float(load($0) as UInt64) })
        }
      }
    }
  }

  /// The element types of images and codes, and of weights.
  static let pixels = ElementType.allCases
  static let weights: [ElementType] = [.float]

  static func parse(
    _ header: String, _ path: String, _ wanted: [ElementType]
  ) throws(DataError) -> (ElementType, [Int]) {
    let (descriptor, shape) = try fields(header, path)
    guard let type = ElementType(rawValue: unquoted(descriptor)), wanted.contains(type) else {
      let names = wanted.map(\.rawValue).joined(separator: ", ")
      throw DataError(
        path: path,
        reason: "wanted elements of type \(names), found \(excerpt(descriptor)); "
          + NumberTable.advice(descriptor))
    }
    return (type, shape)
  }

  static func unquoted(_ text: String) -> String { text.trimmed { $0 == "'" || $0 == "\"" } }

  /// The descriptor of the elements as it is written, and their shape.
  static func fields(_ header: String, _ path: String) throws(DataError) -> (descriptor: String, shape: [Int]) {
    guard let descriptor = entry("descr", header), let order = entry("fortran_order", header),
      let extents = entry("shape", header)
    else {
      throw DataError(
        path: path, reason: "wanted an NPY header with descr, fortran_order and shape, found \(excerpt(header))")
    }
    guard order == "False" else {
      throw DataError(
        path: path,
        reason: "wanted an array in C order, found fortran_order \(excerpt(order)); convert with ascontiguousarray")
    }
    guard let shape = tuple(extents), (1...4).contains(shape.count) else {
      throw DataError(path: path, reason: "wanted a shape of 1 to 4 extents, found \(excerpt(extents))")
    }
    return (descriptor, shape)
  }

  private static func excerpt(_ text: String) -> String {
    String(text.prefix(80)).trimmed(\.isWhitespace)
  }

  /// The text of one entry's value: up to the comma or brace that ends it, or to the bracket that closes a tuple.
  private static func entry(_ key: String, _ header: String) -> String? {
    for quote in ["'", "\""] {
      guard let name = header.firstRange(of: quote + key + quote) else { continue }
      let rest = header[name.upperBound...].drop { $0 == " " }
      guard rest.first == ":" else { return nil }
      let value = rest.dropFirst().drop { $0 == " " }
      let end: String.Index?
      if value.first == "(" {
        end = value.firstIndex(of: ")").map { value.index(after: $0) }
      } else {
        end = value.firstIndex { $0 == "," || $0 == "}" }
      }
      return end.map { value[..<$0].trimmed() }
    }
    return nil
  }

  /// `(2, 3)`, `(2,)` or `()` as integers, none negative.
  private static func tuple(_ text: String) -> [Int]? {
    guard text.first == "(", text.last == ")" else { return nil }
    var parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
      .map { $0.trimmed() }
    if parts.last == "" { parts.removeLast() }
    let extents = parts.compactMap { Int($0) }
    return extents.count == parts.count && extents.allSatisfy { $0 >= 0 } ? extents : nil
  }
}
