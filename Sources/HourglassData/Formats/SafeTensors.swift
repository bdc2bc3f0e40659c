import Foundation

/// Named tensors of 32-bit floats and a map of strings, in the safetensors format.
///
///     8 bytes: length of the header, little-endian; header: JSON, padded with spaces to 8 bytes; data, C order
///
/// Equal contents give equal bytes: tensors lie and are listed in their order here, metadata is sorted by key.
///
/// Source: huggingface/safetensors, README, section "Format".
public struct SafeTensors: Sendable, Equatable {
  public struct Tensor: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    public var values: [Float]

    public init(name: String, shape: [Int], values: [Float]) {
      precondition(checkedProduct(shape) == values.count, "\(values.count) values do not fill \(name) \(shape)")
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  /// In the order of their bytes in the file.
  public var tensors: [Tensor]
  public var metadata: [String: String]

  public init(tensors: [Tensor], metadata: [String: String] = [:]) {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors have one name")
    (self.tensors, self.metadata) = (tensors, metadata)
  }

  /// The tensor of that name. Cost: a search through all.
  public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

  // MARK: Writing

  /// Writes a file, whole or not at all.
  public func write(to path: String) throws(DataError) {
    try AtomicFile.write(encoded(), to: path)
  }

  /// The file's bytes.
  public func encoded() -> Data {
    var entries: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in tensors {
      let end = offset + 4 * tensor.values.count
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(quoted(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    var data = Data(capacity: 8 + header.count + offset)
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(contentsOf: header)
    for tensor in tensors { tensor.values.withUnsafeBytes { data.append(contentsOf: $0) } }
    return data
  }

  private func quoted(_ text: String) -> String {
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

  /// Reads a file. Errors: a header that is damaged or says a thing twice, tensors that are no floats of 32 bits or do
  /// not fill the file.
  public static func read(_ path: String) throws(DataError) -> SafeTensors {
    try decode(try InputFile.contents(of: path), path: path)
  }

  /// Reads the bytes of a file; `path` names it in errors.
  public static func decode(_ bytes: [UInt8], path: String) throws(DataError) -> SafeTensors {
    guard bytes.count >= 8 else {
      throw DataError(path: path, reason: "wanted a safetensors file of at least 8 bytes, found \(bytes.count)")
    }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(bytes.count - 8) else {
      throw DataError(
        path: path,
        reason: "the first 8 bytes say a header of \(length) bytes, found \(bytes.count - 8) bytes after them; the "
          + "file is cut short or no safetensors file")
    }
    let start = 8 + Int(length)
    try GrantedMemory.require(
      checkedSum(checkedProduct([headerCost, Int(length)]), bytes.count - start), for: path,
      "hold its tensors and \(length) bytes of header")
    if let repeated = JSONKeys.repeated(in: bytes[8..<start]) {
      throw DataError(path: path, reason: "the safetensors header has two entries \(repeated), wanted one")
    }
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(bytes[8..<start]))
    } catch {
      throw DataError(path: path, reason: "the safetensors header is not as it must be: \(sentence(error))")
    }
    var tensors: [Tensor] = []
    var offset = 0
    for (name, entry) in header.tensors {
      try check(name, entry, offset: offset, available: bytes.count - start, path)
      let range = start + entry.data_offsets[0]..<start + entry.data_offsets[1]
      tensors.append(Tensor(name: name, shape: entry.shape, values: floats(bytes, range)))
      offset = entry.data_offsets[1]
    }
    guard offset == bytes.count - start else {
      throw DataError(
        path: path, reason: "the header describes \(offset) bytes of data, found \(bytes.count - start)")
    }
    return SafeTensors(tensors: tensors, metadata: header.metadata)
  }

  /// Bytes that a byte of JSON may take while it is decoded.
  private static let headerCost = 64

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Header: Decodable {
    var metadata: [String: String] = [:]
    /// Sorted by place; tensors without elements before the one that begins at the same place.
    var tensors: [(name: String, entry: Entry)] = []

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Name.self)
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

  private static func floats(_ bytes: [UInt8], _ range: Range<Int>) -> [Float] {
    [Float](unsafeUninitializedCapacity: range.count / 4) { out, count in
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(out).copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range]))
      }
      count = range.count / 4
    }
  }

  private static func sentence(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      let place = context.codingPath.map(\.stringValue).joined(separator: ".")
      return (place.isEmpty ? "" : "\(place): ") + context.debugDescription
    case .keyNotFound(let key, let context):
      return "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(key.stringValue) is missing"
    default: return "\(error)"
    }
  }
}
