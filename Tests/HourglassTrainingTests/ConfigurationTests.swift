import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Files of settings: any part of a recipe.
@Suite struct ConfigurationTests {
  static func read(_ text: String) throws -> Configuration {
    try withTemporaryFolder { folder in
      try text.write(toFile: folder + "/file.json", atomically: false, encoding: .utf8)
      return try Configuration(reading: folder + "/file.json")
    }
  }

  /// Everything that a recipe can say.
  static var recipe: Recipe {
    var preparation = Preparation()
    (preparation.layout, preparation.holdout, preparation.labels, preparation.limit) = (.nhw, 0.5, ["a"], 9)
    (preparation.color, preparation.crop, preparation.resize) = (.grey, Extent2D(9, 8), Extent2D(8, 8))
    (preparation.skipsBad, preparation.binarizes) = (true, true)
    let source = DataSource(path: "/images", preparation: preparation)
    var recipe = Recipe(
      model: TinyModels.variational, data: source, validation: source, accumulate: 2, seed: .max,
      optimizer: Optimizer(.adamw, weightDecay: 0.25), clipNorm: 1, steps: 7,
      augmentation: Augmentation(flips: true), corruption: .mask(0.5))
    (recipe.patience, recipe.monitor, recipe.overfitBatches) = (3, .training, 2)
    (recipe.minDelta, recipe.optimizer.weightL1) = (0.5, 0.125)
    (recipe.schedule, recipe.warmup, recipe.betaWarmup) = (.cosine, .steps(2), .epochs(1))
    recipe.start = [Start(path: "/run", layers: ["latent": "encoder.0"])]
    (recipe.ema, recipe.freeBits, recipe.importanceSamples) = (0.5, 0.25, 4)
    recipe.classes = ["cat", "dog"]
    return recipe
  }

  /// A name that a recipe has and the reader does not know would be refused here.
  @Test func aRecipeIsAFileOfSettings() throws {
    let json = JSONText.line(Self.recipe)
    let file = try Self.read(json)
    #expect(file.model { _ in TinyModels.autoencoder }?.name == "tiny-vae")
    #expect(file.trainingImages.preparation == Self.recipe.data.preparation)
    var read = Recipe(model: Self.recipe.model, data: Self.recipe.data, validation: Self.recipe.validation)
    file.settings.apply(to: &read)
    #expect(JSONText.line(read) == json)
  }

  @Test(arguments: [
    (#"{"batchsize": 4}"#, "no setting is called batchsize; the nearest is batchSize"),
    (#"{"batch-size": 4}"#, "no setting is called batch-size; the nearest is batchSize"),
    (#"{"epoch": 4}"#, "no setting is called epoch; the nearest is epochs"),
    (#"{"learning_rate": 4}"#, "no setting is called learning_rate; the nearest is optimizer.learningRate"),
    (#"{"optimizer": {"momentun": 4}}"#, "no setting is called optimizer.momentun; the nearest is optimizer.momentum"),
    (#"{"data": {"preparation": {"resise": 4}}}"#, "data.preparation.resise; the nearest is data.preparation.resize"),
    (#"{"model": {"named": "x"}}"#, #"a model has no field "named""#),
    (#"{"batchSize": "four"}"#, "batchSize: "),
    (#"{"batchSize": 4"#, "no valid JSON"),
    (#"[4]"#, "no settings"),
  ])
  func whatNobodyReadsIsRefused(_ text: String, _ reason: String) throws {
    let error = try #require(throws: DataError.self) { try Self.read(text) }
    #expect(error.reason.contains(reason) && error.path.hasSuffix("file.json"), "\(error)")
  }

  @Test func aFileThatIsNotThereIsRefused() {
    #expect(throws: DataError.self) { try Configuration(reading: "/nonexistent/file.json") }
  }

  @Test(
    arguments: [
      // text, given kind and rate -> kind, rate, weight decay, beta1
      ("{}", nil, nil, .adam, 1e-3, 0, 0.9),
      (#"{"optimizer": "sgd"}"#, nil, nil, .sgd, 1e-2, 0, 0.9),
      (#"{"optimizer": {"beta1": 0.5}}"#, nil, nil, .adam, 1e-3, 0, 0.5),
      (#"{"optimizer": {"kind": "adamw", "learningRate": 0.5}}"#, nil, nil, .adamw, 0.5, 0.01, 0.9),
      (#"{"optimizer": {"kind": "adamw", "learningRate": 0.5}}"#, nil, 0.25, .adamw, 0.25, 0.01, 0.9),
      (#"{"optimizer": {"kind": "adam", "learningRate": 0.5, "beta1": 0.5}}"#, .sgd, nil, .sgd, 1e-2, 0, 0.9),
      (#"{"optimizer": {"kind": "adam", "learningRate": 0.5, "beta1": 0.5}}"#, .adam, nil, .adam, 0.5, 0, 0.5),
    ] as [(String, Optimizer.Kind?, Float?, Optimizer.Kind, Float, Float, Float)])
  func whatAnOptimizerLeavesOpenIsItsDefault(
    _ text: String, _ kind: Optimizer.Kind?, _ rate: Float?, _ wantedKind: Optimizer.Kind, _ wantedRate: Float,
    _ decay: Float, _ beta1: Float
  ) throws {
    var flags: [String: Any] = [:]
    (flags["kind"], flags["learningRate"]) = (kind?.rawValue, rate)
    let json = try JSONSerialization.data(withJSONObject: ["optimizer": flags])
    let given = try JSONDecoder().decode(Overlay.self, from: json)
    let recipe = Recipe(
      model: TinyModels.autoencoder, data: DataSource(), validation: nil,
      settings: [try Self.read(text).settings, given])
    let found = recipe.optimizer
    #expect(found.kind == wantedKind && found.learningRate == wantedRate)
    #expect(found.weightDecay == decay && found.beta1 == beta1)
  }

  /// A recipe of a file, which may hold anything.
  @Test func aRecipeThatNobodyCanTrainByIsRefusedByName() throws {
    var recipe = Self.recipe
    #expect(recipe.refusal == "importanceSamples: wanted no betaWarmup, found 1epochs")
    recipe.betaWarmup = nil
    #expect(recipe.refusal == "importanceSamples: wanted no freeBits, found 0.25")
    recipe.freeBits = nil
    #expect(recipe.refusal == nil)
    let changes: [(String, (inout Recipe) -> Void)] = [
      ("batchSize: wanted 1 to 1048576, found 0", { $0.batchSize = 0 }),
      ("accumulate: wanted 1 to 1048576, found 0", { $0.accumulate = 0 }),
      ("shards: wanted 1 to 128, found 129", { $0.shards = 129 }),
      ("epochs: wanted at least 1, found 0", { $0.epochs = 0 }),
      ("patience: wanted at least 1, found 0", { $0.patience = 0 }),
      ("overfitBatches: wanted at least 1, found 0", { $0.overfitBatches = 0 }),
      ("monitor: wanted images to evaluate", { ($0.monitor, $0.validation) = (.validation, nil) }),
      ("schedule: wanted epochs or steps", { ($0.epochs, $0.steps) = (nil, nil) }),
      ("steps: wanted at least 1, found -1", { $0.steps = -1 }),
      ("optimizer.learningRate: wanted a number greater than 0, found 0.0", { $0.optimizer.learningRate = 0 }),
      ("optimizer.beta2: wanted a number from 0 to below 1, found 1.0", { $0.optimizer.beta2 = 1 }),
      ("clipNorm: wanted a number greater than 0, found -1.0", { $0.clipNorm = -1 }),
      ("beta: wanted a number of at least 0, found -1.0", { $0.beta = -1 }),
      ("importanceSamples: wanted a beta of 1, found 0.5", { $0.beta = 0.5 }),
      ("importanceSamples: wanted 1 to 8192 with a batchSize of 128, found 0", { $0.importanceSamples = 0 }),
      ("importanceSamples: wanted a variational model", { $0.model = TinyModels.autoencoder }),
      ("data.preparation.limit: wanted at least 1, found 0", { $0.data.preparation?.limit = 0 }),
      ("validation.preparation.holdout: wanted a part", { $0.validation?.preparation?.holdout = 1 }),
      ("data.preparation.resize: wanted 1 to 65536 pixels, found 0", { $0.data.preparation?.resize = 0 }),
      ("data.preparation: wanted images in files", { $0.data.path = nil }),
    ]
    for (text, change) in changes {
      var changed = recipe
      change(&changed)
      #expect(changed.refusal?.hasPrefix(text) == true, "\(changed.refusal ?? "nothing")")
    }
  }
}
