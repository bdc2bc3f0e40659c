import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Every reader of JSON on files of which one value is another: each is read or refused by a typed error, and what is
/// read can be planned and shown or is refused then. A trap ends the tests.
@Suite struct JSONFuzzTests {
  /// Altered files of all readers together; Scripts/fuzz-json sets it, and the seed.
  private static let count = number("HOURGLASS_FUZZ_JSON") ?? 600
  private static let seed = UInt64(clamping: number("HOURGLASS_FUZZ_SEED") ?? 22)

  private static func number(_ variable: String) -> Int? {
    ProcessInfo.processInfo.environment[variable].flatMap { Int($0) }
  }

  /// What stands in the place of a value, as text.
  private static let nasty =
    [
      "0", "-1", "1", "7", "-0", "2147483648", "4294967296", "9007199254740993", "9223372036854775807",
      "9223372036854775801", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "1e19", "1e38",
      "1e39", "1e308", "1e400", "-1e400", "1e-400", "0.5", "-0.5", "1.0", "1e3", "01", "+1", ".5", "1.", "NaN",
      "Infinity", #""NaN""#, #""inf""#, #""""#, #""a""#, #""\ud800""#, #""\u0000""#, "null", "true", "false", "[]",
      "{}",
      "[0]", "[[]]", #"{"a": 1}"#, "[1, 2, 3, 4]", "[1099511627776, 1099511627776, 1]", "", ",", "\"", "]",
      #""99999999999999999999d""#, #""1e30T""#, #""9223372036854775807epochs""#, #""shift:65536""#, #""gaussian:1e38""#,
    ] + [
      String(repeating: "[", count: 100_000),
      String(repeating: #"{"a":"#, count: 200) + "1" + String(repeating: "}", count: 200),
      "\"" + String(repeating: "x", count: 100_000) + "\"",
      "[" + Array(repeating: "1", count: 1000).joined(separator: ",") + "]",
    ]

  private struct Mutation {
    var value = -1
    var replacement = ""
    var twice = -1
    var left = -1
  }

  /// A value as text, one of its values replaced, one of its fields there twice, or left out.
  private static func text(
    _ value: JSONValue, _ mutation: Mutation, _ values: inout Int, _ fields: inout Int
  ) -> String {
    values += 1
    if values - 1 == mutation.value { return mutation.replacement }
    switch value {
    case .null: return "null"
    case .bool(let flag): return "\(flag)"
    case .number(let digits): return digits
    case .text(let text): return JSONText.line(text)
    case .list(let items):
      return "[" + items.map { Self.text($0, mutation, &values, &fields) }.joined(separator: ",") + "]"
    case .object(let members):
      let parts = members.flatMap { name, value in
        let part = JSONText.line(name) + ":" + Self.text(value, mutation, &values, &fields)
        defer { fields += 1 }
        return fields == mutation.left ? [] : fields == mutation.twice ? [part, part] : [part]
      }
      return "{" + parts.joined(separator: ",") + "}"
    }
  }

  private static func render(_ value: JSONValue, _ mutation: Mutation) -> (text: String, values: Int, fields: Int) {
    var (values, fields) = (0, 0)
    return (Self.text(value, mutation, &values, &fields), values, fields)
  }

  /// Altered versions of a text; each is read or refused by a `DataError` or a `ModelError`.
  private static func expectNoTrap(
    _ original: String, share: Int, salt: UInt64, _ read: (String) throws -> Void
  ) throws {
    let tree = try JSONParser.parse(Array(original.utf8))
    let (_, values, fields) = render(tree, Mutation())
    var random = SplitMix64(seed: seed &+ salt)
    print("JSON of \(values) values, seed \(seed) + \(salt)")
    try read(render(tree, Mutation()).text)
    var refused = 0
    for _ in 0..<max(1, count * share / 100) {
      var mutation = Mutation()
      switch UInt.random(in: 0..<12, using: &random) {
      case 0: mutation.twice = Int.random(in: 0..<fields, using: &random)
      case 1: mutation.left = Int.random(in: 0..<fields, using: &random)
      default:
        mutation.value = Int.random(in: 0..<values, using: &random)
        mutation.replacement = nasty.randomElement(using: &random) ?? ""
      }
      do { try read(render(tree, mutation).text) } catch {
        refused += 1
        let sentence = (error as? DataError)?.reason ?? (error as? ModelError)?.reason ?? ""
        #expect(!sentence.isEmpty, "\(error)")
      }
    }
    #expect(refused > 0)
  }

  private static var recipe: Recipe {
    var recipe = Recipe(
      model: TinyModels.denoising, validation: DataSource(split: .test), batchSize: 8, shards: 2, epochs: 3)
    (recipe.ema, recipe.beta, recipe.freeBits, recipe.clipNorm) = (0.5, 0.5, 0.25, 1)
    (recipe.patience, recipe.minDelta, recipe.overfitBatches, recipe.steps) = (2, 0.5, 4, 9)
    (recipe.schedule, recipe.warmup, recipe.betaWarmup, recipe.monitor) = (.cosine, .steps(2), .epochs(1), .training)
    recipe.start = [Start(path: "nowhere", layers: ["latent": "encoder.0"])]
    (recipe.augmentation, recipe.corruption) = (Augmentation(flips: true, shift: 1), .mask(0.5))
    return recipe
  }

  /// All that can be asked of a recipe without its images.
  private static func exercise(_ recipe: Recipe) throws {
    if let refusal = recipe.refusal { throw DataError(path: "recipe", reason: refusal) }
    let plan = try recipe.plan()
    for parallel in [ParallelPlan(shards: recipe.shards), ParallelPlan(workers: 1024, threads: 4)] {
      try PlannedMemory(training: plan, parallel: parallel, recipe: recipe).check(plan)
    }
    let order = recipe.order(count: 1000)
    _ = order.batch(step: 3)
    for step in [0, 3, Checkpoint.Progress.most] {
      _ = recipe.learningRate(step: step, stepsPerEpoch: order.stepsPerEpoch)
      _ = recipe.beta(step: step, stepsPerEpoch: order.stepsPerEpoch)
    }
    _ = recipe.lastStep(stepsPerEpoch: order.stepsPerEpoch)
    try exercise(recipe.model)
  }

  private static func exercise(_ model: Autoencoder) throws {
    let plan = try ExecutionPlan(model, batchSize: 2)
    _ = ModelSummary(plan).table
    _ = plan.bytes(groupSamples: 2, threads: 2)
    _ = plan.decodingRefusal
    _ = try? model.pretrainingStages()
    _ = try? ExecutionPlan(model.classifier(classes: 3), batchSize: 2)
    _ = try? model.using(.winograd)
    _ = try? ExecutionPlan(model, batchSize: 1 << 20)
    _ = try? ExecutionPlan(model, batchSize: 1 << 10, importanceSamples: 1 << 10)
  }

  @Test func alteredRecipesNeverTrap() throws {
    try withTemporaryFolder { folder in
      try Self.expectNoTrap(JSONText.line(Self.recipe), share: 25, salt: 0) { text in
        try Self.exercise(
          JSONFile.decode(Recipe.self, from: text.utf8, path: folder + "/recipe.json", what: "no recipe"))
      }
    }
  }

  @Test(arguments: TinyModels.all.indices) func alteredModelsNeverTrap(_ index: Int) throws {
    try Self.expectNoTrap(JSONText.line(TinyModels.all[index]), share: 5, salt: 1 + UInt64(index)) { text in
      try Self.exercise(JSONFile.decode(Autoencoder.self, from: text.utf8, path: "model.json", what: "no model"))
    }
  }

  @Test func alteredSettingsNeverTrap() throws {
    let settings = """
      "run": "r", "workers": 2, "threads": 1, "bind": "close", "memoryLimit": "1G", "checkpointEvery": 3,
      "maxTime": "1h", "profile": true, "tensorboard": false, "json": true, "quiet": true
      """
    try withTemporaryFolder { folder in
      let original = JSONText.line(Self.recipe).dropLast() + "," + settings + "}"
      try Self.expectNoTrap(String(original), share: 20, salt: 10) { text in
        let path = folder + "/settings.json"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        let file = try Configuration(reading: path)
        let model = try file.model { throw DataError(path: path, reason: "no model is called \($0)") }
        let recipe = Recipe(
          model: model ?? TinyModels.variational, data: DataSource(), validation: nil, settings: [file.settings])
        _ = try file.stageObjective()
        _ = file.session.maxTime.map { ContinuousClock.now + .seconds($0.seconds) }
        try Self.exercise(recipe)
      }
    }
  }

  /// What the report shows of metrics.jsonl, environment.json and profile.json.
  @Test func alteredRecordsOfARunNeverTrap() throws {
    let metrics = EpochMetrics(
      epoch: 1, step: 4, loss: 2, reconstruction: 1.5, kl: 0.5, reconstructionPerPixel: 0.1, validationLoss: 3,
      validationMSE: 0.1, validationErrorRate: 0.5, activeUnits: 2, penalty: 0.25, samplesPerSecond: 1000, seconds: 3,
      inputPercent: 5)
    try withTemporaryFolder { folder in
      var recipe = Self.recipe
      recipe.validation = nil
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      try run.append(RunEnvironment(parallel: ParallelPlan(workers: 2, threads: 1), arguments: ["train"]))
      let data = try TestImages.waves(batchSizes: [16], shape: recipe.model.input)
      let trainer = try Trainer(
        Recipe(model: recipe.model, batchSize: 8, epochs: nil, steps: 2),
        parallel: ParallelPlan(workers: 1, threads: 1),
        data: data, profiles: true)
      _ = try trainer.run()
      try run.save(try #require(trainer.training.profile))
      let originals = [
        ("metrics.jsonl", JSONText.line(metrics)),
        ("environment.json", try String(contentsOfFile: run.file("environment.json"), encoding: .utf8)),
        ("profile.json", try String(contentsOfFile: run.file("profile.json"), encoding: .utf8)),
      ]
      for (salt, (name, original)) in originals.enumerated() {
        try Self.expectNoTrap(original, share: 4, salt: 20 + UInt64(salt)) { text in
          try text.write(toFile: run.file(name), atomically: false, encoding: .utf8)
          let report = try RunReport(run, recipe)
          #expect(try !report.page.isEmpty && !Pictures.lossCurve(recipe.model, epochs: report.epochs).isEmpty)
          do { _ = try JSONParser.parse(Array(text.utf8)) } catch { throw DataError(path: name, reason: "\(error)") }
        }
        try original.write(toFile: run.file(name), atomically: false, encoding: .utf8)
      }
    }
  }

  /// A checkpoint whose progress is another one: it is refused, or the run goes on from there.
  @Test func alteredProgressNeverTraps() throws {
    try withTemporaryFolder { folder in
      let recipe = Recipe(model: TinyModels.variational, batchSize: 8, epochs: nil, steps: 2)
      let data = try TestImages.waves(batchSizes: [16], shape: recipe.model.input)
      let alone = ParallelPlan(workers: 1, threads: 1)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let trainer = try Trainer(recipe, parallel: alone, run: run, data: data)
      _ = try trainer.run()
      var checkpoint = try run.read(.last)
      let training = try startedStep(recipe.model, batchSize: 8, data: data)
      try Self.expectNoTrap(JSONText.line(checkpoint.progress), share: 10, salt: 30) { text in
        checkpoint.progress = try JSONFile.decode(
          Checkpoint.Progress.self, from: text.utf8, path: run.path, what: "no progress")
        try checkpoint.write(to: folder + "/altered.safetensors")
        let read = try Checkpoint(reading: folder + "/altered.safetensors")
        try read.restore(training, path: "altered")
        let epoch = recipe.order(count: data.count).batch(step: read.progress.step).epoch
        #expect(epoch >= 0 && recipe.learningRate(step: read.progress.step, stepsPerEpoch: 2).isFinite)
      }
    }
  }

  /// The headers of safetensors files and of compressed codes.
  @Test func alteredHeadersNeverTrap() throws {
    func bytes(_ header: String) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) } }
    try withTemporaryFolder { folder in
      let header = """
        {"__metadata__": {"format": "hourglass-checkpoint-1", "progress": "{}", "weightsHash": "0"},
         "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
         "b": {"dtype": "F32", "shape": [], "data_offsets": [24, 28]}}
        """
      try Self.expectNoTrap(header, share: 20, salt: 40) { text in
        let path = folder + "/altered.safetensors"
        try Data(bytes(text) + Array(text.utf8) + [UInt8](repeating: 0, count: 28)).write(to: URL(filePath: path))
        _ = try SafeTensors.read(path)
      }
      let codes: [Float] = [0, 1, 2, 3, 4, 5, 6, 7]
      let quantizer = CompressedCodes.Quantizer(codes, units: 2, levels: 16)
      let file = try CompressedCodes(codes, quantizer).data(model: "m", weightsHash: "h")
      let length = Int(file[8]) | Int(file[9]) << 8
      let original = String(decoding: file[12..<12 + length], as: UTF8.self)
      try Self.expectNoTrap(original, share: 10, salt: 41) { text in
        let altered = file[..<8] + Data(bytes(text)[..<4]) + Data(text.utf8) + file[(12 + length)...]
        _ = try CompressedCodes(Data(altered), units: 2, weightsHash: "h", path: "altered").codes
      }
    }
  }
}
