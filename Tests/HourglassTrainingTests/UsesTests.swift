import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// What codes and scores are used for, against scikit-learn's numbers and plain definitions.
@Suite struct UsesTests {
  /// roc_auc_score and average_precision_score of scikit-learn 1.9.1 for the same scores and labels.
  @Test(arguments: [
    ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75, 0.8333333333333333),
    ([1, 2, 2, 3, 3, 3, 0.5, 4, 2, 1], [0, 1, 0, 1, 0, 1, 0, 0, 0, 1], 0.5625, 0.46825396825396826),
    ([5, 5, 5, 5], [0, 1, 1, 0], 0.5, 0.5),
    ([3, 2, 1], [1, 0, 0], 1, 1),
  ]) func areasAreThoseOfScikitLearn(_ scores: [Double], _ labels: [Int], _ roc: Double, _ precision: Double) {
    let found = AnomalyScores(scores)
    let isAnomaly = labels.map { $0 == 1 }
    #expect(abs((found.rocAUC(isAnomaly) ?? -1) - roc) < 1e-12)
    #expect(abs((found.averagePrecision(isAnomaly) ?? -1) - precision) < 1e-12)
  }

  @Test func areasOfOneKindAloneAreUnknown() {
    let scores = AnomalyScores([1, 2])
    #expect(scores.rocAUC([true, true]) == nil && scores.rocAUC([false, false]) == nil)
    #expect(scores.averagePrecision([false, false]) == nil && scores.averagePrecision([true, true]) == 1)
  }

  /// numpy.percentile of the same numbers, and the part that lies above.
  @Test func theThresholdLeavesItsPartAbove() {
    let scores = AnomalyScores([9, 1, 4, 2, 7])
    #expect(abs(scores.threshold(contamination: 0.5) - 4) < 1e-12)
    #expect(abs(scores.threshold(contamination: 0.1) - 8.2) < 1e-12)
    let many = AnomalyScores(RandomStream(seed: 1, .sampling).normal(1000).map(Double.init))
    let threshold = many.threshold(contamination: 0.05)
    #expect(many.scores.count { $0 > threshold } == 50)
    for part in [0, -0.1, 0.51, .nan, .infinity] { #expect(!AnomalyScores.isContamination(part)) }
    for part in [0.01, 0.5] { #expect(AnomalyScores.isContamination(part)) }
  }

  /// The definition in double, over more queries than are taken at once and sizes that fill no vector.
  @Test(arguments: Neighbours.Metric.allCases) func neighboursAreTheNearest(_ metric: Neighbours.Metric) {
    let (length, count, queries, k) = (7, 83, 70, 9)
    // A common mean that dwarfs the differences.
    let all = RandomStream(seed: 8, .sampling).normal((count + queries) * length).map { $0 + 30 }
    let points = (0..<count + queries).map { n in all[n * length..<(n + 1) * length].map(Double.init) }
    let found = Neighbours(Array(all[..<(count * length)]), length: length, metric: metric)
      .nearest(to: Array(all[(count * length)...]), count: k)
    #expect(found.count == queries)
    func distance(_ x: [Double], _ y: [Double]) -> Double {
      func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
      if metric == .cosine { return -dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot() }
      return zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    // Rounding in float may exchange points that are equally near within it.
    let slack = metric == .cosine ? 1e-6 : 1e-5
    for (query, places) in found.enumerated() {
      let distances = (0..<count).map { distance(points[count + query], points[$0]) }
      let sorted = distances.sorted()
      #expect(Set(places).count == k)
      for (rank, place) in places.enumerated() { #expect(abs(distances[place] - sorted[rank]) < slack) }
    }
  }

  @Test func equallyNearPointsComeInTheirOrder() {
    let points: [Float] = [0, 0, 1, 0, 0, 0, 1, 0, 0, 1]
    let neighbours = Neighbours(points, length: 2, metric: .cosine)
    #expect(neighbours.nearest(to: [2, 0, 0, 0], count: 5) == [[1, 3, 0, 2, 4], [0, 1, 2, 3, 4]])
  }

  @Test func precisionCountsLabels() {
    let nearest = [[0, 1, 2], [3, 2, 1]]
    let labels = (points: [5, 6, 6, 5], queries: [6, 5])
    for (k, wanted) in [(1, 0.5), (2, 0.5), (3, 0.5)] {
      #expect(abs(Neighbours.precision(nearest, at: k, labels: labels) - wanted) < 1e-12)
    }
    #expect(abs(Neighbours.precision([[1, 2, 0]], at: 3, labels: (labels.points, [6])) - 2.0 / 3) < 1e-12)
  }
}
