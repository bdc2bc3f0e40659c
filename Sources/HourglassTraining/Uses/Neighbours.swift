import HourglassModels

/// The nearest of many points, by looking at all of them: exact, and the same for any number of cores. Of equally near
/// points the first comes first.
public struct Neighbours: Sendable {
  public enum Metric: String, Sendable, CaseIterable {
    /// x . y / (|x| |y|); points of length 0 are like none.
    case cosine
    /// |x - y|
    case euclidean
  }

  public let count: Int
  private let length: Int
  private let metric: Metric
  /// D x N.
  private let columns: [Float]
  /// Taken from points and queries, which changes no distance and keeps sums small; nil for cosine.
  private let mean: [Float]
  /// -|y|^2 / 2 for each point, so that x . y - |y|^2 / 2 falls as |x - y| grows.
  private let bias: [Float]

  /// - Parameters:
  ///   - points: N x D.
  ///   - length: D, at least 1.
  public init(_ points: [Float], length: Int, metric: Metric) {
    Self.requireRows(points, length)
    (self.length, self.metric, count) = (length, metric, points.count / length)
    let count = count
    var sums = [Double](repeating: 0, count: length)
    if metric == .euclidean {
      for n in 0..<count { for d in 0..<length { sums[d] += Double(points[n * length + d]) } }
    }
    let mean = sums.map { Float($0 / Double(max(1, count))) }
    let prepared = Self.prepare(points, length, metric, mean)
    bias = (0..<count).map { n in
      metric == .cosine ? 0 : -(0..<length).reduce(0) { $0 + prepared[n * length + $1] * prepared[n * length + $1] } / 2
    }
    columns = [Float](unsafeUninitializedCapacity: points.count) { columns, initialized in
      prepared.withUnsafeBufferPointer { rows in
        for n in 0..<count { for d in 0..<length { columns[d * count + n] = rows[n * length + d] } }
      }
      initialized = points.count
    }
    self.mean = mean
  }

  /// Queries at a time, so that their scores of all points stay small.
  private static let queriesAtOnce = 64

  /// Of each query, M x D, the places of the nearest points, nearest first.
  public func nearest(to queries: [Float], count wanted: Int) -> [[Int]] {
    precondition(wanted >= 1 && wanted <= count, "\(wanted) neighbours of \(count)")
    Self.requireRows(queries, length)
    var result: [[Int]] = []
    for start in stride(from: 0, to: queries.count, by: Self.queriesAtOnce * length) {
      let some = Array(queries[start..<min(start + Self.queriesAtOnce * length, queries.count)])
      let prepared = Self.prepare(some, length, metric, mean)
      let rows = some.count / length
      let scores = MatrixProducts.product(
        prepared, rows: rows, columns, bias: bias, inputs: length, outputs: count)
      scores.withUnsafeBufferPointer { scores in
        for row in 0..<rows {
          result.append(Self.largest(UnsafeBufferPointer(rebasing: scores[row * count..<(row + 1) * count]), wanted))
        }
      }
    }
    return result
  }

  private static func requireRows(_ points: [Float], _ length: Int) {
    precondition(
      length >= 1 && points.count % length == 0, "\(points.count) floats are no whole number of points of \(length)")
  }

  private static func prepare(_ points: [Float], _ length: Int, _ metric: Metric, _ mean: [Float]) -> [Float] {
    var points = points
    points.withUnsafeMutableBufferPointer { points in
      for start in stride(from: 0, to: points.count, by: length) {
        if metric == .euclidean {
          for d in 0..<length { points[start + d] -= mean[d] }
          continue
        }
        let squares = (0..<length).reduce(0.0) { $0 + Double(points[start + $1]) * Double(points[start + $1]) }
        let scale = squares > 0 ? Float(1 / squares.squareRoot()) : 0
        for d in 0..<length { points[start + d] *= scale }
      }
    }
    return points
  }

  /// Places of the largest values, the largest first, the first of equal ones first.
  private static func largest(_ values: UnsafeBufferPointer<Float>, _ wanted: Int) -> [Int] {
    var kept = Array(0..<wanted).sorted { (-values[$0], $0) < (-values[$1], $1) }
    var least = values[kept[wanted - 1]]
    for place in wanted..<max(wanted, values.count) where values[place] > least {
      var at = wanted - 1
      while at > 0, values[kept[at - 1]] < values[place] {
        kept[at] = kept[at - 1]
        at -= 1
      }
      kept[at] = place
      least = values[kept[wanted - 1]]
    }
    return kept
  }

  /// Of each query's first k neighbours the part that has its label, mean over queries.
  ///
  /// - Parameter labels: of the points, of the queries.
  public static func precision(
    _ nearest: [[Int]], at k: Int, labels: (points: [Int], queries: [Int])
  ) -> Double {
    let hits = zip(nearest, labels.queries).reduce(0) { sum, query in
      sum + query.0.prefix(k).count { labels.points[$0] == query.1 }
    }
    return Double(hits) / Double(k * max(1, nearest.count))
  }
}
