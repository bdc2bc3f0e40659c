import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// The directions in which points vary most: the leading eigenvectors of the sum over n of (x_n - m)(x_n - m)^T, where
/// m is the mean of the points (principal component analysis) or zero (latent semantic analysis, which is a truncated
/// SVD of the points).
///
/// Products are summed in float over 256 points at a time and these sums in double, in the points' order, so equal
/// points give equal bits for any number of cores.
public struct PrincipalComponents: Sendable {
  /// How the eigenvectors are found.
  public enum Method: String, Sendable, CaseIterable {
    /// All eigenvectors of the D x D matrix are computed: 2 N D^2 + 6 D^3 flops.
    case exact
    /// Subspace iteration from random directions, ten more than are wanted, with Rayleigh-Ritz projection (Halko,
    /// Martinsson & Tropp, "Finding structure with randomness", 2011, algorithm 4.4): 4 N D flops for each direction
    /// and turn.
    case randomised
  }

  /// The mean of the points, D numbers; zeros where it was not removed.
  public private(set) var mean: [Double]
  /// The directions, D numbers each, of length 1 and at right angles, the direction of most variance first. A direction
  /// in which the points do not vary is zero.
  public private(set) var directions: [[Double]]
  /// The mean square of the points' coordinates along each direction.
  public private(set) var variances: [Double]
  /// The mean square of the points' distance to the mean, which all D variances add up to.
  public private(set) var variance: Double

  /// The part of the variance along each direction; 0 where nothing varies.
  public var shares: [Double] { variances.map { variance > 0 ? $0 / variance : 0 } }

  /// Points of more numbers than this are analysed by the randomised method where nobody says which.
  public static let largestExact = 1024

  /// The components of points in memory.
  ///
  /// - Parameters:
  ///   - points: N x D.
  ///   - length: D, at least 1.
  ///   - components: how many directions, at least 0; those beyond D are zero.
  public init(
    _ points: [Float], length: Int, components: Int, isCentred: Bool = true, method: Method? = nil, seed: UInt64 = 0
  ) {
    precondition(
      length >= 1 && points.count % length == 0, "\(points.count) floats are no whole number of points of \(length)")
    precondition(components >= 0, "\(components) components")
    let rows = PointRows(count: points.count / length, length: length) { range in
      Array(points[range.lowerBound * length..<range.upperBound * length])
    }
    // Reading from memory cannot fail.
    self = (try? Self(rows, components, isCentred, method, seed)) ?? Self(none: components, length: length)
  }

  /// The components of a data set's images, each H x W x C numbers.
  ///
  /// Errors: an image cannot be read; more components than an image has numbers; a matrix that memory does not hold.
  public init(
    _ data: Dataset, components: Int, isCentred: Bool = true, method: Method? = nil, seed: UInt64 = 0
  ) throws {
    let length = data.shape.count
    guard (0...length).contains(components) else {
      throw DataError(
        path: data.source, reason: "wanted 0 to \(length) components of \(data.shape), found \(components)")
    }
    let isExact = method == .exact || method == nil && length <= Self.largestExact
    // Doubles: the matrix and its eigenvectors, or bases with what is made of them.
    let numbers = length.timesClamping(isExact ? 4 * length : 4 * (components + Self.oversampling))
    guard UInt64(numbers.timesClamping(8)) <= GrantedMemory.bytes else {
      throw DataError(
        path: data.source,
        reason:
          "wanted components whose computation fits into the granted \(GrantedMemory.bytes >> 20) MiB, found a need "
          + "of \(numbers >> 17) MiB; take \(isExact ? "the randomised method" : "fewer components or smaller images")")
    }
    let rows = PointRows(count: data.count, length: length) { try data.images($0) }
    self = try Self(rows, components, isCentred, method, seed)
  }

  private init(none components: Int, length: Int) {
    (mean, variance) = ([Double](repeating: 0, count: length), 0)
    directions = Array(repeating: mean, count: components)
    variances = Array(repeating: 0, count: components)
  }

  private init(
    _ points: PointRows, _ components: Int, _ isCentred: Bool, _ method: Method?, _ seed: UInt64
  ) throws {
    self = Self(none: components, length: points.length)
    var points = points
    if isCentred { points.mean = try points.sum().map { $0 / Double(max(1, points.count)) } }
    mean = points.mean
    let total = try points.sumOfSquares()
    guard total > 0, total.isFinite else { return }
    let method = method ?? (points.length <= Self.largestExact ? .exact : .randomised)
    let found =
      try method == .exact
      ? SymmetricEigen(points.products(), size: points.length).pairs : Self.iterate(points, components, seed)
    for i in 0..<min(components, found.values.count) {
      directions[i] = Self.signed(found.vectors[i])
      variances[i] = max(0, found.values[i]) / Double(points.count)
    }
    variance = total / Double(points.count)
  }

  /// The coordinates of points, N x D, along each direction: N numbers for each.
  func coordinates(of points: [Float]) -> [[Double]] {
    let length = mean.count
    return directions.map { direction in
      stride(from: 0, to: points.count, by: length).map { start in
        var sum = 0.0
        for d in 0..<length { sum += (Double(points[start + d]) - mean[d]) * direction[d] }
        return sum
      }
    }
  }

  /// The number of directions that are iterated beside the wanted ones: convergence depends on what lies behind them.
  private static let oversampling = 10
  private static let mostTurns = 40
  /// How little the sum of the wanted eigenvalues may change, relative to itself, for the iteration to end: what sums
  /// in float can settle to.
  private static let settled = 1e-7

  private static func iterate(
    _ points: PointRows, _ components: Int, _ seed: UInt64
  ) throws -> (values: [Double], vectors: [[Double]]) {
    let count = min(points.length, components + oversampling)
    var basis = (0..<count).map { index in
      RandomStream(seed: seed, .sampling, sample: index).normal(points.length).map(Double.init)
    }
    var found: (values: [Double], vectors: [[Double]]) = ([], [])
    for _ in 0..<mostTurns {
      orthonormalize(&basis)
      let images = try points.products(times: basis)
      let projected = basis.flatMap { vector in images.map { dot(vector, $0) } }
      let eigen = SymmetricEigen(projected, size: count)
      let before = found.values.prefix(components).reduce(0, +)
      let sum = eigen.values.prefix(components).reduce(0, +)
      found = (values: eigen.values, vectors: combined(basis, eigen.vectors))
      if abs(sum - before) <= settled * sum || count == points.length { break }
      basis = combined(images, eigen.vectors)
    }
    return found
  }

  private static func dot(_ x: [Double], _ y: [Double]) -> Double {
    x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in x.indices.reduce(0) { $0 + x[$1] * y[$1] } }
    }
  }

  /// target + weight source
  private static func add(_ weight: Double, _ source: [Double], to target: inout [Double]) {
    source.withUnsafeBufferPointer { source in
      target.withUnsafeMutableBufferPointer { target in
        for d in target.indices { target[d] += weight * source[d] }
      }
    }
  }

  /// Gram-Schmidt, twice for each vector; one that depends on those before it becomes zero.
  private static func orthonormalize(_ basis: inout [[Double]]) {
    for i in basis.indices {
      let length = dot(basis[i], basis[i]).squareRoot()
      for _ in 0..<2 {
        for j in 0..<i { add(-dot(basis[i], basis[j]), basis[j], to: &basis[i]) }
      }
      let rest = dot(basis[i], basis[i]).squareRoot()
      let scale = rest > 1e-10 * length ? 1 / rest : 0
      for d in basis[i].indices { basis[i][d] *= scale }
    }
  }

  /// The vectors sum over j of basis[j] weights[i][j].
  private static func combined(_ basis: [[Double]], _ weights: [[Double]]) -> [[Double]] {
    weights.map { weights in
      var result = [Double](repeating: 0, count: basis[0].count)
      for (vector, weight) in zip(basis, weights) { add(weight, vector, to: &result) }
      return result
    }
  }

  /// A direction or its opposite: the one whose element of greatest size is positive.
  private static func signed(_ direction: [Double]) -> [Double] {
    let largest = direction.max { abs($0) < abs($1) } ?? 0
    return largest < 0 ? direction.map { -$0 } : direction
  }
}

/// Points that are read some at a time, with the sums over them that components need.
private struct PointRows {
  let count: Int
  let length: Int
  /// What is taken from every point, D numbers.
  var mean: [Double]
  private let read: (Range<Int>) throws -> [Float]

  init(count: Int, length: Int, read: @escaping (Range<Int>) throws -> [Float]) {
    (self.count, self.length, self.read) = (count, length, read)
    mean = Array(repeating: 0, count: length)
  }

  /// So many points are summed in float, for rounding grows with the points in a sum.
  private static let pointsOfASum = 256

  /// Hands over the points less their mean, at most 256 at a time.
  private func forEach(_ body: (_ points: inout [Float], _ count: Int) throws -> Void) throws {
    for start in stride(from: 0, to: count, by: Self.pointsOfASum) {
      let range = start..<min(start + Self.pointsOfASum, count)
      var points = try read(range)
      points.withUnsafeMutableBufferPointer { points in
        mean.withUnsafeBufferPointer { mean in
          for n in range.indices {
            let first = (n - start) * length
            for d in 0..<length { points[first + d] = Float(Double(points[first + d]) - mean[d]) }
          }
        }
      }
      try body(&points, range.count)
    }
  }

  func sum() throws -> [Double] {
    var sum = mean
    try forEach { points, count in
      sum.withUnsafeMutableBufferPointer { sum in
        points.withUnsafeBufferPointer { points in
          for n in 0..<count { for d in 0..<length { sum[d] += Double(points[n * length + d]) } }
        }
      }
    }
    return sum
  }

  func sumOfSquares() throws -> Double {
    var sum = 0.0
    try forEach { points, _ in sum += Kernels.sumOfSquares(points, points.count) }
    return sum
  }

  /// X^T X, D x D, where the rows of X are the points.
  func products() throws -> [Double] {
    var sum = [Double](repeating: 0, count: length * length)
    try forEach { points, count in
      Self.add(
        MatrixProducts.crossProduct(points, points, rows: count, inputs: length, outputs: length), to: &sum)
    }
    return sum
  }

  /// X^T X v for each of some vectors v of D numbers.
  func products(times vectors: [[Double]]) throws -> [[Double]] {
    let width = vectors.count
    let matrix = (0..<length).flatMap { d in vectors.map { Float($0[d]) } }
    var sum = [Double](repeating: 0, count: length * width)
    try forEach { points, count in
      let along = MatrixProducts.product(points, rows: count, matrix, inputs: length, outputs: width)
      Self.add(MatrixProducts.crossProduct(points, along, rows: count, inputs: length, outputs: width), to: &sum)
    }
    return (0..<width).map { column in (0..<length).map { sum[$0 * width + column] } }
  }

  private static func add(_ part: [Float], to sum: inout [Double]) {
    part.withUnsafeBufferPointer { part in
      sum.withUnsafeMutableBufferPointer { sum in
        for i in sum.indices { sum[i] += Double(part[i]) }
      }
    }
  }
}
