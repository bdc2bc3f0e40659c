import Glibc
import HourglassData
import HourglassKernels
import HourglassModels
import HourglassTraining

/// What each unit of the code does over some images, in the units' order.
struct LatentUnits {
  /// The variance of each unit over the images; for a variational model, the variance of its mean.
  let variances: [Double]
  /// The mean over the images of each unit's share of the KL divergence from the prior, in nats; nil without a prior.
  let divergences: [Double]?

  /// Whether each unit is active: its variance is above 0.01 (Burda et al. 2015).
  var isActive: [Bool] { variances.map { $0 > Evaluation.activeVariance } }

  /// Errors: an image cannot be read.
  init(_ data: Dataset, _ inference: Inference, seed: UInt64) throws {
    variances = try Evaluator(inference, beta: 1, seed: seed).unitVariances(data, images: data.count)
    guard inference.plan.model.isVariational else {
      divergences = nil
      return
    }
    let units = inference.codeCount
    var sums = [Double](repeating: 0, count: units)
    for start in stride(from: 0, to: data.count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, data.count)
      let posterior = inference.posterior(try data.images(range), labels: data.labels?[range])
      for first in stride(from: 0, to: posterior.count, by: 2 * units) {
        for unit in 0..<units {
          let mean = Double(posterior[first + unit])
          // Clamped as the latent clamps it.
          let logVariance = min(
            max(Double(posterior[first + units + unit]), Double(HG_LOG_VARIANCE_MIN)), Double(HG_LOG_VARIANCE_MAX))
          sums[unit] += (mean * mean + exp(logVariance) - 1 - logVariance) / 2
        }
      }
    }
    divergences = sums.map { $0 / Double(data.count) }
  }
}
