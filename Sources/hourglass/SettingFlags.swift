import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// The flags that are settings of a recipe, as properties of the same names. All are optional, so that a resumed run
/// can tell what was given.
struct SettingFlags: ParsableArguments, Encodable {
  @Option(
    name: .customLong("corrupt"),
    help: ArgumentHelp(
      """
      Damage the images that the network sees, not those that it is to put out: gaussian:0.3, multiplicative:0.3, \
      mask:0.25 or salt-pepper:0.1.
      """, valueName: "kind:amount"))
  var corruption: Corruption?

  @Option(
    name: .customLong("augment"),
    help: "Change images anew whenever they are trained on: flip, shift:2, or both with a comma.")
  var augmentation: Augmentation?

  @Option(help: "How many passes over the data to train for. (default: 5, none with --steps)")
  var epochs: Int?

  @Option(help: "How many updates of the weights to train for, each after as many minibatches as --accumulate says.")
  var steps: Int?

  @Option(
    help: ArgumentHelp(
      "End earlier, when the monitored loss has not fallen for this many epochs. The best checkpoint is kept.",
      valueName: "epochs"))
  var patience: Int?

  @Option(
    help: ArgumentHelp(
      "By how much, in the loss's own unit, a loss must fall to count for --patience. (default: 0)", valueName: "loss"))
  var minDelta: Double?

  @Option(help: "The loss by which --patience and the best checkpoint go. (default: validation where there is one)")
  var monitor: Recipe.Monitor?

  @Option(
    help: ArgumentHelp(
      "Train on only this many minibatches, the first ones: a sound model learns them by heart.",
      valueName: "minibatches"))
  var overfitBatches: Int?

  @Option(help: "How many samples a minibatch has. (default: 128)")
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "How many minibatches are added up for one update: large steps in little memory. (default: 1)",
      valueName: "minibatches"))
  var accumulate: Int?

  @OptionGroup var optimizer: OptimizerFlags

  @Option(
    help: ArgumentHelp(
      "Raise the learning rate from 0 to its height over this many steps, or over epochs, as 2epochs.",
      valueName: "steps"))
  var warmup: Span?

  @Option(
    help: """
      The course of the learning rate after the warm-up: constant; down to zero at the last step (cosine); times a \
      factor after each span (step:10epochs:0.1) or epoch (exponential:0.95), or when the monitored loss has not \
      fallen for more than so many epochs (plateau:0.1:10); up and down over a part of the steps (oneCycle:0.3). \
      (default: constant)
      """)
  var schedule: Schedule?

  @Option(
    help: ArgumentHelp(
      "Scale gradients of a larger norm down to this norm, greater than 0. (default: no limit)", valueName: "norm"))
  var clipNorm: Float?

  @Option(
    help: ArgumentHelp(
      "Cut elements of the gradient beyond this magnitude, greater than 0. (default: no limit)", valueName: "value"))
  var clipValue: Float?

  @Option(
    help: ArgumentHelp(
      """
      Keep an exponential moving average of the weights with this decay, such as 0.999, and take it as the trained \
      model.
      """, valueName: "decay"))
  var ema: Float?

  @Option(help: "The weight of the KL divergence and penalties in the loss, at least 0. (default: 1)")
  var beta: Float?

  @Option(
    help: ArgumentHelp(
      """
      Take no KL divergence below this many nats from each latent unit, in the mean over a shard, against \
      posterior collapse.
      """, valueName: "nats"))
  var freeBits: Float?

  @Option(
    help: ArgumentHelp(
      """
      Lead the KL divergence to this many nats, in the mean over a shard: the loss has --beta times its distance from \
      them.
      """, valueName: "nats"))
  var capacity: Float?

  @Option(
    help: ArgumentHelp(
      "Raise the --capacity from 0 over this many steps, or over epochs, as 5epochs.", valueName: "steps"))
  var capacityWarmup: Span?

  @Option(
    help: ArgumentHelp(
      """
      Learn labels as 1 - e for the class of an image plus e / K for each of K classes, this number being e; \
      losses of --validation and of evaluate are those of plain labels. (default: 0)
      """, valueName: "e"))
  var labelSmoothing: Float?

  @Option(
    help: ArgumentHelp(
      """
      Train a variational model on the importance-weighted bound of log p(image), from this many samples of each \
      code.
      """, valueName: "samples"))
  var importanceSamples: Int?

  @Option(
    help: ArgumentHelp(
      """
      Raise the weight of the KL divergence and penalties from 0 to --beta over this many steps, or over epochs, as \
      5epochs, against posterior collapse.
      """, valueName: "steps"))
  var betaWarmup: Span?

  @Option(help: "The seed of all random numbers. (default: 1)")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      """
      What the weights of layers start from that say nothing themselves: pytorch, glorot, glorotNormal, he, heNormal, \
      normal:0.02, truncatedNormal:0.02, orthogonal or zeros; all but pytorch start biases from 0. (default: pytorch)
      """, valueName: "start"))
  var initializer: Initializer?

  @Option(
    help: """
      How many pieces a minibatch has whose gradients are summed apart. (default: one for 8 samples, at most 16, of \
      batches of 512 and more at most 128)
      """)
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
  @Option(name: .customLong("optimizer"), help: "The rule by which weights follow gradients. (default: adam)")
  var kind: Optimizer.Kind?

  @Option(help: "The learning rate, greater than 0. (default: 0.001; sgd, rmsprop, adagrad: 0.01; adadelta: 1)")
  var learningRate: Float?

  @Option(help: "The momentum of sgd and rmsprop, from 0 to below 1. (default: 0.9; rmsprop: 0)")
  var momentum: Float?

  @Option(help: "The decay of adam's and adamw's mean of gradients, from 0 to below 1. (default: 0.9)")
  var beta1: Float?

  @Option(
    help: """
      The decay of the mean of squared gradients, from 0 to below 1; rmsprop calls it alpha, adadelta rho. \
      (default: 0.999; rmsprop: 0.99; adadelta: 0.9)
      """)
  var beta2: Float?

  @Option(
    help: """
      What adaptive optimizers add to the root of squared gradients, greater than 0. (default: 1e-8; adagrad: 1e-10; \
      adadelta: 1e-6)
      """)
  var epsilon: Float?

  @Flag(help: "Use Nesterov's momentum, with sgd.")
  var nesterov = false

  @Option(
    help: ArgumentHelp(
      """
      Add this much of each weight to its gradient, an L2 penalty; adamw takes it off the weight instead. \
      (default: 0, adamw 0.01)
      """, valueName: "weight"))
  var weightDecay: Float?

  @Option(
    help: ArgumentHelp(
      """
      Decay the weights of the decoder, those that it does not share with the encoder, by this much more than \
      --weight-decay. (default: 0)
      """, valueName: "weight"))
  var decoderWeightDecay: Float?

  @Option(
    name: .customLong("weight-l1"),
    help: ArgumentHelp(
      "Add this much with the sign of each weight to its gradient, an L1 penalty. (default: 0)", valueName: "weight"))
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
