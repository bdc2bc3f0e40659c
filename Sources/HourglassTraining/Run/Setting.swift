import HourglassModels

/// A field of `Settings`: what it is called, which values it may have, and what it wants of the rest of the recipe.
public struct Setting: Sendable {
  /// As in JSON, such as `freeBits` or `optimizer.momentum`.
  public let name: String
  /// As on the command line, such as `--free-bits`.
  public let flag: String
  /// Whether it decides when a run ends, which may be put off when the run goes on.
  public let isEnd: Bool
  /// The value as a person reads it; nil where there is none.
  public let text: @Sendable (Settings) -> String?
  /// Gives the second settings the value of the first.
  public let copy: @Sendable (Settings, inout Settings) -> Void
  /// Takes the value of a file; false where it is silent.
  let read: @Sendable (any Decoder, inout Settings) throws -> Bool
  /// Why the value is out of its range, as "wanted X, found Y"; nil where it is not.
  public let rangeRefusal: @Sendable (Settings) -> String?
  private var model: Wanted<Autoencoder>?
  private var need: (@Sendable (Recipe, _ call: (String) -> String) -> String?)?

  /// - Parameters:
  ///   - wanted: the values it may have; nil for all that can be read.
  ///   - flag: where it is not the last part of the name, with hyphens.
  private init<Value: Decodable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Settings, Value?> & Sendable, _ wanted: Wanted<Value>? = nil,
    flag: String? = nil, isEnd: Bool = false
  ) {
    self.init(name, wanted, flag, isEnd, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
  }

  /// A field that every recipe has.
  private init<Value: Decodable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Settings, Value> & Sendable, _ wanted: Wanted<Value>? = nil,
    flag: String? = nil
  ) {
    self.init(
      name, wanted, flag, false, get: { $0[keyPath: path] }, set: { if let value = $1 { $0[keyPath: path] = value } })
  }

  private init<Value: Decodable & Sendable>(
    _ name: String, _ wanted: Wanted<Value>?, _ flag: String?, _ isEnd: Bool,
    get: @escaping @Sendable (Settings) -> Value?, set: @escaping @Sendable (inout Settings, Value?) -> Void
  ) {
    let text: @Sendable (Value) -> String = { ($0 as? any RawRepresentable).map { "\($0.rawValue)" } ?? "\($0)" }
    (self.name, self.flag, self.isEnd) = (name, flag ?? Self.flag(name), isEnd)
    self.text = { get($0).map(text) }
    copy = { set(&$1, get($0)) }
    read = { decoder, settings in
      guard let value = try Self.value(Value.self, name, decoder) else { return false }
      set(&settings, value)
      return true
    }
    rangeRefusal = { settings in
      guard let value = get(settings), let wanted, !wanted.holds(value) else { return nil }
      return "wanted \(wanted.words), found \(text(value))"
    }
  }

  /// With what a model must be to be trained with a value.
  private func of(_ words: String, _ holds: @escaping @Sendable (Autoencoder) -> Bool) -> Setting {
    var setting = self
    setting.model = Wanted(words, holds)
    return setting
  }

  /// With a sentence where a value is nothing for a recipe; `call` names other settings.
  private func unless(_ need: @escaping @Sendable (Recipe, _ call: (String) -> String) -> String?) -> Setting {
    var setting = self
    setting.need = need
    return setting
  }

  /// Whether a model can be trained with a value.
  func fits(_ model: Autoencoder) -> Bool { self.model?.holds(model) ?? true }

  /// Why nobody can train by the value that a recipe has, as "wanted X, found Y"; nil where nothing speaks against it.
  ///
  /// - Parameter call: what other settings are called, in files by default; `Setting.flag` for flags.
  public func refusal(in recipe: Recipe, call: (String) -> String = { $0 }) -> String? {
    guard text(recipe.settings) != nil else { return nil }
    if let refusal = rangeRefusal(recipe.settings) { return refusal }
    if let model, !fits(recipe.model) { return "wanted \(model.words), found \(recipe.model.name)" }
    return need?(recipe, call)
  }

  /// The flag of a field: `--free-bits` of `freeBits`, `--momentum` of `optimizer.momentum`.
  public static func flag(_ name: String) -> String {
    "--" + name.replacing(/^.*\./, with: "").replacing(/[A-Z]/) { "-" + $0.output.lowercased() }
  }

  /// The value under a name; a word in place of an object is its kind.
  private static func value<Value: Decodable>(_: Value.Type, _ name: String, _ decoder: any Decoder) throws -> Value? {
    let (fields, parts) = (try decoder.container(keyedBy: Name.self), name.split(separator: ".").map(Name.init))
    guard parts.count == 2, fields.contains(parts[0]) else {
      return try parts.count == 1 ? fields.decodeIfPresent(Value.self, forKey: parts[0]) : nil
    }
    if (try? fields.decode(String.self, forKey: parts[0])) != nil {
      return parts[1].stringValue == "kind" ? try fields.decode(Value.self, forKey: parts[0]) : nil
    }
    return try fields.nestedContainer(keyedBy: Name.self, forKey: parts[0]).decodeIfPresent(
      Value.self, forKey: parts[1])
  }

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ part: Substring) { stringValue = String(part) }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
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
    Setting("shards", \.shards).unless { recipe, _ in
      let range = 1...max(1, recipe.batchSize)
      return range.contains(recipe.shards) ? nil : "wanted 1 to \(range.upperBound), found \(recipe.shards)"
    },
    Setting("seed", \.seed),
    Setting("epochs", \.epochs, .count, isEnd: true),
    Setting("steps", \.steps, .count, isEnd: true),
    Setting("schedule", \.schedule).unless { recipe, call in
      recipe.schedule == .cosine && recipe.epochs == nil && recipe.steps == nil
        ? "wanted \(call("epochs")) or \(call("steps")), found neither" : nil
    },
    Setting("warmup", \.warmup),
    Setting("patience", \.patience, .count, isEnd: true),
    Setting("minDelta", \.minDelta, .notNegative, isEnd: true).unless { recipe, call in
      recipe.patience == nil ? "wanted a \(call("patience")) too, found none" : nil
    },
    Setting("overfitBatches", \.overfitBatches, .count),
    Setting("monitor", \.monitor).unless { recipe, call in
      recipe.monitor == .validation && recipe.validation == nil
        ? "wanted images to evaluate with \(call("validation")) or \(call("holdout")), found none" : nil
    },
    Setting("optimizer.kind", \.optimizerKind, flag: "--optimizer"),
    Setting("optimizer.learningRate", \.optimizer.learningRate, .positive),
    Setting("optimizer.beta1", \.optimizer.beta1, .fraction),
    Setting("optimizer.beta2", \.optimizer.beta2, .fraction),
    Setting("optimizer.momentum", \.optimizer.momentum, .fraction),
    Setting("optimizer.epsilon", \.optimizer.epsilon, .positive),
    Setting("optimizer.weightDecay", \.optimizer.weightDecay, .notNegative),
    Setting("optimizer.weightL1", \.optimizer.weightL1, .notNegative),
    Setting("optimizer.nesterov", \.optimizer.nesterov).unless { recipe, _ in
      let (kind, momentum) = (recipe.optimizer.kind, recipe.optimizer.momentum)
      return recipe.optimizer.nesterov && (kind != .sgd || momentum == 0)
        ? "wanted the optimizer sgd with a momentum, found \(kind.rawValue) with \(momentum)" : nil
    },
    Setting("clipNorm", \.clipNorm, .positive),
    Setting("ema", \.ema, .properFraction),
    Setting("beta", \.beta, .notNegative),
    Setting("betaWarmup", \.betaWarmup),
    Setting("freeBits", \.freeBits, .positive).of("a model with a Gaussian latent") { $0.isVariational },
    Setting("importanceSamples", \.importanceSamples).unless { recipe, _ in
      let range = 1...max(1, Recipe.batchSizeRange.upperBound / max(1, recipe.batchSize))
      return recipe.importanceSamples.flatMap { range.contains($0) ? nil : $0 }.map {
        "wanted 1 to \(range.upperBound) with a batchSize of \(recipe.batchSize), found \($0)"
      }
    },
    Setting("start", \.start, flag: "--start-from"),
    Setting("classes", \.classes),
  ]
}
