import HourglassKernels

/// An elementwise function at the end of a layer, or the softmax over its channels.
///
/// Where the derivative follows from the output, sums are not kept, and the function is fused into the layer's last
/// pass where the kernels can. Others (`gelu`, `silu`, `mish`, `hardSwish`, `softmax`) are a pass of their own behind
/// the layer. In JSON an activation is its name; `leakyRelu:0.2` is a leaky ReLU with a slope of 0.2 below 0.
public enum Activation: Hashable, Sendable {
  /// y = s
  case linear
  /// y = max(s, 0)
  case relu
  /// y = 1 / (1 + exp(-s))
  case sigmoid
  /// y = tanh(s)
  case tanh
  /// y = ln(1 + exp(s))
  case softplus
  /// y = s above 0, exp(s) - 1 below (Clevert et al., ICLR 2016, with alpha 1)
  case elu
  /// y = s above 0, slope s below (Maas et al., ICML 2013); the slope is a multiple of 0.0001 up to 1
  case leakyRelu(slope: Float = 0.01)
  /// y = 1.0507 s above 0, 1.7581 (exp(s) - 1) below (Klambauer et al., NIPS 2017)
  case selu
  /// y = min(max(s, 0), 6)
  case relu6
  /// y = min(max(s / 6 + 1/2, 0), 1)
  case hardSigmoid
  /// y = min(max(s, -1), 1)
  case hardTanh
  /// y = s F(s), F the distribution of a standard normal value (Hendrycks & Gimpel, arXiv:1606.08415)
  case gelu
  /// y = s / (1 + exp(-s)), also called swish (Elfwing et al., Neural Networks 2018)
  case silu
  /// y = s tanh(ln(1 + exp(s))) (Misra, BMVC 2020)
  case mish
  /// y = s min(max(s / 6 + 1/2, 0), 1) (Howard et al., ICCV 2019)
  case hardSwish
  /// y[c] = exp(s[c]) / sum over the channels k of exp(s[k]), at each position
  case softmax

  /// How the derivative is found.
  enum Kind { case ofOutput, ofInput, ofChannels }

  var kind: Kind {
    switch self {
    case .softmax: .ofChannels
    case .gelu, .silu, .mish, .hardSwish: .ofInput
    default: .ofOutput
    }
  }

  /// What the kernels call an elementwise one.
  var kernel: hg_activation {
    switch self {
    case .linear: HG_ACTIVATION_LINEAR
    case .relu: HG_ACTIVATION_RELU
    case .sigmoid: HG_ACTIVATION_SIGMOID
    case .tanh: HG_ACTIVATION_TANH
    case .softplus: HG_ACTIVATION_SOFTPLUS
    case .elu: HG_ACTIVATION_ELU
    case .leakyRelu(let slope):
      // HG_LEAKY_RELU of the header.
      hg_activation(
        HG_ACTIVATION_LEAKY_RELU.rawValue | UInt32(clamping: Int(clamping: Double(slope) * 10_000 + 0.5)) << 8)
    case .selu: HG_ACTIVATION_SELU
    case .relu6: HG_ACTIVATION_RELU6
    case .hardSigmoid: HG_ACTIVATION_HARD_SIGMOID
    case .hardTanh: HG_ACTIVATION_HARD_TANH
    case .gelu: HG_ACTIVATION_GELU
    case .silu: HG_ACTIVATION_SILU
    case .mish: HG_ACTIVATION_MISH
    case .hardSwish: HG_ACTIVATION_HARD_SWISH
    case .softmax: preconditionFailure("the softmax is no function of one element")
    }
  }

  /// Appends the activation to an ONNX graph.
  func addNodes(to graph: inout ONNXBuilder) {
    switch self {
    case .linear: break
    case .relu: graph.apply("Relu")
    case .sigmoid: graph.apply("Sigmoid")
    case .tanh: graph.apply("Tanh")
    case .softplus: graph.apply("Softplus")
    case .elu: graph.apply("Elu", ["alpha": .float(1)])
    case .leakyRelu(let slope): graph.apply("LeakyRelu", ["alpha": .float(slope)])
    case .selu: graph.apply("Selu")
    case .relu6: graph.clip(0...6)
    case .hardSigmoid: graph.apply("HardSigmoid", ["alpha": .float(1 / 6), "beta": .float(0.5)])
    case .hardTanh: graph.clip(-1...1)
    case .gelu:
      // x/2 (1 + erf(x / sqrt 2))
      let x = graph.values[0]
      let scaled = graph.node("Mul", [x, graph.tensor("root", Float(0.5).squareRoot())])
      let sum = graph.node("Add", [graph.node("Erf", [scaled]), graph.tensor("one", 1)])
      let half = graph.node("Mul", [x, graph.tensor("half", 0.5)])
      graph.put(graph.node("Mul", [half, sum]))
    case .silu: graph.put(graph.node("Mul", [graph.values[0], graph.node("Sigmoid", [graph.values[0]])]))
    case .mish:
      let gate = graph.node("Tanh", [graph.node("Softplus", [graph.values[0]])])
      graph.put(graph.node("Mul", [graph.values[0], gate]))
    case .hardSwish: graph.apply("HardSwish")
    case .softmax: graph.apply("Softmax", ["axis": .integer(1)])
    }
  }

  /// dx = dy a'(y), with y the activation's output. `dx` may be `dy`.
  public func backward(
    count: Int, y: UnsafePointer<Float>, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>, threads: Int
  ) {
    var parallel = Planner.parallel(threads: threads)
    checked(hg_activation_backward(kernel, count, y, dy, dx, &parallel))
  }
}

extension Activation: CaseIterable, Codable, CustomStringConvertible {
  /// Each kind once, the leaky ReLU with the slope it has where none is said.
  public static let allCases: [Activation] = [
    .linear, .relu, .sigmoid, .tanh, .softplus, .elu, .leakyRelu(), .selu, .relu6, .hardSigmoid, .hardTanh, .gelu,
    .silu, .mish, .hardSwish, .softmax,
  ]

  /// The name in files: `relu`, `leakyRelu:0.2`.
  public var description: String {
    switch self {
    case .linear: "linear"
    case .relu: "relu"
    case .sigmoid: "sigmoid"
    case .tanh: "tanh"
    case .softplus: "softplus"
    case .elu: "elu"
    case .leakyRelu(let slope): slope == 0.01 ? "leakyRelu" : "leakyRelu:\(slope)"
    case .selu: "selu"
    case .relu6: "relu6"
    case .hardSigmoid: "hardSigmoid"
    case .hardTanh: "hardTanh"
    case .gelu: "gelu"
    case .silu: "silu"
    case .mish: "mish"
    case .hardSwish: "hardSwish"
    case .softmax: "softmax"
    }
  }

  /// The activation of that name; nil where there is none.
  init?(_ name: String) {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let slope = parts.count == 2 && parts[0] == Self.leaky ? Float(parts[1]).flatMap(Self.leakyRelu(rounded:)) : nil
    guard let known = slope ?? Self.allCases.first(where: { $0.description == name }) else { return nil }
    self = known
  }

  private static let leaky = "leakyRelu"
  /// Names of activations elsewhere, and what they are called here.
  private static let others = ["swish": "silu", "hardswish": "hardSwish", "leaky_relu": leaky, "lrelu": leaky]

  /// A leaky ReLU whose slope the kernels can tell; nil where they would round it.
  private static func leakyRelu(rounded slope: Float) -> Activation? {
    guard slope > 0, slope <= 1 else { return nil }
    let steps = (Double(slope) * 10_000).rounded()
    return Float(steps / 10_000) == slope ? .leakyRelu(slope: slope) : nil
  }

  public init(from decoder: any Decoder) throws {
    let known = Self.allCases.map(\.description) + ["\(Self.leaky):0.2 with any slope of 0.0001 to 1"]
    guard let name = try? String(from: decoder) else { throw decoder.mismatch(words: known) }
    guard let activation = Activation(name) else {
      if name.hasPrefix("\(Self.leaky):") { throw decoder.mismatch("a slope of 0.0001 to 1 in steps of 0.0001") }
      throw decoder.mismatch(words: known, instead: Self.others[name])
    }
    self = activation
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(description)
  }
}
