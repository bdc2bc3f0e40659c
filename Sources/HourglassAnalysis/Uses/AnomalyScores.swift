import HourglassData
import HourglassTraining

/// The scores of images, the greater the more unusual, and what follows from them.
public struct AnomalyScores: Sendable {
  /// A score for each image, N numbers.
  public let scores: [Double]

  /// Takes a score for each image, N numbers.
  public init(_ scores: [Double]) { self.scores = scores }

  /// What is taken as a score.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// The squared difference to the expected image of the mean of the code, mean over pixels.
    case error
    /// The reconstruction loss and, for a variational model, the KL divergence: their sum is a bound of -log p(x).
    case likelihood
  }

  /// The scores of the pictures of a set whose tiles have these scores: the mean over the tiles of a picture, each
  /// weighed by the part of the picture's pixels that it stands for. In a set without tiles the scores stay as they
  /// are.
  public func ofPictures(_ data: Dataset) -> AnomalyScores {
    guard let tiling = data.tiling else { return self }
    return AnomalyScores(
      tiling.pictures.map { picture in
        zip(scores[picture.tiles], TileBlend.shares(picture, of: tiling)).reduce(0) { $0 + $1.0 * $1.1 }
      })
  }

  /// Whether a number may be the part of the training images that are unusual: above 0 and at most 1/2.
  public static func isContamination(_ part: Double) -> Bool { part > 0 && part <= 0.5 }

  /// The score that a part of the images exceeds: the quantile at 1 - contamination, linear between scores.
  public func threshold(contamination: Double) -> Double {
    precondition(Self.isContamination(contamination) && !scores.isEmpty, "a contamination of \(contamination)")
    let sorted = scores.sorted()
    let place = (1 - contamination) * Double(sorted.count - 1)
    let below = Int(clamping: place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }

  /// The least of the scores that at most a part of the images exceeds. The images are to be normal ones.
  public func threshold(falsePositiveRate: Double) -> Double {
    precondition(Self.isRate(falsePositiveRate) && !scores.isEmpty, "a false positive rate of \(falsePositiveRate)")
    // A whole number of images must not be missed by rounding.
    let above = Int(clamping: falsePositiveRate * Double(scores.count) + 1e-9)
    return scores.sorted()[scores.count - 1 - above]
  }

  /// Whether a number may be the part of normal images above a threshold: at least 0 and below 1.
  public static func isRate(_ part: Double) -> Bool { part >= 0 && part < 1 }

  /// The threshold with the greatest F1, half-way between the two scores that it parts; the greatest such threshold
  /// where there are several. Nil where no image is unusual.
  ///
  /// - Parameter isAnomaly: whether each image is unusual, N values.
  public func bestThreshold(_ isAnomaly: [Bool]) -> Double? {
    let (groups, levels) = (groups(isAnomaly), Set(scores).sorted(by: >))
    let anomalies = groups.reduce(0) { $0 + $1.anomalies }
    guard anomalies > 0 else { return nil }
    var (best, place, found, taken) = (0.0, 0, 0, 0)
    for (index, group) in groups.enumerated() {
      found += group.anomalies
      taken += group.anomalies + group.others
      let f1 = 2 * Double(found) / Double(anomalies + taken)
      if f1 > best { (best, place) = (f1, index) }
    }
    guard place + 1 < levels.count else { return levels[place].nextDown }
    let middle = levels[place + 1] + (levels[place] - levels[place + 1]) / 2
    return middle < levels[place] ? middle : levels[place + 1]
  }

  /// Counts images above and below a threshold by what they are.
  ///
  /// - Parameter isAnomaly: whether each image is unusual, N values.
  public func detection(above threshold: Double, _ isAnomaly: [Bool]) -> Detection {
    precondition(isAnomaly.count == scores.count, "\(isAnomaly.count) labels for \(scores.count) scores")
    var result = Detection()
    for (score, isAnomaly) in zip(scores, isAnomaly) {
      switch (score > threshold, isAnomaly) {
      case (true, true): result.truePositives += 1
      case (true, false): result.falsePositives += 1
      case (false, true): result.falseNegatives += 1
      case (false, false): result.trueNegatives += 1
      }
    }
    return result
  }

  /// The numbers of images by what they are and by what they were taken for; unusual is positive.
  public struct Detection: Encodable, Sendable, Equatable {
    /// Images above the threshold: unusual ones, and usual ones.
    public var (truePositives, falsePositives) = (0, 0)
    /// Images below the threshold: unusual ones, and usual ones.
    public var (falseNegatives, trueNegatives) = (0, 0)

    /// The part of the images above the threshold that is unusual, TP / (TP + FP); nil where none is above.
    public var precision: Double? { Self.part(truePositives, falsePositives) }
    /// The part of the unusual images that is above the threshold, TP / (TP + FN); nil where no image is unusual.
    public var recall: Double? { Self.part(truePositives, falseNegatives) }
    /// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); nil where no image is unusual and none is
    /// above the threshold.
    public var f1: Double? { Self.part(2 * truePositives, falsePositives + falseNegatives) }

    private static func part(_ some: Int, _ others: Int) -> Double? {
      some + others > 0 ? Double(some) / Double(some + others) : nil
    }
  }

  /// The probability that an unusual image has a greater score than a usual one, ties counting half. It is the area
  /// under the curve of the true positive rate against the false positive rate. Nil where there is no image of one of
  /// the two kinds.
  ///
  /// - Parameter isAnomaly: whether each image is unusual, N values.
  public func rocAUC(_ isAnomaly: [Bool]) -> Double? {
    let groups = groups(isAnomaly)
    let anomalies = groups.reduce(0) { $0 + $1.anomalies }
    let others = scores.count - anomalies
    guard anomalies > 0, others > 0 else { return nil }
    var (sum, seen) = (0.0, 0)
    for group in groups {
      sum += Double(group.anomalies) * (Double(others - seen - group.others) + Double(group.others) / 2)
      seen += group.others
    }
    return sum / (Double(anomalies) * Double(others))
  }

  /// Average precision: the sum over thresholds of (recall - recall at the threshold above) precision, which is the
  /// area under the steps of precision against recall. Nil where no image is unusual.
  ///
  /// - Parameter isAnomaly: whether each image is unusual, N values.
  public func averagePrecision(_ isAnomaly: [Bool]) -> Double? {
    let groups = groups(isAnomaly)
    let anomalies = groups.reduce(0) { $0 + $1.anomalies }
    guard anomalies > 0 else { return nil }
    var (sum, found, taken) = (0.0, 0, 0)
    for group in groups {
      found += group.anomalies
      taken += group.anomalies + group.others
      sum += Double(group.anomalies) / Double(anomalies) * Double(found) / Double(taken)
    }
    return sum
  }

  /// The points of two curves, from the highest threshold to the lowest: the true positive rate against the false
  /// positive rate (ROC), and precision against recall. Nil where there is no image of one of the two kinds.
  ///
  /// - Parameter isAnomaly: whether each image is unusual, N values.
  public func curves(
    _ isAnomaly: [Bool]
  ) -> (roc: [(x: Double, y: Double)], precisionRecall: [(x: Double, y: Double)])? {
    let groups = groups(isAnomaly)
    let anomalies = groups.reduce(0) { $0 + $1.anomalies }
    let others = scores.count - anomalies
    guard anomalies > 0, others > 0 else { return nil }
    var (roc, precision) = ([(x: 0.0, y: 0.0)], [(x: Double, y: Double)]())
    var (found, wrong) = (0.0, 0.0)
    for group in groups {
      found += Double(group.anomalies)
      wrong += Double(group.others)
      roc.append((wrong / Double(others), found / Double(anomalies)))
      precision.append((found / Double(anomalies), found / (found + wrong)))
    }
    return (roc, precision)
  }

  /// How many unusual and how many usual images have each score, the greatest score first.
  private func groups(_ isAnomaly: [Bool]) -> [(anomalies: Int, others: Int)] {
    precondition(isAnomaly.count == scores.count, "\(isAnomaly.count) labels for \(scores.count) scores")
    var result: [(anomalies: Int, others: Int)] = []
    var last = Double.nan
    for index in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if scores[index] != last { result.append((0, 0)) }
      last = scores[index]
      if isAnomaly[index] { result[result.count - 1].anomalies += 1 } else { result[result.count - 1].others += 1 }
    }
    return result
  }
}
