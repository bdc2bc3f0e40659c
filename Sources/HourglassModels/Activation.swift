import HourglassKernels

/// An elementwise function at the end of a layer, fused into the layer's last pass where the kernels can.
///
/// The derivative of each follows from its output, so that sums are not kept.
public enum Activation: String, Codable, Sendable, CaseIterable {
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
  /// y = s above 0, s / 100 below (Maas et al., ICML 2013)
  case leakyRelu

  var kernel: hg_activation {
    switch self {
    case .linear: HG_ACTIVATION_LINEAR
    case .relu: HG_ACTIVATION_RELU
    case .sigmoid: HG_ACTIVATION_SIGMOID
    case .tanh: HG_ACTIVATION_TANH
    case .softplus: HG_ACTIVATION_SOFTPLUS
    case .elu: HG_ACTIVATION_ELU
    case .leakyRelu: HG_ACTIVATION_LEAKY_RELU
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
    case .leakyRelu: graph.apply("LeakyRelu", ["alpha": .float(0.01)])
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
