import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Sums of an evaluation against plain sums in double over the images it looked at.
@Suite struct EvaluatorTests {
  /// More than one batch of inference, the last one partial.
  static let samples = Inference.batchSize + 37

  static func inference(_ model: Autoencoder, _ parallel: ParallelPlan) throws -> Inference {
    let inference = try Inference(model: model, parallel: parallel)
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 9)
    return inference
  }

  static let one = ParallelPlan(workers: 1, threads: 1)

  /// The expected images are as the decoder made them; all else is arithmetic on them.
  @Test func anAutoencodersFiguresAreThoseOfItsReconstructions() throws {
    let model = TinyModels.autoencoder
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: model.input)
    let inference = try Self.inference(model, Self.one)
    let images = try data.images(0..<data.count)
    let reconstructions = inference.reconstruct(images)
    #expect(reconstructions.count == images.count)
    let differences = zip(reconstructions, images).map { Double($0) - Double($1) }
    let squares = differences.map { $0 * $0 }
    let sum = squares.reduce(0, +)
    var rows: [SampleEvaluation] = []
    let found = try Evaluator(inference, beta: 1, seed: 0).evaluate(data) { rows.append($0) }
    // Per-sample sums of 189 floats: 189 x 2^-24 = 1.1e-5 relative.
    let n = Double(data.count)
    #expect(found.samples == data.count && rows.map(\.index) == Array(0..<data.count))
    let (mse, psnr, ssim) = (try #require(found.mse), try #require(found.psnr), try #require(found.ssim))
    #expect(abs(mse - sum / n / 189) < 1.2e-5 * mse)
    #expect(abs(psnr + 10 * log10(mse)) < 1e-9)
    #expect(found.errorRate == nil && found.confusion == nil)
    #expect(abs(found.loss - sum / n) < 1.2e-5 * found.loss, "squared error is summed over pixels")
    #expect(found.weightsHash == WeightsHash.of(inference.parameters, plan: inference.plan))
    #expect(found.kl == nil && found.negativeELBO == nil && found.activeUnits == nil && found.reconstruction == nil)
    for row in rows {
      let own = squares[row.index * 189..<(row.index + 1) * 189].reduce(0, +)
      #expect(abs(Double(row.measurement.reconstruction) - own) < 1.2e-5 * own)
      #expect(row.measurement.terms.isEmpty)
    }
    // Structural similarity of each pair by itself.
    var similarity = StructuralSimilarity(shape: model.input)
    let mean = (0..<data.count).reduce(0.0) { sum, n in
      sum
        + similarity.value(
          Array(reconstructions[n * 189..<(n + 1) * 189]), Array(images[n * 189..<(n + 1) * 189]))
    }
    #expect(abs(ssim - mean / n) < 1e-6)
  }

  /// With the same parameters, to the bit: images, codes and losses; the latent's samples as well.
  @Test func dropoutAndNoiseAreTheIdentityOutsideTraining() throws {
    let noisy = TinyModels.denoising
    var plain = noisy
    plain.encoder = noisy.encoder.filter { !($0 is Dropout) && !($0 is GaussianNoise) }
    plain.decoder = noisy.decoder.filter { !($0 is Dropout) && !($0 is GaussianNoise) }
    #expect(plain.encoder.count == 2 && plain.decoder.count == 4)
    let data = try TestImages.waves(batchSizes: [20], shape: noisy.input)
    let found = try [noisy, plain].map { model in
      let inference = try Self.inference(model, Self.one)
      let images = try data.images(0..<20)
      let measured = inference.measure(images, noise: .evaluation(seed: 3, step: 0)).map(\.reconstruction)
      return [inference.encode(images), inference.reconstruct(images), measured]
    }
    #expect(found[0] == found[1])
  }

  /// KL from the code's two heads in double, and the Bernoulli term from its closed form.
  @Test func aVariationalAutoencodersFiguresFollowTheirFormulas() throws {
    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: model.input)
    let inference = try Self.inference(model, Self.one)
    let images = try data.images(0..<data.count)
    let found = try Evaluator(inference, beta: 0.5, seed: 3).evaluate(data)
    let (reconstruction, kl) = (try #require(found.reconstruction), try #require(found.kl))
    #expect(abs(found.loss - (reconstruction + 0.5 * kl)) < 1e-9 * found.loss)
    #expect(abs(try #require(found.negativeELBO) - (reconstruction + kl)) < 1e-9 * found.loss)

    // Heads that ignore the image: mean m, log-variance v, so KL = 1/2 sum(m^2 + exp(v) - 1 - v) for each image.
    let (means, variances): ([Float], [Float]) = ([0.5, -1, 0], [0.25, 0, -1])
    for (head, bias) in [("mean", means), ("logVariance", variances)] {
      for parameter in inference.plan.parameters where parameter.name.hasPrefix("latent.\(head)") {
        parameter.store(
          parameter.name.hasSuffix("bias") ? bias : [Float](repeating: 0, count: parameter.count),
          in: inference.parameters.pointer)
      }
    }
    let fixed = try Evaluator(inference, beta: 1, seed: 3).evaluate(data)
    let wanted = zip(means, variances).reduce(0.0) { sum, unit in
      let (m, v) = (Double(unit.0), Double(unit.1))
      return sum + (m * m + exp(v) - 1 - v) / 2
    }
    #expect(abs(try #require(fixed.kl) - wanted) < 1e-6 * wanted)
    #expect(fixed.activeUnits == 0, "no unit's mean varies")
    #expect(try inference.encode(data.image(0)) == means)

    // With no decoder weights the logits are the last bias b: sum over pixels of log(1 + e^b) - b t.
    for parameter in inference.plan.parameters where parameter.name.hasPrefix("decoder.3") {
      parameter.store(
        [Float](repeating: parameter.name.hasSuffix("bias") ? 0.75 : 0, count: parameter.count),
        in: inference.parameters.pointer)
    }
    let flat = try Evaluator(inference, beta: 1, seed: 3).evaluate(data)
    let term = images.reduce(0.0) { $0 + log(1 + exp(0.75)) - 0.75 * Double($1) } / Double(data.count)
    #expect(abs(try #require(flat.reconstruction) - term) < 64 * 0x1p-24 * term)
    let p = 1 / (1 + exp(-0.75))
    let mse = images.reduce(0.0) { $0 + (p - Double($1)) * (p - Double($1)) } / Double(images.count)
    #expect(abs(try #require(flat.mse) - mse) < 64 * 0x1p-24 * mse + 1e-7)
  }

  /// A unit is active when the variance of its mean over the data exceeds 0.01.
  @Test func activeUnitsAreThoseWhoseMeanVaries() throws {
    let model = Autoencoder("units", input: ImageShape(vector: 3), likelihood: .bernoulli) {
    } latent: {
      GaussianLatent(3)
    } decoder: {
      Dense(3)
    }
    // Pixels 0 or 1 in turn have the variance 1/4, so a weight w gives w^2 / 4: 0.25, 0.0121 and 0.0081.
    let pixels = (0..<400).flatMap { n in [Float](repeating: Float(n % 2), count: 3) }
    let data = try Dataset(.floats(pixels), shape: model.input, source: "two values")
    let inference = try Inference(model: model, parallel: Self.one)
    let weight = try #require(inference.plan.parameters.first { $0.name == "latent.mean.weight" })
    weight.store([1, 0, 0, 0, 0.22, 0, 0, 0, 0.18], in: inference.parameters.pointer)
    let evaluator = Evaluator(inference, beta: 1, seed: 0)
    let variances = try evaluator.unitVariances(data, images: data.count)
    for (found, wanted) in zip(variances, [0.25, 0.0121, 0.0081]) { #expect(abs(found - wanted) < 1e-6) }
    #expect(try evaluator.evaluate(data).activeUnits == 2)
  }

  @Test(arguments: TinyModels.all.indices) func figuresDependOnNoDivision(_ index: Int) throws {
    let model = TinyModels.all[index]
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: model.input)
    let divisions = [Self.one, ParallelPlan(workers: 3, threads: 1), ParallelPlan(workers: 2, threads: 2)]
    let found = try divisions.map { try Evaluator(Self.inference(model, $0), beta: 1, seed: 4).evaluate(data) }
    #expect(found[1] == found[0] && found[2] == found[0])
    let codes = try divisions.map { try Self.inference(model, $0).encode(try data.images(0..<50)) }
    #expect(codes[1] == codes[0] && codes[2] == codes[0])
    #expect(codes[0].count == 50 * (model.isVariational ? 3 : (model.latent as? Dense)?.units ?? 0))
  }

  /// reconstruct = decode of encode, and inference sees the weights that training left.
  @Test(arguments: TinyModels.all.indices) func encodingAndDecodingMakeTheReconstruction(_ index: Int) throws {
    let model = TinyModels.all[index]
    guard try ExecutionPlan(model, batchSize: 8).decodingRefusal == nil else { return }
    let data = try TestImages.waves(batchSizes: [300], shape: model.input)
    let inference = try Self.inference(model, Self.one)
    let images = try data.images(0..<300)
    #expect(inference.decode(inference.encode(images)) == inference.reconstruct(images))
    #expect(inference.reconstruct(images).allSatisfy { (0...1).contains($0) })
    #expect(inference.reconstruct([]).isEmpty)
  }
}
