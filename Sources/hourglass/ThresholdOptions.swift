import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassTraining

/// The flags that choose the threshold, the score above which an image counts as an anomaly; one of them at most.
struct ThresholdOptions: ParsableArguments {
  @Option(help: "Set the threshold so that this part of the images trained on is above it: more than 0, at most 0.5.")
  var contamination: Double?

  @Option(help: ArgumentHelp("Set the threshold to this score.", valueName: "score"))
  var threshold: Double?

  @Flag(
    help: """
      Set the threshold to the score with the greatest F1 over the images at hand, for which --normal-class or masks \
      tell the truth.
      """)
  var bestF1 = false

  @Option(
    help: ArgumentHelp(
      "Set the threshold to the least score that at most this part of the normal images exceeds: the images of "
        + "--normal-class, or else the images trained on. At least 0, below 1.", valueName: "part"))
  var falsePositiveRate: Double?

  @Flag(help: "Keep the threshold in the run as threshold.json; later scores use it where no other is chosen.")
  var saveThreshold = false

  private var flags: [String] {
    [
      contamination.map { _ in "--contamination" }, threshold.map { _ in "--threshold" }, bestF1 ? "--best-f1" : nil,
      falsePositiveRate.map { _ in "--false-positive-rate" },
    ].compactMap(\.self)
  }

  func validate() throws {
    if flags.count > 1 {
      throw ValidationError("wanted one threshold, found \(flags.joined(separator: " and "))")
    }
    if let contamination, !AnomalyScores.isContamination(contamination) {
      throw ValidationError("--contamination: wanted a part above 0 and at most 0.5, found \(contamination)")
    }
    if let threshold, !threshold.isFinite {
      throw ValidationError("--threshold: wanted a finite number, found \(threshold)")
    }
    if let falsePositiveRate, !AnomalyScores.isRate(falsePositiveRate) {
      throw ValidationError("--false-positive-rate: wanted at least 0 and below 1, found \(falsePositiveRate)")
    }
    if saveThreshold, flags.isEmpty {
      throw ValidationError(
        "--save-threshold: wanted a threshold to keep, found none; choose it with --contamination, --threshold, "
          + "--best-f1 or --false-positive-rate")
    }
  }

  /// The threshold that the run keeps, if none was chosen.
  ///
  /// Errors: it belongs to other weights.
  func kept(by loaded: LoadedRun) throws -> ScoreThreshold? {
    guard flags.isEmpty, let kept = try loaded.run.threshold() else { return nil }
    guard kept.weightsHash == loaded.weightsHash else {
      throw DataError(
        path: loaded.run.file("threshold.json"),
        reason:
          "wanted a threshold for the weights \(loaded.weightsHash), found one for \(kept.weightsHash), because the "
          + "run was trained on or another checkpoint is read; choose a threshold anew, with --save-threshold to keep "
          + "it"
      )
    }
    return kept
  }

  /// The threshold that was chosen, if one was.
  ///
  /// - Parameters:
  ///   - truth: whether each image is an anomaly, where it is known.
  ///   - training: scores of the images trained on.
  func chosen(
    _ scores: AnomalyScores, truth: [Bool]?, training: () throws -> AnomalyScores
  ) throws -> (value: Double, chosen: String)? {
    if let threshold { return (threshold, "given by --threshold") }
    if let contamination {
      let training = try training()
      return (
        training.threshold(contamination: contamination),
        "a part of \(contamination) of \(training.scores.count) images trained on is above it"
      )
    }
    if let falsePositiveRate {
      let normal = truth.map { truth in
        AnomalyScores(zip(scores.scores, truth).filter { !$1 }.map(\.0))
      }
      let images = try normal ?? training()
      let kind = normal == nil ? "images trained on" : "normal images"
      return (
        images.threshold(falsePositiveRate: falsePositiveRate),
        "a part of at most \(falsePositiveRate) of \(images.scores.count) \(kind) is above it"
      )
    }
    guard bestF1 else { return nil }
    guard let truth else {
      throw ValidationError("--best-f1: wanted the class that is normal, found none; name it with --normal-class")
    }
    guard let value = scores.bestThreshold(truth) else {
      throw ValidationError("--best-f1: wanted anomalies among the images, found only normal ones")
    }
    return (value, "the greatest F1 over \(scores.scores.count) images")
  }
}
