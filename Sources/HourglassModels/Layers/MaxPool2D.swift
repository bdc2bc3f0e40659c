import HourglassKernels

/// Max-pooling:  y[n,p,q,c] = max over r, s of x[n, pU+r-top, qV+s-left, c].
///
/// The places of the maxima (switches) are kept for the way back. P = floor((H + 2 padding - R) / U) + 1, as PyTorch.
/// Padding is never the maximum.
public struct MaxPool2D: Layer, Hashable {
  /// The height R and the width S of a window.
  public var kernel: Extent2D
  /// U and V: how far windows lie apart, down and across; nil for the size of a window.
  public var stride: Extent2D?
  /// How far windows may reach over the edge; less than the kernel.
  public var padding: Padding
  /// Whether P is rounded up: a last window may end behind the padding, if it begins before it.
  public var ceiling: Bool

  /// A max-pooling: N x H x W x C in, N x P x Q x C out.
  public init(_ kernel: Extent2D, stride: Extent2D? = nil, padding: Padding = .valid, ceiling: Bool = false) {
    (self.kernel, self.stride, self.padding, self.ceiling) = (kernel, stride, padding, ceiling)
  }

  private enum CodingKeys: String, CodingKey { case kernel, stride, padding, ceiling }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    kernel = try fields.decode(Extent2D.self, forKey: .kernel)
    stride = try fields.decodeIfPresent(Extent2D.self, forKey: .stride)
    padding = try fields.decode(.padding, or: .valid)
    ceiling = try fields.decode(.ceiling, or: false)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(kernel, forKey: .kernel)
    try fields.encodeIfPresent(stride, forKey: .stride)
    try fields.encode(padding, forKey: .padding)
    try fields.encode(ceiling, .ceiling, unless: false)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) { try plan(&planner, kind: Self.kind) }

  /// - Parameter kind: what the layer is called in tables.
  func plan(_ planner: inout Planner, kind: String) throws(ModelError) {
    let name = planner.name
    let window = try Window.pooled(
      planner.shape, kernel: kernel, stride: stride ?? kernel, padding: padding, ceiling: ceiling, at: name)
    try window.check(hg_max_pool2d_check, at: name)
    try planner.append(PlannedMaxPool2D(name: name, kind: kind, window: window))
  }
}

struct PlannedMaxPool2D: PlannedLayer {
  let name: String
  let kind: String
  let window: Window

  var input: ImageShape { window.large }
  var output: ImageShape { window.small }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  var followsTangents: Bool { true }
  /// One byte for each output.
  var stateCount: Int { (output.count + 3) / 4 }

  /// A maximum tells the derivative of the activation that made it, so that the image before it need not be kept.
  func reads(_ use: Use) -> [Read] {
    [
      Read(.values(use.input), [.forward]), Read(.values(use.output), [.backward]),
      Read(.error(use.output), [.backward]),
    ]
  }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_max_pool2d_forward(&geometry, pass.x, pass.y, switches(pass), $0)) }
  }

  /// What stands at the switches.
  func forwardTangent(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_max_unpool2d_backward(&geometry, pass.x, switches(pass), pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(hg_max_pool2d_backward(&geometry, dy, switches(pass), pass.inputActivation.kernel, pass.y, dx, $0))
    }
  }

  func addNodes(to graph: inout ONNXBuilder) {
    graph.put(graph.node("MaxPool", [graph.image(input)], window.attributes))
  }

  private func switches(_ pass: Pass) -> UnsafeMutablePointer<UInt8> {
    UnsafeMutableRawPointer(pass.state).assumingMemoryBound(to: UInt8.self)
  }
}
