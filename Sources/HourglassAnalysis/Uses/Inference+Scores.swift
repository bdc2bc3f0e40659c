import HourglassData
import HourglassModels
import HourglassTraining

extension Inference {
  /// The score of each image, see `AnomalyScores`. For a model that puts out labels it is always the likelihood.
  ///
  /// A score follows from the image alone: it is taken at the mean of the code or, with `samples`, it is the mean over
  /// so many draws of the code, see `evidenceBounds`. Penalties are no part of it, for some penalties weigh images
  /// against their neighbours.
  ///
  /// Errors: images or labels that the model does not take, or that cannot be read; draws that nobody takes.
  ///
  /// - Parameters:
  ///   - samples: how many codes of a variational model are drawn for the likelihood; nil for the mean of the code.
  ///   - seed: the seed of the draws.
  public func scores(
    of data: Dataset, by kind: AnomalyScores.Kind, samples: Int? = nil, seed: UInt64
  ) throws -> AnomalyScores {
    try data.checkTargets(for: plan)
    if let samples, !Self.drawRange.contains(samples) {
      throw ModelError("samples", "wanted 1 to \(Self.drawRange.upperBound) draws of a code, found \(samples)")
    }
    var scores: [Double] = []
    for start in stride(from: 0, to: data.count, by: Self.batchSize) {
      let range = start..<min(start + Self.batchSize, data.count)
      let images = try data.images(range)
      data.announce((range.upperBound..<min(range.upperBound + range.count, data.count)).lazy.map { Int32($0) })
      let labels = data.labels?[range]
      if let samples, kind == .likelihood, plan.model.isVariational {
        scores += evidenceBounds(images, labels: labels, draws: samples, seed: seed).map { -$0 }
        continue
      }
      scores += measure(images, labels: labels, noise: .none).map { score($0, by: kind) }
    }
    return AnomalyScores(scores)
  }

  /// The score of an image that was measured at the mean of its code.
  func score(_ its: Measurement, by kind: AnomalyScores.Kind) -> Double {
    if kind == .error, let image = its.image { return Double(image.squaredError) }
    return Double(its.reconstruction) + (plan.model.isVariational ? Double(its.terms[0]) : 0)
  }
}
