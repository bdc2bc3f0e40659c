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
