/// A term of the loss that depends on the codes: what a model has beside its likelihood where no KL divergence of a
/// latent keeps the codes in order, or beside one. It stands behind the latent and hands the codes on as they are. Of a
/// Gaussian latent these are the samples.
///
/// The mean over samples, times beta, joins the loss as the KL divergence of a Gaussian latent does. A penalty that
/// sees several samples at once takes them shard by shard: shards belong to the recipe, so bits do not depend on
/// workers.
public protocol Penalty: Layer {
  /// What messages, tables and the report call it: "contractive penalty".
  static var term: String { get }
  /// At least 0.
  var weight: Float { get }
}

extension Planner {
  /// The name of the one penalty; of several they are called `penalty.0` and so on.
  static let penaltyName = "penalty"

  /// Where a penalty stands.
  ///
  /// Errors: it stands elsewhere than behind the latent, or its weight is below 0.
  func penaltySite(_ penalty: some Penalty) throws(ModelError) -> PenaltySite {
    guard name.hasPrefix(Self.penaltyName), let latent = uses.last(where: { !($0.layer is any PlannedPenalty) })?.layer
    else {
      throw ModelError(name, "a penalty belongs in the place of the penalty, not in \(name)")
    }
    guard penalty.weight >= 0, penalty.weight.isFinite else {
      throw ModelError(name, "wanted a weight of at least 0, found \(penalty.weight)")
    }
    return PenaltySite(
      name: name, shape: shape, activation: latent.activation, isSampled: latent is PlannedGaussianLatent,
      weight: penalty.weight)
  }
}

extension Planner {
  /// Appends a penalty that reads the means and log-variances of a Gaussian latent beside its samples.
  ///
  /// Errors: there is another latent.
  mutating func append(ofPosterior penalty: some PlannedPenalty) throws(ModelError) {
    guard let posterior = forkPosterior() else {
      throw ModelError(
        name, "wanted a GaussianLatent, whose means and variances the \(penalty.kind) takes, found another latent")
    }
    try append(penalty, and: posterior)
  }
}

/// What all penalties know of their place.
struct PenaltySite: Sendable {
  let name: String
  let shape: ImageShape
  /// The activation that makes the codes.
  let activation: Activation
  /// Whether the codes are samples of a Gaussian latent.
  let isSampled: Bool
  let weight: Float
}

/// A penalty that runs: the identity, which notes the penalty of each sample.
protocol PlannedPenalty: PlannedLayer {
  var site: PenaltySite { get }

  /// Writes the penalty of each sample of a shard to `pass.term`; what belongs to the shard as a whole counts for
  /// each of its samples.
  func evaluate(_ pass: Pass, shard: Range<Int>)
  /// Adds `pass.beta` times the derivative of the sum of these to `dx`, and of a penalty that reads means and
  /// log-variances, which are `pass.skip`, to `pass.dskip`.
  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>)
}

extension PlannedPenalty {
  var name: String { site.name }
  var input: ImageShape { site.shape }
  var output: ImageShape { site.shape }
  var activation: Activation { .linear }
  var notesTerm: Bool { true }
  /// Whole shards.
  var granularity: Granularity { .group }
  /// Numbers of one code.
  var units: Int { site.shape.count }

  func reads(_ use: Use) -> [Read] {
    use.standardReads + [use.skip].compactMap(\.self).map { Read(.values($0), [.forward, .backward]) }
  }

  func addNodes(to graph: inout ONNXBuilder) {}

  func forward(_ pass: Pass) {
    pass.y.update(from: pass.x, count: pass.samples * units)
    pass.forEachShard { evaluate(pass, shard: $0) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    dx.update(from: dy, count: pass.samples * units)
    pass.dskip?.update(repeating: 0, count: pass.samples * 2 * units)
    pass.forEachShard { addDerivative(pass, shard: $0, to: dx) }
    pass.inputActivation.backward(count: pass.samples * units, y: pass.x, dy: dx, dx: dx, threads: pass.threads)
  }
}

extension Pass {
  /// Mean over a shard of one unit of the code, samples in order.
  func mean(_ unit: Int, of units: Int, shard: Range<Int>) -> Double {
    shard.reduce(0.0) { $0 + Double(x[$1 * units + unit]) } / Double(shard.count)
  }

  /// Notes the same penalty for all samples of a shard.
  func note(_ penalty: Double, shard: Range<Int>) {
    for n in shard { term[n] = Float(penalty) }
  }
}
