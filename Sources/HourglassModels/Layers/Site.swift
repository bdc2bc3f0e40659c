/// Where in the chain a layer stands that changes no shape.
struct Site: Sendable {
  let name: String
  let shape: ImageShape
  /// The place of the layer among the layers that run, which tells its random numbers from those of others.
  let number: Int
  /// The activation of the layer before.
  let inputActivation: Activation
  /// The granularity of the layer before, so that no segment of the chain is cut in two.
  let granularity: Granularity

  init(_ planner: Planner) {
    (name, shape, number) = (planner.name, planner.shape, planner.count)
    (inputActivation, granularity) = (planner.activation, planner.granularity)
  }
}
