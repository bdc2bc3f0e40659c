import HourglassModels
import HourglassTraining

/// The nearest of many points, found by looking at all of them. The result is exact and equal for any number of cores.
/// Among equally near points the first comes first.
///
/// Points are ranked by the sum of (x - y)^2 in double. A product of matrices in float tells which of them are worth
/// it, and its rounding is bounded: with the points less their mean, D numbers each, and u = 2^-24, the computed x . y
/// - |y|^2 / 2 is off by at most (D + 8) u |y| (|x| + |y|), to first order (Higham, "Accuracy and Stability of
/// Numerical Algorithms", 2002, section 3.1). At least k points reach the k-th of all lower bounds, so a point whose
/// upper bound lies below it is none of the k nearest; all others are ranked.
public struct Neighbours: Sendable {
  /// How far two points x and y lie apart.
  public enum Metric: String, Sendable, CaseIterable {
    /// 1 - x . y / (|x| |y|), which is half of |x / |x| - y / |y||^2. A point of length 0 has the distance 1 from all.
    case cosine
    /// |x - y|
    case euclidean
  }

  /// A point that is near.
  public struct Neighbour: Sendable, Equatable {
    /// The place of the point among the points.
    public var place: Int
    /// How far it is from the query.
    public var distance: Double
  }

  /// The number of points, N.
  public let count: Int
  private let length: Int
  private let metric: Metric
  /// The points, N x D.
  private let points: [Float]
  /// The points in float, D x N: less their mean; for cosine, divided by their length.
  private let columns: [Float]
  /// What is taken from points and queries, which changes no distance and keeps sums small; zeros for cosine.
  private let mean: [Float]
  /// -|y|^2 / 2 for each point, so that x . y - |y|^2 / 2 falls as |x - y| grows; zeros for cosine.
  private let bias: [Float]
  /// The length |y| of each point in `columns`, and the length of each point as it is.
  private let (norms, lengths): ([Double], [Double])

  /// Prepares to search among points.
  ///
  /// - Parameters:
  ///   - points: N x D.
  ///   - length: D, at least 1.
  public init(_ points: [Float], length: Int, metric: Metric) {
    Self.requireRows(points, length)
    (self.points, self.length, self.metric, count) = (points, length, metric, points.count / length)
    let count = count
    var sums = [Double](repeating: 0, count: length)
    if metric == .euclidean {
      for n in 0..<count { for d in 0..<length { sums[d] += Double(points[n * length + d]) } }
    }
    mean = sums.map { Float($0 / Double(max(1, count))) }
    lengths = Self.norms(points, length)
    let prepared = Self.prepare(points, length, metric, mean, lengths)
    norms = Self.norms(prepared, length)
    bias = norms.map { metric == .cosine ? 0 : Float(-$0 * $0 / 2) }
    columns = [Float](unsafeUninitializedCapacity: points.count) { columns, initialized in
      prepared.withUnsafeBufferPointer { rows in
        for n in 0..<count { for d in 0..<length { columns[d * count + n] = rows[n * length + d] } }
      }
      initialized = points.count
    }
  }

  /// So many queries are taken at a time, so that their scores of all points stay small.
  private static let queriesAtOnce = 64

  /// The nearest points of each query, nearest first: M lists of at most `wanted` points.
  ///
  /// Cost: 2 M N D flops.
  ///
  /// - Parameter queries: M x D.
  public func nearest(to queries: [Float], count wanted: Int) -> [[Neighbour]] {
    precondition(wanted >= 1 && wanted <= count, "\(wanted) neighbours of \(count)")
    Self.requireRows(queries, length)
    var result: [[Neighbour]] = []
    for start in stride(from: 0, to: queries.count, by: Self.queriesAtOnce * length) {
      let some = Array(queries[start..<min(start + Self.queriesAtOnce * length, queries.count)])
      let (lengths, rows) = (Self.norms(some, length), some.count / length)
      let prepared = Self.prepare(some, length, metric, mean, lengths)
      let norms = Self.norms(prepared, length)
      let scores = MatrixProducts.product(
        prepared, rows: rows, columns, bias: bias, inputs: length, outputs: count)
      scores.withUnsafeBufferPointer { scores in
        for row in 0..<rows {
          let candidates = candidates(
            UnsafeBufferPointer(rebasing: scores[row * count..<(row + 1) * count]), norms[row], wanted)
          result.append(nearest(wanted, of: candidates, to: some[row * length..<(row + 1) * length], lengths[row]))
        }
      }
    }
    return result
  }

  /// The points that may be among the nearest of a query.
  ///
  /// - Parameters:
  ///   - scores: x . y - |y|^2 / 2 of all points in float.
  ///   - norm: |x|, the length of the query.
  private func candidates(_ scores: UnsafeBufferPointer<Float>, _ norm: Double, _ wanted: Int) -> [Int] {
    let depth = Double(length + 8)
    // Rounding of the product in float, with what underflows, and of the ranking in double.
    let (float, double) = (depth * 0x1p-24 / max(0, 1 - depth * 0x1p-24), depth * 0x1p-52)
    func bounds(_ place: Int) -> (lower: Double, upper: Double) {
      let (score, other) = (Double(scores[place]), norms[place])
      let both = norm + other
      let error = float * other * both + double * both * both + depth * 0x1p-126
      // Nothing is known of scores beyond all numbers.
      return score.isFinite && error.isFinite ? (score - error, score + error) : (-.infinity, .infinity)
    }
    var greatest = (0..<wanted).map { bounds($0).lower }.sorted(by: >)
    for place in wanted..<max(wanted, count) {
      let lower = bounds(place).lower
      guard lower > greatest[wanted - 1] else { continue }
      var at = wanted - 1
      while at > 0, greatest[at - 1] < lower {
        greatest[at] = greatest[at - 1]
        at -= 1
      }
      greatest[at] = lower
    }
    return (0..<count).filter { bounds($0).upper >= greatest[wanted - 1] }
  }

  /// - Parameter norm: the query's length.
  private func nearest(
    _ wanted: Int, of candidates: [Int], to query: ArraySlice<Float>, _ norm: Double
  ) -> [Neighbour] {
    let squares = query.withUnsafeBufferPointer { query in
      points.withUnsafeBufferPointer { points in
        candidates.map { place in
          (
            place,
            self.squares(
              query, UnsafeBufferPointer(rebasing: points[place * length..<(place + 1) * length]),
              norm, lengths[place])
          )
        }
      }
    }
    return squares.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(wanted).map { place, squares in
      Neighbour(place: place, distance: metric == .cosine ? squares / 2 : squares.squareRoot())
    }
  }

  /// The sum of (x - y)^2; for cosine, of points divided by their lengths.
  private func squares(
    _ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>, _ xLength: Double, _ yLength: Double
  ) -> Double {
    guard metric == .cosine else {
      return (0..<length).reduce(0) { sum, d in
        let difference = Double(x[d]) - Double(y[d])
        return sum + difference * difference
      }
    }
    guard xLength > 0, yLength > 0 else { return 2 }
    return (0..<length).reduce(0) { sum, d in
      let difference = Double(x[d]) / xLength - Double(y[d]) / yLength
      return sum + difference * difference
    }
  }

  private static func requireRows(_ points: [Float], _ length: Int) {
    precondition(
      length >= 1 && points.count % length == 0, "\(points.count) floats are no whole number of points of \(length)")
  }

  /// The length of each point.
  private static func norms(_ points: [Float], _ length: Int) -> [Double] {
    points.withUnsafeBufferPointer { points in
      stride(from: 0, to: points.count, by: length).map { start in
        (0..<length).reduce(0.0) { $0 + Double(points[start + $1]) * Double(points[start + $1]) }.squareRoot()
      }
    }
  }

  /// Points as the product takes them.
  private static func prepare(
    _ points: [Float], _ length: Int, _ metric: Metric, _ mean: [Float], _ lengths: [Double]
  ) -> [Float] {
    var points = points
    points.withUnsafeMutableBufferPointer { points in
      for (place, norm) in lengths.enumerated() {
        for d in 0..<length {
          let value = points[place * length + d]
          points[place * length + d] =
            metric == .euclidean ? value - mean[d] : norm > 0 ? Float(Double(value) / norm) : 0
        }
      }
    }
    return points
  }

  /// The precision of a search: the part of a query's first k neighbours that has the label of the query, mean over
  /// queries.
  ///
  /// - Parameters:
  ///   - nearest: the neighbours of each query, nearest first.
  ///   - labels: the labels of the points and those of the queries.
  public static func precision(
    _ nearest: [[Neighbour]], at k: Int, labels: (points: [Int], queries: [Int])
  ) -> Double {
    let hits = zip(nearest, labels.queries).reduce(0) { sum, query in
      sum + query.0.prefix(k).count { labels.points[$0.place] == query.1 }
    }
    return Double(hits) / Double(k * max(1, nearest.count))
  }
}
