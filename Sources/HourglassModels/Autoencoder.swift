/// An autoencoder as a person writes it: a chain of encoder, latent and decoder, the likelihood of the data, and where
/// they are wanted penalties on the codes, or another objective than the likelihood.
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
  /// Terms of the loss on the codes, at most one of each kind. A model file has them under `penalty`: one, or a list.
  public var penalties: [any Penalty]
  /// What is trained in place of the likelihood and the penalties; nil for these.
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
    _ name: String, input: ImageShape, likelihood: Likelihood, penalty penalties: any Penalty...,
    objective: Objective? = nil,
    @LayerBuilder encoder: () -> [any Layer], latent: () -> any Layer, @LayerBuilder decoder: () -> [any Layer]
  ) {
    (self.name, self.input, self.likelihood) = (name, input, likelihood)
    (self.penalties, self.objective) = (penalties, objective)
    (self.encoder, self.latent, self.decoder) = (encoder(), latent(), decoder())
  }

  /// Whether a code is a distribution, whose KL divergence from the prior is part of the loss.
  public var isVariational: Bool { latent is GaussianLatent }
  /// Whether a code is one of few: the latent is a VectorQuantizer.
  public var isQuantized: Bool { latent is VectorQuantizer }
  /// What the loss has beside the reconstruction, the term of the latent first.
  public var terms: [LossTerm] {
    let latent = isVariational ? LossTerm.kl : (latent as? VectorQuantizer).map { LossTerm($0) }
    return [latent].compactMap(\.self) + penalties.map { LossTerm($0) }
  }
  /// Whether codes are trained to be distributed as a standard normal prior, so that codes drawn from it make images.
  public var hasPrior: Bool { isVariational || penalties.contains { $0 is MMDPenalty } }

  /// Why there is no importance-weighted bound of log p(image), if there is none.
  public var importanceRefusal: String? {
    guard !isVariational || !likelihood.isInNats else { return nil }
    return "wanted a variational model with a likelihood in nats (bernoulli, gaussian, categorical), found \(name), "
      + "\(isVariational ? "variational" : "plain") with the \(likelihood.name) likelihood"
  }

  /// Why the importance-weighted bound cannot be trained, if it cannot: it has no terms but its own.
  public var boundRefusal: String? {
    penalties.first.map { "wanted no penalty beside the importance-weighted bound, found \(type(of: $0).kind)" }
  }

  /// Plans all layers and checks that they lead to what the likelihood can read: back to the input's shape, or to
  /// labels.
  func planned() throws(ModelError) -> PlannedGraph {
    var planner = try Planner(name: "input", input: input)
    try planner.append(encoder, within: "encoder")
    planner.name = Planner.latentName
    try latent.plan(&planner)
    let code = planner.value
    for (i, penalty) in penalties.enumerated() {
      planner.name = penalties.count == 1 ? Planner.penaltyName : "\(Planner.penaltyName).\(i)"
      if penalties[..<i].contains(where: { type(of: $0) == type(of: penalty) }) {
        throw ModelError(planner.name, "wanted one \(type(of: penalty).kind), found two")
      }
      try penalty.plan(&planner)
    }
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

/// A term of the loss beside the reconstruction: the divergence of a latent, or a penalty on the codes. Beta weighs all
/// of them.
public struct LossTerm: Hashable, Sendable {
  /// What metrics call it: `kl`, `commitment`, or the kind of the penalty as in model files, such as `MMDPenalty`.
  public let key: String
  /// What messages, tables and the report call it: "KL divergence", "contractive penalty".
  public let name: String

  /// The Kullback-Leibler divergence of a code's distribution from the prior, in nats.
  public static let kl = LossTerm(key: "kl", name: "KL divergence")

  private init(key: String, name: String) { (self.key, self.name) = (key, name) }

  /// The term of a quantiser, which its commitment weighs; by gradient the distance of codes from features is in it.
  init(_ quantizer: VectorQuantizer) {
    self.init(
      key: Self.commitment, name: quantizer.decay == nil ? "codebook and commitment loss" : "commitment loss")
  }

  private static let commitment = "commitment"

  /// Whether it is the term of a penalty.
  public var isPenalty: Bool { key != Self.kl.key && key != Self.commitment }

  /// The term of a penalty, under its name.
  public init(_ penalty: any Penalty) { self.init(key: type(of: penalty).kind, name: type(of: penalty).term) }
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
    penalties = try fields.decodeIfPresent(CodablePenalties.self, forKey: .penalty)?.penalties ?? []
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
    if !penalties.isEmpty { try fields.encode(CodablePenalties(penalties), forKey: .penalty) }
    try fields.encodeIfPresent(objective, forKey: .objective)
  }
}
