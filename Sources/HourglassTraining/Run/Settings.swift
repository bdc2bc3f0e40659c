import HourglassData
import HourglassModels

/// What decides the result of a run beside its model and its images, with its defaults. `Setting.all` has a line for
/// each field.
public struct Settings: Encodable, Sendable {
  /// What is done at random to the images trained on; nil where they stay as they are.
  public var augmentation: Augmentation?
  /// What is done at random to what the network sees, not to what it is to put out; nil for nothing.
  public var corruption: Corruption?
  /// Samples of a minibatch, over all workers.
  public var batchSize = 128
  /// Minibatches of a step, whose gradients are summed up for one update.
  public var accumulate = 1
  /// Pieces into which a minibatch is cut for summing gradients.
  public var shards = ExecutionPlan.defaultShards(batchSize: 128)
  public var seed: UInt64 = 1
  public var optimizer = Optimizer()
  /// Largest norm of the mean gradient, greater than 0: a longer one is scaled down to it; nil is no limit.
  public var clipNorm: Float?
  /// Decay of the exponential moving average of the weights that stands for the trained model, between 0 and 1; nil
  /// where the weights themselves do.
  public var ema: Float?
  /// Weight of the latent's divergence.
  public var beta: Float = 1
  /// Nats that each latent unit may diverge by at no cost, greater than 0; nil for none.
  public var freeBits: Float?
  /// Samples of each image's code, where training follows the importance-weighted bound; nil where it does not.
  public var importanceSamples: Int?
  /// The run ends after so many passes over the data, or earlier after so many steps; nil is no limit.
  public var epochs: Int?
  public var steps: Int?
  /// The run ends earlier when the monitored loss has not fallen for so many epochs; nil is no such end.
  public var patience: Int?
  /// A fall of the monitored loss by no more than this counts as none for patience; nil for 0.
  public var minDelta: Double?
  /// Nil for the validation where there is one and the training else, as in recipes of earlier versions.
  public var monitor: Recipe.Monitor?
  /// Trains on the first so many minibatches alone, as a check that a model can learn them by heart; nil for all.
  public var overfitBatches: Int?
  /// How the learning rate goes on after its warm-up; nil for constant, as in recipes of earlier versions.
  public var schedule: Schedule?
  /// Over which the learning rate rises from nearly nothing to its full height.
  public var warmup: Span?
  /// Over which the weight of the divergence rises from 0 to beta.
  public var betaWarmup: Span?
  /// Where weights come from that do not start from the seed, one after the other; nil for none.
  public var start: [Start]?
  /// What the classes are called that the model puts out, in the order of its outputs; nil where labels go by their
  /// numbers, as in recipes of earlier versions.
  public var classes: [String]?

  public init() {}

  /// The kind of the optimiser; another one comes with its own defaults.
  var optimizerKind: Optimizer.Kind {
    get { optimizer.kind }
    set { if newValue != optimizer.kind { optimizer = Optimizer(newValue) } }
  }
}

/// What a file or the flags of a command say of the settings: some are said, the others are silent.
public struct Overlay: Decodable, Sendable {
  /// Those that are silent have their defaults.
  public var values = Settings()
  private var said: Set<String> = []

  public init() {}

  public init(from decoder: any Decoder) throws {
    for setting in Setting.all where try setting.read(decoder, &values) { said.insert(setting.name) }
  }

  /// Whether a setting of this name is said.
  public func says(_ name: String) -> Bool { said.contains(name) }

  /// What this overlay says, and where it is silent what another one does.
  public func over(_ other: Overlay) -> Overlay {
    var all = other
    for setting in Setting.all where says(setting.name) { setting.copy(values, &all.values) }
    all.said.formUnion(said)
    return all
  }
}
