/// A message in the wire format of Protocol Buffers, written field by field in the order of the calls.
///
/// A field is written even if it holds its default value, as members of a `oneof` need it.
///
/// Source: "Protocol Buffers Documentation", Encoding.
public struct ProtobufWriter: Sendable {
  /// The message so far.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Writes a field of type `int32`, `int64`, `uint32`, `uint64`, `bool` or an enumeration; a negative number takes ten
  /// bytes.
  public mutating func integer(_ field: Int, _ value: Int) {
    key(field, .varint)
    varint(UInt64(bitPattern: Int64(value)))
  }

  public mutating func float(_ field: Int, _ value: Float) {
    key(field, .fixed32)
    littleEndian(value.bitPattern)
  }

  public mutating func double(_ field: Int, _ value: Double) {
    key(field, .fixed64)
    littleEndian(value.bitPattern)
  }

  public mutating func string(_ field: Int, _ text: String) { bytes(field, text.utf8) }

  public mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
    key(field, .lengthDelimited)
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  /// Writes a field that is a message itself.
  public mutating func message<E: Error>(_ field: Int, _ write: (inout ProtobufWriter) throws(E) -> Void) throws(E) {
    var inner = ProtobufWriter()
    try write(&inner)
    bytes(field, inner.bytes)
  }

  private enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
  }

  private mutating func key(_ field: Int, _ type: WireType) { varint(UInt64(field) << 3 | type.rawValue) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func littleEndian(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
