import HourglassKernels

/// The Gaussian latent of a variational autoencoder: one dense layer emits mean and log-variance, a sample is drawn by
/// reparametrisation, and the KL divergence from the standard normal prior joins the loss.
///
///     z = mean + exp(lv / 2) noise,   KL = 1/2 sum(mean^2 + exp(lv) - 1 - lv),   lv clamped to [-30, 20]
///
/// Where training follows the importance-weighted bound, the second term is the estimate of the KL divergence by the
/// sample:
///
///     log q(z | x) - log p(z) = 1/2 sum(z^2 - noise^2 - lv)
///
/// With free bits the KL divergence in the loss is sum over j of max(free bits, mean over a shard of KL_j): the way
/// back leaves out units that diverge by less, in the mean over the samples of their shard.
///
/// With a capacity C the loss has |KL - C| in the place of the KL divergence, KL being the mean over a shard.
///
/// Sources: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014; Kingma et al., "Improved variational
/// inference with inverse autoregressive flow", NIPS 2016, equation 15; Burda, Grosse & Salakhutdinov, "Importance
/// weighted autoencoders", ICLR 2016; Burgess et al., "Understanding disentangling in beta-VAE", 2018, for capacity.
public struct GaussianLatent: Layer, Hashable {
  /// The number of latent units, Z.
  public var units: Int

  /// A Gaussian latent of Z = `units` units: N x I in, N x Z out.
  public init(_ units: Int) { self.units = units }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let name = planner.name
    guard name == Planner.latentName else {
      throw ModelError(name, "the gaussian latent belongs in the place of the latent, not in \(name)")
    }
    try planner.check(units, "latent unit")
    try planner.append(
      PlannedDense(
        name: name, input: planner.shape, output: ImageShape(vector: 2 * units), activation: .linear,
        heads: ["mean", "logVariance"]))
    try planner.append(PlannedGaussianLatent(name: name, units: units))
  }
}

/// The sampling that follows the two heads. Its input is Z means, then Z log-variances.
public struct PlannedGaussianLatent: PlannedLayer {
  public let name: String
  public let units: Int

  public var kind: String { GaussianLatent.kind }
  public var input: ImageShape { ImageShape(vector: 2 * units) }
  public var output: ImageShape { ImageShape(vector: units) }
  public var activation: Activation { .linear }
  public var granularity: Granularity { .group }
  public var notesTerm: Bool { true }
  /// The noise.
  public var stateCount: Int { units }

  public func reads(_ use: Use) -> [Read] { use.standardReads + [Read(.values(use.output), [.backward])] }

  public func forward(_ pass: Pass) {
    let noise = drawNoise(pass)
    checked(hg_gaussian_latent_forward(pass.samples, units, pass.x, noise, pass.y, pass.term, nil))
    guard pass.importanceWeights != nil else { return }
    checked(hg_gaussian_log_ratio(pass.samples, units, pass.x, noise, pass.y, pass.term, nil))
  }

  public func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    if let weights = pass.importanceWeights {
      checked(
        hg_gaussian_log_ratio_backward(pass.samples, units, pass.x, pass.state, pass.y, weights, dy, dx, nil))
      return
    }
    let noise = pass.noise.latent(sample: pass.firstSample) == nil ? nil : pass.state
    if let capacity = pass.capacity {
      return pass.forEachShard { shard in
        let (mean, row) = (pass.meanTerm(shard), shard.lowerBound * units)
        let beta = mean > Double(capacity) ? pass.beta : mean < Double(capacity) ? -pass.beta : 0
        checked(
          hg_gaussian_latent_backward(
            shard.count, units, pass.x + 2 * row, noise.map { UnsafePointer($0 + row) }, dy + row, beta, dx + 2 * row,
            nil))
      }
    }
    let hasFreeBits = pass.freeBits > 0
    checked(
      hg_gaussian_latent_backward(pass.samples, units, pass.x, noise, dy, hasFreeBits ? 0 : pass.beta, dx, nil))
    guard hasFreeBits else { return }
    pass.forEachShard { shard in
      let row = shard.lowerBound * 2 * units
      checked(hg_gaussian_free_bits(shard.count, units, pass.x + row, pass.freeBits, pass.beta, dx + row, nil))
    }
  }

  /// Its heads, the log-variance clamped.
  public func addNodes(to graph: inout ONNXBuilder) {
    let bounds = [graph.tensor("least", HG_LOG_VARIANCE_MIN), graph.tensor("most", HG_LOG_VARIANCE_MAX)]
    graph.put(graph.values[0], graph.node("Clip", [graph.values[1]] + bounds))
  }

  private func drawNoise(_ pass: Pass) -> UnsafeMutablePointer<Float>? {
    for sample in 0..<pass.samples {
      guard let stream = pass.noise.latent(sample: pass.firstSample + sample) else { return nil }
      stream.fillNormal(pass.state + sample * units, units)
    }
    return pass.state
  }
}
