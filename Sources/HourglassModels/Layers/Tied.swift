/// Where a tied layer finds the weight that it shares: the layer whose weight it reads the other way round.
public struct Tie: Sendable, Hashable {
  /// Its place among the layers that run; always before the tied layer.
  let partner: Int
  let name: String
  /// Where the shared weight begins in the flat vector; set by the planner.
  var offset = 0

  init(partner: Int, name: String) { (self.partner, self.name) = (partner, name) }
}

/// A layer that runs and may read the weight of an earlier one.
public protocol TiedLayer: PlannedLayer {
  /// Nil where the weight is its own.
  var tie: Tie? { get set }
}

extension Planner {
  /// The layer called `name` as a partner of the layer being planned, which is to undo what the partner does: it reads
  /// the shape that the partner puts out and puts out the shape that the partner reads.
  ///
  /// Errors: no layer of that name before this one, one of another kind or that itself is tied, one that another layer
  /// is tied to, or one that puts out another shape.
  func partner<Partner: PlannedLayer>(
    _ partner: String, as type: Partner.Type, kind: String
  ) throws(ModelError) -> (index: Int, layer: Partner) {
    guard let index = layers.firstIndex(where: { $0.name == partner }) else {
      throw ModelError(name, "wanted a \(kind) before it to be tied to, found none called \(partner)")
    }
    guard let layer = layers[index] as? Partner, (layer as? any TiedLayer)?.tie == nil else {
      throw ModelError(name, "wanted a \(kind) to be tied to, found \(partner), a \(layers[index].kind)")
    }
    func isTied(_ other: any PlannedLayer) -> Bool {
      other.gradient != .none && (other as? any TiedLayer)?.tie?.partner == index
    }
    if let other = layers.first(where: isTied) {
      throw ModelError(name, "wanted a layer that none is tied to, found \(partner), which \(other.name) is tied to")
    }
    guard shape == layer.output else {
      throw ModelError(
        name, "tied to \(partner) it wants the shape that \(partner) puts out, \(layer.output), found \(shape)")
    }
    return (index, layer)
  }
}

/// The mirror of a dense layer with its weight transposed and a bias of its own: y = a(b + x w^T), with w the inputs x
/// outputs of the layer it is tied to. It puts out the shape which that layer reads, an image where that was one.
///
/// Source: Vincent et al., "Stacked denoising autoencoders", JMLR 2010, section 2.2.
public struct TiedDense: Layer, Hashable {
  /// Name of the dense layer: `encoder.0`, `latent`.
  public var to: String
  public var activation: Activation

  public init(to: String, activation: Activation = .linear) { (self.to, self.activation) = (to, activation) }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    to = try fields.decode(String.self, forKey: .to)
    activation = try fields.decodeIfPresent(Activation.self, forKey: .activation) ?? .linear
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (index, dense) = try planner.partner(to, as: PlannedDense.self, kind: Dense.kind)
    guard dense.heads.count == 1 else {
      throw ModelError(
        planner.name, "wanted a Dense with one output to be tied to, found \(to), which has \(dense.heads.count)")
    }
    try planner.append(
      PlannedDense(
        name: planner.name, input: dense.output, output: dense.input, activation: activation,
        tie: Tie(partner: index, name: to)))
  }
}

/// The mirror of a convolution, its transpose, with the same filter and a bias of its own. It has the geometry and
/// the algorithm of the convolution it is tied to, and puts out the shape which that layer reads.
///
/// Source: Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011.
public struct TiedConvTranspose2D: Layer, Hashable {
  /// Name of the convolution: `encoder.0`.
  public var to: String
  public var activation: Activation

  public init(to: String, activation: Activation = .linear) { (self.to, self.activation) = (to, activation) }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    to = try fields.decode(String.self, forKey: .to)
    activation = try fields.decodeIfPresent(Activation.self, forKey: .activation) ?? .linear
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    var (index, convolution) = try planner.partner(to, as: PlannedConv2D.self, kind: Conv2D.kind)
    convolution.isShared = true
    planner.replace(index, with: convolution)
    try planner.append(
      PlannedConvTranspose2D(
        name: planner.name, window: convolution.window, activation: activation,
        tie: Tie(partner: index, name: to)))
  }
}
