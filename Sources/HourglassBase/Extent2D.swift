/// A height and a width: the size of a kernel, a stride or an output.
///
/// JSON has one number where both are equal, else `[height, width]`.
public struct Extent2D: Hashable, Sendable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
  public var height: Int
  public var width: Int

  public init(_ height: Int, _ width: Int) { (self.height, self.width) = (height, width) }
  /// An integer n stands for n x n.
  public init(integerLiteral value: Int) { self.init(value, value) }

  /// `3` for 3 x 3, `3x5` for a height of 3 and a width of 5.
  public var description: String { height == width ? "\(height)" : "\(height)x\(width)" }

  public init(from decoder: any Decoder) throws {
    if let both = try? Int(from: decoder) {
      self.init(both, both)
    } else if let list = try? [Int](from: decoder), list.count == 2 {
      self.init(list[0], list[1])
    } else {
      throw decoder.mismatch(Self.wanted)
    }
  }

  /// What JSON may have for an extent.
  package static let wanted = "a whole number or [height, width]"

  public func encode(to encoder: any Encoder) throws {
    if height == width {
      var value = encoder.singleValueContainer()
      try value.encode(height)
    } else {
      var list = encoder.unkeyedContainer()
      try list.encode(height)
      try list.encode(width)
    }
  }
}
