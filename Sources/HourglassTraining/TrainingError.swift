import HourglassModels

/// Why training ended before its time.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// The loss is infinite or not a number; `cause` names the first place where that shows.
  case diverged(step: Int, cause: String)

  public var description: String {
    switch self {
    case .diverged(let step, let cause):
      "the loss of step \(step) is not finite: \(cause). Try a smaller --learning-rate, or resume from the last checkpoint"
    }
  }
}

extension TrainingStep {
  /// Walks the last minibatch forward once more, layer by layer, and names the first that puts out an infinity or a NaN.
  func firstNonfinite(count: Int) -> String {
    for parameter in plan.parameters {
      let values = parameter.tensor(in: parameters.pointer)
      if let bad = values.first(where: { !$0.isFinite }) {
        return "the parameter \(parameter.name) holds \(bad)"
      }
    }
    return nonfiniteLayer(count: count) ?? "the sum of the losses overflows"
  }
}
