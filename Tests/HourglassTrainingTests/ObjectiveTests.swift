import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Likelihoods and optimisers in whole training steps, against PyTorch in double (Golden/torch_objectives.py).
@Suite struct ObjectiveTests {
  struct Golden: Decodable {
    struct Run: Decodable, CustomStringConvertible {
      let likelihood, optimizer: String
      let losses: [Double]
      let parameters: [[Float]]
      var description: String { "\(likelihood), \(optimizer)" }
    }
    let seed: UInt64
    let batchSizes: [Int]
    let runs: [Run]

    static let stored = Result {
      try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: GoldenTests.folder.appending(path: "torch_objectives.json")))
    }
    static let runs = (try? stored.get().runs) ?? []
  }

  static let image = ImageShape(5, 4, 2)
  static let classes = 5
  static let likelihoods: [String: Likelihood] = [
    "bernoulli": .bernoulli, "squaredError": .squaredError, "absoluteError": .absoluteError, "huber": .huber,
    "logCosh": .logCosh, "poisson": .poisson, "negativeBinomial": .negativeBinomial, "multinomial": .multinomial,
    "discretizedLogistic": .discretizedLogistic,
    "gaussian 0.25": .gaussian(variance: 0.25), "gaussian": .gaussian(), "categorical": .categorical,
    "labelSquaredError": .labelSquaredError,
  ]

  /// The chain of torch_objectives.py.
  static func model(_ likelihood: Likelihood) -> Autoencoder {
    var model = Autoencoder("objective", input: image, likelihood: likelihood) {
      Conv2D(3, kernel: 3, activation: .relu)
    } latent: {
      Dense(6, activation: .tanh)
    } decoder: {
      Dense(image.count)
      Reshape(image.height, image.width, image.channels)
    }
    switch likelihood {
    case .categorical: model.decoder = [Dense(classes)]
    case .labelSquaredError: model.decoder = [Dense(1)]
    case .gaussian(nil), .negativeBinomial, .discretizedLogistic:
      model.decoder = [Dense(2 * image.count), Reshape(image.height, image.width, 2 * image.channels)]
    default: break
    }
    return model
  }

  /// Waves with the labels of torch_objectives.py.
  static func data(_ batchSizes: [Int]) throws -> Dataset {
    let pixels = batchSizes.enumerated().flatMap {
      TestImages.waves(step: $0.offset, samples: $0.element, shape: image)
    }
    let labels = batchSizes.enumerated().flatMap { step, count in (0..<count).map { (3 * $0 + step) % classes } }
    return try Dataset(.floats(pixels), shape: image, labels: labels, source: "labelled waves")
  }

  /// Losses of fewer than 100 terms by float, and parameters after four updates of at most 0.1 in all by gradients
  /// that float rounds by some 1e-6.
  ///
  /// Optimisers that divide by the root of squared gradients are sensitive to small ones that are rounded: a hundredth
  /// of what they can move a weight in four steps.
  @Test(arguments: Golden.runs) func trainingIsPyTorchs(_ run: Golden.Run) throws {
    let golden = try Golden.stored.get()
    let model = Self.model(try #require(Self.likelihoods[run.likelihood]))
    let optimizer = try #require(Self.optimizers[run.optimizer])
    let tolerance: Float = optimizer.kind == .sgd ? 2e-6 : 0.04 * min(optimizer.learningRate, 0.01)
    for shards in [1, 3] {
      let step = try startedStep(
        model, batchSize: golden.batchSizes[0], shards: shards, optimizer: optimizer,
        clipValue: run.optimizer.hasSuffix("clip") ? 0.05 : nil,
        seed: golden.seed, data: Self.data(golden.batchSizes))
      var recipe = Recipe(model: model, optimizer: optimizer, epochs: nil, steps: golden.batchSizes.count)
      recipe.schedule = run.optimizer.hasSuffix("cycle") ? .oneCycle(rise: 0.5) : nil
      for (loss, wanted) in zip(try step.run(batchSizes: golden.batchSizes, recipe), run.losses) {
        #expect(abs(loss.total - wanted) < (optimizer.kind == .sgd ? 1e-5 : 1e-4) * wanted)
      }
      for (parameter, wanted) in zip(step.plan.parameters, run.parameters) {
        let worst = zip(parameter.tensor(in: step.parameters.pointer), wanted).map { abs($0 - $1) }.max() ?? 1
        #expect(worst < tolerance && parameter.count == wanted.count, "\(parameter.name) differs by \(worst)")
      }
    }
  }

  /// The optimisers of torch_objectives.py.
  static let optimizers: [String: Optimizer] = {
    func changed(_ optimizer: Optimizer, _ change: (inout Optimizer) -> Void) -> Optimizer {
      var optimizer = optimizer
      change(&optimizer)
      return optimizer
    }
    return [
      "sgd": Optimizer(.sgd), "sgd, decay": Optimizer(.sgd, weightDecay: 0.1),
      "sgd, l1": changed(Optimizer(.sgd)) { $0.weightL1 = 0.1 },
      "sgd, clip": Optimizer(.sgd), "adam, clip": Optimizer(.adam),
      "adam, betas, epsilon": changed(Optimizer(.adam)) { ($0.beta1, $0.beta2, $0.epsilon) = (0.8, 0.95, 1e-3) },
      "sgd, cycle": Optimizer(.sgd, learningRate: 0.02), "adam, cycle": Optimizer(.adam, learningRate: 0.002),
      "nesterov": changed(Optimizer(.sgd)) { $0.nesterov = true },
      "adam": Optimizer(.adam), "adam, decay": Optimizer(.adam, weightDecay: 0.1),
      "adam, l1": changed(Optimizer(.adam)) { $0.weightL1 = 0.1 }, "adamw": Optimizer(.adamw),
      "rmsprop": Optimizer(.rmsprop),
      "rmsprop, momentum, decay": changed(Optimizer(.rmsprop, weightDecay: 0.1)) { $0.momentum = 0.9 },
      "adagrad": Optimizer(.adagrad), "adagrad, decay": Optimizer(.adagrad, weightDecay: 0.1),
      "adadelta": Optimizer(.adadelta), "adadelta, decay": Optimizer(.adadelta, weightDecay: 0.1),
    ]
  }()

  /// The expected image of a decoder that puts out means and log-variances is the means.
  @Test func theExpectedImageOfAGaussianIsItsMeans() throws {
    let inference = try Inference(model: Self.model(.gaussian()), parallel: ParallelPlan(workers: 2, threads: 1))
    let bias = try #require(inference.plan.parameters.first { $0.name == "decoder.0.bias" })
    // C, H, W order: the first half are the means.
    let half = Self.image.count
    bias.store((0..<2 * half).map { $0 < half ? Float($0) : -5 }, in: inference.parameters.pointer)
    let data = try Self.data([3])
    let pixels = Self.image.height * Self.image.width
    let wanted = (0..<half).map { Float($0 % Self.image.channels * pixels + $0 / Self.image.channels) }
    #expect(inference.reconstruct(try data.images(0..<3)) == wanted + wanted + wanted)
    // d^2 e^5 + (-5) + ln(2 pi), halved and summed.
    let found = try Evaluator(inference, beta: 1, seed: 1).evaluate(data)
    let squares = try (0..<3).map { n in
      zip(try data.image(n), wanted).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    }
    let constant = Double(half) * (log(2 * Double.pi) - 5)
    let loss = squares.reduce(0) { $0 + ($1 * exp(5) + constant) / 2 } / 3
    #expect(abs(found.loss - loss) < 1e-5 * loss)
    let mse = squares.reduce(0, +) / 3 / Double(half)
    #expect(abs(try #require(found.mse) - mse) < 1e-5 * mse && found.ssim != nil)
  }

  @Test func allGoldenRunsAreThere() throws { #expect(try Golden.stored.get().runs.count == 31) }

  /// Every division of the work gives equal bits, with labels from any place of the data set and several minibatches.
  @Test(arguments: [Likelihood.categorical, .labelSquaredError])
  func labelsFollowTheirImagesThroughAnyDivision(_ likelihood: Likelihood) throws {
    let data = try Self.data([20, 17])
    let items = (0..<Int32(data.count)).map { ($0 * 11 + 5) % Int32(data.count) }
    let found = try [(1, 1), (3, 1), (2, 2)].map { workers, threads in
      let step = try startedStep(
        Self.model(likelihood), batchSize: 16, shards: 4, parallel: .init(workers: workers, threads: threads),
        data: data)
      return (try step.run(step: 0, items: items[...]), step.parameters.bits)
    }
    #expect(found[1] == found[0] && found[2] == found[0])
    // Another label is another loss.
    let labels = try #require(data.labels)
    let other = try Dataset(
      .floats(data.images(0..<data.count)), shape: Self.image, labels: labels.map { ($0 + 1) % Self.classes },
      source: "")
    let step = try startedStep(Self.model(likelihood), batchSize: 16, shards: 4, data: other)
    #expect(try step.run(step: 0, items: items[...]).total != found[0].0.total)
  }

  /// Error rate, confusion matrix and mean loss, from a chain whose logits are set by hand: class 2 for every image.
  @Test func anEvaluationOfAClassifierCountsItsErrors() throws {
    let model = Self.model(.categorical)
    let data = try Self.data([300, 10])
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 2, threads: 1))
    let bias = try #require(inference.plan.parameters.first { $0.name == "decoder.0.bias" })
    bias.store([0, 1, 3, -1, 0], in: inference.parameters.pointer)
    var rows: [SampleEvaluation] = []
    let found = try Evaluator(inference, beta: 1, seed: 1).evaluate(data) { rows.append($0) }
    let counts = (0..<Self.classes).map { label in data.labels!.count { $0 == label } }
    #expect(found.confusion == counts.map { [0, 0, $0, 0, 0] })
    #expect(found.errorRate == 1 - Double(counts[2]) / 310)
    #expect(rows.count == 310 && rows.allSatisfy { $0.measurement.prediction == 2 && $0.measurement.image == nil })
    let logits = [0, 1, 3, -1, 0.0]
    let normalizer = log(logits.reduce(0) { $0 + exp($1) })
    let wanted = zip(counts, logits).reduce(0) { $0 + Double($1.0) * (normalizer - $1.1) } / 310
    #expect(abs(found.loss - wanted) < 1e-6)
    #expect(found.mse == nil && found.psnr == nil && found.ssim == nil)
    #expect(found.classes == ["0", "1", "2", "3", "4"] && found.unknownClasses == nil)
  }

  /// Linear regression on a label that is a linear function of the image learns it.
  @Test func aNumberIsLearned() throws {
    let model = Autoencoder("regression", input: ImageShape(vector: 2), likelihood: .labelSquaredError) {
    } latent: {
      Dense(1)
    } decoder: {
    }
    let pixels = (0..<8).flatMap { [Float($0 % 4) / 4, Float($0 / 4)] }
    let data = try Dataset(
      .floats(pixels), shape: model.input, labels: (0..<8).map { 1 + $0 % 4 - 3 * ($0 / 4) }, source: "plane")
    let step = try startedStep(model, batchSize: 8, optimizer: Optimizer(.sgd, learningRate: 0.05), data: data)
    var loss = 1.0
    for t in 0..<400 { loss = try step.run(step: t, items: ArraySlice(0..<8)).total }
    #expect(loss < 1e-4)
    let inference = try Inference(
      model: model, parallel: ParallelPlan(workers: 1, threads: 1), parameters: step.parameters)
    var predictions: [Float] = []
    let found = try Evaluator(inference, beta: 1, seed: 1).evaluate(data) {
      predictions.append($0.measurement.prediction ?? .nan)
    }
    #expect(abs(found.loss - loss) < 1e-4 && found.errorRate == nil && found.confusion == nil)
    for (found, wanted) in zip(predictions, data.labels!) { #expect(abs(found - Float(wanted)) < 0.02) }
  }

  @Test func imagesWithoutFittingLabelsAreRefused() throws {
    func refusal(_ likelihood: Likelihood, _ labels: [Int]?) throws -> String {
      let pixels = [Float](repeating: 0.5, count: 3 * Self.image.count)
      let data = try Dataset(.floats(pixels), shape: Self.image, labels: labels, source: "some.npy")
      let recipe = Recipe(model: Self.model(likelihood), batchSize: 2)
      do {
        _ = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data)
        return "trains"
      } catch { return "\(error)" }
    }
    #expect(try refusal(.categorical, [0, 4, 2]) == "trains")
    #expect(try refusal(.squaredError, nil) == "trains")
    #expect(try refusal(.labelSquaredError, [0, -400, 2]) == "trains")
    #expect(try refusal(.categorical, nil).hasPrefix("some.npy: wanted a label for each image"))
    #expect(
      try refusal(.categorical, [0, 5, 7])
        == "some.npy: image 1: wanted a label of 0 to 4 for the model objective, found 5; its last layer puts out 5 "
        + "logits, and the labels go up to 7")
    #expect(try refusal(.categorical, [0, -1, 2]).contains("image 1: wanted a label of 0 to 4"))
    #expect(try refusal(.labelSquaredError, [0, 1 << 30, 2]).contains("found \(1 << 30)"))
  }
}
