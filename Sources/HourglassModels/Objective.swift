/// What a model is trained by where it is not the gradient of its likelihood.
public enum Objective: Sendable, Hashable {
  /// The dense layer of sigmoid units and the layer tied to it are a restricted Boltzmann machine with the weight w,
  /// hidden biases c and visible biases b. Visible units are Bernoulli where the tied layer is sigmoid, and Gaussian of
  /// variance 1 where it is linear, for images whose elements have mean 0 and variance 1:
  ///
  ///     p(v, h) = exp(-E(v, h)) / Z
  ///     E(v, h) = -sum over i, j of v[i] w[i,j] h[j] - sum over j of c[j] h[j] - sum over i of b[i] v[i]
  ///     Gaussian:  + sum over i of (v[i] - b[i])^2 / 2  in place of the last sum
  ///     P(h[j] = 1 | v) = sigmoid(c[j] + sum over i of v[i] w[i,j])
  ///     mean of v[i] | h = a(b[i] + sum over j of w[i,j] h[j])
  ///
  /// With v0 an image, h0 = P(h | v0), vk what `steps` draws of h and v in turn lead to, and hk = P(h | vk), the
  /// gradient of -log p(v0) is taken to be
  ///
  ///     dw[i,j] = vk[i] hk[j] - v0[i] h0[j],   dc = hk - h0,   db = vk - v0
  ///
  /// which is exact in the mean where vk is drawn from the model. Chains start from the image, or where they are
  /// persistent go on from where the step before left the chain of the same place in the minibatch, the first from
  /// zeros. All units are drawn but those of hk, where the probability has the same mean and less variance.
  ///
  /// Sources: Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 2002;
  /// Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008;
  /// Hinton, "A practical guide to training restricted Boltzmann machines", 2010, sections 3 and 13.2.
  case contrastiveDivergence(steps: Int = 1, persistent: Bool = false)

  /// Steps that a chain may take for one gradient.
  public static let stepsRange = 1...1 << 16

  /// Reads `cd:3`, three Gibbs steps from the image, or `pcd:3`, three steps of persistent chains. Without a number it
  /// is one step. Nil for another text.
  public init?(describedBy text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let steps = parts.count == 1 ? 1 : Int(parts[1]), parts.count <= 2, Self.stepsRange.contains(steps),
      ["cd", "pcd"].contains(parts[0])
    else { return nil }
    self = .contrastiveDivergence(steps: steps, persistent: parts[0] == "pcd")
  }

  /// For tables.
  public var summary: String {
    switch self {
    case .contrastiveDivergence(let steps, let isPersistent): "\(isPersistent ? "PCD" : "CD")-\(steps)"
    }
  }
}

/// `{"name": "contrastiveDivergence", "steps": 1, "persistent": false}`, of which the name is enough.
extension Objective: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case name, steps, persistent }
  private static let name = "contrastiveDivergence"

  public init(from decoder: any Decoder) throws {
    guard let fields = try? decoder.container(keyedBy: CodingKeys.self) else {
      throw decoder.mismatch("an objective, such as {\"name\": \"\(Self.name)\"}")
    }
    try decoder.refuseFields(otherThan: CodingKeys.allCases.map(\.rawValue), of: "an objective")
    let name = try fields.superDecoder(forKey: .name)
    guard (try? String(from: name)) == Self.name else { throw name.mismatch(words: [Self.name]) }
    self = .contrastiveDivergence(
      steps: try fields.decodeIfPresent(Int.self, forKey: .steps) ?? 1,
      persistent: try fields.decodeIfPresent(Bool.self, forKey: .persistent) ?? false)
  }

  public func encode(to encoder: any Encoder) throws {
    guard case .contrastiveDivergence(let steps, let isPersistent) = self else { return }
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(Self.name, forKey: .name)
    try fields.encode(steps, forKey: .steps)
    try fields.encode(isPersistent, forKey: .persistent)
  }
}

/// Contrastive divergence that runs: the two layers with all geometry, and where the chains lie.
public struct PlannedContrastiveDivergence: Sendable {
  /// The Gibbs steps of a gradient.
  public let steps: Int
  /// Whether chains go on from one step to the next.
  public let isPersistent: Bool
  /// The layer from the visible to the hidden units.
  public let hidden: PlannedDense
  /// The layer from the hidden to the visible units.
  public let visible: PlannedDense
  /// Visible units of each sample's chain: in the memory of the whole minibatch where they are persistent.
  public let chains: Place

  /// How often the layer goes forward for one gradient.
  public func forwardPasses(of layer: Int) -> Int { 1 + steps + (isPersistent && layer == 0 ? 1 : 0) }
}

extension Objective {
  /// Refuses a chain that is no restricted Boltzmann machine.
  func check(_ layers: [any PlannedLayer], likelihood: Likelihood) throws(ModelError) {
    guard case .contrastiveDivergence(let steps, _) = self else { return }
    guard Self.stepsRange.contains(steps) else {
      throw ModelError(
        "objective", "wanted 1 to \(Self.stepsRange.upperBound) steps of a chain, found \(steps)")
    }
    func wanted(_ what: String, _ index: Int) -> ModelError {
      let found = layers.indices.contains(index) ? layers[index] : nil
      return ModelError(
        found?.name ?? "decoder",
        "contrastive divergence wants \(what), found "
          + (found.map { "a \($0.kind) of \($0.activation) units" } ?? "none"))
    }
    guard let hidden = layers.first as? PlannedDense, hidden.name == Planner.latentName, hidden.activation == .sigmoid
    else { throw wanted("a latent Dense of sigmoid units on the image", 0) }
    guard layers.count > 1, let visible = layers[1] as? PlannedDense, visible.lender != nil,
      [.sigmoid, .linear].contains(visible.activation)
    else { throw wanted("a TiedDense of sigmoid or linear units behind the latent", 1) }
    guard layers.count == 2 else { throw wanted("one layer behind the latent", 2) }
    guard likelihood == .squaredError else {
      throw ModelError(
        "likelihood", "contrastive divergence wants squaredError, which it reports, found \(likelihood.name)")
    }
  }

  /// What runs, of layers that were checked.
  func planned(_ layers: [any PlannedLayer], chains: Place) -> PlannedContrastiveDivergence? {
    guard case .contrastiveDivergence(let steps, let isPersistent) = self, let hidden = layers[0] as? PlannedDense,
      let visible = layers[1] as? PlannedDense
    else { return nil }
    return PlannedContrastiveDivergence(
      steps: steps, isPersistent: isPersistent, hidden: hidden, visible: visible, chains: chains)
  }
}

extension PlannedDense {
  /// Draws the units whose probabilities, or of linear units means, lie in `pass.y`: 1 where a uniform value is below
  /// the probability and 0 else, or the mean plus a standard normal value.
  public func drawUnits(_ pass: Pass, halfStep: Int) {
    for sample in 0..<pass.samples {
      guard let stream = pass.noise.gibbs(halfStep, sample: pass.firstSample + sample) else { return }
      let (units, numbers) = (pass.y + sample * output.count, pass.scratch)
      if activation == .sigmoid {
        stream.fillUniform(numbers, output.count)
        for i in 0..<output.count { units[i] = numbers[i] < units[i] ? 1 : 0 }
      } else {
        stream.fillNormal(numbers, output.count)
        for i in 0..<output.count { units[i] += numbers[i] }
      }
    }
  }
}
