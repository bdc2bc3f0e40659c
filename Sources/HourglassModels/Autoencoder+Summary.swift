/// A plan as a table: one row for each layer that runs.
public struct ModelSummary: Codable, Sendable {
  /// A layer that runs.
  public struct Row: Codable, Sendable {
    /// The name of the layer, as `encoder.0`.
    public let name: String
    /// The name of its type, as `Conv2D`.
    public let kind: String
    /// The activation of its output.
    public let activation: Activation
    /// The shape of its output.
    public let output: ImageShape
    /// The number of its parameters, running statistics not among them.
    public let parameters: Int
    /// Flops of a training step for one sample: 2 for each multiply-add, forward, filter gradient, and data gradient of
    /// all layers but the first with parameters, each twice where tangents go along, or forward as often as contrastive
    /// divergence goes; padding counted.
    public let trainingFlops: Int
  }

  /// The name of the model.
  public let model: String
  /// The shape of an image.
  public let input: ImageShape
  /// The layers in the order in which they run.
  public let rows: [Row]
  /// The number of all parameters.
  public let parameters: Int
  /// The flops of a training step for one sample.
  public let trainingFlops: Int

  /// The table of a plan.
  public init(_ plan: ExecutionPlan) {
    model = plan.model.name
    input = plan.model.input
    rows = plan.uses.enumerated().map { index, use in
      let layer = use.layer
      let passes =
        plan.contrastiveDivergence.map { 1 + $0.forwardPasses(of: index) }
        ?? (plan.values[use.input].error == nil ? 2 : 3)
      return Row(
        name: layer.name, kind: layer.kind, activation: layer.activation, output: layer.output,
        parameters: layer.parameters.reduce(0) { $0 + ($1.isStatistic ? 0 : $1.count) },
        trainingFlops: 2 * layer.multiplyAdds * passes * (plan.tangents.contains(index) ? 2 : 1))
    }
    parameters = rows.reduce(0) { $0 + $1.parameters }
    trainingFlops = rows.reduce(0) { $0 + $1.trainingFlops }
  }
}
