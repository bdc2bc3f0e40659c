import HourglassData
import HourglassModels

/// A file of settings for training: any part of a recipe, under the recipe's names, and how one session runs.
///
/// The recipe.json of a run is such a file. For `model`, `data`, `validation` and `optimizer` a word may stand: a name
/// or a file, paths, and a kind. Paths are relative to the working directory, as on the command line.
public struct Configuration: Decodable, Sendable {
  /// A source of images of which any part may be left open.
  public struct Images: Decodable, Sendable {
    public var path: String?
    public var split: Split?
    public var preparation: Preparation?
    public var codes: String?
    public var inputs: String?

    enum CodingKeys: String, CodingKey, CaseIterable { case path, split, preparation, codes, inputs }
  }

  /// An object, or a word that stands for it.
  private enum Named<Value: Decodable & Sendable>: Decodable, Sendable {
    case word(String)
    case object(Value)

    init(from decoder: any Decoder) throws {
      if let word = try? String(from: decoder) {
        self = .word(word)
      } else if (try? decoder.container(keyedBy: JSONKey.self)) != nil {
        self = .object(try Value(from: decoder))
      } else {
        throw decoder.mismatch("a word or an object")
      }
    }

    func value(_ meaning: (String) throws -> Value) rethrows -> Value {
      switch self {
      case .word(let word): try meaning(word)
      case .object(let value): value
      }
    }
  }

  /// How one session runs, which decides no result.
  public struct Session: Decodable, Sendable {
    public var run: String?
    public var workers: Int?
    public var threads: Int?
    public var bind: CoreBinding?
    public var memoryLimit: MemoryLimit?
    public var checkpointEvery: Int?
    public var maxTime: TimeLimit?
    public var stallLimit: TimeLimit?
    public var profile: Bool?
    public var tensorboard: Bool?
    public var json: Bool?
    public var quiet: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case run, workers, threads, bind, memoryLimit, checkpointEvery, maxTime, stallLimit, profile, tensorboard, json
      case quiet
    }
  }

  /// What is trained, and on what.
  private struct Subject: Decodable, Sendable {
    var model: Named<Autoencoder>?
    var data: Named<Images>?
    var validation: Named<Images>?
    var objective: String?

    enum CodingKeys: String, CodingKey, CaseIterable { case model, data, validation, objective }
  }

  private var subject = Subject()
  public var settings = Overlay()
  public private(set) var session = Session()
  /// The file; empty for a configuration that says nothing.
  public private(set) var path = ""

  public init() {}

  public init(from decoder: any Decoder) throws {
    (subject, settings) = (try Subject(from: decoder), try Overlay(from: decoder))
    session = try Session(from: decoder)
  }

  /// This configuration with the model of a run, and with the run's images and seed where the file is silent.
  public func following(_ recipe: Recipe) -> Configuration {
    func images(_ source: DataSource) -> Named<Images> {
      .object(
        Images(
          path: source.path, split: source.split, preparation: source.preparation, codes: source.codes,
          inputs: source.inputs))
    }
    var file = self
    file.subject.model = .object(recipe.model)
    if subject.data == nil {
      file.subject.data = images(recipe.data)
      file.subject.validation = subject.validation ?? recipe.validation.map(images)
    }
    file.settings.fill("seed", by: recipe)
    return file
  }

  /// Reads a file.
  ///
  /// Errors: it cannot be read; no JSON object; a name that nobody reads, with the nearest known one; a value of the
  /// wrong kind.
  public init(reading path: String) throws(DataError) {
    try self.init(json: try InputFile.contents(of: path), path: path)
  }

  /// Reads settings from JSON. Errors: see `init(reading:)`; they name `path`.
  public init(json contents: [UInt8], path: String) throws(DataError) {
    if let value = try? JSONParser.parse(contents), let refusal = Self.unknownName(in: value, below: "") {
      throw DataError(path: path, reason: refusal)
    }
    self = try JSONFile.decode(Self.self, from: contents, path: path, what: "no settings")
    self.path = path
  }

  /// The model, with the meaning that the caller gives to a word.
  public func model(named: (String) throws -> Autoencoder) rethrows -> Autoencoder? {
    try subject.model?.value(named)
  }

  public var trainingImages: Images { subject.data?.value(Self.images) ?? Images() }
  public var validationImages: Images? { subject.validation?.value(Self.images) }

  private static func images(at path: String) -> Images { Images(path: path) }

  /// By what each stage of pretrain is trained, written as its `--objective`; nil where the file is silent.
  public func stageObjective() throws(DataError) -> Objective? {
    guard let objective = subject.objective else { return nil }
    guard let found = Objective(describedBy: objective) else {
      throw DataError(path: path, reason: "objective: wanted cd:K or pcd:K, found \(objective)")
    }
    return found
  }
}

extension Configuration {
  /// The names that a file may have; a dot leads to a field of an object.
  static let names: [String] = {
    let images = Images.CodingKeys.allCases.map(\.rawValue)
    let preparation = Mirror(reflecting: Preparation()).children.compactMap(\.label).map { "preparation.\($0)" }
    let sources = ["data", "validation"].flatMap { source in (images + preparation).map { "\(source).\($0)" } }
    return Subject.CodingKeys.allCases.map(\.rawValue) + ["optimizer"] + Setting.all.map(\.name)
      + Session.CodingKeys.allCases.map(\.rawValue) + sources
  }()

  /// A sentence about the first name that nobody reads.
  private static func unknownName(in value: JSONValue, below prefix: String) -> String? {
    guard case .object(let fields) = value else { return nil }
    for (key, value) in fields {
      let name = prefix + key
      guard names.contains(name) else {
        return "no setting is called \(name)" + (names.nearest(to: key).map { "; the nearest is \($0)" } ?? "")
      }
      // Values whose names are not listed, such as layers, know their own.
      let isListed = names.contains { $0.hasPrefix(name + ".") }
      if isListed, let refusal = unknownName(in: value, below: name + ".") { return refusal }
    }
    return nil
  }
}
