import HourglassKernels

/// The elements of a sample in another order, by a walk along axes: how many steps each has, and how far apart in the
/// input its elements lie.
struct PlannedPermutation: PlannedLayer {
  let name: String
  let kind: String
  let input: ImageShape
  let output: ImageShape
  let inputActivation: Activation
  private let order: hg_permutation
  /// What ONNX calls it: operations from what the layer reads to what it makes.
  private let nodes: @Sendable (_ graph: inout ONNXBuilder) -> Void

  /// A permutation at the planner's place.
  ///
  /// - Parameters:
  ///   - part: what tables call it.
  ///   - axes: those of the output as it lies in memory, the outermost first.
  init(
    _ planner: Planner, as part: String, kind: String, to output: ImageShape, axes: [(count: Int, stride: Int)],
    nodes: @escaping @Sendable (_ graph: inout ONNXBuilder) -> Void
  ) {
    (name, self.kind, self.output, self.nodes) = (part, kind, output, nodes)
    (input, inputActivation) = (planner.shape, planner.activation)
    let steps = axes + Array(repeating: (1, 1), count: HG_PERMUTATION_RANK - axes.count)
    order = hg_permutation(
      size: MemoryLayout<hg_permutation>.size, samples: 0, rank: axes.count,
      extents: (steps[0].0, steps[1].0, steps[2].0, steps[3].0, steps[4].0, steps[5].0),
      strides: (steps[0].1, steps[1].1, steps[2].1, steps[3].1, steps[4].1, steps[5].1))
  }

  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  private func order(_ pass: Pass) -> hg_permutation {
    var order = order
    order.samples = pass.samples
    return order
  }

  func forward(_ pass: Pass) {
    var order = order(pass)
    pass.withParallel { checked(hg_permute_forward(&order, pass.x, pass.y, $0)) }
  }

  func forwardTangent(_ pass: Pass) { forward(pass) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var order = order(pass)
    pass.withParallel { checked(hg_permute_backward(&order, dy, dx, $0)) }
    pass.applyInputDerivative(count: input.count)
  }

  func addNodes(to graph: inout ONNXBuilder) { nodes(&graph) }
}
