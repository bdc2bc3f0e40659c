import Foundation
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Tied weights, penalties and structural similarity against PyTorch's automatic differentiation, whose results lie in
/// Golden/torch_family.json beside the script that made them.
@Suite struct FamilyTests {
  struct Golden: Decodable {
    struct Model: Decodable {
      let loss, penalty: Double
      let gradients: [String: [Float]]
    }
    let seed: UInt64
    let samples: Int
    let beta: Float
    let models: [String: Model]
  }

  static let names = [
    "l1", "activity", "zero-mean", "mmd", "contractive", "contractive-convolutions", "tied-convolutions", "ssim",
    "ms-ssim",
    "l2", "two-penalties", "info-vae", "total-correlation", "dip-i", "dip-ii",
    "quantizer", "two-codebooks",
  ]

  static func model(_ name: String) throws -> Autoencoder {
    func dense(_ penalties: any Penalty..., code: Activation, hidden: [Int] = [12]) -> Autoencoder {
      var model = Autoencoder.dense(
        [40] + hidden + [5], name: name, input: ImageShape(5, 4, 2), activation: .tanh, code: code, isTied: true)
      model.penalties = penalties
      return model
    }
    func gaussian(_ penalties: any Penalty...) -> Autoencoder {
      var model = Autoencoder(name, input: ImageShape(5, 4, 2), likelihood: .squaredError) {
        Dense(12, activation: .tanh)
      } latent: {
        GaussianLatent(3)
      } decoder: {
        Dense(40, activation: .sigmoid)
        Reshape(5, 4, 2)
      }
      model.penalties = penalties
      return model
    }
    switch name {
    case "l1": return dense(L1Penalty(weight: 0.3), code: .sigmoid)
    case "activity": return dense(ActivityPenalty(target: 0.2, weight: 0.5), code: .sigmoid)
    case "zero-mean": return dense(ZeroMeanPenalty(weight: 3), code: .tanh)
    case "mmd": return dense(MMDPenalty(weight: 5), code: .linear)
    case "l2": return dense(L2Penalty(weight: 0.3), code: .tanh)
    case "two-penalties":
      return dense(L1Penalty(weight: 0.3), ActivityPenalty(target: 0.2, weight: 0.5), code: .sigmoid)
    case "info-vae": return gaussian(MMDPenalty(weight: 5))
    case "total-correlation": return gaussian(TotalCorrelationPenalty(weight: 2))
    case "dip-i": return gaussian(DIPPenalty(.means, weight: 3, diagonal: 5))
    case "dip-ii": return gaussian(DIPPenalty(.samples, weight: 3, diagonal: 2), L1Penalty(weight: 0.1))
    case "contractive": return dense(ContractivePenalty(weight: 0.4), code: .sigmoid, hidden: [])
    case "contractive-convolutions":
      return Autoencoder(
        name, input: ImageShape(7, 6, 2), likelihood: .squaredError, penalty: ContractivePenalty(weight: 500)
      ) {
        Conv2D(3, kernel: 4, stride: 2, activation: .tanh)
        Dropout(0.3)
        Conv2D(4, kernel: 3, activation: .softplus)
      } latent: {
        Dense(6, activation: .sigmoid)
      } decoder: {
        TiedDense(to: "latent", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.2", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      }
    case "tied-convolutions":
      return Autoencoder(name, input: ImageShape(7, 6, 2), likelihood: .squaredError) {
        Conv2D(3, kernel: 4, stride: 2, activation: .tanh)
        Conv2D(4, kernel: 3, activation: .tanh)
      } latent: {
        Dense(6)
      } decoder: {
        TiedDense(to: "latent", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.1", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      }
    case "quantizer", "two-codebooks":
      return Autoencoder(
        name, input: ImageShape(7, 6, 2), likelihood: .squaredError, penalty: L2Penalty(weight: 0.3)
      ) {
        Conv2D(6, kernel: 4, stride: 2, activation: .tanh)
      } latent: {
        name == "quantizer" ? VectorQuantizer(5) : VectorQuantizer(3, codebooks: 2, commitment: 2)
      } decoder: {
        Dense(84, activation: .sigmoid)
        Reshape(7, 6, 2)
      }
    case "ms-ssim":
      return LayerCases.multiScaleModel
    case "ssim":
      return LayerCases.similarModel
    default: throw ModelError(name, "no such model")
    }
  }

  /// Sums of a few hundred products in float: a part in 10^5 of the largest gradient is far above their rounding.
  @Test(arguments: names)
  func lossAndGradientsArePyTorchs(_ name: String) throws {
    let path = GoldenTests.folder.appending(path: "torch_family.json")
    let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: path))
    let wanted = try #require(golden.models[name])
    let model = try Self.model(name)
    let data = try TestImages.waves(batchSizes: [golden.samples], shape: model.input)
    // Shards of four samples and of three.
    let step = try startedStep(
      model, batchSize: 8, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0), seed: golden.seed,
      beta: golden.beta, data: data)
    let loss = try step.run(batchSizes: [golden.samples])[0]
    #expect(abs(loss.total - wanted.loss) < 1e-5 * wanted.loss, "\(loss)")
    #expect(abs(loss.terms - wanted.penalty) <= 1e-5 * abs(wanted.penalty), "\(loss)")

    #expect(Set(step.plan.parameters.map(\.name)) == Set(wanted.gradients.keys))
    for parameter in step.plan.parameters {
      let found = parameter.tensor(in: step.gradient.pointer).map { $0 / Float(golden.samples) }
      let gradient = try #require(wanted.gradients[parameter.name])
      try #require(found.count == gradient.count)
      let scale = gradient.map(abs).max() ?? 0
      let worst = zip(found, gradient).map { abs($0 - $1) }.max() ?? 1
      #expect(worst < 1e-5 * scale, "\(parameter.name): \(worst) of \(scale)")
    }
  }

  /// What an evaluation says of codes follows from the codes.
  @Test func anEvaluationCountsActiveUnits() throws {
    let model = try Self.model("l1")
    let data = try TestImages.waves(batchSizes: [20], shape: model.input)
    let step = try startedStep(model, batchSize: 20, data: data)
    // One unit never moves: its weights are 0 and its bias far below.
    for parameter in step.plan.parameters where parameter.name.hasPrefix("latent") {
      var values = parameter.tensor(in: step.parameters.pointer)
      for i in 0..<values.count / 5 { values[i] = parameter.shape.count == 1 ? -9 : 0 }
      for i in values.count / 5..<values.count { values[i] *= 9 }
      parameter.store(values, in: step.parameters.pointer)
    }
    let inference = try Inference(
      model: model, parallel: ParallelPlan(workers: 2, threads: 1), parameters: step.parameters)
    let result = try Evaluator(inference, beta: 0.5, seed: 1).evaluate(data)
    let codes = inference.encode(try data.images(0..<20))
    let sparsity = try #require(result.sparsity)
    let counts = (0..<5).map { unit in (0..<20).count { codes[5 * $0 + unit] > 0.1 } }
    #expect(sparsity.frequencies == counts.map { Double($0) / 20 })
    #expect(sparsity.deadUnits == counts.count { $0 == 0 } && counts[0] == 0)
    #expect(abs(sparsity.activeFraction - Double(counts.reduce(0, +)) / 100) < 1e-12)
    // The penalty is 0.3 times the sum of five magnitudes.
    let penalty = try #require(result.penalty)
    #expect(abs(penalty - 0.3 * 5 * sparsity.meanActivity) < 1e-6)
    let reconstruction = try #require(result.reconstruction)
    #expect(abs(result.loss - (reconstruction + 0.5 * penalty)) < 1e-9)
    #expect(result.kl == nil && result.activeUnits == nil)
    let again = try JSONDecoder().decode(Evaluation.self, from: Data(JSONText.line(result).utf8))
    #expect(again == result)
  }

  /// Codes from the prior have less discrepancy from it than the same codes moved away; the estimate is unbiased, so
  /// its mean over many shards is near 0.
  @Test func theDiscrepancyOfThePriorIsZero() throws {
    let model = Autoencoder(
      "m", input: ImageShape(vector: 3), likelihood: .squaredError, penalty: MMDPenalty(weight: 1)
    ) {
    } latent: {
      Dense(3)
    } decoder: {
      Dense(3)
    }
    let means = try [Float(0), 1].map { shift in
      let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 1))
      for parameter in inference.plan.parameters where parameter.name.hasPrefix("latent") {
        let identity: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1]
        parameter.store(
          parameter.shape.count == 2 ? identity : [shift, shift, shift], in: inference.parameters.pointer)
      }
      var sum = 0.0
      for batch in 0..<8 {
        let images = RandomStream(seed: 5, .sampling, step: batch).normal(3 * Inference.batchSize)
        let measured = inference.measure(images, noise: .evaluation(seed: 7, step: batch))
        sum += measured.reduce(0) { $0 + Double($1.terms[0]) } / Double(8 * measured.count)
      }
      return sum
    }
    #expect(abs(means[0]) < 0.03 && means[1] > 0.5, "\(means)")
  }
}
