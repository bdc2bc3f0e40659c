/// Numbers for altering files (Numerical Recipes' linear congruential generator), the same in every run.
struct Chance {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(max(1, bound)))
  }

  /// One to four changes, each of a kind that readers may believe.
  mutating func altered(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...below(4) {
      switch below(9) {
      case 0, 1, 2: setField(&bytes)
      case 3, 4: setDigits(&bytes)
      case 5: duplicate(&bytes)
      case 6: bytes.removeSubrange(part(of: bytes))
      case 7 where below(3) == 0: bytes.removeLast(below(bytes.count))
      case 7: bytes += [UInt8](repeating: UInt8(below(256)), count: 1 + below(40))
      default: if !bytes.isEmpty { bytes[place(in: bytes)] = [0, 1, 0x7f, 0x80, 0xff, UInt8(below(256))][below(6)] }
      }
    }
    return bytes
  }

  /// Half of all places lie in front, where lengths and counts are.
  private mutating func place(in bytes: [UInt8]) -> Int {
    below(2) == 0 ? below(min(bytes.count, 64)) : below(bytes.count)
  }

  private mutating func part(of bytes: [UInt8]) -> Range<Int> {
    let start = place(in: bytes)
    return start..<min(bytes.count, start + 1 + below(64))
  }

  /// A length or count of 1 to 8 bytes, in either byte order, at the edges of what integers hold.
  private mutating func setField(_ bytes: inout [UInt8]) {
    let edges: [UInt64] = [
      0, 1, .max, 1 << 15, 0xffff, 0x7fff_ffff, 1 << 31, 0xffff_ffff, UInt64(Int64.max), 1 << 63,
      UInt64(below(1 << 20)),
    ]
    let (value, width, isBig) = (edges[below(edges.count)], [1, 2, 4, 8][below(4)], below(2) == 0)
    let start = place(in: bytes)
    for i in 0..<width where start + i < bytes.count {
      bytes[start + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (isBig ? width - 1 - i : i)))
    }
  }

  /// Replaces a number that is written in digits.
  private mutating func setDigits(_ bytes: inout [UInt8]) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let start = bytes[place(in: bytes)...].firstIndex(where: digits.contains) else { return }
    let end = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
    let numbers = [
      "0", "-1", "1", "65536", "2147483647", "4294967295", "9223372036854775807", "9223372036854775808", "1e400", "0.5",
      "99999999999999999999999", "NaN", "",
    ]
    bytes.replaceSubrange(start..<end, with: Array(numbers[below(numbers.count)].utf8))
  }

  private mutating func duplicate(_ bytes: inout [UInt8]) {
    bytes.insert(contentsOf: Array(bytes[part(of: bytes)]), at: below(bytes.count + 1))
  }
}
