import HourglassKernels

/// Transposed convolution with bias and activation: the adjoint of `Conv2D` with the same geometry, from the small
/// image to the large one.
///
///     x[n,h,w,c] = a(b[c] + sum over the p, q, r, s that meet (h, w), and k, of y[n,p,q,k] w[r,s,c,k])
///
/// where k goes over the channels of the group of c, all of them unless there are groups.
///
/// Source: Zeiler et al., "Deconvolutional networks", CVPR 2010; Dumoulin & Visin, arXiv:1603.07285.
public struct ConvTranspose2D: Layer, Hashable {
  /// The number of filters, C, which are the channels of the output.
  public var filters: Int
  /// The height R and the width S of the filters.
  public var kernel: Extent2D
  /// U and V: how far windows lie apart in the output, down and across.
  public var stride: Extent2D
  /// How far windows may reach over the edge of the output.
  public var padding: Padding
  /// The height and width of the output, where several sizes would lead back to the input's; nil for the size that
  /// PyTorch takes without output padding.
  public var outputSize: Extent2D?
  /// D and E: how far the taps of the filters lie apart, down and across.
  public var dilation: Extent2D
  /// How many groups the channels fall into: those of the output meet those of the input's group of the same number
  /// alone. As many as the input has channels: a depthwise convolution.
  public var groups: Int
  /// The activation a of the output.
  public var activation: Activation
  /// How the convolution is computed; results differ by rounding.
  public var algorithm: Conv2D.Algorithm
  /// Whether there is a bias b.
  public var bias: Bool
  /// What weights start from; nil for what the recipe says of the whole model.
  public var initializer: Initializer?

  /// A transposed convolution with C = `filters` filters: N x P x Q x K in, N x H x W x C out, with H = P U and W = Q V
  /// for the padding `same`.
  public init(
    _ filters: Int, kernel: Extent2D, stride: Extent2D = 1, padding: Padding = .same, outputSize: Extent2D? = nil,
    dilation: Extent2D = 1, groups: Int = 1, activation: Activation = .linear, algorithm: Conv2D.Algorithm = .direct,
    bias: Bool = true,
    initializer: Initializer? = nil
  ) {
    (self.filters, self.kernel, self.stride) = (filters, kernel, stride)
    (self.padding, self.outputSize, self.activation, self.algorithm) = (padding, outputSize, activation, algorithm)
    (self.dilation, self.groups, self.bias, self.initializer) = (dilation, groups, bias, initializer)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    filters = try fields.decode(Int.self, forKey: .filters)
    kernel = try fields.decode(Extent2D.self, forKey: .kernel)
    stride = try fields.decode(.stride, or: 1)
    padding = try fields.decode(.padding, or: .same)
    outputSize = try fields.decodeIfPresent(Extent2D.self, forKey: .outputSize)
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
    try fields.encodeIfPresent(outputSize, forKey: .outputSize)
    try fields.encode(activation, forKey: .activation)
    try fields.encode(algorithm, .algorithm, unless: .direct)
    try fields.encode(bias, .bias, unless: true)
    try fields.encode(dilation, .dilation, unless: 1)
    try fields.encode(groups, .groups, unless: 1)
    try fields.encodeIfPresent(initializer, forKey: .initializer)
  }

  private enum CodingKeys: String, CodingKey {
    case filters, kernel, stride, padding, outputSize, dilation, groups, activation, algorithm, bias, initializer
  }

  public func plan(_ planner: inout Planner) throws(ModelError) { try plan(&planner, alongLine: false) }

  /// - Parameter alongLine: whether the layer is one of sequences.
  func plan(_ planner: inout Planner, alongLine: Bool) throws(ModelError) {
    let name = planner.name
    try planner.check(filters, "filter")
    let extent = try Window.extent(kernel, stride, dilation, at: name)
    var window = try Window.large(
      planner.shape, channels: filters, kernel: extent, stride: stride, padding: padding, outputSize: outputSize,
      at: name
    ).convolved(kernel, dilation: dilation, groups: groups, by: algorithm, at: name)
    window.isAlongLine = alongLine
    try planner.append(activation) { [window] activation throws(ModelError) in
      PlannedConvTranspose2D(
        name: name, window: window, activation: activation, hasBias: bias, initializer: initializer)
    }
  }
}

struct PlannedConvTranspose2D: PlannedConvolution {
  let name: String
  let window: Window
  let activation: Activation
  let hasBias: Bool
  let initializer: Initializer?
  /// The convolution that lends its filter; nil where the filter is the layer's own.
  var lender: Lender?

  var kind: String {
    guard lender == nil else { return kind(of: TiedConvTranspose2D.self) }
    return window.isAlongLine ? ConvTranspose1D.kind : kind(of: ConvTranspose2D.self)
  }
  var hasFilter: Bool { lender == nil }
  var input: ImageShape { window.small }
  var output: ImageShape { window.large }

  func reads(_ use: Use) -> [Read] {
    use.standardReads + (lender.map { [Read(.weight($0.value), [.forward, .backward])] } ?? [])
  }

  func prepare(_ pass: Pass) {
    var geometry = window.geometry(samples: 0)
    let filter = pass.lentParameters ?? pass.parameters
    pass.withParallel { parallel in
      checked(hg_conv2d_prepare_scatter(&geometry, filter, scatterFilter(pass), parallel))
      if pass.dx != nil { checked(hg_conv2d_prepare_gather(&geometry, filter, gatherFilter(pass), parallel)) }
    }
  }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    let bias = hasBias ? pass.parameters + biasOffset : nil
    pass.withParallel {
      checked(
        hg_conv2d_transpose_forward(
          &geometry, pass.x, scatterFilter(pass), bias, activation.kernel, pass.y, pass.scratch, $0))
    }
  }

  func backwardParameters(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = window.geometry(samples: pass.samples)
    if let lent = pass.lentGradients, let lender, lender.hasBias, !pass.accumulate {
      // The convolution goes on from here with its own bias, too, which lies behind the filter.
      (lent + Planner.aligned(window.filterCount)).update(repeating: 0, count: window.small.channels)
    }
    pass.withParallel {
      checked(
        hg_conv2d_transpose_backward_filter(
          &geometry, pass.x, dy, pass.accumulate, pass.lentGradients ?? gradients,
          hasBias ? gradients + biasOffset : nil, pass.scratch, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_conv2d_transpose_backward_data(
          &geometry, dy, gatherFilter(pass), pass.inputActivation.kernel, pass.x, dx, pass.scratch, $0))
    }
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let filter = filter(of: lender?.name ?? name)
    let weight = lender == nil ? graph.tensor(filter) : graph.lentTensor(filter)
    let bias = hasBias ? parameters.suffix(1).map { graph.tensor($0) } : []
    let inputs = [graph.image(input), withHeight(weight, in: &graph)] + bias
    graph.put(graph.node("ConvTranspose", inputs, window.transposedAttributes))
  }
}
