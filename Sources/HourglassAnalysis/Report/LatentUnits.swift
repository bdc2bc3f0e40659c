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

  /// What a unit of a variational model tells of an image.
  enum Kind: String, CaseIterable {
    /// More than 0.1 nats of KL divergence.
    case informative
    /// Less, though its mean varies over the images with a variance above 0.01, which is what counts as active (Burda
    /// et al. 2015).
    case faint
    /// Nothing.
    case inactive
  }

  static let informative = 0.1

  /// The kind of each unit; nil without a prior.
  var kinds: [Kind]? {
    divergences.map { divergences in
      zip(divergences, variances).map { divergence, variance in
        divergence > Self.informative ? .informative : variance > Evaluation.activeVariance ? .faint : .inactive
      }
    }
  }

  /// A sentence on how many units there are of each kind; nil without a prior.
  var sentence: String? {
    guard let kinds else { return nil }
    func count(_ kind: Kind) -> Int { kinds.count { $0 == kind } }
    let (informative, faint, inactive) = (count(.informative), count(.faint), count(.inactive))
    return "\(informative) of \(kinds.count) latent units tell\(informative == 1 ? "s" : "") more than "
      + "\(Self.informative) nats of an image"
      + (faint > 0 ? ", \(faint) \(faint == 1 ? "is" : "are") barely alive" : "")
      + (inactive > 0 ? ", \(inactive) \(inactive == 1 ? "is" : "are") inactive" : "") + "."
  }
}

extension LatentUnits {
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
