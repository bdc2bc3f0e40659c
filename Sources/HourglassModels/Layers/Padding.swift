import HourglassBase

/// How far a filter may reach over the edge of the large image.
///
/// In JSON `"same"`, or the amount as an `Extent2D`.
public enum Padding: Hashable, Sendable, Codable {
  /// Convolution: P = ceil(H / U). Transposed: H = P U. An odd total puts the extra pixel at the bottom and right.
  case same
  /// So many pixels on each side, as PyTorch counts them.
  case amount(Extent2D)

  public init(from decoder: any Decoder) throws {
    if let word = try? String(from: decoder), word == "same" {
      self = .same
    } else if let amount = try? Extent2D(from: decoder) {
      self = .amount(amount)
    } else {
      throw decoder.mismatch("\"same\", \(Extent2D.wanted)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .same:
      var value = encoder.singleValueContainer()
      try value.encode("same")
    case .amount(let extent): try extent.encode(to: encoder)
    }
  }
}
