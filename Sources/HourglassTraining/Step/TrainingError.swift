import FoundationEssentials
import HourglassData
import HourglassModels

/// Why training ended before its time.
public enum TrainingError: Error, Equatable, CustomStringConvertible, LocalizedError {
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
  public var errorDescription: String? { description }
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

  /// The first of a sample's terms beside the reconstruction that is infinite or not a number.
  private func nonfiniteTerm(of sample: Int) -> LossTerm? {
    zip(plan.model.terms, 0...).first { !work.shared.terms[$1 * plan.batchSize + sample].isFinite }?.0
  }

  /// Walks the first sample with a bad loss, and with it its shard where samples of a shard meet, forward once more and
  /// names the first layer that puts out an infinity or a NaN; nil where all layers are sound.
  func nonfiniteLayer(count: Int) -> String? {
    guard
      let bad = (0..<count).first(where: { !work.shared.losses[$0].isFinite || nonfiniteTerm(of: $0) != nil })
    else { return nil }
    let shard = bad / plan.samplesPerShard
    let samples = plan.takesWholeShards ? plan.samples(of: shard..<shard + 1, in: count) : bad..<bad + 1
    let first = samples.lowerBound
    let replica = work.replicas[0]
    // Another replica may have taken this sample: what this one prepared may be of an earlier step.
    replica.prepare(backward: false)
    if let failure = replica.fill(samples, from: work.data, items: work.indices, mode: work.current.pointer[0].mode) {
      return "item \(work.indices[bad]) of \(work.data.source) cannot be read again, \(failure.error)"
    }
    func complaint(_ value: Int, _ place: String) -> String? {
      let (values, shape) = (replica.values(value, first: first, group: first), plan.values[value].shape)
      guard let index = Kernels.firstNonfinite(values, samples.count * shape.count) else { return nil }
      let item = work.indices[first + index / shape.count]
      return "\(place) puts out \(values[index]) for item \(item) of \(work.data.source)"
    }
    if let input = complaint(0, "the input") { return input }
    for (i, use) in plan.uses.enumerated() {
      replica.forward(i..<i + 1, samples: samples, mode: work.current.pointer[0].mode)
      if let found = complaint(use.output, "layer \(use.layer.name) (\(use.layer.kind))") { return found }
    }
    let likelihood = "\(plan.model.likelihood.name) likelihood"
    let part = work.shared.losses[bad].isFinite ? nonfiniteTerm(of: bad)?.name ?? likelihood : likelihood
    return "the \(part) overflows for item \(work.indices[bad]) of \(work.data.source)"
  }
}
