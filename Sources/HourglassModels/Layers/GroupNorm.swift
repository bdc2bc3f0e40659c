import HourglassKernels

/// Group normalisation: of each sample the channels of each group, at all positions, are brought to mean 0 and variance
/// 1, then scaled and shifted channel by channel.
///
///     y = a((x - mean) / sqrt(variance + epsilon) weight[c] + bias[c])
///
/// Weights start at 1, biases at 0. Source: Wu & He, "Group normalization", ECCV 2018.
public struct GroupNorm: Layer, Hashable {
  /// The number of groups, which divides the channels.
  public var groups: Int
  /// The activation a of the output.
  public var activation: Activation
  /// What is added to the variance.
  public var epsilon: Float
  /// Whether there are a weight and a bias for each channel.
  public var affine: Bool

  /// A normalisation of the channels in so many groups; shapes stay.
  public init(_ groups: Int, activation: Activation = .linear, epsilon: Float = normEpsilon, affine: Bool = true) {
    (self.groups, self.activation, self.epsilon, self.affine) = (groups, activation, epsilon, affine)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    groups = try fields.decode(Int.self, forKey: .groups)
    activation = try fields.decode(.activation, or: .linear)
    epsilon = try fields.decode(.epsilon, or: normEpsilon)
    affine = try fields.decode(.affine, or: true)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(groups, forKey: .groups)
    try fields.encode(activation, .activation, unless: .linear)
    try fields.encode(epsilon, .epsilon, unless: normEpsilon)
    try fields.encode(affine, .affine, unless: true)
  }

  private enum CodingKeys: String, CodingKey { case groups, activation, epsilon, affine }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let channels = planner.shape.channels
    try planner.check(groups, "group")
    guard channels % groups == 0 else {
      throw ModelError(planner.name, "wanted groups that divide the \(channels) channels, found \(groups)")
    }
    try planner.normalise(Self.kind, groups: groups, activation: activation, epsilon: epsilon, affine: affine)
  }
}

/// Layer normalisation: each sample is brought to mean 0 and variance 1 over all its channels and positions, then
/// scaled and shifted channel by channel. It is `GroupNorm` with one group.
///
/// For a vector this is PyTorch's LayerNorm of its units. PyTorch's LayerNorm of images has a weight for each element
/// instead of each channel. Source: Ba, Kiros & Hinton, "Layer normalization", arXiv:1607.06450.
public struct LayerNorm: SampleNorm, Hashable {
  public var activation: Activation
  public var epsilon: Float
  public var affine: Bool

  /// A normalisation of each sample; shapes stay.
  public init(activation: Activation = .linear, epsilon: Float = normEpsilon, affine: Bool = true) {
    (self.activation, self.epsilon, self.affine) = (activation, epsilon, affine)
  }

  static let isAffine = true
  func groups(of channels: Int) -> Int { 1 }
}

/// Instance normalisation: each channel of each sample is brought to mean 0 and variance 1 over its positions. It is
/// `GroupNorm` with a group for each channel, and as PyTorch's without weight and bias where nothing else is said.
///
/// Source: Ulyanov, Vedaldi & Lempitsky, "Instance normalization", arXiv:1607.08022.
public struct InstanceNorm: SampleNorm, Hashable {
  public var activation: Activation
  public var epsilon: Float
  public var affine: Bool

  /// A normalisation of each channel of each sample; shapes stay.
  public init(activation: Activation = .linear, epsilon: Float = normEpsilon, affine: Bool = false) {
    (self.activation, self.epsilon, self.affine) = (activation, epsilon, affine)
  }

  static let isAffine = false
  func groups(of channels: Int) -> Int { channels }
}

/// A group normalisation whose number of groups its name says.
protocol SampleNorm: Layer {
  /// The activation a of the output.
  var activation: Activation { get }
  /// What is added to the variance.
  var epsilon: Float { get }
  /// Whether there are a weight and a bias for each channel, and whether there are where a file says nothing.
  var affine: Bool { get }
  static var isAffine: Bool { get }
  func groups(of channels: Int) -> Int
  init(activation: Activation, epsilon: Float, affine: Bool)
}

private enum SampleNormKeys: String, CodingKey { case activation, epsilon, affine }

extension SampleNorm {
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: SampleNormKeys.self)
    self.init(
      activation: try fields.decode(.activation, or: .linear), epsilon: try fields.decode(.epsilon, or: normEpsilon),
      affine: try fields.decode(.affine, or: Self.isAffine))
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: SampleNormKeys.self)
    try fields.encode(activation, .activation, unless: .linear)
    try fields.encode(epsilon, .epsilon, unless: normEpsilon)
    try fields.encode(affine, .affine, unless: Self.isAffine)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.normalise(
      Self.kind, groups: groups(of: planner.shape.channels), activation: activation, epsilon: epsilon, affine: affine)
  }
}

extension Planner {
  /// Appends a group normalisation of the value at hand.
  fileprivate mutating func normalise(
    _ kind: String, groups: Int, activation: Activation, epsilon: Float, affine: Bool
  ) throws(ModelError) {
    try check(epsilon: epsilon)
    guard shape.height * shape.width * (shape.channels / groups) > 1 else {
      throw ModelError(
        name, "wanted more than one value to take a mean and a variance of, found groups of one value in \(shape)")
    }
    let (name, shape) = (name, shape)
    try append(activation) { activation throws(ModelError) in
      PlannedGroupNorm(
        name: name, kind: kind, shape: shape, groups: groups, activation: activation, epsilon: epsilon, affine: affine)
    }
  }

  /// Refuses what cannot be added to a variance.
  func check(epsilon: Float) throws(ModelError) {
    guard epsilon > 0, epsilon <= 1 else {
      throw ModelError(name, "wanted an epsilon above 0 and at most 1, found \(epsilon)")
    }
  }
}

/// PyTorch's, of all its normalisations: 1e-5.
public let normEpsilon: Float = 1e-5

struct PlannedGroupNorm: PlannedLayer {
  let name: String
  let kind: String
  let shape: ImageShape
  let groups: Int
  let activation: Activation
  let epsilon: Float
  let affine: Bool

  var input: ImageShape { shape }
  var output: ImageShape { shape }
  /// A group may hold several shards, whose gradients are sums of their own.
  var granularity: Granularity { .chunk }
  /// A mean and a variance for each group.
  var stateCount: Int { 2 * groups }

  /// Where the bias begins, counted from the weight.
  var biasOffset: Int { Planner.aligned(shape.channels) }
  var parameterCount: Int { affine ? biasOffset + shape.channels : 0 }
  var parameters: [Parameter] {
    guard affine else { return [] }
    return [
      Parameter(scale: "\(name).weight", count: shape.channels, start: 1, offset: 0),
      Parameter(scale: "\(name).bias", count: shape.channels, start: 0, offset: biasOffset),
    ]
  }

  private func geometry(_ pass: Pass) -> hg_group_norm {
    hg_group_norm(
      size: MemoryLayout<hg_group_norm>.size, samples: pass.samples, positions: shape.height * shape.width,
      channels: shape.channels, groups: groups, epsilon: epsilon, activation: Int(activation.kernel.rawValue))
  }

  func forward(_ pass: Pass) {
    var geometry = geometry(pass)
    let weight = affine ? pass.parameters : nil
    let (mean, variance) = (pass.state, pass.state + pass.samples * groups)
    pass.withParallel {
      checked(
        hg_group_norm_forward(&geometry, pass.x, weight, weight.map { $0 + biasOffset }, pass.y, mean, variance, $0))
    }
  }

  /// All gradients at once, because they take the same sums.
  func backward(_ pass: Pass) {
    guard let dy = pass.dy, pass.gradients != nil || !affine else { return }
    var geometry = geometry(pass)
    let (weight, gradients) = affine ? (pass.parameters, pass.gradients) : (nil, nil)
    let (mean, variance) = (pass.state, pass.state + pass.samples * groups)
    pass.withParallel {
      checked(
        hg_group_norm_backward(
          &geometry, pass.x, dy, mean, variance, weight, pass.accumulate, pass.dx, gradients,
          gradients.map { $0 + biasOffset }, $0))
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
      ["epsilon": .float(epsilon)])
    let image = graph.node("Reshape", [normal, graph.tensor("extents", [0] + extents)])
    guard affine else { return graph.put(image) }
    let channels = graph.tensor("channels", [shape.channels] + extents.dropFirst().map { _ in 1 })
    let perChannel = parameters.map { graph.node("Reshape", [graph.tensor($0), channels]) }
    graph.put(graph.node("Add", [graph.node("Mul", [image, perChannel[0]]), perChannel[1]]))
  }
}
