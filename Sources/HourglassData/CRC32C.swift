/// Cyclic redundancy check of 32 bits with the polynomial of Castagnoli, 0x1edc6f41, bits reversed.
///
/// Source: Castagnoli, Brauer & Herrmann, IEEE Transactions on Communications 41, 1993; as in RFC 3720.
enum CRC32C {
  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { sum, byte in table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8 }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(byte) { sum, _ in sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0x82f6_3b78 }
  }
}
