/// Codes that change little with the image: weight times the squared Frobenius norm of the code's Jacobian J, in closed
/// form for a code that one dense layer makes of the image.
///
///     weight sum over i, j of (dh[n,j] / dx[n,i])^2 = weight sum over j of a'(s[n,j])^2 c[j]
///     c[j] = sum over i of w[i,j]^2
///
/// Its derivatives are 2 weight c[j] a'(s[n,j]) a''(s[n,j]) in the sums s, and in the weight 2 weight w[i,j] sum over n
/// of a'(s[n,j])^2. Layers that disturb the image may stand in front; the Jacobian is then that of the disturbed image.
///
/// For a deeper or convolutional code the penalty is an estimate without bias, along one direction of +1 and -1 that is
/// drawn for each sample of each step; value and gradient are exact for that direction (see
/// `PlannedLayer.forwardTangent`):
///
///     weight sum over j of (J v)[n,j]^2,   whose mean over v is weight |J|^2
///
/// Sources: Rifai et al., "Contractive auto-encoders", ICML 2011; Hutchinson, Communications in Statistics 1989;
/// Hoffman, Roberts & Yaida, "Robust learning with Jacobian regularization", arXiv:1908.02729.
public struct ContractivePenalty: Penalty, Hashable {
  public static let term = "contractive penalty"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let site = try planner.penaltySite(self)
    let layers = planner.uses.map(\.layer)
    guard !(layers.last is any PlannedPenalty) else {
      throw ModelError(
        site.name, "wanted the \(Self.kind) first in the list, next to the latent, found it behind others")
    }
    if let dense = layers.last as? PlannedDense, layers.dropLast().allSatisfy({ $0 is any PlannedNoise }) {
      return try planner.append(
        PlannedContractivePenalty(
          site: site, inputs: dense.input.count, dense: Lender(name: dense.name, value: planner.value)))
    }
    if let other = layers.first(where: { !$0.followsTangents }) {
      throw ModelError(
        site.name,
        "wanted a code made by layers whose derivatives it can follow, such as Conv2D, Dense, Dropout, MaxPool2D and "
          + "Residual, found \(other.name), a \(other.kind)")
    }
    try planner.append(PlannedContractiveEstimate(site: site))
  }
}

extension ExecutionPlan {
  /// What a contractive penalty is; nil without one.
  public var contraction: String? {
    guard model.penalties.contains(where: { $0 is ContractivePenalty }) else { return nil }
    return tangents.isEmpty
      ? "exact, in closed form" : "an estimate without bias, along one direction drawn for each image and step"
  }
}

/// The estimate along the tangent of the code.
struct PlannedContractiveEstimate: PlannedPenalty {
  let site: PenaltySite

  var kind: String { ContractivePenalty.kind }
  var wantsTangents: Bool { true }

  /// 0 where nobody asks how codes change.
  func evaluate(_ pass: Pass, shard: Range<Int>) {
    for n in shard {
      var sum = 0.0
      if let tangent = pass.tangent {
        for i in n * units..<(n + 1) * units { sum += Double(tangent[i]) * Double(tangent[i]) }
      }
      pass.term[n] = Float(Double(site.weight) * sum)
    }
  }

  /// All of it goes through the tangent.
  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    guard let tangent = pass.tangent, let error = pass.tangentError else { return }
    let factor = 2 * pass.beta * site.weight
    for i in shard.lowerBound * units..<shard.upperBound * units { error[i] = factor * tangent[i] }
  }
}

struct PlannedContractivePenalty: PlannedPenalty {
  let site: PenaltySite
  let inputs: Int
  /// The layer that makes the code.
  let dense: Lender

  var kind: String { ContractivePenalty.kind }
  /// a'(s)^2, which the gradient of the weight sums over the minibatch.
  var stateCount: Int { units }
  /// c
  var preparedCount: Int { Planner.aligned(units) }

  func reads(_ use: Use) -> [Read] { use.standardReads + [Read(.weight(dense.value), [.forward])] }

  func work(_ use: Use) -> [Work] { [.lent([.scaled(by: .state(use.output), factor: 2 * site.weight)])] }

  func prepare(_ pass: Pass) {
    guard let weight = pass.lentParameters else { return }
    pass.prepared.update(repeating: 0, count: units)
    for i in 0..<inputs {
      let row = weight + i * units
      for j in 0..<units { pass.prepared[j] += row[j] * row[j] }
    }
  }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    let (first, count) = (shard.lowerBound * units, shard.count * units)
    let squares = pass.state + first
    squares.update(repeating: 1, count: count)
    site.activation.backward(count: count, y: pass.x + first, dy: squares, dx: squares, threads: 1)
    for n in shard {
      var sum = 0.0
      for j in 0..<units {
        let slope = pass.state[n * units + j]
        pass.state[n * units + j] = slope * slope
        sum += Double(slope * slope) * Double(pass.prepared[j])
      }
      pass.term[n] = Float(Double(site.weight) * sum)
    }
  }

  /// The derivative in the code is that in the sum without the a' which is multiplied last.
  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let factor = 2 * pass.beta * site.weight
    for n in shard {
      for j in 0..<units {
        let i = n * units + j
        dx[i] += factor * pass.prepared[j] * site.activation.curvature(pass.x[i], squaredSlope: pass.state[i])
      }
    }
  }
}

extension Activation {
  /// The second derivative in the sum, by the output and the square of the first.
  fileprivate func curvature(_ y: Float, squaredSlope: Float) -> Float {
    switch self {
    case .sigmoid: y * (1 - y) * (1 - 2 * y)
    case .tanh: -2 * y * (1 - y * y)
    case .softplus: squaredSlope.squareRoot() * (1 - squaredSlope.squareRoot())
    case .elu: y > 0 ? 0 : y + 1
    case .selu: y > 0 ? 0 : squaredSlope.squareRoot()
    case .linear, .relu, .leakyRelu, .relu6, .hardSigmoid, .hardTanh: 0
    case .gelu, .silu, .mish, .hardSwish, .softmax: preconditionFailure("\(self) makes no value")
    }
  }
}
