import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Elements that are missing: the network sees a number in their place, and losses, gradients and measures are those of
/// the other elements.
@Suite struct MissingTests {
  private static let alone = ParallelPlan(workers: 1, threads: 1)
  private static let shape = ImageShape(5, 4, 2)

  /// Waves of which a third is missing, and the preparation that takes it.
  private static func images(_ samples: Int) -> [Float] {
    TestImages.waves(step: 0, samples: samples, shape: shape).enumerated().map { $0 * 7 % 11 < 4 ? .nan : $1 }
  }
  private static var preparation: Preparation {
    var preparation = Preparation()
    preparation.missing = 0.25
    return preparation
  }
  private static func data(_ samples: Int) throws -> Dataset {
    try Dataset(.floats(images(samples)), shape: shape, source: "waves", preparation: preparation)
  }

  private static func model(_ likelihood: Likelihood) -> Autoencoder {
    let heads = likelihood == .gaussian() ? 2 : 1
    return Autoencoder("missing", input: shape, likelihood: likelihood) {
      Conv2D(3, kernel: 3, activation: .tanh)
    } latent: {
      Dense(4, activation: .tanh)
    } decoder: {
      Dense(heads * shape.count)
      Reshape(shape.height, shape.width, heads * shape.channels)
    }
  }

  /// The losses by their formulas, of what the model makes of filled images.
  @Test func lossesAndMeasuresAreThoseOfWhatIsThere() throws {
    let images = Self.images(6)
    let inference = try Inference(model: Self.model(.squaredError), parallel: Self.alone, missing: 0.25)
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 3)
    let outputs = inference.reconstruct(images)
    #expect(outputs == inference.reconstruct(images.map { $0.isNaN ? 0.25 : $0 }))
    for (n, measured) in inference.measure(images, noise: .none).enumerated() {
      let places = (n * Self.shape.count..<(n + 1) * Self.shape.count).filter { !images[$0].isNaN }
      let wanted = places.reduce(0.0) { $0 + pow(Double(outputs[$1]) - Double(images[$1]), 2) }
      #expect(abs(Double(measured.reconstruction) - wanted) < 1e-5 * wanted)
      let image = try #require(measured.image)
      #expect(abs(Double(image.squaredError) - wanted / Double(places.count)) < 1e-6 && image.similarity.isFinite)
    }
    #expect(abs(try Self.data(6).missingPart - Double(images.count { $0.isNaN }) / Double(images.count)) < 1e-12)
  }

  /// The update of plain descent is minus the gradient, which central differences of the measured loss tell too.
  @Test(arguments: [Likelihood.squaredError, .bernoulli, .logCosh, .gaussian(), .poisson, .multinomial])
  func gradientsAreThoseOfWhatIsThere(_ likelihood: Likelihood) throws {
    let model = Self.model(likelihood)
    let (samples, data) = (6, try Self.data(6))
    let plan = try ExecutionPlan(model, batchSize: samples, shards: 2)
    let step = try TrainingStep(
      plan: plan, parallel: Self.alone, optimizer: Optimizer(.sgd, learningRate: 1), missing: 0.25, seed: 3, beta: 1,
      data: data)
    Initializer.fill(step.parameters, plan: plan, seed: 3)
    let inference = try Inference(model: model, parallel: Self.alone, missing: 0.25)
    inference.parameters.pointer.update(from: step.parameters.pointer, count: plan.parameterCount)
    func loss() -> Double {
      inference.measure(Self.images(samples), noise: .none).reduce(0) { $0 + Double($1.reconstruction) }
        / Double(samples)
    }
    #expect(abs(try step.run(step: 0, items: ArraySlice(0..<Int32(samples))).total - loss()) < 1e-4)
    for parameter in plan.parameters {
      for place in [0, parameter.count / 2] {
        var values = parameter.tensor(in: inference.parameters.pointer)
        let (kept, h) = (values[place], Float(0x1p-7))
        var sides: [Double] = []
        for change in [h, -h] {
          values[place] = kept + change
          parameter.store(values, in: inference.parameters.pointer)
          sides.append(loss())
        }
        values[place] = kept
        parameter.store(values, in: inference.parameters.pointer)
        let slope = (sides[0] - sides[1]) / Double(2 * h)
        let moved = Double(parameter.tensor(in: step.parameters.pointer)[place] - kept)
        #expect(abs(-moved - slope) < 2e-3 * max(1, abs(slope)), "\(parameter.name) \(place)")
      }
    }
  }

  /// A run on a file with NaN, standardised and corrupted, which is stopped and goes on.
  @Test func aRunTakesWhatIsMissing() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/images.npy"
      try NPYFile.write(Self.images(20), shape: [20, 5, 4, 2], to: path)
      var preparation = Self.preparation
      preparation.standardizes = true
      let source = DataSource(path: path, preparation: preparation)
      func trainer(_ name: String, _ change: (inout Recipe) -> Void = { _ in }, resume: Bool = false) throws -> Trainer
      {
        var recipe = Recipe(
          model: Self.model(.squaredError), data: source, validation: source, batchSize: 6, shards: 3, seed: 5,
          epochs: 3)
        change(&recipe)
        try recipe.settle(on: recipe.open(recipe.data))
        let run = resume ? RunFolder(folder + "/" + name) : try RunFolder.create(folder + "/" + name, recipe: recipe)
        return try Trainer(recipe, parallel: Self.alone, run: run, resume: resume)
      }
      let straight = try trainer("straight")
      _ = try straight.run()
      let row = try #require(straight.metrics.epochs.last)
      #expect(row.loss < (straight.metrics.epochs.first?.loss ?? 0) && row.validationLoss?.isFinite == true)
      let seen = 40 * (1 - straight.data.missingPart)
      #expect(abs(row.reconstructionPerPixel - row.reconstruction / seen) < 1e-9)
      func stop() throws {
        let first = try trainer("stopped")
        _ = try first.run(shouldStop: first.progress.step == 5)
      }
      try stop()
      let second = try trainer("stopped", resume: true)
      _ = try second.run()
      #expect(second.weightsHash == straight.weightsHash)
      let corrupted = try trainer("corrupted", { $0.corruption = .gaussian(0.3) })
      _ = try corrupted.run()
      #expect(corrupted.metrics.epochs.last?.loss.isFinite == true)
      #expect(corrupted.weightsHash != straight.weightsHash)
    }
  }

  @Test func whatWantsAllElementsIsRefused() throws {
    let source = DataSource(path: "images.npy", preparation: Self.preparation)
    var recipe = Recipe(model: Self.model(.squaredError), data: source, epochs: 1)
    #expect(recipe.refusal == nil && recipe.missing == 0.25)
    recipe.model = LayerCases.similarModel
    #expect(recipe.refusal == "data.preparation.missing: wanted none with the ssim likelihood, found some")
    recipe.model = Self.model(.squaredError)
    recipe.data.preparation?.binarizes = true
    #expect(recipe.refusal == "data.preparation.missing: wanted none with binarizes, found both")
    let error = #expect(throws: DataError.self) {
      try Dataset(.floats([1, .nan]), shape: ImageShape(vector: 2), source: "a")
    }
    #expect(error?.reason.contains("or take NaN for missing with --missing") == true)
  }

  /// Bytes are no counts, and numbers below 0 are none either.
  @Test func countsAreTakenAsTheyAre() throws {
    let model = Autoencoder.dense([3, 2], input: ImageShape(vector: 3), likelihood: .poisson)
    let plan = try ExecutionPlan(model, batchSize: 2)
    func refusal(_ elements: Elements, _ preparation: Preparation = Preparation()) throws -> String? {
      try withTemporaryFolder { folder -> String? in
        let path = folder + "/a.npy"
        switch elements {
        case .floats(let floats): try NPYFile.write(floats, shape: [floats.count / 3, 3], to: path)
        default:
          let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n"
          guard case .bytes(let bytes) = elements else { return nil }
          let file = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + bytes
          try Data(file).write(to: URL(filePath: path))
        }
        let data = try Dataset.open(
          path: path, split: .train, preparation: preparation, seed: 1, threads: 1, memory: 1 << 20)
        do { try data.checkTargets(for: plan) } catch let error as DataError { return error.reason }
        return nil
      }
    }
    #expect(try refusal(.floats([0, 1, 1000, 2, 0, 7])) == nil)
    #expect(try refusal(.floats([0, -1, 3]))?.contains("wants counts, numbers of at least 0, found -1.0") == true)
    let bytes = Elements.bytes([0, 1, 200, 2, 0, 7])
    #expect(try refusal(bytes)?.contains("--range 0:1 takes them as they are") == true)
    var raw = Preparation()
    raw.range = ValueRange(rawValue: "0:1")
    #expect(try refusal(bytes, raw) == nil)
  }
}
