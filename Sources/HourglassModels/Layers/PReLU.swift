import HourglassKernels

/// Parametric rectifier: a leaky ReLU whose slope below 0 is learned for each channel.
///
///     y = x above 0, slope[c] x below
///
/// Slopes start at 0.25. Source: He et al., "Delving deep into rectifiers", ICCV 2015.
public struct PReLU: Layer, Hashable {
  /// Whether all channels have one slope, as in PyTorch where nothing is said.
  public var shared: Bool

  /// A rectifier with a slope for each channel, or one for all; shapes stay.
  public init(shared: Bool = false) { self.shared = shared }

  public init(from decoder: any Decoder) throws {
    shared = try decoder.container(keyedBy: CodingKeys.self).decode(.shared, or: false)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(shared, .shared, unless: false)
  }

  private enum CodingKeys: String, CodingKey { case shared }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedPReLU(name: planner.name, shape: planner.shape, shared: shared))
  }
}

struct PlannedPReLU: PlannedLayer {
  let name: String
  let shape: ImageShape
  let shared: Bool

  var kind: String { PReLU.kind }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }
  /// A group may hold several shards, whose gradients are sums of their own.
  var granularity: Granularity { .chunk }

  private var slopes: Int { shared ? 1 : shape.channels }
  var parameterCount: Int { slopes }
  var parameters: [Parameter] { [Parameter(scale: "\(name).weight", count: slopes, start: 0.25, offset: 0)] }

  /// A slope for each channel, where all have one.
  var preparedCount: Int { shared ? Planner.aligned(shape.channels) : 0 }
  /// A shared slope's gradient, channel by channel.
  func scratchCount(samples: Int, threads: Int) -> Int { shared ? shape.channels : 0 }

  func prepare(_ pass: Pass) {
    if shared { pass.prepared.update(repeating: pass.parameters[0], count: shape.channels) }
  }

  private func slope(_ pass: Pass) -> UnsafeMutablePointer<Float> { shared ? pass.prepared : pass.parameters }
  private func positions(_ pass: Pass) -> Int { pass.samples * shape.height * shape.width }

  func forward(_ pass: Pass) {
    pass.withParallel { checked(hg_prelu_forward(positions(pass), shape.channels, pass.x, slope(pass), pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    let dslope = shared ? pass.scratch : gradients
    pass.withParallel {
      checked(
        hg_prelu_backward(
          positions(pass), shape.channels, pass.x, dy, slope(pass), pass.accumulate && !shared, pass.dx, dslope, $0))
    }
    pass.applyInputDerivative(count: shape.count)
    guard shared else { return }
    var sum = pass.accumulate ? gradients[0] : 0
    for c in 0..<shape.channels { sum += dslope[c] }
    gradients[0] = sum
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let x = graph.form(shape)
    let extents = graph.tensor("channels", [slopes] + (shape.isVector ? [] : [1, 1]))
    graph.put(graph.node("PRelu", [x, graph.node("Reshape", [graph.tensor(parameters[0]), extents])]))
  }
}
