import HourglassKernels

/// An activation as a layer of its own:  y = a(x). In files it is called `Activation`.
public struct ActivationLayer: Layer, Hashable {
  public static let kind = "Activation"

  /// The function a.
  public var activation: Activation

  /// The activation as a layer; shapes stay.
  public init(_ activation: Activation) { self.activation = activation }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard activation.kind == .ofOutput else { return try planner.append(activation) }
    try planner.append(PlannedActivation(site: Site(planner), activation: activation))
  }
}

/// Gaussian error linear unit in its exact form: `ActivationLayer(.gelu)` under another name.
public struct GELU: Layer, Hashable {
  /// The activation as a layer; shapes stay.
  public init() {}

  public func plan(_ planner: inout Planner) throws(ModelError) { try planner.append(.gelu) }
}

extension Planner {
  /// Appends a layer that ends in an activation, which the layer applies itself where the derivative follows from the
  /// output; others are a use of their own behind it.
  ///
  /// - Parameters:
  ///   - skip: the second value that it reads, where branches meet.
  ///   - layer: the layer that ends in the activation it is given.
  mutating func append(
    _ activation: Activation, and skip: Int? = nil, of layer: (Activation) throws(ModelError) -> some PlannedLayer
  ) throws(ModelError) {
    let isOfOutput = activation.kind == .ofOutput
    try append(layer(isOfOutput ? activation : .linear), and: skip)
    if !isOfOutput { try append(activation) }
  }

  /// Appends an activation whose derivative does not follow from its output alone.
  fileprivate mutating func append(_ activation: Activation) throws(ModelError) {
    let site = Site(self)
    if activation.kind == .ofChannels {
      try append(PlannedSoftmax(site: site))
    } else {
      try append(PlannedCurve(site: site, curve: activation))
    }
  }
}

/// An activation whose derivative follows from its output: whoever finds the output's error applies it.
struct PlannedActivation: ActivationUse {
  let site: Site
  let activation: Activation

  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { use.gatingReads(site.inputActivation) }
  /// The error of what comes in is that of the sum, where no activation lies between.
  func inPlace(_ use: Use) -> [Read.Source: Read.Source] {
    site.inputActivation == .linear ? [.error(use.input): .error(use.output)] : [:]
  }

  func forward(_ pass: Pass) {
    pass.withParallel { checked(hg_activation_forward(activation.kernel, count(pass), pass.x, pass.y, $0)) }
  }

  func forwardTangent(_ pass: Pass) { pass.y.update(from: pass.x, count: count(pass)) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx, dx != dy else { return }
    pass.inputActivation.backward(count: count(pass), y: pass.x, dy: dy, dx: dx, threads: pass.threads)
  }

  /// Nothing: the builder appends the activation of each layer.
  func addNodes(to graph: inout ONNXBuilder) {}
}

/// What uses of activations have in common.
protocol ActivationUse: PlannedLayer {
  var site: Site { get }
}

extension ActivationUse {
  var name: String { site.name }
  var kind: String { ActivationLayer.kind }
  var input: ImageShape { site.shape }
  var output: ImageShape { site.shape }
  var granularity: Granularity { site.granularity }

  fileprivate func count(_ pass: Pass) -> Int { pass.samples * site.shape.count }
}

/// An activation whose derivative is found from its input.
struct PlannedCurve: ActivationUse {
  let site: Site
  let curve: Activation

  var kind: String { curve.description }
  var activation: Activation { .linear }

  func forward(_ pass: Pass) {
    pass.withParallel { checked(hg_activation_forward(curve.kernel, count(pass), pass.x, pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    pass.withParallel { checked(hg_activation_backward_input(curve.kernel, count(pass), pass.x, dy, dx, $0)) }
    pass.applyInputDerivative(count: site.shape.count)
  }

  func addNodes(to graph: inout ONNXBuilder) { curve.addNodes(to: &graph) }
}

/// The softmax over the channels of each position.
struct PlannedSoftmax: ActivationUse {
  let site: Site

  var kind: String { Activation.softmax.description }
  var activation: Activation { .linear }

  func reads(_ use: Use) -> [Read] {
    use.gatingReads(site.inputActivation) + [Read(.values(use.output), [.backward])]
  }

  private func positions(_ pass: Pass) -> Int { pass.samples * site.shape.height * site.shape.width }

  func forward(_ pass: Pass) {
    pass.withParallel { checked(hg_softmax_forward(positions(pass), site.shape.channels, pass.x, pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    pass.withParallel {
      checked(hg_softmax_backward(positions(pass), site.shape.channels, pass.y, dy, dx, $0))
    }
    pass.applyInputDerivative(count: site.shape.count)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    graph.put(graph.form(site.shape))
    Activation.softmax.addNodes(to: &graph)
  }
}
