import HourglassData
import HourglassModels

/// What decides the result of a run beside its model and its images. A recipe, a file of settings and the flags of a
/// command all say some of it; a field is nil where they are silent. `Setting.all` has a line for each field.
public struct Settings: Codable, Sendable {
  /// What is done at random to the images trained on; nil where they stay as they are.
  public var augmentation: Augmentation?
  /// What is done at random to what the network sees, not to what it is to put out; nil for nothing.
  public var corruption: Corruption?
  /// Samples of a minibatch, over all workers.
  public var batchSize: Int?
  /// Minibatches of a step, whose gradients are summed up for one update.
  public var accumulate: Int?
  /// Pieces into which a minibatch is cut for summing gradients.
  public var shards: Int?
  public var seed: UInt64?
  public var optimizer: Named<Optimizer.Kind, Optimizer.Parts>?
  /// Largest norm of the mean gradient, greater than 0: a longer one is scaled down to it; nil is no limit.
  public var clipNorm: Float?
  /// Decay of the exponential moving average of the weights that stands for the trained model, between 0 and 1; nil
  /// where the weights themselves do.
  public var ema: Float?
  /// Weight of the latent's divergence.
  public var beta: Float?
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

  /// What is said of the optimiser.
  public var updates: Optimizer.Parts {
    get { optimizer?.value { Optimizer.Parts(kind: $0) } ?? Optimizer.Parts() }
    set { optimizer = .object(newValue) }
  }

  /// These settings, and where they are silent those of another source.
  public func over(_ other: Settings) -> Settings {
    var all = other
    // Another kind of optimiser has other defaults, so what was said of the one before is of no use to it.
    if let kind = updates.kind, kind != other.updates.kind ?? .adam { all.optimizer = nil }
    for setting in Setting.all where setting.text(self) != nil { setting.set(self, &all) }
    return all
  }
}

/// An object, or in a file that a person writes a word that stands for it.
public enum Named<Word: Decodable & Sendable, Value: Decodable & Sendable>: Decodable, Sendable {
  case word(Word)
  case object(Value)

  public init(from decoder: any Decoder) throws {
    let one = try decoder.singleValueContainer()
    let isWord = (try? one.decode(String.self)) != nil
    self = isWord ? .word(try one.decode(Word.self)) : .object(try one.decode(Value.self))
  }

  public func value(_ meaning: (Word) throws -> Value) rethrows -> Value {
    switch self {
    case .word(let word): try meaning(word)
    case .object(let value): value
    }
  }
}

extension Named: Encodable where Word: Encodable, Value: Encodable {
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .word(let word): try word.encode(to: encoder)
    case .object(let value): try value.encode(to: encoder)
    }
  }
}
