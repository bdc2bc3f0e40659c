import HourglassData
import HourglassModels

/// What can be looked at between steps.
extension TrainingStep {
  /// Mean losses of a step, in nats or squared error summed over pixels.
  public struct Loss: Sendable, Equatable {
    public var reconstruction: Double
    /// The sum of the other terms, KL divergence of the latent and penalties, before beta weighs it; 0 without any.
    public var terms: Double
    /// What is minimised: reconstruction + beta times the other terms.
    public var total: Double
  }

  /// How many terms the loss has beside the reconstruction.
  var termCount: Int { work.shared.sums.count - 2 }

  /// The mean of one of the model's terms over the last step, of `count` images.
  public func meanTerm(_ term: Int, count: Int) -> Double {
    precondition((0..<termCount).contains(term), "the term \(term) of \(termCount)")
    return work.shared.sums[1 + term] / Double(count)
  }

  /// The times of each worker in the last step.
  public var times: [WorkerTimes] { Array(work.clocks.elements) }

  /// Where the time of all steps but the first went; nil where they are not profiled, and before there is one.
  public var profile: StepProfile? {
    profiler.flatMap { StepProfile($0, plan: plan, parallel: parallel, moments: moments.count) }
  }

  /// Seconds of the last step that went into its input, in the mean over the workers.
  public var inputSeconds: Double {
    Double(work.clocks.elements.reduce(0) { $0 + $1.input }) / Double(work.clocks.count) / 1e9
  }

  /// Seconds of the last step in which the first worker exchanged messages with other processes or waited for them; nil
  /// where one process trains.
  public var exchangeSeconds: Double? { work.exchange.map { _ in Double(work.clocks[0].exchange) / 1e9 } }

  /// The flat vector of parameters, and the optimiser's moments by name.
  public var parameters: FloatBuffer { work.shared.parameters }
  public var moments: [(name: String, values: FloatBuffer)] { Array(zip(optimizer.moments, work.reducer.moments)) }
  /// The exponential moving average of the parameters, where one is kept.
  public var average: FloatBuffer? { work.reducer.average }
  /// Visible units of the persistent chains, one for each sample of a minibatch, N H W C; nil without such chains.
  public var chains: UnsafeMutableBufferPointer<Float>? {
    guard let contrast = plan.contrastiveDivergence, contrast.isPersistent else { return nil }
    return UnsafeMutableBufferPointer(
      start: work.shared.batch.pointer + contrast.chains.offset * plan.batchSize,
      count: plan.batchSize * contrast.chains.count)
  }
  /// What stands for the trained model: the average where there is one, or else the parameters.
  public var evaluated: FloatBuffer { average ?? parameters }
  /// The gradient summed over the samples of the last step, of a step that keeps it.
  public var gradient: FloatBuffer {
    precondition(work.reducer.keepsGradient, "a step that keeps no gradient has none")
    return work.reducer.gradient
  }
  /// Begins the moving average at the parameters.
  public func startAverage() { average?.pointer.update(from: parameters.pointer, count: parameters.count) }
}
