/// The height, width and channels of one image, in the order of memory (NHWC). A plain vector is 1 x 1 x length.
///
/// JSON writes it as `[height, width, channels]`.
public struct ImageShape: Hashable, Sendable, Codable, CustomStringConvertible {
  public var height: Int
  public var width: Int
  public var channels: Int

  public init(_ height: Int, _ width: Int, _ channels: Int) {
    (self.height, self.width, self.channels) = (height, width, channels)
  }

  public init(vector length: Int) { self.init(1, 1, length) }

  /// The number of elements of one image, H W C; the largest integer where the product is beyond all integers.
  public var count: Int { height.timesClamping(width).timesClamping(channels) }
  public var isVector: Bool { height == 1 && width == 1 }
  public var description: String { isVector ? "\(channels)" : "\(height) x \(width) x \(channels)" }

  public init(from decoder: any Decoder) throws {
    var list = try decoder.unkeyedContainer()
    self.init(try list.decode(Int.self), try list.decode(Int.self), try list.decode(Int.self))
    try list.refuseMore(than: 3, wanted: "[height, width, channels]")
  }

  public func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    try list.encode(height)
    try list.encode(width)
    try list.encode(channels)
  }
}

extension UnkeyedDecodingContainer {
  /// Refuses a list that goes on after `count` elements.
  func refuseMore(than count: Int, wanted: String) throws {
    guard isAtEnd else {
      let found = self.count.map { "a list of \($0)" } ?? "a list of more than \(count)"
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath, debugDescription: "wanted \(wanted), found \(found)"))
    }
  }
}
