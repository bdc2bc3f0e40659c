import HourglassBase
import HourglassModels
import HourglassTraining

/// A mixture of K normal distributions with full covariances, fitted to codes: the prior that a trained model did not
/// have.
///
///     p(z) = sum over k of weight[k] normal(z; mean[k], covariance[k])
///
/// It is fitted by expectation and maximisation from a k-means++ start, until the mean of log p(z) grows by less than
/// 1e-3 or 100 times. A covariance has 1e-6 of the mean variance of all units added to its diagonal. All draws are
/// addressed by the seed, and sums go in one order.
///
/// Cost: N K Z^2 for each of the rounds. Sources: Ghosh et al., "From variational to deterministic autoencoders", ICLR
/// 2020, section 4; Arthur & Vassilvitskii, "k-means++", SODA 2007.
public struct GaussianMixture: Sendable {
  /// A normal distribution.
  private struct Component: Sendable {
    var weight: Double
    var mean: [Double]
    /// The lower factor L of the covariance L L^T, row after row.
    var factor: [Double] = []
    /// log weight - log det L - Z log(2 pi) / 2
    var logWeight = 0.0
  }

  /// Z.
  public let units: Int
  private var components: [Component]
  /// The rounds of fitting.
  public private(set) var rounds = 0

  /// The standard normal distribution, as a mixture of one.
  public init(standardNormalOf units: Int) {
    self.units = units
    var factor = [Double](repeating: 0, count: units * units)
    for i in 0..<units { factor[i * units + i] = 1 }
    components = [Component(weight: 1, mean: Array(repeating: 0, count: units), factor: factor)]
    components[0].logWeight = -Double(units) * Self.halfLogTwoPi
  }

  /// Fits a mixture to codes.
  ///
  /// - Parameters:
  ///   - codes: N x Z, finite, N at least K.
  ///   - count: K, at least 1.
  public init(of codes: [Float], units: Int, components count: Int, seed: UInt64) {
    precondition(count >= 1 && units >= 1 && codes.count >= count * units, "\(codes.count / max(1, units)) codes")
    self.units = units
    components = []
    let codes = codes.map(Double.init)
    let samples = codes.count / units
    let ridge = 1e-6 * max(Self.meanVariance(codes, units: units), .leastNormalMagnitude)
    var parts = Self.start(codes, units: units, count: count, seed: seed)
    var last = -Double.infinity
    while rounds < 100 {
      components = (0..<count).map { maximized(codes, parts: parts, component: $0, of: count, ridge: ridge) }
      rounds += 1
      var likelihood = 0.0
      for n in 0..<samples {
        let logs = logDensities(codes, n)
        let sum = Self.logSum(logs)
        likelihood += sum / Double(samples)
        for k in 0..<count { parts[n * count + k] = (logs[k] - sum).naturalExponential }
      }
      if likelihood - last < 1e-3 { break }
      last = likelihood
    }
  }

  private static let halfLogTwoPi = 0.918938533204672742

  private static func meanVariance(_ codes: [Double], units: Int) -> Double {
    let samples = codes.count / units
    return (0..<units).reduce(0.0) { sum, unit in
      let values = (0..<samples).lazy.map { codes[$0 * units + unit] }
      let mean = values.reduce(0, +) / Double(samples)
      return sum + values.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) } / Double(samples * units)
    }
  }

  /// Each code belongs to the nearest of K codes, of which each was drawn with the squared distance from those before
  /// as its chance.
  private static func start(_ codes: [Double], units: Int, count: Int, seed: UInt64) -> [Double] {
    let samples = codes.count / units
    let draws = RandomStream(seed: seed, .sampling, number: 1).uniform(count).map(Double.init)
    var nearest = [Double](repeating: .infinity, count: samples)
    var owners = [Int](repeating: 0, count: samples)
    for k in 0..<count {
      let all = k == 0 ? Double(samples) : nearest.reduce(0, +)
      var (rest, center) = (draws[k] * all, samples - 1)
      for n in 0..<samples {
        rest -= k == 0 ? 1 : nearest[n]
        if rest < 0 {
          center = n
          break
        }
      }
      for n in 0..<samples {
        var distance = 0.0
        for i in 0..<units {
          let difference = codes[n * units + i] - codes[center * units + i]
          distance += difference * difference
        }
        if distance < nearest[n] { (nearest[n], owners[n]) = (distance, k) }
      }
    }
    var parts = [Double](repeating: 0, count: samples * count)
    for n in 0..<samples { parts[n * count + owners[n]] = 1 }
    return parts
  }

  /// The component that the parts of all codes in it make likeliest.
  private func maximized(
    _ codes: [Double], parts: [Double], component k: Int, of count: Int, ridge: Double
  ) -> Component {
    let samples = codes.count / units
    var size = 1e-12
    var mean = [Double](repeating: 0, count: units)
    for n in 0..<samples {
      let part = parts[n * count + k]
      size += part
      for i in 0..<units { mean[i] += part * codes[n * units + i] }
    }
    for i in 0..<units { mean[i] /= size }
    var covariance = [Double](repeating: 0, count: units * units)
    var difference = mean
    for n in 0..<samples where parts[n * count + k] > 1e-12 {
      for i in 0..<units { difference[i] = codes[n * units + i] - mean[i] }
      for i in 0..<units {
        let scaled = parts[n * count + k] * difference[i]
        for j in 0...i { covariance[i * units + j] += scaled * difference[j] }
      }
    }
    for i in 0..<units {
      for j in 0...i { covariance[i * units + j] /= size }
      covariance[i * units + i] += ridge
    }
    var component = Component(weight: size / Double(samples), mean: mean)
    component.factor = Self.factor(covariance, units, ridge: ridge)
    let logDeterminant = (0..<units).reduce(0.0) { $0 + component.factor[$1 * units + $1].naturalLogarithm }
    component.logWeight = component.weight.naturalLogarithm - logDeterminant - Double(units) * Self.halfLogTwoPi
    return component
  }

  /// Cholesky's lower factor of a matrix whose lower half is given; no square on the diagonal is below the ridge.
  private static func factor(_ matrix: [Double], _ n: Int, ridge: Double) -> [Double] {
    var factor = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0...i {
        var sum = matrix[i * n + j]
        for k in 0..<j { sum -= factor[i * n + k] * factor[j * n + k] }
        factor[i * n + j] = i == j ? max(sum, ridge).squareRoot() : sum / factor[j * n + j]
      }
    }
    return factor
  }

  private func logDensities(_ codes: [Double], _ n: Int) -> [Double] {
    var y = [Double](repeating: 0, count: units)
    return components.map { component in
      var square = 0.0
      for i in 0..<units {
        var sum = codes[n * units + i] - component.mean[i]
        for j in 0..<i { sum -= component.factor[i * units + j] * y[j] }
        y[i] = sum / component.factor[i * units + i]
        square += y[i] * y[i]
      }
      return component.logWeight - square / 2
    }
  }

  private static func logSum(_ logs: [Double]) -> Double {
    let most = logs.max() ?? 0
    return most + logs.reduce(0.0) { $0 + ($1 - most).naturalExponential }.naturalLogarithm
  }

  /// The mean of log p(z) over codes, N x Z.
  public func meanLogDensity(of codes: [Float]) -> Double {
    let codes = codes.map(Double.init)
    let samples = codes.count / units
    return (0..<samples).reduce(0.0) { $0 + Self.logSum(logDensities(codes, $1)) / Double(samples) }
  }

  /// Codes drawn from the mixture, N x Z, from number `first` on. Code n depends on the seed and n alone; of a standard
  /// normal distribution it is that of `standardNormalCodes`.
  public func codes(_ count: Int, from first: Int = 0, seed: UInt64) -> [Float] {
    (first..<first + count).flatMap { n in
      var rest = Double(RandomStream(seed: seed, .sampling, number: 2, sample: n).uniform(1)[0])
      let component =
        components.first {
          rest -= $0.weight
          return rest < 0
        } ?? components[components.count - 1]
      let noise = RandomStream(seed: seed, .sampling, sample: n).normal(units).map(Double.init)
      return (0..<units).map { i in
        Float((0...i).reduce(component.mean[i]) { $0 + component.factor[i * units + $1] * noise[$1] })
      }
    }
  }

  /// The maximum mean discrepancy of two sets of codes by the kernel of `MMDPenalty`, whose C is twice the sum of the
  /// variances of the first: 0 in the mean where both have one distribution, whatever that is.
  ///
  /// - Parameters:
  ///   - codes: at least 2, N x Z.
  ///   - others: at least 2, N x Z.
  public static func discrepancy(_ codes: [Float], _ others: [Float], units: Int) -> Double {
    let (x, y) = (codes.map(Double.init), others.map(Double.init))
    let c = 2 * Double(units) * meanVariance(x, units: units)
    func mean(_ a: [Double], _ b: [Double], skipsEqual: Bool) -> Double {
      let (m, l) = (a.count / units, b.count / units)
      var sum = 0.0
      for n in 0..<m {
        for k in 0..<l where !(skipsEqual && n == k) {
          var distance = 0.0
          for i in 0..<units {
            let difference = a[n * units + i] - b[k * units + i]
            distance += difference * difference
          }
          for scale in [0.1, 0.2, 0.5, 1, 2, 5, 10] { sum += c * scale / (c * scale + distance) }
        }
      }
      return sum / Double(skipsEqual ? m * (l - 1) : m * l)
    }
    return mean(x, x, skipsEqual: true) + mean(y, y, skipsEqual: true) - 2 * mean(x, y, skipsEqual: false)
  }
}
