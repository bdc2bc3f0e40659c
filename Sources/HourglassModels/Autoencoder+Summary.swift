/// A plan as a table: one row for each layer that runs.
public struct ModelSummary: Codable, Sendable {
  public struct Row: Codable, Sendable {
    public let name: String
    public let kind: String
    public let activation: Activation
    public let output: ImageShape
    public let parameters: Int
    /// Flops of a training step for one sample: 2 for each multiply-add, forward, filter gradient, and data gradient of
    /// all layers but the first with parameters, each twice where tangents go along, or forward as often as contrastive
    /// divergence goes; padding counted.
    public let trainingFlops: Int
  }

  public let model: String
  public let input: ImageShape
  public let rows: [Row]
  public let parameters: Int
  public let trainingFlops: Int

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
