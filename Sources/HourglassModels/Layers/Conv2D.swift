import HourglassKernels

/// Two-dimensional convolution (cross-correlation, as the field counts it) with bias and activation.
///
///     y[n,p,q,k] = a(b[k] + sum over r, s, c of x[n, pU+rD-top, qV+sE-left, c] w[r,s,c,k])
///
/// where c goes over the channels of the group of k, all of them unless there are groups.
public struct Conv2D: Layer, Hashable {
  /// The number of filters, K, which are the channels of the output.
  public var filters: Int
  /// The height R and the width S of the filters.
  public var kernel: Extent2D
  /// U and V: how far windows lie apart, down and across.
  public var stride: Extent2D
  /// How far windows may reach over the edge.
  public var padding: Padding
  /// What stands outside the image.
  public var paddingMode: Pad2D.Mode
  /// D and E: how far the taps of the filters lie apart, down and across.
  public var dilation: Extent2D
  /// How many groups the channels fall into: those of the output meet those of the input's group of the same number
  /// alone. As many as the input has channels: a depthwise convolution.
  public var groups: Int
  /// The activation a of the output.
  public var activation: Activation
  /// How the convolution is computed; results differ by rounding.
  public var algorithm: Algorithm
  /// Whether there is a bias b.
  public var bias: Bool
  /// What weights start from; nil for what the recipe says of the whole model.
  public var initializer: Initializer?

  /// A convolution with K = `filters` filters: N x H x W x C in, N x P x Q x K out, with P = ceil(H / U) and Q = ceil(W
  /// / V) for the padding `same`.
  public init(
    _ filters: Int, kernel: Extent2D, stride: Extent2D = 1, padding: Padding = .same,
    paddingMode: Pad2D.Mode = .zeros, dilation: Extent2D = 1, groups: Int = 1, activation: Activation = .linear,
    algorithm: Algorithm = .direct,
    bias: Bool = true, initializer: Initializer? = nil
  ) {
    (self.filters, self.kernel, self.stride) = (filters, kernel, stride)
    (self.padding, self.paddingMode, self.activation, self.algorithm) = (padding, paddingMode, activation, algorithm)
    (self.dilation, self.groups, self.bias, self.initializer) = (dilation, groups, bias, initializer)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    filters = try fields.decode(Int.self, forKey: .filters)
    kernel = try fields.decode(Extent2D.self, forKey: .kernel)
    stride = try fields.decode(.stride, or: 1)
    padding = try fields.decode(.padding, or: .same)
    paddingMode = try fields.decode(.paddingMode, or: .zeros)
    activation = try fields.decode(.activation, or: .linear)
    algorithm = try fields.decode(.algorithm, or: .direct)
    bias = try fields.decode(.bias, or: true)
    dilation = try fields.decode(.dilation, or: 1)
    groups = try fields.decode(.groups, or: 1)
    initializer = try fields.decodeIfPresent(Initializer.self, forKey: .initializer)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(filters, forKey: .filters)
    try fields.encode(kernel, forKey: .kernel)
    try fields.encode(stride, forKey: .stride)
    try fields.encode(padding, forKey: .padding)
    try fields.encode(paddingMode, .paddingMode, unless: .zeros)
    try fields.encode(activation, forKey: .activation)
    try fields.encode(algorithm, .algorithm, unless: .direct)
    try fields.encode(bias, .bias, unless: true)
    try fields.encode(dilation, .dilation, unless: 1)
    try fields.encode(groups, .groups, unless: 1)
    try fields.encodeIfPresent(initializer, forKey: .initializer)
  }

  private enum CodingKeys: String, CodingKey {
    case filters, kernel, stride, padding, paddingMode, dilation, groups, activation, algorithm, bias, initializer
  }

  public func plan(_ planner: inout Planner) throws(ModelError) { try plan(&planner, alongLine: false) }

  /// - Parameter alongLine: whether the layer is one of sequences.
  func plan(_ planner: inout Planner, alongLine: Bool) throws(ModelError) {
    let name = planner.name
    try planner.check(filters, "filter")
    var window = try window(of: planner.shape, padding, at: name)
    if paddingMode != .zeros, window.reach != .none {
      try planner.pad(window.reach, paddingMode, as: "\(name).padding")
      window = try self.window(of: planner.shape, .valid, at: name)
    }
    window = try window.convolved(kernel, dilation: dilation, groups: groups, by: algorithm, at: name)
    window.isAlongLine = alongLine
    try planner.append(activation) { [window] activation throws(ModelError) in
      PlannedConv2D(name: name, window: window, activation: activation, hasBias: bias, initializer: initializer)
    }
  }

  private func window(of large: ImageShape, _ padding: Padding, at name: String) throws(ModelError) -> Window {
    let extent = try Window.extent(kernel, stride, dilation, at: name)
    return try .small(large, channels: filters, kernel: extent, stride: stride, padding: padding, at: name)
  }
}

extension Conv2D {
  /// How the sums of a convolution or its transpose are computed: part of a model, because it decides their rounding.
  public enum Algorithm: String, Codable, Sendable, CaseIterable {
    /// Every product of the definition.
    case direct
    /// Kernels of 3 x 3 with stride 1 and of 4 x 4 with stride 2 by Winograd's F(4 x 4, 3 x 3) and F(4 x 4, 2 x 2): a
    /// quarter and 1 / 2.56 of the multiply-adds, faster where channels are many and images are not tiny, with 1.5 to 5
    /// times the rounding error. The same bits for any workers, threads and instruction set with FMA.
    ///
    /// Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
    case winograd

    /// The name that the kernels have for it.
    public var kernel: hg_algorithm { self == .direct ? HG_ALGORITHM_DIRECT : HG_ALGORITHM_WINOGRAD }
  }
}

struct PlannedConv2D: PlannedConvolution {
  let name: String
  let window: Window
  let activation: Activation
  let hasBias: Bool
  let initializer: Initializer?

  var kind: String { window.isAlongLine ? Conv1D.kind : kind(of: Conv2D.self) }
  var hasFilter: Bool { true }
  var followsTangents: Bool { true }
  var input: ImageShape { window.large }
  var output: ImageShape { window.small }

  func prepare(_ pass: Pass) {
    var geometry = window.geometry(samples: 0)
    pass.withParallel { parallel in
      checked(hg_conv2d_prepare_gather(&geometry, pass.parameters, gatherFilter(pass), parallel))
      if pass.dx != nil {
        checked(hg_conv2d_prepare_scatter(&geometry, pass.parameters, scatterFilter(pass), parallel))
      }
    }
  }

  func forward(_ pass: Pass) {
    forward(pass, bias: hasBias ? pass.parameters + biasOffset : nil, activation)
  }

  func forwardTangent(_ pass: Pass) { forward(pass, bias: nil, .linear) }

  private func forward(_ pass: Pass, bias: UnsafePointer<Float>?, _ activation: Activation) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_forward(
          &geometry, pass.x, gatherFilter(pass), bias, activation.kernel, pass.y, pass.scratch, $0))
    }
  }

  func backwardParameters(_ pass: Pass) {
    guard let gradients = pass.gradients else { return }
    backwardFilter(pass, accumulate: pass.accumulate, bias: hasBias ? gradients + biasOffset : nil)
  }

  func addTangentGradient(_ pass: Pass) { backwardFilter(pass, accumulate: true, bias: nil) }

  private func backwardFilter(_ pass: Pass, accumulate: Bool, bias: UnsafeMutablePointer<Float>?) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_backward_filter(
          &geometry, pass.x, dy, accumulate, gradients, bias, pass.scratch, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_backward_data(
          &geometry, dy, scatterFilter(pass), pass.inputActivation.kernel, pass.x, dx, pass.scratch, $0))
    }
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let tensors = parameters.map { graph.tensor($0) }
    let inputs = [graph.image(input), withHeight(tensors[0], in: &graph)] + tensors.dropFirst()
    graph.put(graph.node("Conv", inputs, window.attributes))
  }
}
