import HourglassBase

/// How far a filter may reach over the edge of the large image.
///
/// In JSON `"same"`, `"valid"` (none), one number for all sides, `[height, width]`, or `[top, left, bottom, right]`.
public enum Padding: Hashable, Sendable, Codable {
  /// Convolution: P = ceil(H / U). Transposed: H = P U. An odd total puts the extra pixel at the bottom and right.
  case same
  /// So many pixels on each side, as PyTorch counts them.
  case amount(Extent2D)
  /// So many pixels on each of the four sides, as ONNX counts them.
  case sides(Sides)

  /// Pixels on each side of an image.
  public struct Sides: Hashable, Sendable {
    public var top, left, bottom, right: Int

    static let none = Sides(top: 0, left: 0, bottom: 0, right: 0)

    public init(top: Int, left: Int, bottom: Int, right: Int) {
      (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
    }
  }

  /// No padding: windows lie inside the image.
  public static let valid = Padding.amount(0)

  /// The pixels on each side; nil where they follow from the extents.
  public var amounts: Sides? {
    switch self {
    case .same: nil
    case .amount(let each): Sides(top: each.height, left: each.width, bottom: each.height, right: each.width)
    case .sides(let sides): sides
    }
  }

  public init(from decoder: any Decoder) throws {
    if let word = try? String(from: decoder), ["same", "valid"].contains(word) {
      self = word == "same" ? .same : .valid
    } else if let amount = try? Extent2D(from: decoder) {
      self = .amount(amount)
    } else if let list = try? [Int](from: decoder), list.count == 4 {
      self = .sides(Sides(top: list[0], left: list[1], bottom: list[2], right: list[3]))
    } else {
      throw decoder.mismatch("\"same\", \"valid\", a whole number, [height, width] or [top, left, bottom, right]")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .same:
      var value = encoder.singleValueContainer()
      try value.encode("same")
    case .amount(let extent): try extent.encode(to: encoder)
    case .sides(let sides):
      var value = encoder.singleValueContainer()
      try value.encode([sides.top, sides.left, sides.bottom, sides.right])
    }
  }
}
