import HourglassModels

/// A field of `Settings`: what it is called, which values it may have, and what it wants of the rest of the recipe.
public struct Setting: Sendable {
  /// As in JSON, such as `freeBits` or `optimizer.momentum`.
  public let name: String
  /// As on the command line, such as `--free-bits`.
  public let flag: String
  /// Whether it decides when a run ends, which may be put off when the run goes on.
  public let isEnd: Bool
  /// Whether a model can be trained with it.
  let fits: @Sendable (Autoencoder) -> Bool
  /// The value as a person reads it; nil where the settings are silent.
  public let text: @Sendable (Settings) -> String?
  /// Gives the second settings what the first say, be it nothing.
  public let set: @Sendable (Settings, inout Settings) -> Void
  /// Why the value is out of its range, as "wanted X, found Y"; nil where it is not.
  public let rangeRefusal: @Sendable (Settings) -> String?
  private let needRefusal: @Sendable (Recipe, _ call: (String) -> String) -> String?

  /// - Parameters:
  ///   - wanted: the values it may have; nil for all that can be read.
  ///   - flag: where it is not the last part of the name, with hyphens.
  ///   - model: of what kind a model must be to be trained with it.
  ///   - need: why the value is nothing for a recipe; `call` names other settings.
  private init<Value: Sendable>(
    _ name: String, _ path: WritableKeyPath<Settings, Value?> & Sendable, _ wanted: Wanted<Value>? = nil,
    flag: String? = nil, isEnd: Bool = false, model: Wanted<Autoencoder>? = nil,
    need: @escaping @Sendable (Recipe, _ call: (String) -> String) -> String? = { _, _ in nil }
  ) {
    (self.name, self.isEnd, self.flag) = (name, isEnd, flag ?? Self.flag(name))
    fits = { model?.holds($0) ?? true }
    let text: @Sendable (Value) -> String = { ($0 as? any RawRepresentable).map { "\($0.rawValue)" } ?? "\($0)" }
    self.text = { $0[keyPath: path].map(text) }
    set = { $1[keyPath: path] = $0[keyPath: path] }
    rangeRefusal = { settings in
      guard let value = settings[keyPath: path], let wanted, !wanted.holds(value) else { return nil }
      return "wanted \(wanted.words), found \(text(value))"
    }
    needRefusal = { recipe, call in
      guard recipe.settings[keyPath: path] != nil else { return nil }
      if let model, !model.holds(recipe.model) { return "wanted \(model.words), found \(recipe.model.name)" }
      return need(recipe, call)
    }
  }

  /// Why nobody can train by the value that a recipe has, as "wanted X, found Y"; nil where nothing speaks against it.
  ///
  /// - Parameter call: what other settings are called, in files by default; `Setting.flag` for flags.
  public func refusal(in recipe: Recipe, call: (String) -> String = { $0 }) -> String? {
    rangeRefusal(recipe.settings) ?? needRefusal(recipe, call)
  }

  /// The flag of a field: `--free-bits` of `freeBits`, `--momentum` of `optimizer.momentum`.
  public static func flag(_ name: String) -> String {
    "--" + name.replacing(/^.*\./, with: "").replacing(/[A-Z]/) { "-" + $0.output.lowercased() }
  }
}

/// The values that a setting may have, and the words for them.
private struct Wanted<Value: Sendable>: Sendable {
  let words: String
  let holds: @Sendable (Value) -> Bool

  init(_ words: String, _ holds: @escaping @Sendable (Value) -> Bool) { (self.words, self.holds) = (words, holds) }
}

extension Wanted where Value == Int {
  static var count: Self { Self("at least 1") { $0 >= 1 } }
  static func within(_ range: ClosedRange<Int>) -> Self {
    Self("\(range.lowerBound) to \(range.upperBound)") { range.contains($0) }
  }
}

extension Wanted where Value: BinaryFloatingPoint {
  static var positive: Self { Self("a number greater than 0") { $0 > 0 && $0.isFinite } }
  static var notNegative: Self { Self("a number of at least 0") { $0 >= 0 && $0.isFinite } }
  static var fraction: Self { Self("a number from 0 to below 1") { $0 >= 0 && $0 < 1 } }
  static var properFraction: Self { Self("a number between 0 and 1") { $0 > 0 && $0 < 1 } }
}

extension Setting {
  /// All fields, those of the optimiser one by one.
  public static let all: [Setting] = [
    Setting("augmentation", \.augmentation, flag: "--augment"),
    Setting("corruption", \.corruption, flag: "--corrupt"),
    Setting("batchSize", \.batchSize, .within(Recipe.batchSizeRange)),
    Setting("accumulate", \.accumulate, .within(Recipe.accumulateRange)),
    Setting("shards", \.shards) { recipe, _ in
      let range = 1...max(1, recipe.batchSize)
      return range.contains(recipe.shards) ? nil : "wanted 1 to \(range.upperBound), found \(recipe.shards)"
    },
    Setting("seed", \.seed),
    Setting("epochs", \.epochs, .count, isEnd: true),
    Setting("steps", \.steps, .count, isEnd: true),
    Setting("schedule", \.schedule) { recipe, call in
      recipe.schedule == .cosine && recipe.epochs == nil && recipe.steps == nil
        ? "wanted \(call("epochs")) or \(call("steps")), found neither" : nil
    },
    Setting("warmup", \.warmup),
    Setting("patience", \.patience, .count, isEnd: true),
    Setting("minDelta", \.minDelta, .notNegative, isEnd: true) { recipe, call in
      recipe.patience == nil ? "wanted a \(call("patience")) too, found none" : nil
    },
    Setting("overfitBatches", \.overfitBatches, .count),
    Setting("monitor", \.monitor) { recipe, call in
      recipe.monitor == .validation && recipe.validation == nil
        ? "wanted images to evaluate with \(call("validation")) or \(call("holdout")), found none" : nil
    },
    Setting("optimizer.kind", \.updates.kind, flag: "--optimizer"),
    Setting("optimizer.learningRate", \.updates.learningRate, .positive),
    Setting("optimizer.beta1", \.updates.beta1, .fraction),
    Setting("optimizer.beta2", \.updates.beta2, .fraction),
    Setting("optimizer.momentum", \.updates.momentum, .fraction),
    Setting("optimizer.epsilon", \.updates.epsilon, .positive),
    Setting("optimizer.weightDecay", \.updates.weightDecay, .notNegative),
    Setting("optimizer.weightL1", \.updates.weightL1, .notNegative),
    Setting("optimizer.nesterov", \.updates.nesterov) { recipe, _ in
      let (kind, momentum) = (recipe.optimizer.kind, recipe.optimizer.momentum)
      return recipe.optimizer.nesterov && (kind != .sgd || momentum == 0)
        ? "wanted the optimizer sgd with a momentum, found \(kind.rawValue) with \(momentum)" : nil
    },
    Setting("clipNorm", \.clipNorm, .positive),
    Setting("ema", \.ema, .properFraction),
    Setting("beta", \.beta, .notNegative),
    Setting("betaWarmup", \.betaWarmup),
    Setting("freeBits", \.freeBits, .positive, model: Wanted("a model with a Gaussian latent") { $0.isVariational }),
    Setting("importanceSamples", \.importanceSamples) { recipe, _ in
      let range = 1...max(1, Recipe.batchSizeRange.upperBound / max(1, recipe.batchSize))
      return recipe.importanceSamples.flatMap { range.contains($0) ? nil : $0 }.map {
        "wanted 1 to \(range.upperBound) with a batchSize of \(recipe.batchSize), found \($0)"
      }
    },
    Setting("start", \.start, flag: "--start-from"),
    Setting("classes", \.classes),
  ]
}
