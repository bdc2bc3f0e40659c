import HourglassData
import HourglassTraining

/// The score above which an image counts as an anomaly, as a run keeps it in threshold.json.
public struct ScoreThreshold: Codable, Sendable, Equatable {
  public var value: Double
  /// The kind of scores that the threshold is compared with.
  public var by: AnomalyScores.Kind
  /// The draws of the code for each score; nil for scores at its mean.
  public var samples: Int?
  /// The words for how the threshold was chosen.
  public var chosen: String
  /// The class that was normal then, where one was named.
  public var normalClass: String?
  /// The hash of the weights for whose scores the threshold was chosen.
  public var weightsHash: String

  public init(
    value: Double, by: AnomalyScores.Kind, samples: Int?, chosen: String, normalClass: String?, weightsHash: String
  ) {
    (self.value, self.by, self.samples) = (value, by, samples)
    (self.chosen, self.normalClass, self.weightsHash) = (chosen, normalClass, weightsHash)
  }
}

extension RunFolder {
  /// The threshold that the run keeps; nil where it keeps none. Errors: its file cannot be read, or is damaged.
  public func threshold() throws(DataError) -> ScoreThreshold? {
    guard let bytes = try InputFile.contents(ifThere: file(Self.thresholdName)) else { return nil }
    return try JSONFile.decode(
      ScoreThreshold.self, from: bytes, path: file(Self.thresholdName), what: "no threshold of scores")
  }

  /// Writes threshold.json.
  public func save(_ threshold: ScoreThreshold) throws(DataError) { try save(threshold, as: Self.thresholdName) }

  private static let thresholdName = "threshold.json"
}
