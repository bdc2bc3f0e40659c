/// A layer that lends its weight or its state to a later one.
struct Lender: Sendable, Hashable {
  let name: String
  /// The number of the value that it writes.
  let value: Int
  /// Whether it has a bias.
  var hasBias = true
}

extension Planner {
  /// The layer called `name` as the one whose weight the layer being planned borrows, to undo what that one does: it
  /// reads the shape that the lender puts out and puts out the shape that the lender reads.
  ///
  /// Errors: no layer of that name before this one, one of another kind or that itself borrows, one that another layer
  /// borrows from, or one that puts out another shape.
  func lender<Layer: PlannedLayer>(
    _ lender: String, as type: Layer.Type, kind: String
  ) throws(ModelError) -> (Lender, Layer) {
    guard let use = uses.first(where: { $0.layer.name == lender }) else {
      throw ModelError(name, "wanted a \(kind) before it to be tied to, found none called \(lender)")
    }
    guard let layer = use.layer as? Layer, !use.borrowsWeight else {
      throw ModelError(name, "wanted a \(kind) to be tied to, found \(lender), a \(use.layer.kind)")
    }
    if let other = uses.first(where: { $0.borrowsWeight && $0.reads(.weight(use.output)) }) {
      throw ModelError(
        name, "wanted a layer that none is tied to, found \(lender), which \(other.layer.name) is tied to")
    }
    guard shape == layer.output else {
      throw ModelError(
        name, "tied to \(lender) it wants the shape that \(lender) puts out, \(layer.output), found \(shape)")
    }
    return (Lender(name: lender, value: use.output), layer)
  }
}

extension Use {
  fileprivate func reads(_ source: Read.Source) -> Bool { layer.reads(self).contains { $0.source == source } }

  /// Whether the layer has parameters beside a weight that it borrows.
  fileprivate var borrowsWeight: Bool {
    layer.parameterCount > 0 && layer.reads(self).contains { if case .weight = $0.source { true } else { false } }
  }
}

/// The mirror of a dense layer with its weight transposed and a bias of its own: y = a(b + x w^T), with w the inputs x
/// outputs of the layer it is tied to. It puts out the shape which that layer reads, an image where that was one.
///
/// Source: Vincent et al., "Stacked denoising autoencoders", JMLR 2010, section 2.2.
public struct TiedDense: NamingLayer, Hashable {
  /// The name of the dense layer: `encoder.0`, `latent`.
  public var to: String
  var named: String {
    get { to }
    set { to = newValue }
  }
  /// The activation a of the output.
  public var activation: Activation

  /// The mirror of the dense layer of that name: N x O in, N x I out, with a bias alone.
  public init(to: String, activation: Activation = .linear) { (self.to, self.activation) = (to, activation) }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    to = try fields.decode(String.self, forKey: .to)
    activation = try fields.decode(.activation, or: .linear)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (lender, dense) = try planner.lender(to, as: PlannedDense.self, kind: Dense.kind)
    guard dense.heads.count == 1 else {
      throw ModelError(
        planner.name, "wanted a Dense with one output to be tied to, found \(to), which has \(dense.heads.count)")
    }
    let name = planner.name
    try planner.append(activation) { activation throws(ModelError) in
      PlannedDense(
        name: name, input: dense.output, output: dense.input, activation: activation, lender: lender)
    }
  }
}

/// The mirror of a convolution, its transpose, with the same filter and a bias of its own. It has the geometry and
/// the algorithm of the convolution it is tied to, and puts out the shape which that layer reads.
///
/// Source: Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011.
public struct TiedConvTranspose2D: NamingLayer, Hashable {
  /// The name of the convolution: `encoder.0`.
  public var to: String
  var named: String {
    get { to }
    set { to = newValue }
  }
  /// The activation a of the output.
  public var activation: Activation

  /// The mirror of the convolution of that name: N x P x Q x K in, N x H x W x C out, with a bias alone.
  public init(to: String, activation: Activation = .linear) { (self.to, self.activation) = (to, activation) }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    to = try fields.decode(String.self, forKey: .to)
    activation = try fields.decode(.activation, or: .linear)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    var (lender, convolution) = try planner.lender(to, as: PlannedConv2D.self, kind: Conv2D.kind)
    lender.hasBias = convolution.hasBias
    let name = planner.name
    try planner.append(activation) { activation throws(ModelError) in
      PlannedConvTranspose2D(
        name: name, window: convolution.window, activation: activation, hasBias: true, initializer: nil,
        lender: lender)
    }
  }
}
