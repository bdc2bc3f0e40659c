import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The importance-weighted bound against log p(x) in closed form: probabilistic principal components (Tipping & Bishop,
/// J. R. Stat. Soc. B 1999), x = W z + b + noise of variance v with z standard normal, so that x ~ N(b, W W' + v I).
@Suite struct ImportanceTests {
  static let variance: Float = 0.05
  /// Columns of W at right angles, so that the posterior is a Gaussian without correlations.
  static let columns: [[Float]] = [[0.5, 0.5, 0.5, 0.5], [0.3, -0.3, 0.3, -0.3]]
  static let bias: [Float] = [0.2, 0.4, 0.6, 0.8]

  static let model = Autoencoder("ppca", input: ImageShape(vector: 4), likelihood: .gaussian(variance: variance)) {
  } latent: {
    GaussianLatent(2)
  } decoder: {
    Dense(4)
  }

  static let data = Result { try TestImages.waves(batchSizes: [300], shape: model.input) }

  /// With the exact posterior, of which the mean is off by `shift` and the log-variance by `wider`.
  static func inference(shift: Float, wider: Float, workers: Int = 1) throws -> Inference {
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: workers, threads: 1))
    let variances = columns.map { column in 1 / (1 + column.reduce(0) { $0 + $1 * $1 } / variance) }
    let means = zip(columns, variances).map { column, s in column.map { s * $0 / variance } }
    let values: [String: [Float]] = [
      "decoder.0.weight": (0..<4).flatMap { i in columns.map { $0[i] } }, "decoder.0.bias": bias,
      "latent.mean.weight": means.flatMap(\.self),
      "latent.mean.bias": means.map { shift - zip($0, bias).reduce(0) { $0 + $1.0 * $1.1 } },
      "latent.logVariance.weight": [Float](repeating: 0, count: 8),
      "latent.logVariance.bias": variances.map { wider + Float(log(Double($0))) },
    ]
    for parameter in inference.plan.parameters {
      parameter.store(try #require(values[parameter.name]), in: inference.parameters.pointer)
    }
    return inference
  }

  /// -log N(x; b, W W' + v I), the inverse by Woodbury's identity.
  static func negativeLogLikelihood(_ x: [Float]) -> Double {
    let v = Double(variance)
    let d = zip(x, bias).map { Double($0) - Double($1) }
    var (quadratic, logDeterminant) = (d.reduce(0) { $0 + $1 * $1 }, 4 * log(v))
    for column in columns {
      let length = column.reduce(0.0) { $0 + Double($1) * Double($1) }
      let along = zip(column, d).reduce(0) { $0 + Double($1.0) * $1.1 }
      quadratic -= along * along / (v + length)
      logDeterminant += log(1 + length / v)
    }
    return (quadratic / v + logDeterminant + 4 * log(2 * Double.pi)) / 2
  }

  /// Drawn from the exact posterior every weight is p(x) itself, whatever K and the draw.
  @Test(arguments: [1, 2, 7]) func theExactPosteriorGivesTheLikelihood(_ draws: Int) throws {
    let inference = try Self.inference(shift: 0, wider: 0)
    let images = try Self.data.get().images(0..<60)
    let found = inference.importanceBounds(images, draws: draws, seed: 5, step: 0)
    for (n, bound) in found.enumerated() {
      let wanted = Self.negativeLogLikelihood(Array(images[4 * n..<4 * n + 4]))
      // Squares of some 10 deviations over v, in float.
      #expect(abs(bound + wanted) < 1e-4 * (1 + abs(wanted)))
    }
  }

  /// From another distribution the bound is below log p(x), grows with K (Burda et al.) and comes near it.
  @Test func theBoundGrowsTowardsTheLikelihood() throws {
    let data = try Self.data.get()
    let images = try data.images(0..<data.count)
    let exact = (0..<data.count).reduce(0.0) { $0 + Self.negativeLogLikelihood(Array(images[4 * $1..<4 * $1 + 4])) }
    let wanted = exact / Double(data.count)
    let evaluator = Evaluator(try Self.inference(shift: 0.1, wider: 0.5, workers: 2), beta: 1, seed: 3)
    let found = try [1, 10, 2000].map { draws in
      let evaluation = try evaluator.evaluate(data, importanceSamples: draws)
      #expect(evaluation.importanceSamples == draws)
      return try #require(evaluation.negativeLogLikelihood)
    }
    #expect(found[0] > found[1] && found[1] > found[2])
    #expect(found[0] - wanted > 0.1)
    // The weights' relative variance is below 1: a mean over 2000 draws and 300 images errs by 1 / sqrt(600,000).
    #expect(abs(found[2] - wanted) < 5e-3, "\(found[2]) for \(wanted)")
    // With one draw it is the evidence lower bound, but for the divergence that is known without draws.
    let elbo = try #require(try evaluator.evaluate(data).negativeELBO)
    #expect(abs(found[0] - elbo) < 0.3)
    #expect(try evaluator.evaluate(data).negativeLogLikelihood == nil)
  }

  @Test func theBoundDependsOnNoDivision() throws {
    let data = try Self.data.get()
    let found = try [1, 3].map { workers in
      try Evaluator(Self.inference(shift: 0.1, wider: 0.2, workers: workers), beta: 1, seed: 3)
        .evaluate(data, importanceSamples: 5)
    }
    #expect(found[0] == found[1])
  }

  @Test func theLogarithmOfASumOverflowsNowhere() {
    var bound = ImportanceBound()
    for weight in [-1000.0, 1000, -1000, 1000] { bound.add(weight) }
    #expect(abs(bound.value - (1000 - log(2))) < 1e-12)
    var low = ImportanceBound()
    for _ in 0..<3 { low.add(-5000) }
    #expect(abs(low.value + 5000) < 1e-12)
  }
}
