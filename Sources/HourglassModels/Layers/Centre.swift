/// What a code lies away from a centre, the first layer of the decoder of a deep support vector data description: with
/// the likelihood `squaredNorm` training draws all codes to the centre, and the loss of an image, its squared distance
/// from there, tells how unlike those trained on it is.
///
///     y = x - c,   c the `weight`, Z numbers
///
/// c is the mean of the codes of the images trained on as the encoder starts, and stays. Of a number nearer to 0 than
/// 0.1 it is 0.1 with that sign, so that no unit can fulfil it by weights of 0. Layers before it are to have no bias,
/// with which all codes could become c.
///
/// Source: Ruff et al., "Deep one-class classification", ICML 2018.
public struct Centre: Layer, Hashable {
  /// A centre of the codes; the shape stays.
  public init() {}

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard planner.name == Self.place else {
      throw ModelError(planner.name, "wanted a Centre as the first layer of the decoder, \(Self.place)")
    }
    guard planner.shape.isVector else {
      throw ModelError(planner.name, "wanted a code that is a vector, found \(planner.shape)")
    }
    try planner.append(
      PlannedCentre(name: planner.name, shape: planner.shape, inputActivation: planner.activation))
  }

  private static let place = "decoder.0"
  /// How near to 0 a number of the centre may lie.
  static let least: Float = 0.1

  /// The centre of codes with that mean: the mean, kept away from 0.
  public static func centre(ofMean mean: [Double]) -> [Float] {
    mean.map { abs($0) < Double(least) ? ($0 < 0 ? -least : least) : Float($0) }
  }
}

public struct PlannedCentre: PlannedLayer {
  public let name: String
  let shape: ImageShape
  let inputActivation: Activation
  /// A group may hold several shards, whose gradients are sums of their own.
  public var granularity: Granularity { .chunk }

  public var kind: String { Centre.kind }
  public var input: ImageShape { shape }
  public var output: ImageShape { shape }
  public var activation: Activation { .linear }
  public var parameterCount: Int { shape.count }
  public var parameters: [Parameter] {
    var centre = Parameter(scale: "\(name).weight", count: shape.count, start: 0, offset: 0)
    centre.isStatistic = true
    return [centre]
  }

  /// The centre follows nothing.
  public func work(_ use: Use) -> [Work] { [.own(0..<parameterCount) { _, _, _, _ in }] }

  public func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  public func forward(_ pass: Pass) {
    for n in 0..<pass.samples {
      let (x, y) = (pass.x + n * shape.count, pass.y + n * shape.count)
      for i in 0..<shape.count { y[i] = x[i] - pass.parameters[i] }
    }
  }

  public func backward(_ pass: Pass) {
    if let gradients = pass.gradients, !pass.accumulate { gradients.update(repeating: 0, count: parameterCount) }
    guard let dy = pass.dy, let dx = pass.dx else { return }
    dx.update(from: dy, count: pass.samples * shape.count)
    pass.applyInputDerivative(count: shape.count)
  }

  public func addNodes(to graph: inout ONNXBuilder) {
    graph.put(graph.node("Sub", [graph.form(shape), graph.tensor(parameters[0])]))
  }
}
