import Foundation
import HourglassModels

/// The two directions in which points vary most, and where the points lie along them.
///
/// Simultaneous iteration with Rayleigh-Ritz projection (Golub & Van Loan, "Matrix Computations", 4th ed., 8.2 and
/// 8.3) on the centred points, without their covariance, so that long points cost no more than many: 48 N D flops an
/// iteration for N points of length D. In double and in one order, so that the same points give the same numbers.
struct PrincipalComponents {
  /// D numbers each, of length 1 and at right angles; zero where the points do not vary in a further direction.
  private(set) var directions: [[Double]]
  /// The share of the points' variance along each; 0 where nothing varies.
  private(set) var shares: [Double]
  /// N numbers for each direction: the centred points' coordinates.
  private(set) var coordinates: [[Double]]

  /// Directions iterated beside the two that are wanted: convergence depends on what lies behind them.
  private static let block = 12
  private static let mostIterations = 200

  /// - Parameter points: N x D.
  init(_ points: [Float], length: Int) {
    let centred = Self.centred(points, length)
    let count = points.count / length
    let total = centred.reduce(0) { $0 + $1 * $1 }
    var basis = (0..<min(Self.block, length)).map { index in
      RandomStream(seed: 0, .sampling, sample: index).normal(length).map(Double.init)
    }
    var values = [0.0]
    let varies = total > 0 && total.isFinite
    for _ in 0..<(varies ? Self.mostIterations : 0) {
      Self.orthonormalize(&basis)
      let images = basis.map { Self.covariance(centred, times: $0) }
      let projected = basis.map { vector in images.map { Self.dot(vector, $0) } }
      let (found, rotation) = Self.eigen(projected)
      let change = zip(found, values + found).prefix(2).map { abs($0 - $1) }.max() ?? 0
      // All directions there are span the space at once; else the largest must have settled.
      let isDone = values.count > 1 && change <= 1e-12 * found[0]
      values = found
      if isDone || basis.count == length {
        basis = Self.combined(basis, rotation)
        break
      }
      basis = Self.combined(images, rotation)
    }
    if varies { Self.orthonormalize(&basis) } else { basis = [] }
    directions = basis.prefix(2).map(Self.signed)
    while directions.count < 2 { directions.append([Double](repeating: 0, count: length)) }
    coordinates = directions.map { direction in
      (0..<count).map { n in Self.dot(centred[n * length..<(n + 1) * length], direction) }
    }
    shares = coordinates.map { varies ? $0.reduce(0) { $0 + $1 * $1 } / total : 0 }
  }

  private static func centred(_ points: [Float], _ length: Int) -> [Double] {
    let count = points.count / length
    var mean = [Double](repeating: 0, count: length)
    for n in 0..<count { for d in 0..<length { mean[d] += Double(points[n * length + d]) } }
    for d in 0..<length { mean[d] /= Double(max(1, count)) }
    return points.indices.map { Double(points[$0]) - mean[$0 % length] }
  }

  private static func dot(_ x: some Collection<Double>, _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// X^T X v for the rows X.
  private static func covariance(_ rows: [Double], times vector: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: vector.count)
    rows.withUnsafeBufferPointer { rows in
      vector.withUnsafeBufferPointer { vector in
        result.withUnsafeMutableBufferPointer { result in
          for start in stride(from: 0, to: rows.count, by: vector.count) {
            var sum = 0.0
            for d in 0..<vector.count { sum += rows[start + d] * vector[d] }
            for d in 0..<vector.count { result[d] += sum * rows[start + d] }
          }
        }
      }
    }
    return result
  }

  /// Gram-Schmidt, twice for each vector; one that depends on those before it becomes zero.
  private static func orthonormalize(_ basis: inout [[Double]]) {
    for i in basis.indices {
      let length = dot(basis[i], basis[i]).squareRoot()
      for _ in 0..<2 {
        for j in 0..<i {
          let along = dot(basis[i], basis[j])
          for d in basis[i].indices { basis[i][d] -= along * basis[j][d] }
        }
      }
      let rest = dot(basis[i], basis[i]).squareRoot()
      let scale = rest > 1e-10 * length ? 1 / rest : 0
      for d in basis[i].indices { basis[i][d] *= scale }
    }
  }

  /// The vectors sum over j of basis[j] rotation[j][i].
  private static func combined(_ basis: [[Double]], _ rotation: [[Double]]) -> [[Double]] {
    basis.indices.map { i in
      var result = [Double](repeating: 0, count: basis[0].count)
      for j in basis.indices {
        for d in result.indices { result[d] += basis[j][d] * rotation[j][i] }
      }
      return result
    }
  }

  /// Eigenvalues of a symmetric matrix, the largest first, and eigenvectors as columns: cyclic Jacobi rotations.
  static func eigen(_ matrix: [[Double]]) -> (values: [Double], vectors: [[Double]]) {
    let n = matrix.count
    var a = matrix
    var v = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0 } }
    let scale = matrix.joined().reduce(0) { $0 + $1 * $1 }
    for _ in 0..<60 {
      let outside = (0..<n).reduce(0) { sum, i in (0..<i).reduce(sum) { $0 + a[i][$1] * a[i][$1] } }
      if outside <= 1e-32 * scale { break }
      for p in 0..<n {
        for q in p + 1..<n where a[p][q] != 0 {
          let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
          let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
          let c = 1 / (t * t + 1).squareRoot()
          let s = t * c
          for k in 0..<n { (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]) }
          for k in 0..<n { (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]) }
          for k in 0..<n { (v[k][p], v[k][q]) = (c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]) }
        }
      }
    }
    let order = (0..<n).sorted { (-a[$0][$0], $0) < (-a[$1][$1], $1) }
    return (order.map { a[$0][$0] }, v.map { row in order.map { row[$0] } })
  }

  /// The one of a direction and its opposite whose largest element is positive.
  private static func signed(_ direction: [Double]) -> [Double] {
    let largest = direction.max { abs($0) < abs($1) } ?? 0
    return largest < 0 ? direction.map { -$0 } : direction
  }
}
