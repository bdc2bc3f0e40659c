extension Trainer {
  /// An event of training, for a caller that shows it.
  public enum Event: Sendable {
    case step(StepReport)
    case epoch(EpochMetrics)
    /// A checkpoint was written after this step.
    case checkpoint(step: Int)
  }

  /// The progress of the run after a step.
  public struct StepReport: Sendable {
    /// The steps done.
    public var step: Int
    /// The step after which the run will end.
    public var lastStep: Int
    /// The epoch of the step, counted from 0.
    public var epoch: Int
    /// The samples trained on so far, by all sessions of the run.
    public var samples: Int
    /// The loss of the step's minibatch before its update.
    public var loss: TrainingStep.Loss
    /// See `EpochMetrics.exchangePercent`; of the epoch's steps so far.
    public var exchangePercent: Double?
  }

  /// The reason why the loop ended.
  public enum End: String, Sendable {
    /// All steps are done.
    case finished
    /// The monitored loss has not fallen for as many epochs as the recipe's patience.
    case stoppedEarly
    /// The caller wanted it.
    case interrupted
  }
}
