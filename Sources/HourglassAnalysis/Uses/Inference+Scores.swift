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
  ///   - transport: of the processes that share the work, see `SharedBatches`; nil for one process.
  public func scores(
    of data: Dataset, by kind: AnomalyScores.Kind, samples: Int? = nil, seed: UInt64,
    sharedBy transport: (any Transport)? = nil
  ) throws -> AnomalyScores {
    try data.checkTargets(for: plan)
    if let samples, !Self.drawRange.contains(samples) {
      throw ModelError("samples", "wanted 1 to \(Self.drawRange.upperBound) draws of a code, found \(samples)")
    }
    var batches = SharedBatches<Double>(data, sharedBy: transport) { batch in
      let (images, labels) = (try data.images(batch), data.labels?[batch.images])
      if let samples, kind == .likelihood, self.plan.model.isVariational {
        return self.evidenceBounds(images, labels: labels, draws: samples, seed: seed).map { -$0 }
      }
      return self.measure(images, labels: labels, noise: .none).map { self.score($0, by: kind) }
    }
    var scores: [Double] = []
    while let (_, some) = try batches.next() { scores += some }
    return AnomalyScores(scores)
  }

  /// The score of an image that was measured at the mean of its code.
  func score(_ its: Measurement, by kind: AnomalyScores.Kind) -> Double {
    if kind == .error, let image = its.image { return Double(image.squaredError) }
    return Double(its.reconstruction) + (plan.model.isVariational ? Double(its.terms[0]) : 0)
  }
}
