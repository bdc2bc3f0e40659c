import HourglassKernels

/// Average pooling:  y[n,p,q,c] = mean over r < U, s < V of x[n, pU+r, qV+s, c],   U and V the kernel.
///
/// Windows neither overlap nor reach beyond the image, so the kernel divides height and width: PyTorch's `AvgPool2d`
/// with the kernel's size as stride.
public struct AveragePool2D: Layer, Hashable {
  /// U and V: how many pixels down and across become one.
  public var kernel: Extent2D

  /// An average pooling: N x H x W x C in, N x H/U x W/V x C out.
  public init(_ kernel: Extent2D) { self.kernel = kernel }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (name, large) = (planner.name, planner.shape)
    guard (1...large.height).contains(kernel.height), (1...large.width).contains(kernel.width),
      large.height % kernel.height == 0, large.width % kernel.width == 0
    else {
      throw ModelError(
        name, "wanted a kernel that divides the height \(large.height) and the width \(large.width), found \(kernel)")
    }
    let small = ImageShape(large.height / kernel.height, large.width / kernel.width, large.channels)
    let window = Window(large: large, small: small, kernel: kernel, stride: kernel, padTop: 0, padLeft: 0)
    try window.check(hg_upsample2d_check, at: name)
    try planner.append(PlannedAveragePool2D(name: name, window: window, inputActivation: planner.activation))
  }
}

struct PlannedAveragePool2D: PlannedLayer {
  let name: String
  let window: Window
  let inputActivation: Activation

  var kind: String { AveragePool2D.kind }
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
