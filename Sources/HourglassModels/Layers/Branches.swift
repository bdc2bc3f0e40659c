import HourglassKernels

/// A layer that holds others.
protocol Block: Layer {
  /// The block called `name` with another layer in the place of each that it holds, by that one's name.
  func mapped(_ name: String, _ change: (_ layer: any Layer, _ name: String) -> any Layer) -> Self
}

extension Autoencoder {
  /// The model with another layer in the place of each, by the name that a plan gives it: `encoder.0`, `latent`,
  /// `decoder.3.1` for the second layer of a block.
  public func mapped(_ change: (_ layer: any Layer, _ name: String) -> any Layer) -> Autoencoder {
    var model = self
    model.encoder = encoder.mapped(within: "encoder", change)
    model.latent = (latent as? any Block)?.mapped(Planner.latentName, change) ?? change(latent, Planner.latentName)
    model.decoder = decoder.mapped(within: "decoder", change)
    return model
  }

  /// The layer that a plan calls so; nil for none.
  public func layer(named name: String) -> (any Layer)? {
    var found: (any Layer)?
    _ = mapped { layer, place in
      if place == name { found = layer }
      return layer
    }
    return found
  }
}

/// A layer that names an earlier one.
protocol NamingLayer: Layer {
  /// The name of the other layer: `encoder.0`.
  var named: String { get set }
}

extension [any Layer] {
  /// The layers of the list, with those of a block in the place of the block.
  var leaves: [any Layer] {
    var leaves: [any Layer] = []
    _ = mapped(within: "") { layer, _ in
      leaves.append(layer)
      return layer
    }
    return leaves
  }

  /// The list inside `block` with other layers, those of blocks inside one by one.
  func mapped(within block: String, _ change: (any Layer, String) -> any Layer) -> Self {
    enumerated().map { i, layer in
      let name = "\(block).\(i)"
      guard let inner = layer as? any Block else { return change(layer, name) }
      return inner.mapped(name, change)
    }
  }
}

/// A residual block: the layers of a list, and what goes in added to what they put out.
///
///     y = a(f(x) + g(x)),   f the layers, g the shortcut, which is the identity where it is empty
///
/// Layers are called as in PyTorch's nn.Sequential: `encoder.1.0` is the first of the block `encoder.1`, and
/// `encoder.1.shortcut.0` the first of its shortcut.
///
/// Source: He et al., "Deep residual learning for image recognition", CVPR 2016.
public struct Residual: Block {
  /// The layers f.
  public var layers: [any Layer]
  /// Brings the input to the shape that the layers put out, where that is another one: usually a 1 x 1 convolution.
  public var shortcut: [any Layer]
  /// The activation a of the sum.
  public var activation: Activation

  /// A residual block: N x H x W x C in, and out what the layers put out.
  public init(
    activation: Activation = .linear, shortcut: [any Layer] = [], @LayerBuilder layers: () -> [any Layer]
  ) {
    (self.layers, self.shortcut, self.activation) = (layers(), shortcut, activation)
  }

  private enum CodingKeys: String, CodingKey { case layers, shortcut, activation }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    layers = try fields.decode([CodableLayer].self, forKey: .layers).map(\.layer)
    shortcut = try fields.decodeIfPresent([CodableLayer].self, forKey: .shortcut)?.map(\.layer) ?? []
    activation = try fields.decode(.activation, or: .linear)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(layers.map(CodableLayer.init), forKey: .layers)
    if !shortcut.isEmpty { try fields.encode(shortcut.map(CodableLayer.init), forKey: .shortcut) }
    try fields.encode(activation, forKey: .activation)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let end = try planner.append(block: layers, beside: shortcut)
    try planner.add(end, as: Self.kind, activation)
  }

  func mapped(_ name: String, _ change: (any Layer, String) -> any Layer) -> Self {
    var block = self
    block.layers = layers.mapped(within: name, change)
    block.shortcut = shortcut.mapped(within: "\(name).shortcut", change)
    return block
  }
}

/// A skip connection around the layers of a list: what goes in is concatenated with what they put out, along the
/// channels. Skips inside one another are a U-Net; skips in the shortcuts of one another are branches side by side.
///
///     y = [f(x) | g(x)],   f the layers, g the shortcut, which is the identity where it is empty
///
/// Sources: Ronneberger et al., "U-Net", MICCAI 2015; Szegedy et al., "Going deeper with convolutions", CVPR 2015.
public struct Skip: Block {
  /// The layers f.
  public var layers: [any Layer]
  /// The layers g, called `encoder.1.shortcut.0` and so on.
  public var shortcut: [any Layer]

  /// A skip around layers: N x H x W x C in, N x H x W x (C of f(x) + C of g(x)) out.
  public init(shortcut: [any Layer] = [], @LayerBuilder layers: () -> [any Layer]) {
    (self.layers, self.shortcut) = (layers(), shortcut)
  }

  private enum CodingKeys: String, CodingKey { case layers, shortcut }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    layers = try fields.decode([CodableLayer].self, forKey: .layers).map(\.layer)
    shortcut = try fields.decodeIfPresent([CodableLayer].self, forKey: .shortcut)?.map(\.layer) ?? []
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(layers.map(CodableLayer.init), forKey: .layers)
    if !shortcut.isEmpty { try fields.encode(shortcut.map(CodableLayer.init), forKey: .shortcut) }
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let end = try planner.append(block: layers, beside: shortcut)
    try planner.concatenate(end)
  }

  func mapped(_ name: String, _ change: (any Layer, String) -> any Layer) -> Self {
    var block = self
    block.layers = layers.mapped(within: name, change)
    block.shortcut = shortcut.mapped(within: "\(name).shortcut", change)
    return block
  }
}

/// Concatenates what reaches it with what an earlier layer puts out, along the channels: a skip connection from the
/// encoder to the decoder.
///
///     y = [x | s],   H x W x (C of x + C of s); [s | x] where the skip comes first
///
/// The skip belongs to the same sample, so a code alone cannot be decoded where it leads past the code.
///
/// Source: Ronneberger et al., "U-Net", MICCAI 2015.
public struct Concat: NamingLayer, Hashable {
  /// The name of the layer, such as `encoder.2`, or `image` for the image as it enters the chain.
  public var from: String
  /// Whether the channels of the skip lie in front.
  public var first: Bool

  var named: String {
    get { from }
    set { from = newValue }
  }

  /// A skip from the layer of that name.
  public init(from: String, first: Bool = false) { (self.from, self.first) = (from, first) }

  private enum CodingKeys: String, CodingKey { case from, first }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    from = try fields.decode(String.self, forKey: .from)
    first = try fields.decode(.first, or: false)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(from, forKey: .from)
    try fields.encode(first, .first, unless: false)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let skip = try planner.skip(from: from)
    try planner.concatenate(skip, isFirst: first)
  }
}

/// Adds what an earlier layer puts out to what reaches it: a residual connection whose ends need not lie in one block,
/// as from the encoder to the decoder.
///
///     y = a(x + s)
///
/// Like `Concat` it can lead past the code.
///
/// Source: Mao, Shen & Yang, "Image restoration using very deep convolutional encoder-decoder networks with symmetric
/// skip connections", NIPS 2016.
public struct Add: NamingLayer, Hashable {
  /// The name of the layer, such as `encoder.2`, or `image` for the image as it enters the chain.
  public var from: String
  /// The activation a of the sum.
  public var activation: Activation

  var named: String {
    get { from }
    set { from = newValue }
  }

  /// A sum with the layer of that name, whose shape is the one that reaches it.
  public init(from: String, activation: Activation = .linear) { (self.from, self.activation) = (from, activation) }

  private enum CodingKeys: String, CodingKey { case from, activation }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    from = try fields.decode(String.self, forKey: .from)
    activation = try fields.decode(.activation, or: .linear)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(from, forKey: .from)
    try fields.encode(activation, .activation, unless: .linear)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let skip = try planner.skip(from: from)
    try planner.add(skip, as: Self.kind, activation)
  }
}

extension Planner {
  /// Lets what a layer further on reads be read here as well. Answers its number.
  fileprivate mutating func skip(from name: String) throws(ModelError) -> Int {
    guard let skip = fork(behind: name) else {
      throw ModelError(
        self.name, "wanted the name of a layer before it, whose output it takes, or image, found \"\(name)\"")
    }
    return skip
  }

  /// Forks, and appends the layers of a block on one of the branches, those of its shortcut on the other. Answers the
  /// end of the other.
  fileprivate mutating func append(block layers: [any Layer], beside shortcut: [any Layer]) throws(ModelError) -> Int {
    guard !layers.isEmpty else { throw ModelError(name, "wanted at least one layer inside the block, found none") }
    guard let skip = fork() else { preconditionFailure("the value at hand can be forked") }
    let name = name
    try append(layers, within: name)
    let end = try branch(from: skip) { planner throws(ModelError) in
      try planner.append(shortcut, within: "\(name).shortcut")
    }
    self.name = name
    return end
  }

  /// Concatenates the value at hand with another one, which comes behind it or first.
  fileprivate mutating func concatenate(_ skip: Int, isFirst: Bool = false) throws(ModelError) {
    let join = try meeting(skip) { shape, skip in
      (shape.height, shape.width) == (skip.height, skip.width)
        ? ImageShape(shape.height, shape.width, shape.channels + skip.channels) : nil
    }
    try append(PlannedConcat(join: join, isSkipFirst: isFirst), and: skip)
  }

  /// Adds another value to the one at hand.
  fileprivate mutating func add(_ skip: Int, as kind: String, _ activation: Activation) throws(ModelError) {
    let join = try meeting(skip) { shape, skip in shape == skip ? shape : nil }
    try append(activation, and: skip) { activation throws(ModelError) in
      PlannedJoin(join: join, kind: kind, result: activation)
    }
  }

  /// What a layer knows of the value at hand and another one that meet in it.
  ///
  /// - Parameter output: the shape of what both make; nil where they do not fit.
  fileprivate func meeting(
    _ skip: Int, output: (ImageShape, ImageShape) -> ImageShape?
  ) throws(ModelError) -> Meeting {
    let other = values[skip]
    guard let output = output(shape, other.shape) else {
      throw ModelError(name, "wanted branches of shapes that fit where they meet, found \(shape) and \(other.shape)")
    }
    return Meeting(
      name: name, shape: shape, skip: other.shape, output: output, activation: activation,
      skipActivation: other.activation, granularity: granularity)
  }
}
