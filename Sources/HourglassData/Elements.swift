/// The elements of an array in a file, as they are stored there: unsigned bytes or floats.
public enum Elements: Sendable, Equatable {
  case bytes([UInt8])
  case floats([Float])

  public var count: Int {
    switch self {
    case .bytes(let bytes): bytes.count
    case .floats(let floats): floats.count
    }
  }
}

extension Array where Element: BitwiseCopyable {
  /// Elements that `fill` writes: it answers how many bytes of the room for `count` elements it has filled.
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

/// A shape for people: `60000 x 28 x 28`.
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
