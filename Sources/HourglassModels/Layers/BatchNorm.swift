import HourglassKernels

/// Batch normalisation over a shard: each channel is brought to mean 0 and variance 1 over the samples of a shard and
/// all positions, then scaled and shifted; after training by running statistics instead.
///
///     y = (x - mean) / sqrt(variance + 1e-5) weight[c] + bias[c]
///     running = 0.9 running + 0.1 statistic, the variance with divisor n - 1 there
///
/// Shards belong to the recipe, so that no division of the work changes a bit. The statistic of a step is the mean
/// over its shards, each with the weight of its samples. With one shard this is PyTorch's layer, with several the ghost
/// batch normalisation. A channel of which a shard holds a single value, at the end of an epoch, becomes its bias, and
/// leaves the running variance as it is.
///
/// Source: Ioffe & Szegedy, "Batch normalization", ICML 2015; Hoffer et al., "Train longer, generalize better", NIPS
/// 2017.
public struct BatchNorm: Layer, Hashable {
  /// A normalisation of each channel; shapes stay.
  public init() {}

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedBatchNorm(name: planner.name, shape: planner.shape))
  }
}

struct PlannedBatchNorm: PlannedLayer {
  let name: String
  let shape: ImageShape

  var kind: String { BatchNorm.kind }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  /// A variance needs two values.
  var leastShard: Int? { positions == 1 ? 2 : 1 }
  /// Mean and variance of a shard's channels: those of the first sample's place count.
  var stateCount: Int { 2 * shape.channels }

  private var positions: Int { shape.height * shape.width }
  /// From one vector of channels to the next.
  private var step: Int { Planner.aligned(shape.channels) }
  var parameterCount: Int { 4 * step }
  var parameters: [Parameter] {
    let starts: [(String, Float)] = [("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)]
    return starts.enumerated().map { i, entry in
      var parameter = Parameter(
        scale: "\(name).\(entry.0)", count: shape.channels, start: entry.1, offset: i * step)
      parameter.isStatistic = i >= 2
      return parameter
    }
  }

  /// Weight and bias have gradients; running statistics follow the mean over the samples of a step by a tenth, which is
  /// PyTorch's momentum, as a descent:  r -= 0.1 (r - sum / samples).
  func work(_ use: Use) -> [Work] {
    let follow: Work.Follow = { statistics, sum, count, samples in
      var options = hg_sgd_options(
        size: MemoryLayout<hg_sgd_options>.size, gradient_scale: -1 / Float(samples), learning_rate: 0.1, momentum: 0,
        weight_decay: 1, nesterov: false)
      checked(hg_sgd(&options, count, sum, statistics, nil))
    }
    return [.shardSum(0..<2 * step)]
      + [2 * step, 3 * step].map { .own($0..<$0 + shape.channels, follow: follow) }
  }

  /// All samples are positions of one sample, and every channel is a group.
  private func geometry(_ pass: Pass) -> hg_group_norm {
    hg_group_norm(
      size: MemoryLayout<hg_group_norm>.size, samples: 1, positions: pass.samples * positions,
      channels: shape.channels, groups: shape.channels, epsilon: normEpsilon)
  }

  func forward(_ pass: Pass) {
    guard pass.samples > 0 else { return }
    var geometry = geometry(pass)
    let weight = pass.parameters
    let (mean, variance) = (pass.state, pass.state + shape.channels)
    pass.withParallel {
      if pass.noise.isTraining {
        checked(hg_group_norm_forward(&geometry, pass.x, weight, weight + step, pass.y, mean, variance, $0))
      } else {
        checked(
          hg_group_norm_apply(
            &geometry, pass.x, weight + 2 * step, weight + 3 * step, weight, weight + step, pass.y, $0))
      }
    }
  }

  /// All gradients at once, because they take the same sums.
  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = geometry(pass)
    let parameters = pass.parameters
    let (mean, variance) = (pass.state, pass.state + shape.channels)
    pass.withParallel {
      checked(
        hg_group_norm_backward(
          &geometry, pass.x, dy, mean, variance, parameters, false, pass.dx, gradients, gradients + step, $0))
    }
    pass.applyInputDerivative(count: shape.count)
    // In place of a gradient: statistics times samples, so that the sum over the step's samples is divided as gradients
    // are.
    let (samples, count) = (Float(pass.samples), Float(pass.samples * positions))
    for c in 0..<shape.channels {
      gradients[2 * step + c] = samples * mean[c]
      gradients[3 * step + c] = samples * (count > 1 ? variance[c] * (count / (count - 1)) : parameters[3 * step + c])
    }
  }

  /// With the running statistics.
  func addNodes(to graph: inout ONNXBuilder) {
    let inputs = [graph.form(shape)] + parameters.map { graph.tensor($0) }
    graph.put(graph.node("BatchNormalization", inputs, ["epsilon": .float(normEpsilon)]))
  }
}
