import ArgumentParser
import HourglassTraining

/// The flags of an optimiser beside its kind and learning rate. All are optional.
struct OptimizerFlags: ParsableArguments {
  @Option(help: "Of sgd and rmsprop, from 0 to below 1. (default: 0.9; rmsprop: 0)")
  var momentum: Float?

  @Flag(help: "Nesterov's momentum, of sgd.")
  var nesterov = false

  @Option(
    help: ArgumentHelp(
      "L2 penalty: adds so much of a weight to its gradient; adamw takes it off the weight. (default: 0, adamw 0.01)",
      valueName: "weight"))
  var weightDecay: Float?

  @Option(
    name: .customLong("weight-l1"),
    help: ArgumentHelp(
      "L1 penalty: adds so much with the sign of each weight to its gradient. (default: 0)", valueName: "weight"))
  var weightL1: Float?

  func validate() throws {
    if let momentum, !(momentum >= 0 && momentum < 1) {
      throw ValidationError("--momentum: wanted a number from 0 to below 1, found \(momentum)")
    }
    for (flag, value) in [("--weight-decay", weightDecay), ("--weight-l1", weightL1)] {
      if let value, !(value.isFinite && value >= 0) {
        throw ValidationError("\(flag): wanted a number of at least 0, found \(value)")
      }
    }
  }

  /// The optimiser with what was given.
  func changing(_ optimizer: Optimizer) -> Optimizer {
    var optimizer = optimizer
    optimizer.momentum = momentum ?? optimizer.momentum
    optimizer.nesterov = nesterov || optimizer.nesterov
    optimizer.weightDecay = weightDecay ?? optimizer.weightDecay
    optimizer.weightL1 = weightL1 ?? optimizer.weightL1
    return optimizer
  }

  /// Why a flag that was given does not fit the optimiser, if it does not.
  func refusal(for optimizer: Optimizer) -> String? {
    let kind = optimizer.kind
    if momentum != nil, kind != .sgd, kind != .rmsprop {
      return "--momentum: wanted the optimizer sgd or rmsprop, found \(kind.rawValue)"
    }
    if nesterov, kind != .sgd || optimizer.momentum == 0 {
      return "--nesterov: wanted the optimizer sgd with a momentum, found \(kind.rawValue) with \(optimizer.momentum)"
    }
    return nil
  }
}
