import Foundation

/// Least squares in two or three unknowns.
private enum LeastSquares {
  /// Minimises the sum over rows of (row . x - value)^2 by the normal equations; nil where they are singular.
  static func solve(_ rows: [[Double]], _ values: [Double]) -> [Double]? {
    guard let count = rows.first?.count, count <= rows.count else { return nil }
    var system = (0..<count).map { i in
      (0..<count).map { j in rows.reduce(0) { $0 + $1[i] * $1[j] } }
        + [zip(rows, values).reduce(0) { $0 + $1.0[i] * $1.1 }]
    }
    for pivot in 0..<count {
      guard let best = (pivot..<count).max(by: { abs(system[$0][pivot]) < abs(system[$1][pivot]) }) else { return nil }
      system.swapAt(pivot, best)
      guard abs(system[pivot][pivot]) > 1e-12 * abs(system[pivot].map(abs).max() ?? 0) else { return nil }
      for row in 0..<count where row != pivot {
        let factor = system[row][pivot] / system[pivot][pivot]
        for column in pivot...count { system[row][column] -= factor * system[pivot][column] }
      }
    }
    return (0..<count).map { system[$0][count] / system[$0][$0] }
  }

  static func squares(_ rows: [[Double]], _ values: [Double], _ solution: [Double]) -> Double {
    zip(rows, values).reduce(0) { sum, pair in
      let error = zip(pair.0, solution).reduce(-pair.1) { $0 + $1.0 * $1.1 }
      return sum + error * error
    }
  }
}

/// Amdahl's law (1967): t(p) = t1 (s + (1 - s) / p).
struct Amdahl: Equatable {
  /// The seconds on one core.
  var first: Double
  /// The share s of the work on one core that more cores do not shorten.
  var serial: Double

  /// Fits the law by least squares in time over at least two points; 0 <= s <= 1.
  init(workers: [Double], seconds: [Double]) {
    let fit = LeastSquares.solve(workers.map { [1, 1 / $0] }, seconds) ?? [seconds[0], 0]
    if fit[0] < 0 {
      let product = zip(workers, seconds).reduce(0) { $0 + $1.1 / $1.0 }
      (first, serial) = (product / workers.reduce(0) { $0 + 1 / ($1 * $1) }, 0)
    } else if fit[1] < 0 {
      (first, serial) = (seconds.reduce(0, +) / Double(seconds.count), 1)
    } else {
      (first, serial) = (fit[0] + fit[1], fit[0] / (fit[0] + fit[1]))
    }
  }

  static func speedup(_ workers: Double, serial: Double) -> Double { 1 / (serial + (1 - serial) / workers) }
}

/// The experimentally determined serial fraction of Karp & Flatt (1990) at a speed-up S on p cores,
/// e = (1/S - 1/p) / (1 - 1/p). It is constant in p where Amdahl's law holds and rises where overhead grows with p.
func karpFlatt(speedup: Double, workers: Double) -> Double { (1 / speedup - 1 / workers) / (1 - 1 / workers) }

/// The scaled speed-up of Gustafson (1988): S(p) = p - s (p - 1), where the work grows with p.
///
/// - Returns: s by least squares in S, s = sum (p - 1) (p - S) / sum (p - 1)^2.
func gustafson(workers: [Double], speedups: [Double]) -> Double {
  let above = zip(workers, speedups).reduce(0) { $0 + ($1.0 - 1) * ($1.0 - $1.1) }
  return above / workers.reduce(0) { $0 + ($1 - 1) * ($1 - 1) }
}

/// The Universal Scalability Law of Gunther (1993): throughput
/// X(p) = X1 p / (1 + a (p - 1) + b p (p - 1)).
struct UniversalScalability: Equatable {
  /// The throughput X1 of one core.
  var first: Double
  /// The contention a >= 0: waiting for what only one core can have at a time.
  var contention: Double
  /// The coherency b >= 0: making data equal everywhere, each core with each.
  var coherency: Double

  /// The number of unknowns, and of points that determine them.
  static let unknowns = 3

  /// Fits the law by least squares in p / X = (1 + a (p - 1) + b p (p - 1)) / X1, which is linear in 1 / X1, a / X1 and
  /// b / X1, each point weighted with X / p, so that relative errors count. Two points give b = 0. The bounds on a and
  /// b are kept by trying each combination of them being met.
  init(workers: [Double], throughput: [Double]) {
    let costs = zip(workers, throughput).map { $0 / $1 }
    let full = zip(workers, costs).map { p, cost in [1 / cost, (p - 1) / cost, p * (p - 1) / cost] }
    let ones = costs.map { _ in 1.0 }
    let sets = (workers.count < Self.unknowns ? [[0, 1], [0]] : [[0, 1, 2], [0, 1], [0, 2], [0]])
    let fits = sets.compactMap { set -> (fit: [Double], squares: Double)? in
      let rows = full.map { row in set.map { row[$0] } }
      guard let solution = LeastSquares.solve(rows, ones), solution.dropFirst().allSatisfy({ $0 >= 0 }) else {
        return nil
      }
      var fit = [0.0, 0, 0]
      for (place, value) in zip(set, solution) { fit[place] = value }
      return (fit, LeastSquares.squares(rows, ones, solution))
    }
    let fit = fits.min { $0.squares < $1.squares }?.fit ?? [costs[0], 0, 0]
    (first, contention, coherency) = (1 / fit[0], fit[1] / fit[0], fit[2] / fit[0])
  }

  init(first: Double, contention: Double, coherency: Double) {
    (self.first, self.contention, self.coherency) = (first, contention, coherency)
  }

  func throughput(_ workers: Double) -> Double {
    first * workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))
  }

  /// The cores p* = sqrt((1 - a) / b) at which throughput is highest: infinite without coherency, 1 where a >= 1.
  var peak: Double {
    contention >= 1 ? 1 : coherency > 0 ? max(1, ((1 - contention) / coherency).squareRoot()) : .infinity
  }
}

/// The laws that were fitted to the points with one thread in each worker.
struct ScalingFits: Encodable {
  struct SerialFraction: Encodable {
    var workers: Int
    var fraction: Interval
  }

  struct Scalability: Encodable {
    /// The samples a second of one core.
    var first: Interval
    var contention: Interval
    /// The coherency; nil where two points do not determine it, and 0 was taken for it.
    var coherency: Interval?
    /// The workers of the highest throughput, without bound where it never falls; nil where coherency is nil.
    var peak: Interval?
    /// The root of the mean squared relative deviation of the points; nil where they determine the curve.
    var deviation: Double?

    var law: UniversalScalability {
      UniversalScalability(first: first.value, contention: contention.value, coherency: coherency?.value ?? 0)
    }
  }

  /// The serial fraction of Amdahl's law in strong studies.
  var amdahl: Interval?
  /// The serial fraction of Karp and Flatt at each point of strong studies.
  var karpFlatt: [SerialFraction] = []
  /// The serial fraction of the scaled work in weak studies.
  var gustafson: Interval?
  var scalability: Scalability?
  /// Sentences about what the points do not tell.
  var notes: [String] = []
}

extension ScalingFits {
  /// - Parameters:
  ///   - points: the study's points with one thread in each worker, ascending from 1 worker.
  ///   - place: the series of each point in the bootstrap.
  init(_ points: [ScalingStudy.Point], mode: ScalingStudy.Mode, _ bootstrap: Bootstrap, place: [Int]) {
    let workers = points.map { Double($0.workers) }
    guard points.count > 1 else {
      notes = ["One worker alone: there is no curve to fit, and nothing can be said about more of them."]
      return
    }
    func seconds(_ medians: [Double]) -> [Double] { place.map { medians[$0] } }
    func throughput(_ medians: [Double]) -> [Double] {
      zip(points, seconds(medians)).map { Double($0.batchSize) / $1 }
    }
    func speedups(_ medians: [Double]) -> [Double] {
      let all = throughput(medians)
      return all.map { $0 / all[0] }
    }
    if mode == .strong {
      amdahl = bootstrap.interval { Amdahl(workers: workers, seconds: seconds($0)).serial }
      let fractions = bootstrap.intervals { medians in
        zip(speedups(medians), workers).dropFirst().map { bench.karpFlatt(speedup: $0, workers: $1) }
      }
      karpFlatt = zip(points.dropFirst(), fractions).map { SerialFraction(workers: $0.workers, fraction: $1) }
    } else {
      gustafson = bootstrap.interval { bench.gustafson(workers: workers, speedups: speedups($0)) }
    }
    let all = bootstrap.intervals {
      let law = UniversalScalability(workers: workers, throughput: throughput($0))
      return [law.first, law.contention, law.coherency, law.peak]
    }
    var fit = Scalability(first: all[0], contention: all[1])
    if points.count >= UniversalScalability.unknowns { (fit.coherency, fit.peak) = (all[2], all[3]) }
    if points.count > UniversalScalability.unknowns {
      let law = fit.law
      let errors = zip(workers, throughput(bootstrap.medians)).map { law.throughput($0) / $1 - 1 }
      fit.deviation = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
    }
    scalability = fit
    notes = Self.notes(points.count, mode)
  }

  private static func notes(_ points: Int, _ mode: ScalingStudy.Mode) -> [String] {
    switch points {
    case 2:
      [
        "Two points determine two unknowns. So the Universal Scalability Law is fitted with coherency 0, and says "
          + "nothing about a peak; its contention is that of a line through both points"
          + (mode == .strong ? ", and so is Amdahl's serial fraction." : ".")
      ]
    case UniversalScalability.unknowns:
      ["Three points determine the three unknowns of the Universal Scalability Law: how well it fits cannot be seen."]
    default: []
    }
  }
}
