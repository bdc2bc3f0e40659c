import Foundation
import HourglassData
import HourglassTraining

/// Scores of images, the greater the more unusual, and what follows from them.
public struct AnomalyScores: Sendable {
  public let scores: [Double]

  public init(_ scores: [Double]) { self.scores = scores }

  /// What is taken as a score.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// Mean over pixels of the squared difference to the expected image of the mean of the code.
    case error
    /// The model's reconstruction loss plus, of a variational model, the divergence: a bound of -log p(x).
    case likelihood
  }

  /// Scores of the pictures of a set whose tiles have these scores: the mean over the tiles of each, by the part of the
  /// picture's pixels that a tile stands for. Those of other sets stay.
  public func ofPictures(_ data: Dataset) -> AnomalyScores {
    guard let tiling = data.tiling else { return self }
    return AnomalyScores(
      tiling.pictures.map { picture in
        zip(scores[picture.tiles], TileBlend.shares(picture, of: tiling)).reduce(0) { $0 + $1.0 * $1.1 }
      })
  }

  /// The parts of the training images that may be unusual.
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

  /// The least score that at most a part of the images exceeds, of images that are normal.
  public func threshold(falsePositiveRate: Double) -> Double {
    precondition(Self.isRate(falsePositiveRate) && !scores.isEmpty, "a false positive rate of \(falsePositiveRate)")
    // A whole number of images must not be missed by rounding.
    let above = Int(clamping: falsePositiveRate * Double(scores.count) + 1e-9)
    return scores.sorted()[scores.count - 1 - above]
  }

  /// The parts of the normal images that may exceed a threshold.
  public static func isRate(_ part: Double) -> Bool { part >= 0 && part < 1 }

  /// The threshold whose images above have the greatest F1, half-way between the scores that it parts; of several the
  /// greatest. Nil where no image is unusual.
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

  /// What lies above a threshold and what below, beside the truth.
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

  /// Images by what they are and by what they were taken for.
  public struct Detection: Encodable, Sendable, Equatable {
    public var (truePositives, falsePositives) = (0, 0)
    public var (falseNegatives, trueNegatives) = (0, 0)

    /// The part of what was found that is unusual; nil where nothing was found.
    public var precision: Double? { Self.part(truePositives, falsePositives) }
    /// The part of what is unusual that was found; nil where nothing is.
    public var recall: Double? { Self.part(truePositives, falseNegatives) }
    /// The harmonic mean of both, 2 TP / (2 TP + FP + FN); nil where nothing is unusual and nothing was found.
    public var f1: Double? { Self.part(2 * truePositives, falsePositives + falseNegatives) }

    private static func part(_ some: Int, _ others: Int) -> Double? {
      some + others > 0 ? Double(some) / Double(some + others) : nil
    }
  }

  /// The probability that an unusual image has a greater score than a usual one, ties counting half: the area under the
  /// curve of the true positive rate against the false positive rate. Nil where one of the two kinds is missing.
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

  /// Average precision: sum over thresholds of (recall - recall before) precision, the area under the steps of
  /// precision against recall. Nil where no image is unusual.
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

  /// The points of both curves, from the highest threshold to the lowest; nil where one of the two kinds is missing.
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

  /// How many of both kinds have the same score, the greatest score first.
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
