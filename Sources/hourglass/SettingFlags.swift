import ArgumentParser
import Foundation
import HourglassData
import HourglassTraining

/// The flags that are settings of a recipe, as properties of the same names. All are optional, so that a resumed run
/// can tell what was given.
struct SettingFlags: ParsableArguments, Encodable {
  @Option(
    name: .customLong("corrupt"),
    help: ArgumentHelp(
      """
      Damage what the network sees, not what it is to put out: gaussian:0.3, multiplicative:0.3, mask:0.25 or \
      salt-pepper:0.1.
      """,
      valueName: "kind:amount"))
  var corruption: Corruption?

  @Option(
    name: .customLong("augment"),
    help: "Change images whenever they are trained on: flip, shift:2 or both with a comma.")
  var augmentation: Augmentation?

  @Option(help: "Passes over the data. (default: 5, none with --steps)")
  var epochs: Int?

  @Option(help: "Updates of the weights, each after as many minibatches as --accumulate says.")
  var steps: Int?

  @Option(
    help: ArgumentHelp(
      "End earlier, when the monitored loss has not fallen for so many epochs. The best checkpoint is kept.",
      valueName: "epochs"))
  var patience: Int?

  @Option(
    help: ArgumentHelp(
      "For --patience a loss must fall by more than this, in the loss's own unit. (default: 0)", valueName: "loss"))
  var minDelta: Double?

  @Option(help: "The loss that --patience and the best checkpoint go by. (default: validation where there is one)")
  var monitor: Recipe.Monitor?

  @Option(
    help: ArgumentHelp(
      "Train on the first so many minibatches alone: a sound model learns them by heart.", valueName: "minibatches"))
  var overfitBatches: Int?

  @Option(help: "Samples of a minibatch. (default: 128)")
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "Minibatches whose gradients are summed up for one update: large steps in little memory. (default: 1)",
      valueName: "minibatches"))
  var accumulate: Int?

  @OptionGroup var optimizer: OptimizerFlags

  @Option(
    help: ArgumentHelp(
      "Raise the learning rate to its height over so many steps, or as 2epochs.", valueName: "steps"))
  var warmup: Span?

  @Option(
    help: "How the learning rate goes on: constant, or down to zero at the last step (cosine). (default: constant)")
  var schedule: Schedule?

  @Option(
    help: ArgumentHelp(
      "Scale gradients of a larger norm down to this one, greater than 0. (default: no limit)", valueName: "norm"))
  var clipNorm: Float?

  @Option(
    help: ArgumentHelp(
      "Keep an exponential moving average of the weights with this decay, such as 0.999; it is what is evaluated.",
      valueName: "decay"))
  var ema: Float?

  @Option(help: "Weight of the latent's KL divergence, at least 0. (default: 1)")
  var beta: Float?

  @Option(
    help: ArgumentHelp(
      "Let each latent unit diverge by so many nats at no cost, in the mean over a shard, against posterior collapse.",
      valueName: "nats"))
  var freeBits: Float?

  @Option(
    help: ArgumentHelp(
      "Train a variational model on the importance-weighted bound of log p(image), by so many samples of each code.",
      valueName: "samples"))
  var importanceSamples: Int?

  @Option(
    help: ArgumentHelp(
      "Raise the weight --beta from 0 over so many steps, or as 5epochs, against posterior collapse.",
      valueName: "steps"))
  var betaWarmup: Span?

  @Option(help: "The seed of all random numbers. (default: 1)")
  var seed: UInt64?

  @Option(help: "Pieces of a minibatch whose gradients are summed apart. (default: one for 8 samples, at most 16)")
  var shards: Int?

  func validate() throws {
    let given = try given()
    for setting in Setting.all {
      if let refusal = given[setting]?.refusal { throw ValidationError("\(setting.flag): \(refusal)") }
    }
  }

  /// What was given, read as a file of settings is.
  func given() throws -> Overlay {
    let decoder = JSONDecoder()
    // The range of a setting refuses what is not finite.
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode(Overlay.self, from: Data(JSONText.line(self).utf8))
  }
}

/// The flags of an optimiser.
struct OptimizerFlags: ParsableArguments, Encodable {
  @Option(name: .customLong("optimizer"), help: "How weights follow gradients. (default: adam)")
  var kind: Optimizer.Kind?

  @Option(help: "Size of a step, greater than 0. (default: 0.001; sgd, rmsprop, adagrad: 0.01; adadelta: 1)")
  var learningRate: Float?

  @Option(help: "Momentum of sgd and rmsprop, from 0 to below 1. (default: 0.9; rmsprop: 0)")
  var momentum: Float?

  @Flag(help: "Let sgd take Nesterov's momentum.")
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
}

extension Option: @retroactive Encodable where Value: Encodable {
  public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension OptionGroup: @retroactive Encodable where Value: Encodable {
  public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

/// A flag that was not given says nothing.
extension Flag: @retroactive Encodable where Value == Bool {
  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if wrappedValue { try value.encode(true) } else { try value.encodeNil() }
  }
}
