import HourglassData
import Testing

@Suite struct ProtobufWriterTests {
  /// The examples of the documentation, "Encoding", and what Python's `int.to_bytes` and `struct.pack` say.
  @Test func bytesAreThoseOfTheDocumentation() {
    expect([0x08, 0x96, 0x01]) { $0.integer(1, 150) }
    expect([0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]) { $0.string(2, "testing") }
    expect([0x1a, 0x03, 0x08, 0x96, 0x01]) { $0.message(3) { $0.integer(1, 150) } }
    // -2 as int32 or int64
    expect([0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]) { $0.integer(1, -2) }
    expect([0x08, 0x00]) { $0.integer(1, 0) }
    // field 16 is the first whose key takes two bytes
    expect([0x80, 0x01, 0x7f, 0x80, 0x01, 0x80, 0x01]) {
      $0.integer(16, 127)
      $0.integer(16, 128)
    }
    expect([0x15, 0x00, 0x00, 0xc0, 0xbf]) { $0.float(2, -1.5) }
    expect([0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]) { $0.double(1, 1.5) }
    expect([0x12, 0x00]) { $0.string(2, "") }
    // 200 bytes: a length of two bytes
    expect([0x12, 0xc8, 0x01] + [UInt8](repeating: 7, count: 200)) { $0.bytes(2, [UInt8](repeating: 7, count: 200)) }
  }

  private func expect(_ bytes: [UInt8], _ write: (inout ProtobufWriter) -> Void) {
    var message = ProtobufWriter()
    write(&message)
    #expect(message.bytes == bytes)
  }
}
