import HourglassData
import HourglassTraining

/// The score above which an image counts as an anomaly, as a run keeps it in threshold.json.
public struct ScoreThreshold: Codable, Sendable, Equatable {
  /// The score above which an image counts as an anomaly.
  public var value: Double
  /// The kind of scores that the value is compared with.
  public var by: AnomalyScores.Kind
  /// The draws of the code for each score; nil where a score is taken at the mean of the code.
  public var samples: Int?
  /// How the value was chosen, for people to read.
  public var chosen: String
  /// The class that counted as normal, where one was named.
  public var normalClass: String?
  /// The hash of the weights whose scores it was chosen for.
  public var weightsHash: String

  public init(
    value: Double, by: AnomalyScores.Kind, samples: Int?, chosen: String, normalClass: String?, weightsHash: String
  ) {
    (self.value, self.by, self.samples) = (value, by, samples)
    (self.chosen, self.normalClass, self.weightsHash) = (chosen, normalClass, weightsHash)
  }
}

extension RunFolder {
  /// The threshold that the run keeps; nil where it keeps none.
  ///
  /// Errors: its file cannot be read, or is damaged.
  public func threshold() throws(DataError) -> ScoreThreshold? {
    guard let bytes = try InputFile.contents(ifThere: file(Self.thresholdName)) else { return nil }
    return try JSONFile.decode(
      ScoreThreshold.self, from: bytes, path: file(Self.thresholdName), what: "no threshold of scores")
  }

  /// Writes threshold.json. Errors: the file cannot be written.
  public func save(_ threshold: ScoreThreshold) throws(DataError) { try save(threshold, as: Self.thresholdName) }

  private static let thresholdName = "threshold.json"
}
