/// An autoencoder as a person writes it: a chain of encoder, latent and decoder, the likelihood of the data, and where
/// one is wanted a penalty on the codes, or another objective than the likelihood.
///
/// A variational autoencoder differs in one line, the latent. In JSON the fields have the names below; see
/// `hourglass inspect NAME --json`.
public struct Autoencoder: Sendable {
  /// The name of the model, for people and files.
  public var name: String
  /// Where it comes from: a paper, or the file of a program; nil where nobody says. Nothing follows from it.
  public var source: String?
  /// The shape of an image, H x W x C.
  public var input: ImageShape
  /// What the reconstruction loss is.
  public var likelihood: Likelihood
  /// The layers from the image to the latent.
  public var encoder: [any Layer]
  /// The layer that makes the code.
  public var latent: any Layer
  /// The layers from the code to what the likelihood reads.
  public var decoder: [any Layer]
  /// A term of the loss on the codes; nil for none.
  public var penalty: (any Penalty)?
  /// What is trained in place of the likelihood and the penalty; nil for these.
  public var objective: Objective?

  /// A model, whose shapes and layers are checked when it is planned.
  ///
  /// - Parameters:
  ///   - name: the name, for people and files.
  ///   - input: the shape of an image, H x W x C.
  ///   - encoder: the layers from the image to the latent.
  ///   - latent: the layer that makes the code, N x Z.
  ///   - decoder: the layers from the code to what the likelihood reads.
  public init(
    _ name: String, input: ImageShape, likelihood: Likelihood, penalty: (any Penalty)? = nil,
    objective: Objective? = nil,
    @LayerBuilder encoder: () -> [any Layer], latent: () -> any Layer, @LayerBuilder decoder: () -> [any Layer]
  ) {
    (self.name, self.input, self.likelihood) = (name, input, likelihood)
    (self.penalty, self.objective) = (penalty, objective)
    (self.encoder, self.latent, self.decoder) = (encoder(), latent(), decoder())
  }

  /// Whether a code is a distribution, whose KL divergence from the prior is part of the loss.
  public var isVariational: Bool { latent is GaussianLatent }
  /// What the loss has beside the reconstruction; nil for nothing.
  public var secondTerm: SecondTerm? {
    isVariational ? .kl : penalty.map { .penalty(type(of: $0).term) }
  }
  /// Whether codes are trained to be distributed as a standard normal prior, so that codes drawn from it make images.
  public var hasPrior: Bool { isVariational || penalty is MMDPenalty }

  /// Why there is no importance-weighted bound of log p(image), if there is none.
  public var importanceRefusal: String? {
    guard !isVariational || !likelihood.isInNats else { return nil }
    return "wanted a variational model with a likelihood in nats (bernoulli, gaussian, categorical), found \(name), "
      + "\(isVariational ? "variational" : "plain") with the \(likelihood.name) likelihood"
  }

  /// Plans all layers and checks that they lead to what the likelihood can read: back to the input's shape, or to
  /// labels.
  func planned() throws(ModelError) -> PlannedGraph {
    var planner = try Planner(name: "input", input: input)
    try planner.append(encoder, within: "encoder")
    planner.name = Planner.latentName
    try latent.plan(&planner)
    let code = planner.value
    planner.name = Planner.penaltyName
    try penalty?.plan(&planner)
    try planner.append(decoder, within: "decoder")
    let last = decoder.isEmpty ? Planner.latentName : "decoder.\(decoder.count - 1)"
    if let refusal = likelihood.refusal ?? likelihood.refusal(ofImages: input) {
      throw ModelError("likelihood", refusal)
    }
    if let refusal = likelihood.refusal(of: planner.shape, input: input) { throw ModelError("decoder", refusal) }
    if let refusal = likelihood.refusal(of: planner.activation) { throw ModelError(last, refusal) }
    try objective?.check(planner.uses.map(\.layer), likelihood: likelihood)
    let maker = planner.writer(of: code) ?? 0
    return PlannedGraph(uses: planner.uses, values: planner.values, code: code, encoder: 0..<maker + 1)
  }
}

/// The layers that run and the values between them, before they have places in memory.
struct PlannedGraph {
  let uses: [Use]
  let values: [Value]
  /// The number of the code.
  let code: Int
  /// The uses that make it of an image.
  let encoder: Range<Int>
}

/// What a loss has beside the reconstruction; its weight is beta.
public enum SecondTerm: Hashable, Sendable {
  /// The Kullback-Leibler divergence of a code's distribution from the prior, in nats.
  case kl
  /// A penalty on the codes, under its name.
  case penalty(String)

  /// What messages, tables and the report call it: "KL divergence", "contractive penalty".
  public var name: String {
    switch self {
    case .kl: "KL divergence"
    case .penalty(let name): name
    }
  }
}

/// Lists layers one under the other, and lists of layers.
@resultBuilder
public enum LayerBuilder {
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  public static func buildBlock(_ layers: [any Layer]...) -> [any Layer] { layers.flatMap(\.self) }
}

extension Autoencoder: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case name, source, input, likelihood, encoder, latent, decoder, penalty, objective
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    try decoder.refuseFields(otherThan: CodingKeys.allCases.map(\.rawValue), of: "a model")
    name = try fields.decode(String.self, forKey: .name)
    source = try fields.decodeIfPresent(String.self, forKey: .source)
    input = try fields.decode(ImageShape.self, forKey: .input)
    likelihood = try fields.decode(Likelihood.self, forKey: .likelihood)
    encoder = try fields.decode([CodableLayer].self, forKey: .encoder).map(\.layer)
    latent = try fields.decode(CodableLayer.self, forKey: .latent).layer
    self.decoder = try fields.decode([CodableLayer].self, forKey: .decoder).map(\.layer)
    penalty = try fields.decodeIfPresent(CodablePenalty.self, forKey: .penalty)?.penalty
    objective = try fields.decodeIfPresent(Objective.self, forKey: .objective)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(name, forKey: .name)
    try fields.encodeIfPresent(source, forKey: .source)
    try fields.encode(input, forKey: .input)
    try fields.encode(likelihood, forKey: .likelihood)
    try fields.encode(self.encoder.map(CodableLayer.init), forKey: .encoder)
    try fields.encode(CodableLayer(latent), forKey: .latent)
    try fields.encode(decoder.map(CodableLayer.init), forKey: .decoder)
    try fields.encodeIfPresent(penalty.map { CodablePenalty($0) }, forKey: .penalty)
    try fields.encodeIfPresent(objective, forKey: .objective)
  }
}
