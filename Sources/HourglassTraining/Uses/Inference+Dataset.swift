import HourglassData
import HourglassModels

extension Inference {
  /// The codes of a data set's images, read a batch at a time.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func codes(of data: Dataset) throws -> [Float] {
    try data.checkShape(for: plan)
    var codes: [Float] = []
    codes.reserveCapacity(data.count * codeCount)
    for start in stride(from: 0, to: data.count, by: Self.batchSize) {
      codes += encode(try data.images(start..<min(start + Self.batchSize, data.count)))
    }
    return codes
  }

  /// The score of each image, see `AnomalyScores`; of a variational model with one sample of the code, of a model that
  /// puts out labels always the likelihood.
  public func scores(of data: Dataset, by kind: AnomalyScores.Kind, seed: UInt64) throws -> AnomalyScores {
    var scores: [Double] = []
    _ = try Evaluator(self, beta: 1, seed: seed).evaluate(data) { sample in
      let its = sample.measurement
      let likelihood = Double(its.reconstruction) + Double(its.divergence)
      scores.append(kind == .error ? its.image.map { Double($0.squaredError) } ?? likelihood : likelihood)
    }
    return AnomalyScores(scores)
  }
}
