import HourglassModels

/// Why training ended before its time.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// The loss is infinite or not a number; `cause` names the first place where that shows.
  case diverged(step: Int, cause: String)

  public var description: String {
    switch self {
    case .diverged(let step, let cause):
      "the loss of step \(step) is not finite: \(cause). "
        + "Try a smaller --learning-rate, or resume from the last checkpoint"
    }
  }
}

extension TrainingStep {
  /// The first parameter that holds an infinity or a NaN, if any.
  func nonfiniteParameter() -> String? {
    guard let index = Kernels.firstNonfinite(parameters.pointer, parameters.count) else { return nil }
    let value = parameters[index]
    let name = plan.parameters.first { $0.tensor(in: parameters.pointer).contains { !$0.isFinite } }?.name
    return "the parameter \(name ?? "at \(index)") holds \(value)"
  }

  /// Names the first place where a bad loss shows.
  func firstNonfinite(count: Int) -> String {
    nonfiniteParameter() ?? nonfiniteLayer(count: count) ?? "the sum of the losses overflows"
  }
}
