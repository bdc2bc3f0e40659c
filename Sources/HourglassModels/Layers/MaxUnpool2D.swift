import HourglassKernels

/// Max-unpooling: puts each value at the place of the maximum that a max-pooling of the encoder found there (its
/// switch), zero elsewhere. Windows that overlap add at a shared place.
///
///     y[n, pU+r-top, qV+s-left, c] = x[n,p,q,c] with r S + s the pool's switch of (n, p, q, c)
///
/// The switches are those of the same sample, so a code alone cannot be decoded.
/// Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014; Badrinarayanan et al.,
/// "SegNet", PAMI 2017.
public struct MaxUnpool2D: NamingLayer, Hashable {
  /// The name of the `MaxPool2D` whose switches it takes, such as `encoder.1`.
  public var of: String
  var named: String {
    get { of }
    set { of = newValue }
  }

  /// The way back through the max-pooling of that name: N x P x Q x C in, N x H x W x C out.
  public init(of: String) { self.of = of }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let name = planner.name
    guard let use = planner.uses.first(where: { $0.layer.name == of }) else {
      throw ModelError(name, "wanted the name of a MaxPool2D before it, whose switches it takes, found \"\(of)\"")
    }
    guard let pool = use.layer as? PlannedMaxPool2D else {
      throw ModelError(
        name, "wanted the switches of a MaxPool2D, found \(of), a \(use.layer.kind), which has none")
    }
    guard planner.shape == pool.output else {
      throw ModelError(
        name,
        "wanted an input of the shape \(pool.output) that \(of) puts out, one value a switch, found "
          + "\(planner.shape)")
    }
    try planner.append(
      PlannedMaxUnpool2D(
        name: name, window: pool.window, pool: Lender(name: of, value: use.output), inputActivation: planner.activation)
    )
  }
}

struct PlannedMaxUnpool2D: PlannedLayer {
  let name: String
  let window: Window
  /// The pool that lends its switches.
  let pool: Lender
  let inputActivation: Activation

  var kind: String { MaxUnpool2D.kind }
  var input: ImageShape { window.small }
  var output: ImageShape { window.large }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }

  func reads(_ use: Use) -> [Read] {
    use.gatingReads(inputActivation) + [Read(.state(pool.value), [.forward, .backward])]
  }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_max_unpool2d_forward(&geometry, pass.x, switches(pass), pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel { checked(hg_max_unpool2d_backward(&geometry, dy, switches(pass), dx, $0)) }
    pass.applyInputDerivative(count: input.count)
  }

  private func switches(_ pass: Pass) -> UnsafePointer<UInt8>? {
    pass.lentState.map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self) }
  }

  /// ONNX does not say what windows that overlap put in a shared place.
  func addNodes(to graph: inout ONNXBuilder) throws(ModelError) {
    guard window.tilesLarge else {
      throw ModelError(
        name,
        "unpooling has a form in ONNX where the windows cover the image and do not overlap, found \(window.large) "
          + "pooled by \(window.kernel) with stride \(window.stride)")
    }
    guard let switches = graph.switches(of: pool.name) else {
      throw ModelError(name, "wanted \(pool.name), whose switches it takes, in the same graph, found none")
    }
    graph.put(graph.node("MaxUnpool", [graph.image(input), switches], window.attributes))
  }
}
