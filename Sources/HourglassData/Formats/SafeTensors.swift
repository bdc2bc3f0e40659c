import FoundationEssentials
import Glibc

/// Named tensors of 32-bit floats and a map of strings, in the safetensors format.
///
///     8 bytes: length of the header, little-endian; header: JSON, padded with spaces to 8 bytes; data, C order
///
/// Equal contents give equal bytes: tensors lie and are listed in their order here, metadata is sorted by key.
///
/// Source: huggingface/safetensors, README, section "Format".
public struct SafeTensors: Sendable, Equatable {
  /// A named tensor.
  public struct Tensor: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    /// The values in C order, as many as the product of the shape.
    public var values: [Float]

    public init(name: String, shape: [Int], values: [Float]) {
      precondition(checkedProduct(shape) == values.count, "\(values.count) values do not fill \(name) \(shape)")
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  /// The tensors in the order of their bytes in the file.
  public var tensors: [Tensor]
  /// The texts of the file by key.
  public var metadata: [String: String]

  public init(tensors: [Tensor], metadata: [String: String] = [:]) {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors have one name")
    (self.tensors, self.metadata) = (tensors, metadata)
  }

  /// The tensor of a name; nil where there is none. Cost: a search through all.
  public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

  /// A tensor whose values are made, or read from its file, whenever they are wanted.
  public struct Source: Sendable {
    public var name: String
    public let shape: [Int]
    /// All values in C order. Errors: the file can no longer be read.
    public let values: @Sendable () throws(DataError) -> [Float]

    public init(name: String, shape: [Int], values: @escaping @Sendable () throws(DataError) -> [Float]) {
      (self.name, self.shape, self.values) = (name, shape, values)
    }

    public init(_ tensor: Tensor) { self.init(name: tensor.name, shape: tensor.shape) { tensor.values } }

    /// The tensor with its values.
    public func tensor() throws(DataError) -> Tensor { Tensor(name: name, shape: shape, values: try values()) }
  }

  // MARK: Writing

  /// Writes a file, whole or not at all.
  public func write(to path: String) throws(DataError) {
    try Self.write(tensors.map { Source($0) }, metadata: metadata, to: path)
  }

  /// Writes a file, whole or not at all, with the values of one tensor in memory at a time.
  ///
  /// - Parameter ready: called with the temporary file's name, see `AtomicFile.write`.
  public static func write(
    _ tensors: [Source], metadata: [String: String], to path: String,
    ready: (String) throws(DataError) -> Void = { _ in }
  ) throws(DataError) {
    let header = header(tensors, metadata)
    try AtomicFile.write(pieces: 1 + tensors.count, to: path, ready: ready) { piece throws(DataError) in
      piece == 0 ? header : try tensors[piece - 1].values().withUnsafeBytes { Data($0) }
    }
  }

  /// The bytes before the values: the length of the header, and the header.
  private static func header(_ tensors: [Source], _ metadata: [String: String]) -> Data {
    var entries: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in tensors {
      let end = offset + 4 * tensor.shape.reduce(1, *)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(quoted(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 0x20:
        out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  // MARK: Reading

  /// Reads a file with all values. Errors: see `open`.
  public static func read(_ path: String) throws(DataError) -> SafeTensors {
    let file = try open(path)
    var tensors: [Tensor] = []
    for source in file.tensors { tensors.append(try source.tensor()) }
    return SafeTensors(tensors: tensors, metadata: file.metadata)
  }

  /// Opens a file and reads what it says of its tensors, in the order of their bytes.
  ///
  /// Errors: the header is damaged or says a thing twice; tensors are no floats of 32 bits or do not fill the file.
  public static func open(_ path: String) throws(DataError) -> (tensors: [Source], metadata: [String: String]) {
    let file = try InputFile(path)
    guard file.size >= 8 else {
      throw DataError(path: path, reason: "wanted a safetensors file of at least 8 bytes, found \(file.size)")
    }
    let length = try file.bytes(0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(file.size - 8) else {
      throw DataError(
        path: path,
        reason: "the first 8 bytes say a header of \(length) bytes, found \(file.size - 8) bytes after them; the "
          + "file is cut short or no safetensors file")
    }
    guard length <= mostHeaderBytes else {
      throw DataError(
        path: path, reason: "wanted a header of at most \(mostHeaderBytes) bytes, found \(length); no safetensors file")
    }
    let start = 8 + Int(length)
    let json = try file.bytes(8..<start)
    try GrantedMemory.require(headerCost * Int(length), for: path, "read \(length) bytes of header")
    let header = try JSONFile.decode(
      Header.self, from: json, path: path, what: "the safetensors header is not as it must be")
    var tensors: [Source] = []
    var offset = 0
    for (name, entry) in header.tensors {
      try check(name, entry, offset: offset, available: file.size - start, path)
      let range = start + entry.data_offsets[0]..<start + entry.data_offsets[1]
      tensors.append(
        Source(name: name, shape: entry.shape) { () throws(DataError) in try file.floats(range, "read \(name)") })
      offset = entry.data_offsets[1]
    }
    guard offset == file.size - start else {
      throw DataError(
        path: path, reason: "the header describes \(offset) bytes of data, found \(file.size - start)")
    }
    return (tensors, header.metadata)
  }

  /// The most bytes of a header, the format's own bound (safetensors, `MAX_HEADER_SIZE`).
  private static let mostHeaderBytes: UInt64 = 100_000_000
  /// The bytes of memory that a byte of JSON may take while it is decoded.
  private static let headerCost = 64

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  private struct Header: Decodable {
    var metadata: [String: String] = [:]
    /// The tensors sorted by place; tensors without elements stand before the one that begins at the same place.
    var tensors: [(name: String, entry: Entry)] = []

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: JSONKey.self)
      for key in container.allKeys {
        if key.stringValue == "__metadata__" {
          metadata = try container.decode([String: String].self, forKey: key)
        } else {
          tensors.append((key.stringValue, try container.decode(Entry.self, forKey: key)))
        }
      }
      tensors.sort {
        ($0.entry.data_offsets.first ?? 0, $0.entry.data_offsets.last ?? 0, $0.name)
          < ($1.entry.data_offsets.first ?? 0, $1.entry.data_offsets.last ?? 0, $1.name)
      }
    }
  }

  private static func check(
    _ name: String, _ entry: Entry, offset: Int, available: Int, _ path: String
  ) throws(DataError) {
    guard entry.dtype == "F32" else {
      throw DataError(path: path, reason: "tensor \(name): wanted the type F32, found \(entry.dtype)")
    }
    guard entry.data_offsets.count == 2, entry.data_offsets[0] <= entry.data_offsets[1],
      entry.data_offsets[0] >= 0, entry.data_offsets[1] <= available
    else {
      throw DataError(
        path: path,
        reason: "tensor \(name): wanted a place within \(available) bytes of data, found \(entry.data_offsets); the "
          + "file is cut short or damaged")
    }
    guard entry.data_offsets[0] == offset else {
      throw DataError(
        path: path,
        reason: "tensor \(name): wanted to begin where the one before it ends, at \(offset), found "
          + "\(entry.data_offsets[0])")
    }
    guard checkedProduct(entry.shape + [4]) == entry.data_offsets[1] - entry.data_offsets[0] else {
      throw DataError(
        path: path,
        reason: "tensor \(name): the shape \(entry.shape) of F32 does not fill its "
          + "\(entry.data_offsets[1] - entry.data_offsets[0]) bytes")
    }
  }
}

extension InputFile {
  /// The bytes of a range. Errors: the file has become shorter; they take more memory than is granted.
  fileprivate func bytes(_ range: Range<Int>) throws(DataError) -> [UInt8] {
    try elements(range, "read its header")
  }

  /// The little-endian floats in a range of bytes.
  fileprivate func floats(_ range: Range<Int>, _ purpose: String) throws(DataError) -> [Float] {
    try elements(range, purpose)
  }

  private func elements<T: BitwiseCopyable>(_ range: Range<Int>, _ purpose: String) throws(DataError) -> [T] {
    try GrantedMemory.require(range.count, for: path, purpose)
    var failure: DataError?
    let count = range.count / MemoryLayout<T>.stride
    let elements = [T](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(DataError) {
        let found = try read(
          at: range.lowerBound,
          into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<range.count]))
        if found < range.count {
          failure = DataError(path: path, reason: "wanted \(size) bytes as when it was opened; the file was cut short")
        } else {
          initialized = count
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return elements
  }
}
