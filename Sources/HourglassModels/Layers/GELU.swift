import HourglassKernels

/// Gaussian error linear unit in its exact form:  y = x F(x), F the distribution of a standard normal value.
///
/// A layer of its own and no `Activation`, because its derivative does not follow from its output, which has every
/// value above the minimum twice. Source: Hendrycks & Gimpel, arXiv:1606.08415.
public struct GELU: Layer, Hashable {
  /// The activation as a layer; shapes stay.
  public init() {}

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(
      PlannedGELU(name: planner.name, shape: planner.shape, granularity: planner.granularity))
  }
}

struct PlannedGELU: PlannedLayer {
  let name: String
  let shape: ImageShape
  /// The granularity of the layer before, so that no segment of the chain is cut in two.
  let granularity: Granularity

  var kind: String { GELU.kind }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }

  func forward(_ pass: Pass) {
    pass.withParallel { checked(hg_gelu_forward(pass.samples * shape.count, pass.x, pass.y, $0)) }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    pass.withParallel { checked(hg_gelu_backward(pass.samples * shape.count, pass.x, dy, dx, $0)) }
    pass.applyInputDerivative(count: shape.count)
  }

  /// x/2 (1 + erf(x / sqrt 2))
  func addNodes(to graph: inout ONNXBuilder) {
    let x = graph.values[0]
    let scaled = graph.node("Mul", [x, graph.tensor("root", Float(0.5).squareRoot())])
    let sum = graph.node("Add", [graph.node("Erf", [scaled]), graph.tensor("one", 1)])
    let half = graph.node("Mul", [x, graph.tensor("half", 0.5)])
    graph.put(graph.node("Mul", [half, sum]))
  }
}
