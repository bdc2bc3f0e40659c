/// The elements of an array in a file, as they are stored there: unsigned bytes, unsigned 16-bit
/// numbers or floats.
public enum Elements: Sendable, Equatable {
  case bytes([UInt8])
  case words([UInt16])
  case floats([Float])

  /// The number of elements.
  public var count: Int {
    switch self {
    case .bytes(let bytes): bytes.count
    case .words(let words): words.count
    case .floats(let floats): floats.count
    }
  }

  /// How an element is stored, from the narrowest on.
  public enum Kind: String, Codable, Sendable, CaseIterable, Comparable {
    case uint8, uint16, float32

    public static func < (one: Kind, other: Kind) -> Bool { one.width < other.width }

    /// The bytes of an element: 1, 2 or 4.
    public var width: Int {
      switch self {
      case .uint8: 1
      case .uint16: 2
      case .float32: 4
      }
    }
  }

  /// The kind of the elements.
  public var kind: Kind {
    switch self {
    case .bytes: .uint8
    case .words: .uint16
    case .floats: .float32
    }
  }

  /// The elements in a wider kind, which holds all their values: as 16-bit numbers a byte v becomes 257 v, so that 255
  /// becomes 65535; as floats an element becomes the number that it stands for.
  func widened(to kind: Kind) -> Elements {
    switch (self, kind) {
    case (.bytes(let bytes), .uint16): .words(bytes.map { UInt16($0) * 257 })
    case (.bytes(let bytes), .float32): .floats(bytes.map { Float($0) / 255 })
    case (.words(let words), .float32): .floats(words.map { Float($0) / 65_535 })
    default: self
    }
  }
}

extension Array where Element: BitwiseCopyable {
  /// Elements that `fill` writes into a room for `count` of them; it answers how many bytes it has filled.
  init<E: Error>(
    room count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) {
    var failure: E?
    self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
      let room = UnsafeMutableRawBufferPointer(
        start: buffer.baseAddress, count: count * MemoryLayout<Element>.stride)
      do throws(E) { initialized = try fill(room) / MemoryLayout<Element>.stride } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

/// A shape as people read it: `60000 x 28 x 28`.
func extents(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " x ") }

/// The product of the extents, or nil where it does not fit an `Int` or an extent is negative.
func checkedProduct(_ extents: some Sequence<Int>) -> Int? {
  var product = 1
  for extent in extents {
    let (partial, overflow) = product.multipliedReportingOverflow(by: extent)
    guard !overflow, extent >= 0 else { return nil }
    product = partial
  }
  return product
}

/// The sum, or nil where it does not fit an `Int` or a part is missing.
func checkedSum(_ parts: Int?...) -> Int? {
  var sum = 0
  for part in parts {
    guard let part, case let (partial, overflow) = sum.addingReportingOverflow(part), !overflow else { return nil }
    sum = partial
  }
  return sum
}
