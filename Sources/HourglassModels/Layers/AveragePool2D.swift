import HourglassKernels

/// Average pooling:  y[n,p,q,c] = mean over r < R, s < S of x[n, pU+r-top, qV+s-left, c].
///
/// P = floor((H + 2 padding - R) / U) + 1. Padding counts as zeros, or with `countsPadding` false not at all; what lies
/// behind the padding never counts. All this is as PyTorch's `AvgPool2d` has it.
public struct AveragePool2D: Layer, Hashable {
  /// The height R and the width S of a window.
  public var kernel: Extent2D
  /// U and V: how far windows lie apart, down and across; nil for the size of a window.
  public var stride: Extent2D?
  /// How far windows may reach over the edge; less than the kernel.
  public var padding: Padding
  /// Whether P is rounded up: a last window may end behind the padding, if it begins before it.
  public var ceiling: Bool
  /// Whether the mean is over padding, too.
  public var countsPadding: Bool

  /// An average pooling: N x H x W x C in, N x P x Q x C out.
  public init(
    _ kernel: Extent2D, stride: Extent2D? = nil, padding: Padding = .valid, ceiling: Bool = false,
    countsPadding: Bool = true
  ) {
    (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
    (self.ceiling, self.countsPadding) = (ceiling, countsPadding)
  }

  private enum CodingKeys: String, CodingKey { case kernel, stride, padding, ceiling, countsPadding }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    kernel = try fields.decode(Extent2D.self, forKey: .kernel)
    stride = try fields.decodeIfPresent(Extent2D.self, forKey: .stride)
    padding = try fields.decode(.padding, or: .valid)
    ceiling = try fields.decode(.ceiling, or: false)
    countsPadding = try fields.decode(.countsPadding, or: true)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(kernel, forKey: .kernel)
    try fields.encodeIfPresent(stride, forKey: .stride)
    try fields.encode(padding, .padding, unless: .valid)
    try fields.encode(ceiling, .ceiling, unless: false)
    try fields.encode(countsPadding, .countsPadding, unless: true)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) { try plan(&planner, kind: Self.kind) }

  /// - Parameter kind: what the layer is called in tables.
  func plan(_ planner: inout Planner, kind: String) throws(ModelError) {
    let name = planner.name
    let window = try Window.pooled(
      planner.shape, kernel: kernel, stride: stride ?? kernel, padding: padding, ceiling: ceiling, at: name)
    guard !window.isGrid else { return try planner.append(PlannedAveragePool2D(planner, kind: kind, window: window)) }
    // With `same` all that windows reach is padding.
    let pads = padding.amounts ?? window.reach
    let (large, small, stride) = (window.large, window.small, window.stride)
    let layer = PlannedResampling(
      planner, kind: kind,
      vertical: try .means(
        large.height, small.height, kernel.height, stride.height, (window.padTop, pads.bottom), countsPadding, name),
      horizontal: try .means(
        large.width, small.width, kernel.width, stride.width, (window.padLeft, pads.right), countsPadding, name)
    ) { [countsPadding] graph, image in
      // ONNX's operators differ in what they count; where padding counts it is put there before.
      guard countsPadding, pads != .none else {
        return graph.node("AveragePool", [image], window.attributes)
      }
      let beyond = [max(0, window.reach.bottom - pads.bottom), max(0, window.reach.right - pads.right)]
      let attributes = window.attributes.merging(["pads": .integers([0, 0] + beyond)]) { $1 }
      return graph.node("AveragePool", [graph.padded(image, pads)], attributes)
    }
    try planner.append(layer)
  }
}

extension ResamplingAxis {
  /// Means over windows of `kernel` inputs, `stride` apart, the first of which begins `pads.before` inputs before the
  /// image.
  fileprivate static func means(
    _ inputs: Int, _ outputs: Int, _ kernel: Int, _ stride: Int, _ pads: (before: Int, behind: Int),
    _ countsPadding: Bool, _ name: String
  ) throws(ModelError) -> ResamplingAxis {
    try ResamplingAxis(inputs: inputs, outputs: outputs, at: name) { i in
      let first = i * stride - pads.before
      let inside = max(0, first)..<max(0, min(first + kernel, inputs))
      let count = countsPadding ? min(first + kernel, inputs + pads.behind) - first : inside.count
      return inside.map { (input: $0, weight: 1 / Float(count)) }
    }
  }
}

/// Average pooling over the whole image:  y[n,c] = mean over h, w of x[n,h,w,c].
///
/// Source: Lin et al., "Network in network", ICLR 2014.
public struct GlobalAveragePool2D: Layer, Hashable {
  /// An average pooling: N x H x W x C in, N x C out.
  public init() {}

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try AveragePool2D(Extent2D(planner.shape.height, planner.shape.width)).plan(&planner, kind: Self.kind)
  }
}

/// Average pooling to an image of a given size, as PyTorch's `AdaptiveAvgPool2d` does it.
///
/// Row p of the output is the mean of the rows floor(p H / P) up to ceil((p + 1) H / P), and columns likewise.
public struct AdaptiveAveragePool2D: Layer, Hashable {
  /// The height P and the width Q of the output.
  public var outputSize: Extent2D

  /// An average pooling: N x H x W x C in, N x P x Q x C out.
  public init(_ outputSize: Extent2D) { self.outputSize = outputSize }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (large, small) = (planner.shape, outputSize)
    let possible = 1...Planner.mostExtent
    guard possible.contains(small.height), possible.contains(small.width) else {
      throw ModelError(planner.name, "wanted an outputSize of 1 to \(Planner.mostExtent), found \(small)")
    }
    try planner.check(ImageShape(small.height, small.width, large.channels))
    if large.height % small.height == 0, large.width % small.width == 0 {
      let kernel = Extent2D(large.height / small.height, large.width / small.width)
      return try AveragePool2D(kernel).plan(&planner, kind: Self.kind)
    }
    let vertical = try ResamplingAxis.adaptive(large.height, small.height, planner.name)
    let horizontal = try ResamplingAxis.adaptive(large.width, small.width, planner.name)
    let layer = PlannedResampling(planner, kind: Self.kind, vertical: vertical, horizontal: horizontal) {
      graph, image in
      // ONNX has no windows of several sizes: the rows' means as a product from the left, the columns' from the right.
      let rows = graph.tensor("rows", vertical.matrix, shape: [small.height, large.height])
      let columns = graph.tensor("columns", horizontal.transposed.matrix, shape: [large.width, small.width])
      return graph.node("MatMul", [rows, graph.node("MatMul", [image, columns])])
    }
    try planner.append(layer)
  }
}

extension ResamplingAxis {
  fileprivate static func adaptive(
    _ inputs: Int, _ outputs: Int, _ name: String
  ) throws(ModelError) -> ResamplingAxis {
    try ResamplingAxis(inputs: inputs, outputs: outputs, at: name) { i in
      let window = i * inputs / outputs..<((i + 1) * inputs + outputs - 1) / outputs
      return window.map { (input: $0, weight: 1 / Float(window.count)) }
    }
  }
}

/// Average pooling by windows that lie side by side and are the whole image.
struct PlannedAveragePool2D: PlannedLayer {
  let name: String
  let kind: String
  let window: Window
  let inputActivation: Activation

  init(_ planner: Planner, kind: String, window: Window) throws(ModelError) {
    (name, inputActivation) = (planner.name, planner.activation)
    (self.kind, self.window) = (kind, window)
    try window.check(hg_upsample2d_check, at: name)
  }

  var input: ImageShape { window.large }
  var output: ImageShape { window.small }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_average_pool2d_forward(&geometry, pass.x, pass.y, $0)) }
  }

  func forwardTangent(_ pass: Pass) { forward(pass) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_average_pool2d_backward(&geometry, dy, dx, $0)) }
    pass.applyInputDerivative(count: input.count)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    graph.put(graph.node("AveragePool", [graph.image(input)], window.attributes))
  }
}
