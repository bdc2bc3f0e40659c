import HourglassKernels

/// Group normalisation: of each sample the channels of each group, at all positions, are brought to mean 0 and variance
/// 1, then scaled and shifted channel by channel.
///
///     y = (x - mean) / sqrt(variance + 1e-5) weight[c] + bias[c]
///
/// Weights start at 1, biases at 0. Source: Wu & He, "Group normalization", ECCV 2018.
public struct GroupNorm: Layer, Hashable {
  /// The number of groups, which divides the channels.
  public var groups: Int

  /// A normalisation of the channels in so many groups; shapes stay.
  public init(_ groups: Int) { self.groups = groups }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let channels = planner.shape.channels
    try planner.check(groups, "group")
    guard channels % groups == 0 else {
      throw ModelError(planner.name, "wanted groups that divide the \(channels) channels, found \(groups)")
    }
    try planner.append(
      PlannedGroupNorm(name: planner.name, shape: planner.shape, groups: groups))
  }
}

/// PyTorch's, of all its normalisations.
let normEpsilon: Float = 1e-5

struct PlannedGroupNorm: PlannedLayer {
  let name: String
  let shape: ImageShape
  let groups: Int

  var kind: String { GroupNorm.kind }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }
  /// A group may hold several shards, whose gradients are sums of their own.
  var granularity: Granularity { .chunk }
  /// A mean and a variance for each group.
  var stateCount: Int { 2 * groups }

  /// Where the bias begins, counted from the weight.
  var biasOffset: Int { Planner.aligned(shape.channels) }
  var parameterCount: Int { biasOffset + shape.channels }
  var parameters: [Parameter] {
    [
      Parameter(scale: "\(name).weight", count: shape.channels, start: 1, offset: 0),
      Parameter(scale: "\(name).bias", count: shape.channels, start: 0, offset: biasOffset),
    ]
  }

  private func geometry(_ pass: Pass) -> hg_group_norm {
    hg_group_norm(
      size: MemoryLayout<hg_group_norm>.size, samples: pass.samples, positions: shape.height * shape.width,
      channels: shape.channels, groups: groups, epsilon: normEpsilon)
  }

  func forward(_ pass: Pass) {
    var geometry = geometry(pass)
    let weight = pass.parameters
    let (mean, variance) = (pass.state, pass.state + pass.samples * groups)
    pass.withParallel {
      checked(hg_group_norm_forward(&geometry, pass.x, weight, weight + biasOffset, pass.y, mean, variance, $0))
    }
  }

  /// All gradients at once, because they take the same sums.
  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = geometry(pass)
    let (mean, variance) = (pass.state, pass.state + pass.samples * groups)
    pass.withParallel {
      checked(
        hg_group_norm_backward(
          &geometry, pass.x, dy, mean, variance, pass.parameters, pass.accumulate, pass.dx, gradients,
          gradients + biasOffset, $0))
    }
    pass.applyInputDerivative(count: shape.count)
  }

  /// The groups as channels, each brought to mean 0 and variance 1; then weight and bias of the true channels.
  func addNodes(to graph: inout ONNXBuilder) {
    let x = graph.form(shape)
    let extents = shape.isVector ? [shape.channels] : shape.channelsFirst
    let grouped = graph.node("Reshape", [x, graph.tensor("groups", [0, groups, -1])])
    let (ones, zeros) = ([Float](repeating: 1, count: groups), [Float](repeating: 0, count: groups))
    let normal = graph.node(
      "InstanceNormalization",
      [grouped, graph.tensor("scale", ones), graph.tensor("shift", zeros)],
      ["epsilon": .float(normEpsilon)])
    let image = graph.node("Reshape", [normal, graph.tensor("extents", [0] + extents)])
    let channels = graph.tensor("channels", [shape.channels] + extents.dropFirst().map { _ in 1 })
    let perChannel = parameters.map { graph.node("Reshape", [graph.tensor($0), channels]) }
    graph.put(graph.node("Add", [graph.node("Mul", [image, perChannel[0]]), perChannel[1]]))
  }
}
