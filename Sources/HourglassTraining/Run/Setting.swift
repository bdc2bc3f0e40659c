import HourglassBase
import HourglassModels

/// A field of a recipe beside its model and its images: what it is called, which values it may have, and what it wants
/// of the rest of the recipe. `all` has a line for each.
public struct Setting: Sendable {
  /// Its name in JSON, such as `freeBits` or `optimizer.momentum`.
  public let name: String
  /// Its name on the command line, such as `--free-bits`.
  public let flag: String
  /// Whether it decides when a run ends, which may be put off when the run goes on.
  public let isEnd: Bool
  /// Whether a model can be trained with it.
  let fits: @Sendable (Autoencoder) -> Bool
  /// The value that a recipe has; nil for none.
  public let value: @Sendable (Recipe) -> Value?
  /// Gives the second recipe the value of the first one, be it none.
  let copy: @Sendable (Recipe, inout Recipe) -> Void
  /// The value that a file says; nil where it is silent.
  let read: @Sendable (any Decoder) throws -> Value?
  private let need: @Sendable (Recipe, _ call: (String) -> String) -> String?

  /// A value that a recipe has, or that a file or a flag says.
  public struct Value: Sendable {
    /// The value as a person reads it.
    public let text: String
    /// Why the value is out of its range, as "wanted X, found Y"; nil where it is not.
    public let refusal: String?
    /// Gives the value to a recipe.
    public let apply: @Sendable (inout Recipe) -> Void
  }

  /// - Parameters:
  ///   - wanted: the numbers it may have; nil for all that can be read.
  ///   - flag: where it is not the last part of the name, with hyphens.
  ///   - model: what a model must be to be trained with it.
  ///   - need: why a value is nothing for a recipe that has it; `call` names other settings.
  private init<Field: Decodable & Sendable>(
    _ name: String, _ path: WritableKeyPath<Recipe, Field> & Sendable, _ wanted: Wanted? = nil, flag: String? = nil,
    isEnd: Bool = false, of model: (words: String, holds: @Sendable (Autoencoder) -> Bool)? = nil,
    need: @escaping @Sendable (Recipe, _ call: (String) -> String) -> String? = { _, _ in nil }
  ) {
    (self.name, self.flag, self.isEnd) = (name, flag ?? Self.flag(name), isEnd)
    fits = { model?.holds($0) ?? true }
    let value: @Sendable (Field) -> Value? = { field in
      guard let text = Self.text(field) else { return nil }
      let isWanted = wanted?.holds(Double(text) ?? .nan) ?? true
      return Value(text: text, refusal: isWanted ? nil : "wanted \(wanted?.words ?? ""), found \(text)") {
        $0[keyPath: path] = field
      }
    }
    copy = { $1[keyPath: path] = $0[keyPath: path] }
    self.value = { value($0[keyPath: path]) }
    read = { try Self.field(Field.self, name, $0).flatMap(value) }
    self.need = { recipe, call in
      guard let model, !model.holds(recipe.model) else { return need(recipe, call) }
      return "wanted \(model.words), found \(recipe.model.name)"
    }
  }

  /// Why nobody can train by the value that a recipe has, as "wanted X, found Y"; nil where nothing speaks against it.
  ///
  /// - Parameter call: what other settings are called, in files by default; `Setting.flag` for flags.
  public func refusal(in recipe: Recipe, call: (String) -> String = { $0 }) -> String? {
    value(recipe).flatMap { $0.refusal ?? need(recipe, call) }
  }

  /// The flag of a field: `--free-bits` of `freeBits`, `--momentum` of `optimizer.momentum`.
  public static func flag(_ name: String) -> String {
    "--" + name.replacing(/^.*\./, with: "").replacing(/[A-Z]/) { "-" + $0.output.lowercased() }
  }

  /// The text of a field; nil where it has no value.
  private static func text<Field>(_ field: Field) -> String? {
    if let word = field as? any RawRepresentable { return "\(word.rawValue)" }
    return (field as? any CustomStringConvertible)?.description
  }

  /// The value under a name such as `optimizer.momentum`; a word in place of an object is its `kind`.
  private static func field<Field: Decodable>(_: Field.Type, _ name: String, _ decoder: any Decoder) throws -> Field? {
    let (fields, parts) = (
      try decoder.container(keyedBy: JSONKey.self), name.split(separator: ".").map { JSONKey(stringValue: String($0)) }
    )
    guard parts.count == 2, fields.contains(parts[0]) else {
      return parts.count == 1 ? try fields.decodeIfPresent(Field.self, forKey: parts[0]) : nil
    }
    let object = try fields.superDecoder(forKey: parts[0])
    if (try? String(from: object)) != nil {
      return parts[1].stringValue == "kind" ? try fields.decode(Field.self, forKey: parts[0]) : nil
    }
    guard let inner = try? object.container(keyedBy: JSONKey.self) else { throw object.mismatch("a word or an object") }
    return try inner.decodeIfPresent(Field.self, forKey: parts[1])
  }
}

/// What a file or the flags of a command say of a recipe: of some settings something, of the others nothing.
public struct Overlay: Decodable, Sendable {
  private var values: [String: Setting.Value] = [:]

  public init() {}

  public init(from decoder: any Decoder) throws {
    for setting in Setting.all { values[setting.name] = try setting.read(decoder) }
  }

  /// The value that is said of a setting; nil for none.
  public subscript(setting: Setting) -> Setting.Value? { values[setting.name] }
  /// Whether a value is said of the setting of this name.
  public func says(_ name: String) -> Bool { values[name] != nil }

  /// Takes the value of a recipe for a setting of which nothing is said.
  mutating func fill(_ name: String, by recipe: Recipe) {
    values[name] = values[name] ?? Setting.all.first { $0.name == name }?.value(recipe)
  }

  /// Gives a recipe all values that are said.
  public func apply(to recipe: inout Recipe) {
    for setting in Setting.all { self[setting]?.apply(&recipe) }
  }
}

/// The numbers that a setting may have, and the words for them.
private struct Wanted: Sendable {
  let words: String
  let holds: @Sendable (Double) -> Bool

  init(_ words: String, _ holds: @escaping @Sendable (Double) -> Bool) { (self.words, self.holds) = (words, holds) }

  static let count = Wanted("at least 1") { $0 >= 1 }
  static let positive = Wanted("a number greater than 0") { $0 > 0 && $0.isFinite }
  static let notNegative = Wanted("a number of at least 0") { $0 >= 0 && $0.isFinite }
  static let fraction = Wanted("a number from 0 to below 1") { $0 >= 0 && $0 < 1 }
  static let properFraction = Wanted("a number between 0 and 1") { $0 > 0 && $0 < 1 }
  static func within(_ range: ClosedRange<Int>) -> Wanted {
    Wanted("\(range.lowerBound) to \(range.upperBound)") {
      $0 >= Double(range.lowerBound) && $0 <= Double(range.upperBound)
    }
  }
}

extension Recipe {
  /// The kind of the optimiser; another one comes with its own defaults.
  fileprivate var optimizerKind: Optimizer.Kind {
    get { optimizer.kind }
    set { if newValue != optimizer.kind { optimizer = Optimizer(newValue) } }
  }
}

extension Setting {
  /// The table of all settings, those of the optimiser one by one, in the order in which values are applied.
  public static let all: [Setting] = [
    Setting("augmentation", \.augmentation, flag: "--augment"),
    Setting("corruption", \.corruption, flag: "--corrupt"),
    Setting("batchSize", \.batchSize, .within(Recipe.batchSizeRange)),
    Setting("accumulate", \.accumulate, .within(Recipe.accumulateRange)),
    Setting(
      "labelSmoothing", \.labelSmoothing, .fraction,
      of: ("a model with a categorical likelihood", { $0.likelihood == .categorical })),
    Setting("importanceSamples", \.importanceSamples) { recipe, _ in
      let range = 1...max(1, Recipe.batchSizeRange.upperBound / max(1, recipe.batchSize))
      return recipe.importanceSamples.flatMap { range.contains($0) ? nil : $0 }.map {
        "wanted 1 to \(range.upperBound) with a batchSize of \(recipe.batchSize), found \($0)"
      }
    },
    Setting("shards", \.shards) { recipe, _ in
      let range = 1...max(1, recipe.batchSize)
      return range.contains(recipe.shards) ? nil : "wanted 1 to \(range.upperBound), found \(recipe.shards)"
    },
    Setting("seed", \.seed),
    Setting("initializer", \.initializer),
    Setting("epochs", \.epochs, .count, isEnd: true),
    Setting("steps", \.steps, .count, isEnd: true),
    Setting("schedule", \.schedule) { recipe, call in
      recipe.schedule?.leadsToEnd == true && recipe.epochs == nil && recipe.steps == nil
        ? "wanted \(call("epochs")) or \(call("steps")), found neither" : nil
    },
    Setting("warmup", \.warmup) { recipe, call in
      guard case .oneCycle = recipe.schedule else { return nil }
      return "wanted none with the \(call("schedule")) oneCycle, which has a rise of its own, found one"
    },
    Setting("patience", \.patience, .count, isEnd: true),
    Setting("minDelta", \.minDelta, .notNegative, isEnd: true) { recipe, call in
      recipe.patience == nil ? "wanted a \(call("patience")) too, found none" : nil
    },
    Setting("overfitBatches", \.overfitBatches, .count),
    Setting("monitor", \.monitor) { recipe, call in
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
    Setting("optimizer.decoderWeightDecay", \.optimizer.decoderWeightDecay, .notNegative),
    Setting("optimizer.nesterov", \.optimizer.nesterov) { recipe, _ in
      let (kind, momentum) = (recipe.optimizer.kind, recipe.optimizer.momentum)
      return recipe.optimizer.nesterov && (kind != .sgd || momentum == 0)
        ? "wanted the optimizer sgd with a momentum, found \(kind.rawValue) with \(momentum)" : nil
    },
    Setting("clipNorm", \.clipNorm, .positive),
    Setting("clipValue", \.clipValue, .positive) { recipe, call in
      recipe.clipNorm == nil ? nil : "wanted no \(call("clipNorm")) beside it, found both"
    },
    Setting("ema", \.ema, .properFraction),
    Setting("beta", \.beta, .notNegative),
    Setting("betaWarmup", \.betaWarmup),
    Setting("freeBits", \.freeBits, .positive, of: ("a model with a Gaussian latent", { $0.isVariational })),
    Setting(
      "capacity", \.capacity, .notNegative, of: ("a model with a Gaussian latent", { $0.isVariational })
    ) { recipe, call in
      recipe.freeBits.map { "wanted no \(call("freeBits")), found \($0)" }
    },
    Setting("capacityWarmup", \.capacityWarmup) { recipe, call in
      recipe.capacity == nil ? "wanted a \(call("capacity")) too, found none" : nil
    },
    Setting("start", \.start, flag: "--start-from"),
    Setting("classes", \.classes),
  ]
}
