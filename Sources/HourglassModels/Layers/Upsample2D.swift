import HourglassKernels

/// Upsampling by repetition (nearest neighbour):  y[n,pU+r,qV+s,c] = x[n,p,q,c] for all r < U, s < V.
///
/// With a convolution behind it this is the resize-convolution, which has none of the patterns of a transposed
/// convolution whose kernel is no multiple of its stride: Odena et al., "Deconvolution and checkerboard artifacts",
/// Distill 2016.
public struct Upsample2D: Layer, Hashable {
  /// U and V: how often each pixel is repeated down and across.
  public var factor: Extent2D

  /// An upsampling: N x P x Q x C in, N x P U x Q V x C out.
  public init(_ factor: Extent2D) { self.factor = factor }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (name, small) = (planner.name, planner.shape)
    let possible = 1...Planner.mostExtent
    guard possible.contains(factor.height), possible.contains(factor.width) else {
      throw ModelError(name, "wanted a factor of 1 to \(Planner.mostExtent), found \(factor)")
    }
    let large = ImageShape(small.height * factor.height, small.width * factor.width, small.channels)
    try planner.check(large)
    let window = Window(large: large, small: small, kernel: factor, stride: factor, padTop: 0, padLeft: 0)
    try window.check(hg_upsample2d_check, at: name)
    try planner.append(PlannedUpsample2D(name: name, window: window, inputActivation: planner.activation))
  }
}

struct PlannedUpsample2D: PlannedLayer {
  let name: String
  let window: Window
  let inputActivation: Activation

  var kind: String { Upsample2D.kind }
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
    let factors = graph.tensor("factors", [1, 1, Float(window.stride.height), Float(window.stride.width)])
    // Nothing stands for the region of interest.
    graph.put(graph.node("Resize", [graph.image(input), "", factors]))
  }
}
