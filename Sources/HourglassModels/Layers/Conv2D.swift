import HourglassKernels

/// Two-dimensional convolution (cross-correlation, as the field counts it) with bias and activation.
///
///     y[n,p,q,k] = a(b[k] + sum over r, s, c of x[n, pU+r-top, qV+s-left, c] w[r,s,c,k])
public struct Conv2D: Layer, Hashable {
  public var filters: Int
  public var kernel: Extent2D
  public var stride: Extent2D
  public var padding: Padding
  public var activation: Activation
  public var algorithm: Algorithm

  /// How the sums are computed: part of a model, because it decides their rounding.
  public enum Algorithm: String, Codable, Sendable {
    /// Every product of the definition.
    case direct
    /// Kernels of 3 x 3 with stride 1 by Winograd's F(4 x 4, 3 x 3): about twice as fast where channels are many, with
    /// 3 to 5 times the rounding error.
    case winograd
  }

  public init(
    _ filters: Int, kernel: Extent2D, stride: Extent2D = 1, padding: Padding = .same, activation: Activation = .linear,
    algorithm: Algorithm = .direct
  ) {
    (self.filters, self.kernel, self.stride) = (filters, kernel, stride)
    (self.padding, self.activation, self.algorithm) = (padding, activation, algorithm)
  }

  private enum CodingKeys: String, CodingKey { case filters, kernel, stride, padding, activation, algorithm }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    filters = try fields.decode(Int.self, forKey: .filters)
    kernel = try fields.decode(Extent2D.self, forKey: .kernel)
    stride = try fields.decodeIfPresent(Extent2D.self, forKey: .stride) ?? 1
    padding = try fields.decodeIfPresent(Padding.self, forKey: .padding) ?? .same
    activation = try fields.decodeIfPresent(Activation.self, forKey: .activation) ?? .linear
    algorithm = try fields.decodeIfPresent(Algorithm.self, forKey: .algorithm) ?? .direct
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(filters, forKey: .filters)
    try fields.encode(kernel, forKey: .kernel)
    try fields.encode(stride, forKey: .stride)
    try fields.encode(padding, forKey: .padding)
    try fields.encode(activation, forKey: .activation)
    if algorithm != .direct { try fields.encode(algorithm, forKey: .algorithm) }
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let name = planner.name
    try planner.check(filters, "filter")
    let window = try Window.small(
      planner.shape, channels: filters, kernel: kernel, stride: stride, padding: padding, at: name)
    switch algorithm {
    case .direct:
      try window.check(hg_conv2d_check, at: name)
      try planner.append(PlannedConv2D(name: name, window: window, activation: activation))
    case .winograd:
      guard kernel == 3, stride == 1 else {
        throw ModelError(
          name,
          "the winograd algorithm wants a kernel of 3 and a stride of 1, found a kernel of \(kernel) and a stride of "
            + "\(stride)"
        )
      }
      try window.check(hg_winograd_check, at: name)
      try planner.append(PlannedWinogradConv2D(name: name, window: window, activation: activation))
    }
  }
}

struct PlannedConv2D: PlannedConvolution, LinearizedLayer {
  let name: String
  let window: Window
  let activation: Activation
  var parameterOffset = 0
  /// Whether a transposed convolution behind it is tied to it, whose way back comes first: then both gradients go on
  /// from what that one has begun.
  var isShared = false

  var kind: String { Conv2D.kind }
  var hasFilter: Bool { true }
  var input: ImageShape { window.large }
  var output: ImageShape { window.small }

  func prepare(_ pass: Pass) {
    var geometry = window.geometry(samples: 0)
    let filter = pass.parameters + parameterOffset
    pass.withParallel { parallel in
      checked(hg_conv2d_prepare_gather(&geometry, filter, pass.prepared, parallel))
      if pass.dx != nil {
        checked(hg_conv2d_prepare_scatter(&geometry, filter, pass.prepared + preparedGatherCount, parallel))
      }
    }
  }

  func forward(_ pass: Pass) {
    forward(pass, bias: pass.parameters + parameterOffset + biasOffset, activation)
  }

  func forwardTangent(_ pass: Pass) { forward(pass, bias: nil, .linear) }

  private func forward(_ pass: Pass, bias: UnsafePointer<Float>?, _ activation: Activation) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(hg_conv2d_forward(&geometry, pass.x, pass.prepared, bias, activation.kernel, pass.y, $0))
    }
  }

  func backwardParameters(_ pass: Pass) {
    guard let gradients = pass.gradients else { return }
    backwardFilter(pass, accumulate: pass.accumulate || isShared, bias: gradients + parameterOffset + biasOffset)
  }

  func addTangentGradient(_ pass: Pass) { backwardFilter(pass, accumulate: true, bias: nil) }

  private func backwardFilter(_ pass: Pass, accumulate: Bool, bias: UnsafeMutablePointer<Float>?) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_backward_filter(
          &geometry, pass.x, dy, accumulate, gradients + parameterOffset, bias, pass.scratch, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_backward_data(
          &geometry, dy, pass.prepared + preparedGatherCount, pass.inputActivation.kernel, pass.x, dx, pass.scratch, $0
        ))
    }
  }

  func addNodes(to graph: inout ONNXBuilder) { addConvolution(to: &graph) }
}
