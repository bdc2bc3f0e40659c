/// The height, width and channels of one image, H x W x C, in the order of memory. A vector of n numbers is 1 x 1 x n.
///
/// JSON has `[height, width, channels]`.
public struct ImageShape: Hashable, Sendable, Codable, CustomStringConvertible {
  public var height: Int
  public var width: Int
  public var channels: Int

  /// The shape height x width x channels.
  public init(_ height: Int, _ width: Int, _ channels: Int) {
    (self.height, self.width, self.channels) = (height, width, channels)
  }

  /// The shape of a vector, 1 x 1 x length.
  public init(vector length: Int) { self.init(1, 1, length) }

  /// The elements of one image, H W C. A product beyond all integers becomes the largest integer, which no plan takes.
  public var count: Int { height.timesClamping(width).timesClamping(channels) }
  /// Whether height and width are 1.
  public var isVector: Bool { height == 1 && width == 1 }
  /// `28 x 28 x 1`, and the length alone for a vector.
  public var description: String { isVector ? "\(channels)" : "\(height) x \(width) x \(channels)" }

  public init(from decoder: any Decoder) throws {
    guard let list = try? [Int](from: decoder), list.count == 3 else {
      throw decoder.mismatch("[height, width, channels]")
    }
    self.init(list[0], list[1], list[2])
  }

  public func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    try list.encode(height)
    try list.encode(width)
    try list.encode(channels)
  }
}
