import HourglassKernels

/// An elementwise function at the end of a layer, fused into the layer's last pass where the kernels can.
public enum Activation: String, Codable, Sendable, CaseIterable {
  /// y = s
  case linear
  /// y = max(s, 0)
  case relu
  /// y = 1 / (1 + exp(-s))
  case sigmoid

  var kernel: hg_activation {
    switch self {
    case .linear: HG_ACTIVATION_LINEAR
    case .relu: HG_ACTIVATION_RELU
    case .sigmoid: HG_ACTIVATION_SIGMOID
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
