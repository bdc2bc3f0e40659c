import Foundation
import HourglassBase
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Every setting of a recipe, with a value that is not its default, from JSON to a recipe and back. A new field that is
/// not in the table, or has no value here, fails.
@Suite struct SettingTests {
  private static let plain = Recipe(model: TinyModels.variational, epochs: nil)

  private static let all: Recipe = {
    var all = plain
    (all.augmentation, all.corruption) = (Augmentation(flips: true), .mask(0.5))
    (all.batchSize, all.accumulate, all.shards, all.seed) = (32, 2, 3, .max)
    all.optimizer = Optimizer(.sgd, learningRate: 0.3, weightDecay: 0.25)
    (all.optimizer.beta1, all.optimizer.beta2, all.optimizer.epsilon) = (0.1, 0.2, 1e-3)
    (all.optimizer.momentum, all.optimizer.nesterov, all.optimizer.weightL1) = (0.7, true, 0.125)
    all.clipValue = 0.125
    (all.clipNorm, all.ema, all.beta, all.freeBits, all.importanceSamples) = (1.1, 0.9, 0.5, 0.25, 4)
    all.labelSmoothing = 0.2
    (all.capacity, all.capacityWarmup, all.optimizer.decoderWeightDecay) = (2, .steps(5), 0.5)
    all.initializer = .truncatedNormal(0.05)
    (all.epochs, all.steps, all.patience, all.minDelta) = (8, 7, 3, 0.1)
    (all.monitor, all.overfitBatches) = (.training, 2)
    (all.schedule, all.warmup, all.betaWarmup) = (.cosine, .steps(2), .epochs(1))
    (all.start, all.classes) = ([Start(path: "/run", layers: ["latent": "encoder.0"])], ["cat", "dog"])
    return all
  }()

  private static func texts(_ recipe: Recipe) -> [String: String] {
    Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.name, $0.value(recipe)?.text ?? "none") })
  }

  private static func decoded(_ json: String) throws -> Recipe {
    try JSONFile.decode(Recipe.self, from: json.utf8, path: "recipe.json", what: "no recipe")
  }

  /// The part of a recipe's JSON that stands under a name such as `optimizer.momentum`, alone in its objects.
  private static func part(_ name: String, of recipe: Recipe) throws -> String {
    guard case .object(let fields) = try JSONParser.parse(Array(JSONText.line(recipe).utf8)) else { return "" }
    let parts = name.split(separator: ".").map(String.init)
    func only(_ fields: [(name: String, value: JSONValue)], _ parts: ArraySlice<String>) throws -> String {
      let value = try #require(fields.first { $0.name == parts.first }?.value)
      if case .object(let inner) = value, parts.count > 1 {
        return "{\"\(parts.first ?? "")\": \(try only(inner, parts.dropFirst()))}"
      }
      return "{\"\(parts.first ?? "")\": \(text(value))}"
    }
    return try only(fields, parts[...])
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .number(let digits): digits
    case .text(let text): JSONText.line(text)
    case .list(let items): "[" + items.map(text).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { "\(JSONText.line($0.name)):\(text($0.value))" }.joined(separator: ",") + "}"
    }
  }

  @Test func everySettingOfTheTableHasAValueHere() {
    let (all, plain) = (Self.texts(Self.all), Self.texts(Self.plain))
    for setting in Setting.all {
      #expect(all[setting.name] != "none" && all[setting.name] != plain[setting.name], "\(setting.name)")
    }
    #expect(
      Set(Setting.all.map(\.name)).count == Setting.all.count && Set(Setting.all.map(\.flag)).count == Setting.all.count
    )
  }

  /// What is written and not read again would be lost when a run goes on.
  @Test func everyFieldOfARecipeIsInTheTable() throws {
    guard case .object(let fields) = try JSONParser.parse(Array(JSONText.line(Self.all).utf8)) else {
      Issue.record("a recipe is an object")
      return
    }
    var names: Set<String> = []
    for (name, value) in fields where !["model", "data", "validation"].contains(name) {
      if name == "optimizer", case .object(let inner) = value {
        names.formUnion(inner.map { "optimizer.\($0.name)" })
      } else {
        names.insert(name)
      }
    }
    #expect(names == Set(Setting.all.map(\.name)))
  }

  @Test func aRecipeComesBackFromItsFile() throws {
    let json = JSONText.line(Self.all)
    #expect(JSONText.line(try Self.decoded(json)) == json)
  }

  @Test(arguments: Setting.all.map(\.name)) func oneSettingOfAFileIsSaidAndNoOther(_ name: String) throws {
    // Beside the kind of the optimiser the others keep the defaults of that kind.
    let kind = name == "optimizer.kind" ? Optimizer(.sgd) : Optimizer()
    let file = try ConfigurationTests.read(try Self.part(name, of: Self.all)).settings
    #expect(Setting.all.filter { file[$0] != nil }.map(\.name) == [name])
    var (read, wanted) = (Self.plain, Self.plain)
    file.apply(to: &read)
    wanted.optimizer = kind
    var texts = Self.texts(wanted)
    texts[name] = Self.texts(Self.all)[name]
    #expect(Self.texts(read) == texts)
    let again = try Self.decoded(JSONText.line(read))
    #expect(Self.texts(again) == texts)
  }

  /// The sentence of a range is that of the value: a hair beyond its end is refused, the end itself is not.
  @Test(arguments: [
    ("batchSize", "1", "0"), ("batchSize", "1048576", "1048577"), ("accumulate", "1048576", "1048577"),
    ("epochs", "1", "0"), ("steps", "1", "-1"), ("patience", "1", "0"), ("overfitBatches", "1", "0"),
    ("minDelta", "0", "-1e-30"), ("clipNorm", "1e-30", "0"), ("clipValue", "1e-30", "0"), ("ema", "0.9999999", "1"),
    ("ema", "1e-30", "0"),
    ("beta", "0", "-1e-30"), ("freeBits", "1e-30", "0"), ("optimizer.learningRate", "1e-30", "0"),
    ("labelSmoothing", "0", "-1e-30"), ("labelSmoothing", "0.9999999", "1"), ("optimizer.beta1", "0", "1"),
    ("optimizer.beta2", "0.9999999", "1"), ("optimizer.momentum", "0", "-1e-30"),
    ("optimizer.epsilon", "1e-30", "0"), ("optimizer.weightDecay", "0", "-1e-30"),
    ("optimizer.weightL1", "0", "-1e-30"), ("capacity", "0", "-1e-30"),
    ("optimizer.decoderWeightDecay", "0", "-1e-30"),
  ])
  func aRangeEndsWhereItsSentenceSays(_ name: String, _ inside: String, _ outside: String) throws {
    let setting = try #require(Setting.all.first { $0.name == name })
    for (value, isWanted) in [(inside, true), (outside, false)] {
      let parts = name.split(separator: ".")
      let json = parts.reversed().reduce(value) { "{\"\($1)\": \($0)}" }
      let said = try #require(try ConfigurationTests.read(json).settings[setting])
      #expect((said.refusal == nil) == isWanted, "\(name): \(value): \(said.refusal ?? "taken")")
      #expect(isWanted || said.refusal?.hasPrefix("wanted ") == true && said.refusal?.contains("found ") == true)
    }
  }

  @Test(arguments: [
    ("freeBits", "--free-bits"), ("optimizer.weightL1", "--weight-l1"), ("optimizer.learningRate", "--learning-rate"),
    ("seed", "--seed"), ("minDelta", "--min-delta"),
  ])
  func aFlagIsTheNameWithHyphens(_ name: String, _ flag: String) { #expect(Setting.flag(name) == flag) }

  /// Whatever stands in the place of a setting, the error says which, what was wanted and what was found.
  @Test(arguments: Setting.all.map(\.name)) func aSettingIsNamedWhereItIsWrong(_ name: String) throws {
    let parts = name.split(separator: ".").map(String.init)
    var refusals = 0
    for value in ["\"nosuch\"", "8.5", "-1", "[28, 28]", "{\"a\": 1}", "null", "true", "1e300", "[]"] {
      let written = parts.count == 1 ? value : "{\"\(parts[1])\": \(value)}"
      let sentence: String
      do {
        let settings = try JSONFile.decode(
          Overlay.self, from: "{\"\(parts[0])\": \(written)}".utf8, path: "a.json", what: "no settings")
        let recipe = Recipe(model: TinyModels.variational, data: DataSource(), validation: nil, settings: [settings])
        guard let refusal = Setting.all.first(where: { $0.name == name })?.refusal(in: recipe) else { continue }
        sentence = "\(name): \(refusal)"
      } catch { sentence = error.reason.replacing("no settings: ", with: "") }
      refusals += 1
      let comment = Comment("\(value): \(sentence)")
      #expect(sentence.hasPrefix(name) && sentence.contains("wanted") && sentence.contains("found"), comment)
      for word in ["valid JSON", "Cannot initialize", "Swift", "Optional("] { #expect(!sentence.contains(word), comment) }
    }
    #expect(refusals > 0)
  }
}
