import Foundation
import HourglassData
import HourglassModels

/// A file of settings for training: any part of a recipe, under the recipe's names, and how one session runs.
///
/// The recipe.json of a run is such a file. For `model`, `data`, `validation` and `optimizer` a word may stand: a name
/// or a file, paths, and a kind. Paths are relative to the working directory, as on the command line.
public struct Configuration: Decodable, Sendable {
  /// An object, or a word that stands for it.
  public enum Named<Value: Decodable & Sendable>: Decodable, Sendable {
    case word(String)
    case object(Value)

    public init(from decoder: any Decoder) throws {
      if let word = try? decoder.singleValueContainer().decode(String.self) {
        self = .word(word)
      } else {
        self = .object(try Value(from: decoder))
      }
    }

    public func value(_ meaning: (String) throws -> Value) rethrows -> Value {
      switch self {
      case .word(let word): try meaning(word)
      case .object(let value): value
      }
    }
  }

  /// A source of images of which any part may be left open.
  public struct Images: Decodable, Sendable {
    public var path: String?
    public var split: Split?
    public var preparation: Preparation?
    public var codes: String?
    public var inputs: String?

    enum CodingKeys: String, CodingKey, CaseIterable { case path, split, preparation, codes, inputs }
  }

  /// An optimiser of which any part may be left open.
  public struct Updates: Decodable, Sendable {
    public var kind: Optimizer.Kind?
    public var learningRate: Float?
    public var beta1: Float?
    public var beta2: Float?
    public var epsilon: Float?
    public var momentum: Float?
    public var nesterov: Bool?
    public var weightDecay: Float?
    public var weightL1: Float?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case kind, learningRate, beta1, beta2, epsilon, momentum, nesterov, weightDecay, weightL1
    }
  }

  private var model: Named<Autoencoder>?
  private var data: Named<Images>?
  private var validation: Named<Images>?
  private var optimizer: Named<Updates>?
  private var objective: String?
  public var augmentation: Augmentation?
  public var corruption: Corruption?
  public var batchSize: Int?
  public var accumulate: Int?
  public var shards: Int?
  public var seed: UInt64?
  public var clipNorm: Float?
  public var ema: Float?
  public var beta: Float?
  public var freeBits: Float?
  public var importanceSamples: Int?
  public var epochs: Int?
  public var steps: Int?
  public var patience: Int?
  public var minDelta: Double?
  public var monitor: Recipe.Monitor?
  public var overfitBatches: Int?
  public var schedule: Schedule?
  public var warmup: Span?
  public var betaWarmup: Span?
  public var start: [Start]?
  public var classes: [String]?
  // What decides no result: how one session runs.
  public var run: String?
  public var workers: Int?
  public var threads: Int?
  public var bind: CoreBinding?
  public var memoryLimit: MemoryLimit?
  public var checkpointEvery: Int?
  public var maxTime: TimeLimit?
  public var profile: Bool?
  public var tensorboard: Bool?
  public var json: Bool?
  public var quiet: Bool?

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case model, data, validation, optimizer, objective, augmentation, corruption, batchSize, accumulate, shards, seed
    case clipNorm, ema, beta, freeBits, importanceSamples, epochs, steps, patience, minDelta, monitor, overfitBatches
    case schedule, warmup, betaWarmup, start, classes
    case run, workers, threads, bind, memoryLimit, checkpointEvery, maxTime, profile, tensorboard, json, quiet
  }

  /// The file; empty for a configuration that says nothing.
  public private(set) var path = ""

  public init() {}

  /// With the images and the seed of a run that this one goes on from, where the file is silent, and with its model.
  public func following(_ recipe: Recipe) -> Configuration {
    func images(_ source: DataSource) -> Named<Images> {
      .object(
        Images(
          path: source.path, split: source.split, preparation: source.preparation, codes: source.codes,
          inputs: source.inputs))
    }
    var file = self
    file.model = .object(recipe.model)
    if file.data == nil {
      (file.data, file.validation) = (images(recipe.data), validation ?? recipe.validation.map(images))
    }
    file.seed = seed ?? recipe.seed
    return file
  }

  /// Reads a file.
  ///
  /// Errors: no JSON object; a name that nobody reads, with the nearest known one; a value of the wrong kind.
  public init(reading path: String) throws(DataError) {
    let contents = try InputFile.contents(of: path)
    if let value = try? JSONParser.parse(contents), let refusal = Self.unknownName(in: value, below: "") {
      throw DataError(path: path, reason: refusal)
    }
    self = try JSONFile.decode(Self.self, from: contents, path: path, what: "no settings")
    self.path = path
  }

  /// The model, with the meaning that the caller gives to a word.
  public func model(named: (String) throws -> Autoencoder) rethrows -> Autoencoder? { try model?.value(named) }

  public var trainingImages: Images { data?.value(Self.images) ?? Images() }
  public var validationImages: Images? { validation?.value(Self.images) }

  private static func images(at path: String) -> Images { Images(path: path) }

  /// By what each stage of pretrain is trained, written as its `--objective`; nil where the file is silent.
  public func stageObjective() throws(DataError) -> Objective? {
    guard let objective else { return nil }
    guard let found = Objective(describedBy: objective) else {
      throw DataError(path: path, reason: "objective: wanted cd:K or pcd:K, found \(objective)")
    }
    return found
  }

  /// The optimiser of the file, with what was given elsewhere in place of what the file says, and the defaults of its
  /// kind for what nobody says.
  public func optimizer(kind: Optimizer.Kind?, learningRate: Float?) throws(DataError) -> Optimizer {
    var file = Updates()
    switch optimizer {
    case .word(let word):
      file.kind = Optimizer.Kind(rawValue: word)
      guard file.kind != nil else {
        let kinds = Optimizer.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        throw DataError(path: path, reason: "optimizer: wanted one of \(kinds), found \(word)")
      }
    case .object(let updates): file = updates
    case nil: break
    }
    // Another kind has other defaults, so what the file says of its own kind is of no use then.
    if let kind, kind != file.kind ?? .adam { file = Updates(kind: kind) }
    let chosen = file.kind ?? .adam
    var result = Optimizer(chosen, learningRate: learningRate ?? file.learningRate, weightDecay: file.weightDecay)
    result.beta1 = file.beta1 ?? result.beta1
    result.beta2 = file.beta2 ?? result.beta2
    result.epsilon = file.epsilon ?? result.epsilon
    result.momentum = file.momentum ?? result.momentum
    result.nesterov = file.nesterov ?? result.nesterov
    result.weightL1 = file.weightL1 ?? result.weightL1
    return result
  }
}

extension Configuration {
  /// All names that a file may have, of objects in objects with dots.
  static let names: [String] = {
    let images = Images.CodingKeys.allCases.map(\.rawValue)
    let preparation = Mirror(reflecting: Preparation()).children.compactMap(\.label).map { "preparation.\($0)" }
    let sources = ["data", "validation"].flatMap { source in (images + preparation).map { "\(source).\($0)" } }
    return CodingKeys.allCases.map(\.rawValue) + sources
      + Updates.CodingKeys.allCases.map { "optimizer.\($0.rawValue)" }
  }()

  /// A sentence about the first name that nobody reads.
  private static func unknownName(in value: JSONValue, below prefix: String) -> String? {
    guard case .object(let fields) = value else { return nil }
    for (key, value) in fields {
      let name = prefix + key
      guard names.contains(name) else { return "no setting is called \(name); the nearest is \(nearest(to: key))" }
      // Values whose names are not listed, such as layers, know their own.
      let isListed = names.contains { $0.hasPrefix(name + ".") }
      if isListed, let refusal = unknownName(in: value, below: name + ".") { return refusal }
    }
    return nil
  }

  /// The known name whose last part is nearest.
  static func nearest(to key: String) -> String {
    func distance(_ name: String) -> Int {
      editDistance(key.lowercased(), name.split(separator: ".").last.map { $0.lowercased() } ?? "")
    }
    return names.min { distance($0) < distance($1) } ?? ""
  }

  /// Letters to insert, leave out or replace (Levenshtein 1966).
  private static func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let replaced = diagonal + (b[j] == letter ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
