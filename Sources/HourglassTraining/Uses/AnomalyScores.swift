import Foundation

/// Scores of images, the greater the more unusual, and what follows from them.
public struct AnomalyScores: Sendable {
  public let scores: [Double]

  public init(_ scores: [Double]) { self.scores = scores }

  /// What is taken as a score.
  public enum Kind: String, Sendable, CaseIterable {
    /// Squared error of the expected image, per pixel.
    case error
    /// The model's reconstruction loss plus, of a variational model, the divergence: a bound of -log p(x).
    case likelihood
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
