import HourglassData
import HourglassModels

/// Why training ended before its time.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// The loss is infinite or not a number; `cause` names the first place where that shows.
  case diverged(step: Int, cause: String)
  /// The loss is finite, but not the gradient of the named parameter, so that its norm cannot be clipped.
  case overflow(step: Int, parameter: String)
  /// An image of the step, or of the validation after so many steps, cannot be read.
  case unreadable(step: Int, DataError)

  public var description: String {
    switch self {
    case .diverged(let step, let cause):
      "the loss of step \(step) is not finite: \(cause). "
        + Self.advice
    case .overflow(let step, let parameter):
      "the gradient of step \(step) is not finite in the parameter \(parameter), so it cannot be clipped. "
        + Self.advice
    case .unreadable(let step, let error):
      "step \(step) ends the run, \(error). When the data can be read again, resume from the last checkpoint"
    }
  }
}

extension TrainingError {
  /// Resuming alone would only come to the same step with the same bits.
  fileprivate static let advice =
    "Try a new run with a smaller --learning-rate, --warmup 500, --clip-norm 1, or for a variational model "
    + "--beta-warmup 5epochs; the last checkpoint, if there is one, keeps the weights from before"
}

extension TrainingStep {
  /// The first parameter that holds an infinity or a NaN, if any.
  func nonfiniteParameter() -> String? {
    guard let index = Kernels.firstNonfinite(parameters.pointer, parameters.count) else { return nil }
    return "the parameter \(nameOfNonfinite(in: parameters) ?? "at \(index)") holds \(parameters[index])"
  }

  /// The first parameter whose gradient holds an infinity or a NaN.
  func nonfiniteGradient() -> String {
    guard let name = nameOfNonfinite(in: gradient) else {
      preconditionFailure("the norm is finite where all gradients are")
    }
    return name
  }

  private func nameOfNonfinite(in vector: FloatBuffer) -> String? {
    plan.parameters.first { $0.tensor(in: vector.pointer).contains { !$0.isFinite } }?.name
  }

  /// Names the first place where a bad loss shows.
  func firstNonfinite(count: Int) -> String {
    nonfiniteParameter() ?? nonfiniteLayer(count: count) ?? "the sum of the losses overflows"
  }
}
