import Foundation
import HourglassData
import HourglassModels
import Testing

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Search among all points, against the ranking of plain loops in double.
@Suite struct NeighboursTests {
  /// The places of all points for each query, by the sum of (x - y)^2 in double and then by place.
  private static func ranking(
    _ points: [[Float]], _ queries: [[Float]], _ metric: Neighbours.Metric
  ) -> [[(place: Int, distance: Double)]] {
    func prepared(_ point: [Float]) -> [Double] {
      let values = point.map(Double.init)
      let norm = values.map { $0 * $0 }.reduce(0, +).squareRoot()
      return metric == .euclidean ? values : values.map { norm > 0 ? $0 / norm : 0 }
    }
    let all = points.map(prepared)
    return queries.map(prepared).map { x in
      let distances = all.map { y in
        let squares = zip(x, y).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
        if metric == .euclidean { return squares.squareRoot() }
        return x.contains { $0 != 0 } && y.contains { $0 != 0 } ? squares / 2 : 1
      }
      return distances.indices.sorted { (distances[$0], $0) < (distances[$1], $1) }.map { ($0, distances[$0]) }
    }
  }

  private static func normal(_ count: Int, _ length: Int, seed: UInt64) -> [[Float]] {
    let values = RandomStream(seed: seed, .sampling).normal(count * length)
    return (0..<count).map { Array(values[$0 * length..<($0 + 1) * length]) }
  }

  /// Kinds of points on which products in float go wrong, and queries: copies 1e-5 away and exact ones, a common mean
  /// that dwarfs the differences, an outlier, numbers near the ends of floats, points of length 0.
  private static let kinds: [String: (points: [[Float]], queries: [[Float]])] = {
    let (plain, offsets) = (normal(83, 7, seed: 8), normal(83, 7, seed: 9))
    let near = zip(plain, offsets).map { zip($0, $1).map { $0 + 1e-5 * $1 } }
    let copies = Array((plain + near + plain[..<20]).shuffled(by: 5))
    let short = normal(40, 3, seed: 3).map { $0.map { $0.rounded() } }
    func scaled(_ points: [[Float]], _ factor: Float) -> [[Float]] { points.map { $0.map { $0 * factor } } }
    return [
      "plain": (plain, normal(70, 7, seed: 10)), "copies": (copies, plain), "near copies": (copies, near),
      "mean": (copies.map { $0.map { $0 + 3000 } }, plain.map { $0.map { $0 + 3000 } }),
      "outlier": (copies + [[Float](repeating: 1e9, count: 7)], plain),
      "huge": (scaled(copies, 1e30), scaled(plain, 1e30)), "tiny": (scaled(copies, 1e-38), scaled(plain, 1e-38)),
      "whole numbers": (short, short), "one": ([[0, 0]], [[0, 0], [1, 2]]),
    ]
  }()

  @Test(arguments: kinds.keys.sorted(), Neighbours.Metric.allCases) func theRankingIsThatOfDoubles(
    _ kind: String, _ metric: Neighbours.Metric
  ) throws {
    let (points, queries) = try #require(Self.kinds[kind])
    let neighbours = Neighbours(points.flatMap(\.self), length: points[0].count, metric: metric)
    let wanted = Self.ranking(points, queries, metric)
    for k in Set([1, min(10, points.count), points.count]) {
      let found = neighbours.nearest(to: queries.flatMap(\.self), count: k)
      #expect(found.map { $0.map(\.place) } == wanted.map { $0.prefix(k).map(\.place) }, "\(k) nearest")
      for (found, wanted) in zip(found.joined(), wanted.flatMap { $0.prefix(k) }) {
        #expect(abs(found.distance - wanted.distance) <= 1e-14 * wanted.distance)
      }
    }
  }

  @Test func equallyNearPointsComeInTheirOrder() {
    let points: [Float] = [0, 0, 1, 0, 0, 0, 1, 0, 0, 1]
    let neighbours = Neighbours(points, length: 2, metric: .cosine)
    let found = neighbours.nearest(to: [2, 0, 0, 0], count: 5)
    #expect(found.map { $0.map(\.place) } == [[1, 3, 0, 2, 4], [0, 1, 2, 3, 4]])
    #expect(found[0].map(\.distance) == [0, 0, 1, 1, 1])
  }

  @Test func precisionCountsLabels() {
    func near(_ places: [Int]...) -> [[Neighbours.Neighbour]] {
      places.map { $0.map { Neighbours.Neighbour(place: $0, distance: 0) } }
    }
    let labels = (points: [5, 6, 6, 5], queries: [6, 5])
    for (k, wanted) in [(1, 0.5), (2, 0.5), (3, 0.5)] {
      #expect(abs(Neighbours.precision(near([0, 1, 2], [3, 2, 1]), at: k, labels: labels) - wanted) < 1e-12)
    }
    #expect(abs(Neighbours.precision(near([1, 2, 0]), at: 3, labels: (labels.points, [6])) - 2.0 / 3) < 1e-12)
  }
}

extension Array {
  /// In another order, always the same.
  fileprivate func shuffled(by seed: UInt64) -> [Element] {
    let keys = RandomStream(seed: seed, .sampling).bits(count)
    return indices.sorted { keys[$0] < keys[$1] }.map { self[$0] }
  }
}
