import HourglassKernels

/// Upsampling by repetition (nearest neighbour):  y[n,pU+r,qV+s,c] = x[n,p,q,c] for all r < U, s < V; or by linear
/// interpolation between the middles of pixels, down and across.
///
/// Interpolated, row i of the output is taken at row max(0, (i + 1/2) / U - 1/2) of the input, and with `alignCorners`
/// at row i (P - 1) / (P U - 1), so that the corners of both images meet; as PyTorch's `Upsample` has it.
///
/// With a convolution behind it this is the resize-convolution, which has none of the patterns of a transposed
/// convolution whose kernel is no multiple of its stride: Odena et al., "Deconvolution and checkerboard artifacts",
/// Distill 2016.
public struct Upsample2D: Layer, Hashable {
  /// U and V: how many pixels down and across one becomes.
  public var factor: Extent2D
  /// What stands between pixels.
  public var mode: Mode
  /// Whether the corner pixels of both images meet, of an interpolation.
  public var alignCorners: Bool

  /// What stands between the pixels of an image that is enlarged.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// The nearest pixel.
    case nearest
    /// A mean of the four pixels around, by their distances.
    case bilinear
  }

  /// An upsampling: N x P x Q x C in, N x P U x Q V x C out.
  public init(_ factor: Extent2D, mode: Mode = .nearest, alignCorners: Bool = false) {
    (self.factor, self.mode, self.alignCorners) = (factor, mode, alignCorners)
  }

  private enum CodingKeys: String, CodingKey { case factor, mode, alignCorners }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    factor = try fields.decode(Extent2D.self, forKey: .factor)
    mode = try fields.decode(.mode, or: .nearest)
    alignCorners = try fields.decode(.alignCorners, or: false)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(factor, forKey: .factor)
    try fields.encode(mode, .mode, unless: .nearest)
    try fields.encode(alignCorners, .alignCorners, unless: false)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) { try plan(&planner, kind: Self.kind) }

  /// - Parameter kind: what the layer is called in tables.
  func plan(_ planner: inout Planner, kind: String) throws(ModelError) {
    let (name, small) = (planner.name, planner.shape)
    let possible = 1...Planner.mostExtent
    guard possible.contains(factor.height), possible.contains(factor.width) else {
      throw ModelError(name, "wanted a factor of 1 to \(Planner.mostExtent), found \(factor)")
    }
    let large = ImageShape(small.height * factor.height, small.width * factor.width, small.channels)
    try planner.check(large)
    guard mode == .nearest else { return try planner.append(interpolation(planner, kind)) }
    guard !alignCorners else {
      throw ModelError(name, "wanted the mode bilinear, where corners are aligned, found nearest")
    }
    let window = Window(large: large, small: small, kernel: factor, stride: factor, padTop: 0, padLeft: 0)
    try window.check(hg_upsample2d_check, at: name)
    try planner.append(PlannedUpsample2D(name: name, kind: kind, window: window, inputActivation: planner.activation))
  }

  private func interpolation(_ planner: Planner, _ kind: String) throws(ModelError) -> PlannedResampling {
    let (name, small) = (planner.name, planner.shape)
    return PlannedResampling(
      planner, kind: "\(kind), linear",
      vertical: try .interpolated(small.height, factor.height, alignCorners, name),
      horizontal: try .interpolated(small.width, factor.width, alignCorners, name)
    ) { [self] graph, image in
      let corners = alignCorners ? "align_corners" : "half_pixel"
      return graph.node(
        "Resize", [image, "", graph.factors(factor)],
        ["mode": .string("linear"), "coordinate_transformation_mode": .string(corners)])
    }
  }
}

extension ResamplingAxis {
  /// `factor` outputs for each input, between the two inputs that are nearest.
  fileprivate static func interpolated(
    _ inputs: Int, _ factor: Int, _ alignCorners: Bool, _ name: String
  ) throws(ModelError) -> ResamplingAxis {
    let outputs = inputs * factor
    return try ResamplingAxis(inputs: inputs, outputs: outputs, at: name) { i in
      let place =
        alignCorners
        ? Double(i * (inputs - 1)) / Double(max(1, outputs - 1))
        : max(0, (Double(i) + 0.5) / Double(factor) - 0.5)
      let first = Int(clamping: place.rounded(.down))
      let share = first + 1 < inputs ? Float(place - Double(first)) : 0
      return [(first, 1 - share), (min(first + 1, inputs - 1), share)]
    }
  }
}

extension ONNXBuilder {
  /// The factors of an enlargement, of N, C, H, W.
  fileprivate mutating func factors(_ factor: Extent2D) -> String {
    tensor("factors", [1, 1, Float(factor.height), Float(factor.width)])
  }
}

struct PlannedUpsample2D: PlannedLayer {
  let name: String
  let kind: String
  let window: Window
  let inputActivation: Activation

  var input: ImageShape { window.small }
  var output: ImageShape { window.large }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }

  func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_upsample2d_forward(&geometry, pass.x, pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_upsample2d_backward(&geometry, dy, dx, $0)) }
    pass.applyInputDerivative(count: input.count)
  }

  /// ONNX's defaults, of pixels' middles and the nearest pixel, repeat each pixel where the factors are whole numbers.
  func addNodes(to graph: inout ONNXBuilder) {
    // Nothing stands for the region of interest.
    graph.put(graph.node("Resize", [graph.image(input), "", graph.factors(window.stride)]))
  }
}
