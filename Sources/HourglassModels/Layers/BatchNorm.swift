import HourglassKernels

/// Batch normalisation over a shard: each channel is brought to mean 0 and variance 1 over the samples of a shard and
/// all positions, then scaled and shifted; after training by running statistics instead.
///
///     y = a((x - mean) / sqrt(variance + epsilon) weight[c] + bias[c])
///     running = (1 - momentum) running + momentum statistic, the variance with divisor n - 1 there
///
/// Shards belong to the recipe, so that no division of the work changes a bit. The statistic of a step is the mean
/// over its shards, each with the weight of its samples. With one shard this is PyTorch's layer, with several the ghost
/// batch normalisation. A channel of which a shard holds a single value, at the end of an epoch, becomes its bias, and
/// leaves the running variance as it is.
///
/// Source: Ioffe & Szegedy, "Batch normalization", ICML 2015; Hoffer et al., "Train longer, generalize better", NIPS
/// 2017.
public struct BatchNorm: Layer, Hashable {
  /// The activation a of the output.
  public var activation: Activation
  /// The share of a new statistic in the running one: PyTorch's momentum, and 1 less Keras's.
  public var momentum: Float
  /// What is added to the variance.
  public var epsilon: Float
  /// Whether there are a weight and a bias for each channel.
  public var affine: Bool

  /// A normalisation of each channel; shapes stay.
  public init(
    activation: Activation = .linear, momentum: Float = 0.1, epsilon: Float = normEpsilon, affine: Bool = true
  ) {
    (self.activation, self.momentum, self.epsilon, self.affine) = (activation, momentum, epsilon, affine)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    activation = try fields.decode(.activation, or: .linear)
    momentum = try fields.decode(.momentum, or: 0.1)
    epsilon = try fields.decode(.epsilon, or: normEpsilon)
    affine = try fields.decode(.affine, or: true)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(activation, .activation, unless: .linear)
    try fields.encode(momentum, .momentum, unless: 0.1)
    try fields.encode(epsilon, .epsilon, unless: normEpsilon)
    try fields.encode(affine, .affine, unless: true)
  }

  private enum CodingKeys: String, CodingKey { case activation, momentum, epsilon, affine }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard momentum > 0, momentum <= 1 else {
      throw ModelError(planner.name, "wanted a momentum above 0 and at most 1, found \(momentum)")
    }
    try planner.check(epsilon: epsilon)
    let (name, shape) = (planner.name, planner.shape)
    try planner.append(activation) { activation throws(ModelError) in
      PlannedBatchNorm(
        name: name, shape: shape, activation: activation, momentum: momentum, epsilon: epsilon, affine: affine)
    }
  }
}

struct PlannedBatchNorm: PlannedLayer {
  let name: String
  let shape: ImageShape
  let activation: Activation
  let momentum: Float
  let epsilon: Float
  let affine: Bool

  var kind: String { BatchNorm.kind }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var granularity: Granularity { .chunk }
  /// A variance needs two values.
  var leastShard: Int? { positions == 1 ? 2 : 1 }
  /// Mean and variance of a shard's channels: those of the first sample's place count.
  var stateCount: Int { 2 * shape.channels }

  private var positions: Int { shape.height * shape.width }
  /// From one vector of channels to the next.
  private var step: Int { Planner.aligned(shape.channels) }
  /// Where the running mean begins, and behind it the running variance: behind weight and bias, where there are any.
  private var statistics: Int { affine ? 2 * step : 0 }
  var parameterCount: Int { statistics + 2 * step }
  var parameters: [Parameter] {
    let starts: [(String, Float)] = [("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)]
    return starts.suffix(affine ? 4 : 2).enumerated().map { i, entry in
      var parameter = Parameter(
        scale: "\(name).\(entry.0)", count: shape.channels, start: entry.1, offset: i * step)
      parameter.isStatistic = i * step >= statistics
      return parameter
    }
  }

  /// Weight and bias have gradients; running statistics follow the mean over the samples of a step by the momentum, as
  /// a descent:  r -= momentum (r - sum / samples).
  func work(_ use: Use) -> [Work] {
    let follow: Work.Follow = { [momentum] statistics, sum, count, samples in
      var options = hg_sgd_options(
        size: MemoryLayout<hg_sgd_options>.size, gradient_scale: -1 / Float(samples), learning_rate: momentum,
        momentum: 0, weight_decay: 1, nesterov: false)
      checked(hg_sgd(&options, count, sum, statistics, nil, nil))
    }
    return (affine ? [.shardSum(0..<statistics)] : [])
      + [statistics, statistics + step].map { .own($0..<$0 + shape.channels, follow: follow) }
  }

  /// All samples are positions of one sample, and every channel is a group.
  private func geometry(_ pass: Pass) -> hg_group_norm {
    hg_group_norm(
      size: MemoryLayout<hg_group_norm>.size, samples: 1, positions: pass.samples * positions,
      channels: shape.channels, groups: shape.channels, epsilon: epsilon,
      activation: Int(activation.kernel.rawValue))
  }

  func forward(_ pass: Pass) {
    guard pass.samples > 0 else { return }
    var geometry = geometry(pass)
    let running = pass.parameters + statistics
    let (weight, bias) = affine ? (pass.parameters, pass.parameters + step) : (nil, nil)
    let (mean, variance) = (pass.state, pass.state + shape.channels)
    pass.withParallel {
      if pass.noise.isTraining {
        checked(hg_group_norm_forward(&geometry, pass.x, weight, bias, pass.y, mean, variance, $0))
      } else {
        checked(hg_group_norm_apply(&geometry, pass.x, running, running + step, weight, bias, pass.y, $0))
      }
    }
  }

  /// All gradients at once, because they take the same sums.
  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = geometry(pass)
    let (mean, variance) = (pass.state, pass.state + shape.channels)
    let (weight, dweight, dbias) = affine ? (pass.parameters, gradients, gradients + step) : (nil, nil, nil)
    pass.withParallel {
      checked(
        hg_group_norm_backward(&geometry, pass.x, dy, mean, variance, weight, false, pass.dx, dweight, dbias, $0))
    }
    pass.applyInputDerivative(count: shape.count)
    // In place of a gradient: statistics times samples, so that the sum over the step's samples is divided as gradients
    // are.
    let (samples, count) = (Float(pass.samples), Float(pass.samples * positions))
    let (sums, running) = (gradients + statistics, pass.parameters + statistics)
    for c in 0..<shape.channels {
      sums[c] = samples * mean[c]
      sums[step + c] = samples * (count > 1 ? variance[c] * (count / (count - 1)) : running[step + c])
    }
  }

  /// With the running statistics.
  func addNodes(to graph: inout ONNXBuilder) {
    var tensors = parameters.map { graph.tensor($0) }
    if !affine {
      tensors =
        [(1, "weight"), (0, "bias")].map { graph.tensor($1, [Float](repeating: $0, count: shape.channels)) }
        + tensors
    }
    graph.put(graph.node("BatchNormalization", [graph.form(shape)] + tensors, ["epsilon": .float(epsilon)]))
  }
}
