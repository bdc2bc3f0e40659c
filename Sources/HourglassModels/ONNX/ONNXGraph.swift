/// A chain of layers as ONNX describes it: operations on named values, and the tensors that they read.
///
/// Images are N, C, H, W and vectors N, D, with any number of samples N.
///
/// Source: "Open Neural Network Exchange Intermediate Representation Specification".
public struct ONNXGraph: Sendable, Equatable {
  /// The operations' version: what an operation means is fixed by it.
  public static let operatorSet = 17

  /// An input or output of the whole graph.
  public struct Port: Sendable, Equatable {
    /// The name of the input or output.
    public let name: String
    /// The extents of one sample.
    public let shape: [Int]
    /// Whether it holds integers of 64 bits, as labels, and not floats.
    public var isInteger = false
  }

  /// A tensor of constants.
  public struct Tensor: Sendable, Equatable {
    /// The numbers of a tensor in row-major order.
    public enum Elements: Sendable, Equatable {
      case floats([Float])
      case integers([Int64])
    }

    /// The name by which nodes read the tensor.
    public let name: String
    /// The extents of the tensor.
    public let shape: [Int]
    /// The numbers of the tensor.
    public let elements: Elements
  }

  /// The value of an attribute of an operation.
  public enum Attribute: Sendable, Equatable {
    case integer(Int)
    case integers([Int])
    case float(Float)
    case string(String)
  }

  /// An operation on named values.
  public struct Node: Sendable, Equatable {
    /// The name of the node.
    public let name: String
    /// The name of the operation, as `Conv`.
    public let operation: String
    public internal(set) var inputs: [String]
    public internal(set) var outputs: [String]
    /// The attributes of the operation by name.
    public let attributes: [String: Attribute]
  }

  /// The name of the graph.
  public let name: String
  /// What the graph reads.
  public internal(set) var inputs: [Port]
  public internal(set) var outputs: [Port] = []
  /// Each reads what those before it put out.
  public internal(set) var nodes: [Node] = []
  public internal(set) var tensors: [Tensor] = []

  init(name: String, inputs: [Port]) { (self.name, self.inputs) = (name, inputs) }

  /// Leaves out the nodes and tensors that no output needs.
  mutating func prune() {
    var needed = Set(outputs.map(\.name))
    for node in nodes.reversed() where !needed.isDisjoint(with: node.outputs) { needed.formUnion(node.inputs) }
    nodes.removeAll { needed.isDisjoint(with: $0.outputs) }
    tensors.removeAll { !needed.contains($0.name) }
  }
}

extension ONNXGraph.Port {
  init(_ name: String, _ shape: ImageShape) {
    self.init(name: name, shape: shape.isVector ? [shape.channels] : shape.channelsFirst)
  }
}

extension ImageShape {
  /// C, H, W.
  var channelsFirst: [Int] { [channels, height, width] }
}
