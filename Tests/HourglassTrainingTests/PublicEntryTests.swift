import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Every public entry that takes shapes, counts, indices or labels, called with wrong ones: what data may bring about
/// is a typed error, what breaks a documented contract stops at a precondition; nothing is read or written beyond
/// memory, which the address sanitizer watches (Scripts/sanitize).
@Suite struct PublicEntryTests {
  private static let model = TinyModels.variational
  private static let alone = ParallelPlan(workers: 1, threads: 1)
  private static var recipe: Recipe { Recipe(model: model, batchSize: 4, epochs: nil, steps: 1) }

  private static func images(_ shape: ImageShape, count: Int = 8) throws -> Dataset {
    try TestImages.waves(batchSizes: [count], shape: shape)
  }

  private static func inference() throws -> Inference { try Inference(model: model, parallel: alone) }

  /// A call with images of another shape.
  private static let readers: [(String, @Sendable (Dataset) throws -> Void)] = [
    ("TrainingStep", { data in _ = try startedStep(model, batchSize: 4, data: data) }),
    ("Trainer, data", { data in _ = try Trainer(recipe, parallel: alone, data: data) }),
    (
      "Trainer, validation",
      { data in _ = try Trainer(recipe, parallel: alone, data: images(model.input), validation: data) }
    ),
    ("Evaluator.evaluate", { data in _ = try Evaluator(inference(), beta: 1, seed: 1).evaluate(data) }),
    (
      "Evaluator.unitVariances",
      { data in _ = try Evaluator(inference(), beta: 1, seed: 1).unitVariances(data, images: data.count) }
    ),
    ("Inference.codes", { data in _ = try inference().codes(of: data) }),
    ("Inference.scores", { data in _ = try inference().scores(of: data, by: .error, seed: 1) }),
    (
      "Inference.psnr",
      { data in
        let zeros = [Float](repeating: 0, count: 24)
        let quantizer = CompressedCodes.Quantizer(zeros, units: 3, levels: 4)
        _ = try inference().psnr(ofDecoded: CompressedCodes(zeros, quantizer), data)
      }
    ),
    ("Denoising", { data in _ = try Denoising(data, .mask(0.5), with: inference(), seed: 1) }),
    ("Pictures.reconstructions", { data in _ = try Pictures(inference(), seed: 1).reconstructions(data) }),
    ("Pictures.traversals", { data in _ = try Pictures(inference(), seed: 1).traversals(data) }),
    ("Pictures.interpolations", { data in _ = try Pictures(inference(), seed: 1).interpolations(data) }),
    ("Verification", { data in _ = try withTemporaryFolder { try Verification(recipe, data: data, folder: $0) } }),
  ]

  /// Smaller and larger images, of as many elements in another form, and none at all.
  @Test(arguments: readers.indices) func imagesOfAnotherShapeAreRefused(_ index: Int) throws {
    for shape in [ImageShape(7, 8, 1), ImageShape(150, 150, 1), ImageShape(vector: 64), ImageShape(8, 8, 3)] {
      #expect(throws: DataError.self, "\(Self.readers[index].0) of \(shape)") {
        try Self.readers[index].1(Self.images(shape))
      }
    }
    for count in [0, -1, Int.min, .max] {
      let data = Dataset(count: count, shape: Self.model.input, source: "nothing") { _, _ in }
      #expect(throws: DataError.self, "\(Self.readers[index].0) of \(count)") { try Self.readers[index].1(data) }
    }
  }

  @Test func labelsThatNoClassHasAreRefused() throws {
    let images = TestImages.waves(step: 0, samples: 4, shape: ImageShape(8, 8, 1))
    let plan = try ExecutionPlan(ObjectiveTests.model(.categorical), batchSize: 4)
    for label in [-1, 1_000_000, Int(Int32.max), Int(Int32.min)] {
      let data = try Dataset(
        .floats(images), shape: ImageShape(8, 8, 1), labels: [0, 1, 0, label], source: "labelled")
      #expect(throws: DataError.self) { try data.checkLabels(for: plan) }
      #expect(throws: DataError.self) { try Probe(training: data, test: data, k: [1]) }
    }
    let sound = try Dataset(.floats(images), shape: ImageShape(8, 8, 1), labels: [0, 1, 0, 1], source: "labelled")
    for k in [0, -1, 5, Int.max] {
      #expect(throws: DataError.self) { try Probe(training: sound, test: sound, k: [k]) }
    }
    let other = try Dataset(
      .floats(images), shape: ImageShape(4, 8, 1), labels: [0, 1, 0, 1, 0, 1, 0, 1], source: "other")
    #expect(throws: DataError.self) { try Probe(training: sound, test: other, k: [1]) }
  }

  @Test(arguments: [-1, 65, Int.max, .min]) func componentsThatImagesDoNotHaveAreRefused(_ components: Int) throws {
    let data = try Self.images(ImageShape(8, 8, 1))
    #expect(throws: DataError.self) { try PrincipalComponents(data, components: components) }
  }

  /// Numbers that no layer can have, and those at the end of integers.
  @Test(arguments: [0, -1, Int.min, .max, 1 << 62, 1 << 32, (1 << 31) + 1, 1 << 24, 65_537])
  func layersOfNonsenseAreRefusedOrPlanned(_ n: Int) {
    let extent = Extent2D(n, n)
    let layers: [any Layer] = [
      Conv2D(n, kernel: 3), Conv2D(2, kernel: extent), Conv2D(2, kernel: 3, stride: extent),
      Conv2D(2, kernel: 3, padding: .amount(extent)), Conv2D(2, kernel: Extent2D(1, n), padding: .amount(extent)),
      Conv2D(2, kernel: 3, algorithm: .winograd), ConvTranspose2D(n, kernel: 3),
      ConvTranspose2D(2, kernel: extent, stride: extent), ConvTranspose2D(2, kernel: 3, stride: extent),
      ConvTranspose2D(2, kernel: extent, padding: .amount(extent)),
      ConvTranspose2D(2, kernel: 3, stride: 2, outputSize: extent), Dense(n), GroupNorm(n), MaxPool2D(extent),
      MaxPool2D(2, stride: extent), MaxPool2D(2, padding: .amount(extent)), Reshape(n, n, n), Upsample2D(extent),
      AveragePool2D(extent, stride: 1), AveragePool2D(2, stride: extent, padding: .amount(extent), ceiling: true),
      AdaptiveAveragePool2D(extent), Pad2D(.amount(extent)), Pad2D(.amount(extent), mode: .replicate),
      Upsample2D(extent, mode: .bilinear), PixelShuffle2D(n), PixelUnshuffle2D(n),
      GaussianNoise(Float(n)), Dropout(Float(n)), ContractivePenalty(weight: 1),
    ]
    for layer in layers {
      for input in [ImageShape(8, 8, 1), ImageShape(65_536, 65_536, 1), ImageShape(n, n, n), ImageShape(vector: n)] {
        for latent in [Dense(2) as any Layer, GaussianLatent(n), layer] {
          let model = Autoencoder("nonsense", input: input, likelihood: .squaredError) {
            layer
            layer
          } latent: {
            latent
          } decoder: {
            Dense(64)
            Reshape(8, 8, 1)
          }
          for batchSize in [2, n] {
            _ = try? ExecutionPlan(model, batchSize: batchSize)
            _ = try? ExecutionPlan(model, batchSize: 2, shards: n, importanceSamples: n)
          }
          _ = try? model.pretrainingStages(objective: .contrastiveDivergence(steps: n))
        }
      }
    }
    let recipe = Recipe(model: Self.model, batchSize: n, accumulate: n, epochs: n, steps: n, importanceSamples: n)
    #expect(recipe.refusal != nil)
    #expect(ExecutionPlan.defaultShards(batchSize: n, importanceSamples: n) <= 128)
    #expect(ImageShape(n, n, n).count <= .max)
  }

  /// A recipe that nobody can train by, which a caller may have made.
  @Test func recipesOfNonsenseAreRefused() throws {
    let data = try Self.images(Self.model.input)
    let changes: [(inout Recipe) -> Void] = [
      { $0.accumulate = 0 }, { $0.accumulate = .max }, { $0.batchSize = 0 }, { $0.shards = 0 }, { $0.beta = .nan },
      { $0.optimizer.learningRate = .nan }, { $0.optimizer.beta1 = 2 }, { $0.clipNorm = -1 }, { $0.clipValue = 0 },
      { $0.steps = -1 }, { $0.epochs = .min }, { $0.overfitBatches = 0 }, { $0.freeBits = 0 }, { $0.ema = 1 },
      { $0.labelSmoothing = 0.1 }, { $0.patience = 0 }, { ($0.freeBits, $0.capacity) = (1, 1) },
      { ($0.importanceSamples, $0.beta) = (2, 0.5) },
    ]
    for (number, change) in changes.enumerated() {
      var recipe = Self.recipe
      change(&recipe)
      #expect(throws: ModelError.self, "change \(number)") { try Trainer(recipe, parallel: Self.alone, data: data) }
    }
    for every in [0, -1, Int.min] {
      let trainer = try Trainer(Self.recipe, parallel: Self.alone, data: data)
      #expect(throws: ModelError.self) { try trainer.run(checkpointEvery: every) }
    }
  }

  @Test func errorsDescribeThemselvesByTheirSentence() {
    let errors: [any Error & CustomStringConvertible] = [
      ModelError("latent", "wanted at least 1 unit"), TrainingError.overflow(step: 3, parameter: "latent.bias"),
      DataError(path: "a", reason: "wanted images"), ThreadError(reason: "wanted 2 threads"),
      ProcessError(reason: "wanted one recipe"),
    ]
    for error in errors { #expect((error as any Error).localizedDescription == error.description) }
  }

  @Test func theObserverIsTheTrailingClosure() throws {
    var steps = 0
    let trainer = try Trainer(Self.recipe, parallel: Self.alone, data: Self.images(Self.model.input))
    let end = try trainer.run { if case .step = $0 { steps += 1 } }
    #expect(end == .finished && steps == 1)
    #expect(try trainer.inference().encode(Self.images(Self.model.input).images(0..<2)).count == 6)
  }

  @Test(arguments: [0, -1, Int.min, .max, 1 << 25]) func drawsThatNobodyTakesAreRefused(_ draws: Int) throws {
    let data = try Self.images(Self.model.input)
    let inference = try Self.inference()
    #expect(throws: ModelError.self) {
      try Evaluator(inference, beta: 1, seed: 1).evaluate(data, importanceSamples: draws)
    }
    #expect(throws: ModelError.self) { try inference.scores(of: data, by: .likelihood, samples: draws, seed: 1) }
    let plain = try Inference(model: TinyModels.autoencoder, parallel: Self.alone)
    #expect(throws: ModelError.self) {
      try Evaluator(plain, beta: 1, seed: 1).evaluate(Self.images(TinyModels.autoencoder.input), importanceSamples: 1)
    }
  }

  /// Calls that break a contract.
  private static let broken: [(String, @Sendable () throws -> Void)] = [
    ("measure, too many", { _ = try inference().measure([Float](repeating: 0, count: 257 * 64), noise: .none) }),
    ("measure, a part", { _ = try inference().measure([Float](repeating: 0, count: 65), noise: .none) }),
    ("encode, a part", { _ = try inference().encode([Float](repeating: 0, count: 63)) }),
    ("decode, a part", { _ = try inference().decode([0, 0]) }),
    ("bounds, no draws", { _ = try inference().importanceBounds([], draws: 0, seed: 1, step: 0) }),
    (
      "bounds, too many",
      { _ = try inference().importanceBounds([Float](repeating: 0, count: 257 * 64), draws: 1, seed: 1, step: 0) }
    ),
    (
      "measure, no labels",
      {
        let model = ObjectiveTests.model(.categorical)
        let inference = try Inference(model: model, parallel: alone)
        _ = inference.measure([Float](repeating: 0, count: model.input.count), noise: .none)
      }
    ),
    (
      "measure, a label beyond the classes",
      {
        let model = ObjectiveTests.model(.categorical)
        let inference = try Inference(model: model, parallel: alone)
        _ = inference.measure([Float](repeating: 0, count: model.input.count), labels: [1 << 20], noise: .none)
      }
    ),
    ("other parameters", { _ = try Inference(model: model, parallel: alone, parameters: FloatBuffer(count: 3)) }),
    (
      "items beyond the data",
      { _ = try startedStep(model, batchSize: 4, data: images(model.input)).run(step: 0, items: [0, 8]) }
    ),
    ("no items", { _ = try startedStep(model, batchSize: 4, data: images(model.input)).run(step: 0, items: []) }),
    (
      "a step before the first",
      { _ = try startedStep(model, batchSize: 4, data: images(model.input)).run(step: -1, items: [0]) }
    ),
    (
      "starting another vector",
      { Initializer.fill(FloatBuffer(count: 3), plan: try ExecutionPlan(model, batchSize: 2), seed: 1) }
    ),
    (
      "hash of another vector",
      { _ = WeightsHash.of(FloatBuffer(count: 3), plan: try ExecutionPlan(model, batchSize: 2)) }
    ),
    (
      "a term that the loss does not have",
      {
        let step = try startedStep(model, batchSize: 4, data: images(model.input))
        _ = step.meanTerm(1 << 20, count: 4)
      }
    ),
    ("ragged points", { _ = Neighbours([1, 2, 3], length: 2, metric: .cosine) }),
    ("points of nothing", { _ = Neighbours([1, 2], length: 0, metric: .euclidean) }),
    ("ragged queries", { _ = Neighbours([1, 2], length: 2, metric: .euclidean).nearest(to: [1, 2, 3], count: 1) }),
    ("too many neighbours", { _ = Neighbours([1, 2], length: 2, metric: .cosine).nearest(to: [1, 2], count: 2) }),
    ("components of ragged points", { _ = PrincipalComponents([1, 2, 3], length: 2, components: 1) }),
    ("fewer components than none", { _ = PrincipalComponents([1, 2], length: 2, components: -1) }),
    ("other labels than scores", { _ = AnomalyScores([1, 2]).rocAUC([true]) }),
    ("no scores", { _ = AnomalyScores([]).threshold(contamination: 0.1) }),
    ("a huge buffer", { _ = FloatBuffer(count: .max) }),
    ("a buffer of less than nothing", { _ = FloatBuffer(count: -1) }),
    ("an element beyond a buffer", { _ = FloatBuffer(count: 2)[2] }),
    ("fewer numbers than none", { _ = RandomStream(seed: 1, .sampling).uniform(-1) }),
  ]

  #if arch(x86_64)
    private static let trap = SIGILL
  #else
    private static let trap = SIGTRAP
  #endif

  /// In a process of its own each; a sanitizer's report would end it in another way.
  @Test(arguments: broken.indices) func aBrokenContractStops(_ index: Int) async {
    await #expect(processExitsWith: .signal(Self.trap), "\(Self.broken[index].0)") { [index = index as Int] in
      try PublicEntryTests.broken[index].1()
    }
  }
}
