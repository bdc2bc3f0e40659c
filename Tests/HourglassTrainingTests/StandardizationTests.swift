import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Models that see standardised images, and put out images in their own units; and pairs of images.
@Suite struct StandardizationTests {
  private static let parallel = ParallelPlan(workers: 2, threads: 1)

  /// A model of two channels with a linear output.
  private static let model = Autoencoder("two", input: ImageShape(4, 5, 2), likelihood: .squaredError) {
    Dense(9, activation: .tanh)
  } latent: {
    Dense(4)
  } decoder: {
    Dense(40)
    Reshape(4, 5, 2)
  }

  /// Waves in units of their own in each channel, and the same standardised by another hand.
  private static func sets() throws -> (own: Dataset, standardized: Dataset, by: Standardization) {
    let waves = TestImages.waves(step: 0, samples: 24, shape: model.input)
    let values = waves.enumerated().map { $0 % 2 == 0 ? 100 + 30 * $1 : -7 * $1 }
    let own = try Dataset(.floats(values), shape: model.input, source: "own")
    let by = try Standardization(of: own)
    let standardized = values.enumerated().map { ($1 - Float(by.mean[$0 % 2])) / Float(by.deviation[$0 % 2]) }
    return (own, try Dataset(.floats(standardized), shape: model.input, source: "standardized"), by)
  }

  private static func recipe(_ by: Standardization? = nil, _ model: Autoencoder = model) -> Recipe {
    var recipe = Recipe(model: model, batchSize: 8, epochs: 3, augmentation: Augmentation(flips: true))
    if let by {
      var preparation = Preparation()
      (preparation.standardizes, preparation.standardization) = (true, by)
      recipe.data.preparation = preparation
    }
    return recipe
  }

  /// Training on images and their statistics is training on images that were standardised before, to the bit.
  @Test func standardizingIsTrainingOnStandardizedImages() throws {
    let (own, standardized, by) = try Self.sets()
    let one = try Trainer(Self.recipe(by), parallel: Self.parallel, data: own, validation: own)
    let other = try Trainer(Self.recipe(), parallel: Self.parallel, data: standardized, validation: standardized)
    #expect(try one.run() == .finished && other.run() == .finished)
    #expect(one.weightsHash == other.weightsHash)
    let (rows, wanted) = (one.metrics.epochs, other.metrics.epochs)
    #expect(rows.map(\.loss) == wanted.map(\.loss) && rows.map(\.validationLoss) == wanted.map(\.validationLoss))

    // What is put out is brought back, and errors are measured there.
    let (inference, plain) = (try one.inference(), try other.inference())
    let (images, standard) = (try own.images(0..<24), try standardized.images(0..<24))
    #expect(inference.encode(images) == plain.encode(standard))
    let back = plain.reconstruct(standard).enumerated().map {
      $1 * Float(by.deviation[$0 % 2]) + Float(by.mean[$0 % 2])
    }
    #expect(inference.reconstruct(images) == back)
    #expect(inference.decode(inference.encode(images)) == back)
    let found = inference.measure(images, noise: .none)
    #expect(found.map(\.reconstruction) == plain.measure(standard, noise: .none).map(\.reconstruction))
    for (n, measurement) in found.enumerated() {
      let squares = (n * 40..<n * 40 + 40).map { Double(images[$0] - back[$0]) * Double(images[$0] - back[$0]) }
      let error = try Double(#require(measurement.image).squaredError)
      #expect(abs(error - squares.reduce(0, +) / 40) <= 1e-5 * error)
    }
  }

  /// Gaussian visible units are of mean 0 and variance 1: images far from that train a machine once standardised.
  @Test func aMachineOfGaussianUnitsIsTrainedOnImagesInAnyUnits() throws {
    let model = BoltzmannTests.machine(ImageShape(8, 5, 1), hidden: 23, gaussian: true)
    let waves = TestImages.waves(step: 0, samples: 60, shape: model.input)
    let data = try Dataset(.floats(waves.map { 500 + 200 * $0 }), shape: model.input, source: "waves")
    var recipe = Recipe(model: model, batchSize: 20, epochs: 30)
    recipe.optimizer.learningRate = 0.01
    recipe.data.preparation = Preparation()
    recipe.data.preparation?.standardizes = true
    try recipe.settle(on: data)
    let by = try #require(recipe.standardization)
    let trainer = try Trainer(recipe, parallel: Self.parallel, data: data)
    _ = try trainer.run()
    let result = try Evaluator(trainer.inference(), beta: 1, seed: 1).evaluate(data)
    // A half of what the mean image leaves, in the images' units.
    #expect(try #require(result.mse) < by.deviation[0] * by.deviation[0] / 2)
  }

  /// Read back from a recipe of JSON; a run that goes on keeps it.
  @Test func theStatisticsArePartOfTheRecipe() throws {
    let (_, _, by) = try Self.sets()
    let json = JSONText.line(Self.recipe(by))
    let read = try JSONFile.decode(Recipe.self, from: json.utf8, path: "a", what: "b")
    #expect(read.standardization == by && json.contains(#""standardization":{"deviation":["#))
    #expect(read.refusal == nil)
    var other = read
    other.data.codes = "run"
    #expect(other.standardization == nil)
  }

  @Test(arguments: [
    ("4x5x2-4", "a model that ends in sigmoid"), ("4x5x2-4,linear,bernoulli", "the bernoulli likelihood"),
    ("4x5x1-4,linear", "2"),
  ])
  func whatCannotPutOutStandardizedImagesIsRefused(_ name: String, _ mentions: String) throws {
    let model = try #require(try Autoencoder.dense(describedBy: name))
    let refusal = try #require(Self.recipe(try Self.sets().by, model).refusal)
    #expect(refusal.contains("standardiz") && refusal.contains(mentions), "\(refusal)")
  }

  @Test func exportsKeepTheStatistics() throws {
    let by = try Self.sets().by
    let inference = try Inference(model: Self.model, parallel: Self.parallel, standardization: by)
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 4)
    try withTemporaryFolder { folder in
      let export = ModelExport(inference.plan, parameters: inference.parameters, standardization: by)
      for (format, name) in [(ModelExport.Format.safetensors, "weights.safetensors"), (.npy, "weights.npz")] {
        _ = try export.write(format, to: folder)
        let path = "\(folder)/\(name)"
        #expect(try WeightsFile.read(path, plan: inference.plan).bits == inference.parameters.bits)
        let found = try #require(try WeightsFile.standardization(path))
        for (values, wanted) in [(found.mean, by.mean), (found.deviation, by.deviation)] {
          #expect(values.map { Float($0) } == wanted.map { Float($0) })
        }
      }
      let graph = try inference.plan.onnxGraph(.autoencoder, parameters: inference.parameters, standardization: by)
      #expect(graph.nodes.prefix(2).map(\.operation) == ["Sub", "Div"])
      #expect(graph.nodes.suffix(2).map(\.operation) == ["Mul", "Add"])
      guard Python.has("numpy, onnxruntime") else { return }
      _ = try export.write(.onnx, to: folder)
      let images = try Self.sets().own.images(0..<5)
      try NPYFile.write(images, shape: [5, 4, 5, 2], to: "\(folder)/images.npy")
      let script = """
        import sys, numpy as np, onnxruntime as o
        f = sys.argv[1]
        x = np.load(f + "/images.npy").transpose(0, 3, 1, 2)
        names = {"decoder": "code"}
        session = lambda name: o.InferenceSession(f"{f}/{name}.onnx")
        run = lambda name, x: session(name).run(None, {names.get(name, "image"): x})[0]
        y = [run("autoencoder", x), run("decoder", run("encoder", x))]
        for i, y in enumerate(y): np.save(f"{f}/{i}.npy", np.ascontiguousarray(y.transpose(0, 2, 3, 1)))
        """
      let (status, output) = try Python.run(["-c", script, folder])
      try #require(status == 0, "\(output)")
      for name in ["0", "1"] {
        let found = try NPYFile.read("\(folder)/\(name).npy").floats
        let worst = zip(found, inference.reconstruct(images)).map { abs($0 - $1) }.max() ?? 1
        #expect(found.count == images.count && worst < 1e-3)
      }
    }
  }

  // MARK: Pairs

  /// A set that a network sees as another one, by place.
  private static func pairs(_ clean: [Float], seenAs seen: [Float], _ shape: ImageShape, in folder: String) throws
    -> Dataset
  {
    let sets = try [("clean", clean), ("seen", seen)].map { name, values in
      let path = "\(folder)/\(name).npy"
      try NPYFile.write(
        values, shape: [values.count / shape.count, shape.height, shape.width, shape.channels], to: path)
      var preparation = Preparation()
      preparation.layout = .nhwc
      return try Dataset.open(path: path, split: .train, preparation: preparation)
    }
    return try sets[0].paired(with: sets[1], isWhole: true)
  }

  /// Pairs of an image with itself train as the image does, also augmented and standardised: both go the same way.
  @Test(arguments: [nil, Augmentation(flips: true, shift: 1)], [true, false])
  func imagesPairedWithThemselvesTrainAsTheyDoAlone(_ augmentation: Augmentation?, _ standardizes: Bool) throws {
    try withTemporaryFolder { folder in
      let (own, _, by) = try Self.sets()
      let images = try own.images(0..<24)
      var recipe = Self.recipe(standardizes ? by : nil)
      recipe.augmentation = augmentation
      let alone = try Trainer(recipe, parallel: Self.parallel, data: own, validation: own)
      let data = try Self.pairs(images, seenAs: images, Self.model.input, in: folder)
      recipe.data.inputs = "inputs"
      let paired = try Trainer(recipe, parallel: Self.parallel, data: data, validation: data)
      #expect(try alone.run() == .finished && paired.run() == .finished)
      #expect(alone.weightsHash == paired.weightsHash)
      #expect(alone.metrics.epochs.map(\.validationLoss) == paired.metrics.epochs.map(\.validationLoss))
      #expect(alone.metrics.epochs.map(\.validationMSE) == paired.metrics.epochs.map(\.validationMSE))
    }
  }

  /// A linear model goes down the gradient of |W x + b - y|^2, y the image and x what is seen in its place.
  @Test func theNetworkSeesOneImageAndPutsOutTheOther() throws {
    try withTemporaryFolder { folder in
      let shape = ImageShape(1, 3, 1)
      let model = Autoencoder("linear", input: shape, likelihood: .squaredError) {
      } latent: {
        Dense(3)
      } decoder: {
        Dense(3)
        Reshape(1, 3, 1)
      }
      let (clean, seen): ([Float], [Float]) = ([1, 0, 2, 0, 1, 1], [0.5, 0, 0, 0, 0.25, 1])
      let data = try Self.pairs(clean, seenAs: seen, shape, in: folder)
      let step = try startedStep(model, batchSize: 2, data: data)
      let inference = try Inference(
        model: model, parallel: Self.parallel, parameters: step.parameters, hasPairs: true)
      func losses() -> [Double] {
        let out = inference.reconstruct(seen)
        return (0..<2).map { n in
          (3 * n..<3 * n + 3).reduce(0) { $0 + Double(out[$1] - clean[$1]) * Double(out[$1] - clean[$1]) }
        }
      }
      let wanted = losses()
      let measured = inference.measure(seen, wanted: clean, noise: .none)
      for (measurement, loss) in zip(measured, wanted) {
        #expect(abs(Double(measurement.reconstruction) - loss) < 1e-5)
        #expect(abs(Double(try #require(measurement.image).squaredError) - loss / 3) < 1e-5)
      }
      let loss = try step.run(step: 0, items: [0, 1]).reconstruction
      #expect(abs(loss - (wanted[0] + wanted[1]) / 2) < 1e-5)
      for t in 1..<400 { _ = try step.run(step: t, items: [0, 1], learningRate: 0.02) }
      #expect(losses().allSatisfy { $0 < 1e-3 })
      let result = try Evaluator(inference, beta: 1, seed: 1).evaluate(data)
      #expect(abs(result.loss - losses().reduce(0, +) / 2) < 1e-5)
    }
  }

  @Test func whatPairsDoNotGoWithIsRefused() {
    func refusal(_ change: (inout Recipe) -> Void) -> String? {
      var recipe = Self.recipe()
      (recipe.data.path, recipe.data.inputs) = ("clean", "noisy")
      change(&recipe)
      return recipe.refusal
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.corruption = .mask(0.5) }?.contains("corruption: wanted none with pairs") == true)
    #expect(refusal { $0.data.path = nil }?.contains("data.inputs") == true)
    #expect(refusal { $0.validation = DataSource(path: "other") }?.contains("validation.inputs") == true)
    #expect(refusal { $0.model = BoltzmannTests.machines[0] }?.contains("contrastive divergence") == true)
  }
}
