/// How often each symbol was seen, which is how likely an arithmetic coder takes it to be (Witten, Neal & Cleary,
/// "Arithmetic coding for data compression", 1987). Coded so, symbols take close to their entropy in bits, without a
/// table in the file.
struct AdaptiveCounts {
  private(set) var counts: [UInt32]
  private(set) var total: UInt32

  /// Counts by which all symbols are equally likely.
  init(symbols: Int) {
    counts = Array(repeating: 1, count: symbols)
    total = UInt32(symbols)
  }

  func below(_ symbol: Int) -> UInt32 { counts[..<symbol].reduce(0, +) }

  mutating func see(_ symbol: Int) {
    counts[symbol] += 32
    total += 32
    guard total > Self.most else { return }
    // Older symbols count less.
    for i in counts.indices { counts[i] = (counts[i] + 1) / 2 }
    total = counts.reduce(0, +)
  }

  private static let most: UInt32 = 1 << 16
}

/// The interval that coder and decoder narrow with each symbol, as 32 bits of a binary fraction.
private struct Interval {
  var low: UInt64 = 0
  var high: UInt64 = 0xffff_ffff

  static let quarter: UInt64 = 1 << 30
  static let half: UInt64 = 2 << 30
  var width: UInt64 { high - low + 1 }

  mutating func narrow(to counts: AdaptiveCounts, _ symbol: Int) {
    let (width, total, below) = (width, UInt64(counts.total), UInt64(counts.below(symbol)))
    high = low + width * (below + UInt64(counts.counts[symbol])) / total - 1
    low += width * below / total
  }

  enum Widening { case lower, upper, middle }

  /// Doubles the interval where it lies in one half or in the middle, and says where it lay.
  mutating func widen() -> Widening? {
    let (place, base): (Widening, UInt64)
    if high < Self.half {
      (place, base) = (.lower, 0)
    } else if low >= Self.half {
      (place, base) = (.upper, Self.half)
    } else if low >= Self.quarter, high < Self.half + Self.quarter {
      (place, base) = (.middle, Self.quarter)
    } else {
      return nil
    }
    low = 2 * (low - base)
    high = 2 * (high - base) + 1
    return place
  }
}

struct ArithmeticEncoder {
  private var interval = Interval()
  /// The number of bits that are the opposite of the next one that is known.
  private var pending = 0
  private var bytes: [UInt8] = []
  private var bits = 0

  mutating func encode(_ symbol: Int, _ counts: inout AdaptiveCounts) {
    interval.narrow(to: counts, symbol)
    counts.see(symbol)
    while let place = interval.widen() {
      if place == .middle { pending += 1 } else { emit(place == .upper) }
    }
  }

  /// All bytes of the symbols encoded. Nothing can be encoded afterwards.
  mutating func finish() -> [UInt8] {
    pending += 1
    emit(interval.low >= Interval.quarter)
    return bytes
  }

  private mutating func emit(_ bit: Bool) {
    append(bit)
    for _ in 0..<pending { append(!bit) }
    pending = 0
  }

  private mutating func append(_ bit: Bool) {
    if bits % 8 == 0 { bytes.append(0) }
    if bit { bytes[bytes.count - 1] |= 128 >> UInt8(bits % 8) }
    bits += 1
  }
}

struct ArithmeticDecoder {
  private var interval = Interval()
  private var value: UInt64 = 0
  private let bytes: [UInt8]
  private var bits = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    for _ in 0..<32 { value = 2 * value + nextBit() }
  }

  /// The bytes that the encoder would have written for the symbols so far, if they were all: two bits end them, and 32
  /// are read ahead.
  var bytesRead: Int { (bits - 32 + 2 + 7) / 8 }

  mutating func decode(_ counts: inout AdaptiveCounts) -> Int {
    let place = ((value - interval.low + 1) * UInt64(counts.total) - 1) / interval.width
    var (symbol, above) = (0, UInt64(counts.counts[0]))
    while above <= place {
      symbol += 1
      above += UInt64(counts.counts[symbol])
    }
    interval.narrow(to: counts, symbol)
    counts.see(symbol)
    while let place = interval.widen() {
      let base = place == .lower ? 0 : place == .upper ? Interval.half : Interval.quarter
      value = 2 * (value - base) + nextBit()
    }
    return symbol
  }

  /// The next bit; zeros follow the end.
  private mutating func nextBit() -> UInt64 {
    defer { bits += 1 }
    return bits / 8 < bytes.count ? UInt64(bytes[bits / 8] >> UInt8(7 - bits % 8) & 1) : 0
  }
}
