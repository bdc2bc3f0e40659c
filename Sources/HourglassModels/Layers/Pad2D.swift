/// Pixels around an image:  y[n, h+top, w+left, c] = x[n,h,w,c], and by the mode what stands outside.
///
/// `ZeroPad2d`, `ReflectionPad2d` and `ReplicationPad2d` of PyTorch.
public struct Pad2D: Layer, Hashable {
  /// How many pixels stand on each side. With zeros a negative amount cuts pixels off.
  public var padding: Padding
  /// What stands outside.
  public var mode: Mode

  /// What stands outside an image.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// Zeros.
    case zeros
    /// The image mirrored at the middle of its outermost pixels: 2 1 | 0 1 2 | 1 0.
    case reflect
    /// The outermost pixels: 0 0 | 0 1 2 | 2 2.
    case replicate
  }

  /// Pixels around an image: N x H x W x C in, N x (top + H + bottom) x (left + W + right) x C out.
  public init(_ padding: Padding, mode: Mode = .zeros) { (self.padding, self.mode) = (padding, mode) }

  private enum CodingKeys: String, CodingKey { case padding, mode }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    padding = try fields.decode(Padding.self, forKey: .padding)
    mode = try fields.decode(.mode, or: .zeros)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(padding, forKey: .padding)
    try fields.encode(mode, .mode, unless: .zeros)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard let sides = padding.amounts else {
      throw ModelError(planner.name, "wanted the pixels on each side, found \"same\", which goes by a kernel")
    }
    try planner.pad(sides, mode, as: planner.name)
  }
}

extension Planner {
  /// Appends pixels around the image at hand.
  ///
  /// - Parameter part: what tables call it.
  mutating func pad(_ sides: Padding.Sides, _ mode: Pad2D.Mode, as part: String) throws(ModelError) {
    let vertical = try ResamplingAxis.padded(shape.height, sides.top, sides.bottom, mode, "height", name)
    let horizontal = try ResamplingAxis.padded(shape.width, sides.left, sides.right, mode, "width", name)
    try check(ImageShape(vertical.outputs, horizontal.outputs, shape.channels))
    try append(
      PlannedResampling(self, name: part, kind: Pad2D.kind, vertical: vertical, horizontal: horizontal) {
        $0.padded($1, sides, mode)
      })
  }
}

extension ResamplingAxis {
  fileprivate static func padded(
    _ inputs: Int, _ before: Int, _ behind: Int, _ mode: Pad2D.Mode, _ axis: String, _ name: String
  ) throws(ModelError) -> ResamplingAxis {
    let possible =
      switch mode {
      case .zeros: -Planner.mostExtent...Planner.mostExtent
      case .reflect: 0...inputs - 1
      case .replicate: 0...Planner.mostExtent
      }
    for pad in [before, behind] where !possible.contains(pad) {
      let below = mode == .reflect ? ", below the \(axis) of what is reflected" : ""
      throw ModelError(
        name, "wanted a padding of \(possible.lowerBound) to \(possible.upperBound)\(below), found \(pad)")
    }
    guard inputs + before + behind >= 1 else {
      throw ModelError(name, "the padding \(before) and \(behind) leaves nothing of a \(axis) of \(inputs)")
    }
    return try ResamplingAxis(inputs: inputs, outputs: inputs + before + behind, at: name) { i in
      var place = i - before
      if mode == .reflect { place = place < 0 ? -place : place < inputs ? place : 2 * (inputs - 1) - place }
      if mode == .replicate { place = min(max(0, place), inputs - 1) }
      return [(place, place >= 0 && place < inputs ? 1 : 0)]
    }
  }
}

extension ONNXBuilder {
  /// An image N, C, H, W with pixels around it.
  mutating func padded(_ image: String, _ sides: Padding.Sides, _ mode: Pad2D.Mode = .zeros) -> String {
    let amounts = tensor("pads", [0, 0, sides.top, sides.left, 0, 0, sides.bottom, sides.right])
    let word =
      switch mode {
      case .zeros: "constant"
      case .reflect: "reflect"
      case .replicate: "edge"
      }
    return node("Pad", [image, amounts], ["mode": .string(word)])
  }
}
