/// Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to a tridiagonal matrix, then implicit
/// QL (Bowdler, Martin, Reinsch & Wilkinson, "The QR and QL algorithms for symmetric matrices", 1968; the procedures
/// tred2 and tql2 of EISPACK). About 6 n^3 flops, in double and in one order.
struct SymmetricEigen {
  /// The eigenvalues, the largest first.
  let values: [Double]
  /// The eigenvectors, of length 1 and at right angles: vectors[i] belongs to values[i].
  let vectors: [[Double]]

  var pairs: (values: [Double], vectors: [[Double]]) { (values, vectors) }

  /// - Parameter matrix: n x n, finite.
  init(_ matrix: [Double], size n: Int) {
    precondition(matrix.count == n * n, "\(matrix.count) elements make no square of \(n)")
    var work = Work(n: n, v: matrix)
    if n > 1 { work.tridiagonalize() } else { work.unit() }
    work.iterate()
    let (d, v) = (work.d, work.v)
    let order = d.indices.sorted { (-d[$0], $0) < (-d[$1], $1) }
    values = order.map { d[$0] }
    vectors = order.map { Array(v[$0 * n..<($0 + 1) * n]) }
  }

  /// Matrix and diagonals while they are reduced. v holds columns one after the other, so that the inner loops run
  /// through memory.
  private struct Work {
    let n: Int
    var v: [Double]
    /// The diagonal, and the numbers beside it.
    var d: [Double]
    var e: [Double]

    init(n: Int, v: [Double]) {
      (self.n, self.v) = (n, v)
      d = Array(repeating: 0, count: n)
      e = d
    }

    mutating func unit() { for i in 0..<n { (d[i], v[i * n + i]) = (v[i * n + i], 1) } }

    mutating func tridiagonalize() {
      v.withUnsafeMutableBufferPointer { v in
        d.withUnsafeMutableBufferPointer { d in
          e.withUnsafeMutableBufferPointer { e in
            for j in 0..<n { d[j] = v[j * n + n - 1] }
            for i in (1..<n).reversed() { Self.reflect(i, n, v, d, e) }
            Self.accumulate(n, v, d)
            e[0] = 0
          }
        }
      }
    }

    private typealias Values = UnsafeMutableBufferPointer<Double>

    /// Row i becomes tridiagonal by one reflection.
    private static func reflect(_ i: Int, _ n: Int, _ v: Values, _ d: Values, _ e: Values) {
      var (scale, h) = (0.0, 0.0)
      for k in 0..<i { scale += abs(d[k]) }
      guard scale > 0 else {
        e[i] = d[i - 1]
        for j in 0..<i {
          d[j] = v[j * n + i - 1]
          (v[j * n + i], v[i * n + j]) = (0, 0)
        }
        d[i] = 0
        return
      }
      for k in 0..<i {
        d[k] /= scale
        h += d[k] * d[k]
      }
      let g = d[i - 1] > 0 ? -h.squareRoot() : h.squareRoot()
      e[i] = scale * g
      h -= d[i - 1] * g
      d[i - 1] -= g
      for j in 0..<i { e[j] = 0 }
      for j in 0..<i {
        let f = d[j]
        v[i * n + j] = f
        var sum = e[j] + v[j * n + j] * f
        for k in j + 1..<max(i, j + 1) {
          let element = v[j * n + k]
          sum += element * d[k]
          e[k] += element * f
        }
        e[j] = sum
      }
      var f = 0.0
      for j in 0..<i {
        e[j] /= h
        f += e[j] * d[j]
      }
      let hh = f / (h + h)
      for j in 0..<i { e[j] -= hh * d[j] }
      for j in 0..<i {
        let (f, g) = (d[j], e[j])
        for k in j..<i { v[j * n + k] -= f * e[k] + g * d[k] }
        d[j] = v[j * n + i - 1]
        v[j * n + i] = 0
      }
      d[i] = h
    }

    /// Multiplies the reflections: v becomes the orthogonal matrix, d the diagonal.
    private static func accumulate(_ n: Int, _ v: Values, _ d: Values) {
      for i in 0..<n - 1 {
        v[i * n + n - 1] = v[i * n + i]
        v[i * n + i] = 1
        let next = (i + 1) * n
        let h = d[i + 1]
        if h != 0 {
          for k in 0...i { d[k] = v[next + k] / h }
          for j in 0...i {
            var g = 0.0
            for k in 0...i { g += v[next + k] * v[j * n + k] }
            for k in 0...i { v[j * n + k] -= g * d[k] }
          }
        }
        for k in 0...i { v[next + k] = 0 }
      }
      for j in 0..<n { (d[j], v[j * n + n - 1]) = (v[j * n + n - 1], 0) }
      v[n * n - 1] = 1
    }

    /// Turns the tridiagonal matrix into a diagonal one.
    mutating func iterate() {
      v.withUnsafeMutableBufferPointer { v in
        d.withUnsafeMutableBufferPointer { d in
          e.withUnsafeMutableBufferPointer { e in
            for i in 1..<max(1, n) { e[i - 1] = e[i] }
            e[n - 1] = 0
            // The bound is that of the whole matrix: what lies far below it is rounding, whose squares may vanish.
            let bound = 0x1p-52 * (0..<n).reduce(0) { max($0, abs(d[$1]) + abs(e[$1])) }
            var shift = 0.0
            for l in 0..<n {
              let m = (l..<n).first { abs(e[$0]) <= bound } ?? n - 1
              // Convergence is cubic; three turns are usual.
              var turns = 0
              while m > l, abs(e[l]) > bound, turns < 100 {
                shift += Self.turn(l, m, n, v, d, e)
                turns += 1
              }
              d[l] += shift
              e[l] = 0
            }
          }
        }
      }
    }

    /// Takes one implicit QL step on rows l ... m.
    ///
    /// - Returns: the shift that it took from the diagonal.
    private static func turn(_ l: Int, _ m: Int, _ n: Int, _ v: Values, _ d: Values, _ e: Values) -> Double {
      let first = d[l]
      var p = (d[l + 1] - first) / (2 * e[l])
      let root = p < 0 ? -(p * p + 1).squareRoot() : (p * p + 1).squareRoot()
      d[l] = e[l] / (p + root)
      d[l + 1] = e[l] * (p + root)
      let (second, beside) = (d[l + 1], e[l + 1])
      let h = first - d[l]
      for i in l + 2..<max(n, l + 2) { d[i] -= h }
      p = d[m]
      var (c, c2, c3, s, s2) = (1.0, 1.0, 1.0, 0.0, 0.0)
      for i in (l..<m).reversed() {
        (c3, c2, s2) = (c2, c, s)
        let (g, h) = (c * e[i], c * p)
        let r = (p * p + e[i] * e[i]).squareRoot()
        e[i + 1] = s * r
        (s, c) = (e[i] / r, p / r)
        p = c * d[i] - s * g
        d[i + 1] = h + s * (c * g + s * d[i])
        for lower in i * n..<(i + 1) * n {
          let (x, y) = (v[lower], v[lower + n])
          v[lower + n] = s * x + c * y
          v[lower] = c * x - s * y
        }
      }
      p = -s * s2 * c3 * beside * e[l] / second
      e[l] = s * p
      d[l] = c * p
      return h
    }
  }
}
