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
    let name = planner.name
    let skip = try planner.append(block: layers)
    let end = try planner.branch(from: skip) { planner throws(ModelError) in
      try planner.append(shortcut, within: "\(name).shortcut")
    }
    planner.name = name
    let join = try planner.meeting(end) { shape, skip in shape == skip ? shape : nil }
    try planner.append(activation, and: end) { activation throws(ModelError) in
      PlannedJoin(join: join, result: activation)
    }
  }

  func mapped(_ name: String, _ change: (any Layer, String) -> any Layer) -> Self {
    var block = self
    block.layers = layers.mapped(within: name, change)
    block.shortcut = shortcut.mapped(within: "\(name).shortcut", change)
    return block
  }
}

/// A skip connection around the layers of a list: what goes in is concatenated with what they put out, along the
/// channels. Skips inside one another are a U-Net.
///
///     y = [f(x) | x],   H x W x (C of f(x) + C of x)
///
/// Source: Ronneberger et al., "U-Net", MICCAI 2015.
public struct Skip: Block {
  /// The layers f.
  public var layers: [any Layer]

  /// A skip around layers: N x H x W x C in, N x H x W x (C of f(x) + C) out.
  public init(@LayerBuilder layers: () -> [any Layer]) { self.layers = layers() }

  private enum CodingKeys: String, CodingKey { case layers }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    layers = try fields.decode([CodableLayer].self, forKey: .layers).map(\.layer)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(layers.map(CodableLayer.init), forKey: .layers)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let skip = try planner.append(block: layers)
    try planner.concatenate(skip)
  }

  func mapped(_ name: String, _ change: (any Layer, String) -> any Layer) -> Self {
    var block = self
    block.layers = layers.mapped(within: name, change)
    return block
  }
}

/// Concatenates what reaches it with what an earlier layer puts out, along the channels: a skip connection from the
/// encoder to the decoder.
///
///     y = [x | s],   H x W x (C of x + C of s)
///
/// The skip belongs to the same sample, so a code alone cannot be decoded where it leads past the code.
///
/// Source: Ronneberger et al., "U-Net", MICCAI 2015.
public struct Concat: NamingLayer, Hashable {
  /// The name of the layer, such as `encoder.2`.
  public var from: String

  var named: String {
    get { from }
    set { from = newValue }
  }

  /// A skip from the layer of that name.
  public init(from: String) { self.from = from }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard let skip = planner.fork(behind: from) else {
      throw ModelError(planner.name, "wanted the name of a layer before it, whose output it takes, found \"\(from)\"")
    }
    try planner.concatenate(skip)
  }
}

extension Planner {
  /// Forks, and appends the layers of a block on one of the branches. Answers the start of the other.
  fileprivate mutating func append(block layers: [any Layer]) throws(ModelError) -> Int {
    guard !layers.isEmpty else { throw ModelError(name, "wanted at least one layer inside the block, found none") }
    guard let skip = fork() else { preconditionFailure("the value at hand can be forked") }
    try append(layers, within: name)
    return skip
  }

  /// Concatenates the value at hand with another one.
  fileprivate mutating func concatenate(_ skip: Int) throws(ModelError) {
    let join = try meeting(skip) { shape, skip in
      (shape.height, shape.width) == (skip.height, skip.width)
        ? ImageShape(shape.height, shape.width, shape.channels + skip.channels) : nil
    }
    try append(PlannedConcat(join: join), and: skip)
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

/// What a layer knows of the two values that meet in it.
struct Meeting: Sendable {
  let name: String
  let shape: ImageShape
  let skip: ImageShape
  let output: ImageShape
  /// The activations that made both.
  let activation: Activation
  let skipActivation: Activation
  let granularity: Granularity
}

/// Lets two layers read one value: it writes nothing, because both read it where it lies, and adds their errors.
///
///     dx = a'(x) (d + d'),   d of the first reader, d' of the second
struct PlannedFork: PlannedLayer {
  let name: String
  let shape: ImageShape
  let inputActivation: Activation
  let granularity: Granularity

  var kind: String { "Fork" }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] {
    [Read(.values(use.input), inputActivation == .linear ? [] : [.backward])]
      + use.outputs.map { Read(.error($0), [.backward]) }
  }

  func inPlace(_ use: Use) -> [Read.Source: Read.Source] {
    var places: [Read.Source: Read.Source] = [.error(use.output): .error(use.input)]
    for output in use.outputs { places[.values(output)] = .values(use.input) }
    return places
  }

  func forward(_ pass: Pass) {}
  func forwardTangent(_ pass: Pass) {}

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    let count = pass.samples * shape.count
    guard let other = pass.dbranch else {
      return pass.inputActivation.backward(count: count, y: pass.x, dy: dy, dx: dx, threads: pass.threads)
    }
    pass.withParallel { checked(hg_fork_backward(pass.inputActivation.kernel, count, pass.x, dy, other, dx, $0)) }
  }

  func addNodes(to graph: inout ONNXBuilder) {}
}

/// Adds two values:  y = a(x + skip).
struct PlannedJoin: PlannedLayer {
  let join: Meeting
  let activation: Activation

  init(join: Meeting, result activation: Activation) { (self.join, self.activation) = (join, activation) }

  var name: String { join.name }
  var kind: String { Residual.kind }
  var input: ImageShape { join.shape }
  var output: ImageShape { join.output }
  var granularity: Granularity { join.granularity }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { join.reads(use) }

  /// The errors of both are that of the sum, where no activation lies between.
  func inPlace(_ use: Use) -> [Read.Source: Read.Source] {
    var places: [Read.Source: Read.Source] = [:]
    if join.activation == .linear { places[.error(use.input)] = .error(use.output) }
    if join.skipActivation == .linear, let skip = use.skip { places[.error(skip)] = .error(use.output) }
    return places
  }

  func forward(_ pass: Pass) { add(pass, activation) }
  func forwardTangent(_ pass: Pass) { add(pass, .linear) }

  private func add(_ pass: Pass, _ activation: Activation) {
    guard let skip = pass.skip else { return }
    pass.withParallel {
      checked(hg_join_forward(activation.kernel, pass.samples * output.count, pass.x, skip, pass.y, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy else { return }
    func gate(_ values: UnsafePointer<Float>?, _ activation: Activation, _ error: UnsafeMutablePointer<Float>?) {
      guard let values, let error, error != dy else { return }
      activation.backward(count: pass.samples * output.count, y: values, dy: dy, dx: error, threads: pass.threads)
    }
    gate(pass.x, pass.inputActivation, pass.dx)
    gate(pass.skip, pass.skipActivation, pass.dskip)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let inputs = [graph.form(output), graph.skip(output)]
    graph.put(graph.node("Add", inputs))
  }
}

extension Meeting {
  /// Both values forward, back again where an activation made them, and the error of what they make.
  func reads(_ use: Use) -> [Read] {
    func moments(_ activation: Activation) -> Set<Read.Moment> {
      activation == .linear ? [.forward] : [.forward, .backward]
    }
    var reads = [Read(.values(use.input), moments(activation)), Read(.error(use.output), [.backward])]
    if let skip = use.skip { reads.append(Read(.values(skip), moments(skipActivation))) }
    return reads
  }
}

/// Puts two values one behind the other, channel by channel at each position:  y = [x | skip].
struct PlannedConcat: PlannedLayer {
  let join: Meeting

  var name: String { join.name }
  var kind: String { Concat.kind }
  var input: ImageShape { join.shape }
  var output: ImageShape { join.output }
  var activation: Activation { .linear }
  var granularity: Granularity { join.granularity }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { join.reads(use) }

  private func positions(_ pass: Pass) -> Int { pass.samples * output.height * output.width }

  func forward(_ pass: Pass) {
    guard let skip = pass.skip else { return }
    pass.withParallel {
      checked(
        hg_concat_forward(positions(pass), input.channels, join.skip.channels, pass.x, skip, pass.y, $0))
    }
  }

  func forwardTangent(_ pass: Pass) { forward(pass) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy else { return }
    pass.withParallel {
      checked(hg_concat_backward(positions(pass), input.channels, join.skip.channels, dy, pass.dx, pass.dskip, $0))
    }
    func gate(
      _ values: UnsafePointer<Float>?, _ activation: Activation, _ error: UnsafeMutablePointer<Float>?, _ n: Int
    ) {
      guard let values, let error, activation != .linear else { return }
      activation.backward(count: pass.samples * n, y: values, dy: error, dx: error, threads: pass.threads)
    }
    gate(pass.x, pass.inputActivation, pass.dx, input.count)
    gate(pass.skip, pass.skipActivation, pass.dskip, join.skip.count)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let inputs = [graph.form(input), graph.skip(join.skip)]
    graph.put(graph.node("Concat", inputs, ["axis": .integer(1)]))
  }
}
