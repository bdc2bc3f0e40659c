/// Sparse codes: weight times the sum of absolute values, sum over j of |h[n,j]|.
///
/// Sources: Ng, "Sparse autoencoder", CS294A lecture notes, 2011; Goodfellow et al., "Deep learning", 2016, chapter 14.
public struct L1Penalty: Penalty, Hashable {
  public static let term = "L1 penalty"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedL1Penalty(site: planner.penaltySite(self)))
  }
}

struct PlannedL1Penalty: PlannedPenalty {
  let site: PenaltySite

  var kind: String { L1Penalty.kind }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    for n in shard {
      var sum = 0.0
      for i in n * units..<(n + 1) * units { sum += Double(abs(pass.x[i])) }
      pass.term[n] = Float(Double(site.weight) * sum)
    }
  }

  /// 0 at 0.
  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let slope = pass.beta * site.weight
    for i in shard.lowerBound * units..<shard.upperBound * units {
      if pass.x[i] > 0 { dx[i] += slope } else if pass.x[i] < 0 { dx[i] -= slope }
    }
  }
}

/// Small codes: weight times the sum of squares, sum over j of h[n,j]^2.
///
/// The regularised autoencoder has it with half its beta as the weight, beside weight decay of the decoder.
/// Source: Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020.
public struct L2Penalty: Penalty, Hashable {
  public static let term = "L2 penalty"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedL2Penalty(site: planner.penaltySite(self)))
  }
}

struct PlannedL2Penalty: PlannedPenalty {
  let site: PenaltySite

  var kind: String { L2Penalty.kind }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    for n in shard {
      var sum = 0.0
      for i in n * units..<(n + 1) * units { sum += Double(pass.x[i]) * Double(pass.x[i]) }
      pass.term[n] = Float(Double(site.weight) * sum)
    }
  }

  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let slope = 2 * pass.beta * site.weight
    for i in shard.lowerBound * units..<shard.upperBound * units { dx[i] += slope * pass.x[i] }
  }
}

/// Sparse codes of sigmoid units: the KL divergence of each unit's mean activity from a target, as Bernoulli variables.
///
///     weight sum over j of  t ln(t / r[j]) + (1 - t) ln((1 - t) / (1 - r[j])),   r[j] = mean over the shard of h[n,j]
///
/// r is held within 10^-6 of 0 and 1; beyond the slope is 0. Source: Ng, "Sparse autoencoder", CS294A notes, 2011.
public struct ActivityPenalty: Penalty, Hashable {
  public static let term = "activity penalty"

  /// The mean activity t that units are to have, between 0 and 1.
  public var target: Float
  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty on mean activities other than `target`, with a weight of at least 0.
  public init(target: Float, weight: Float) { (self.target, self.weight) = (target, weight) }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let site = try planner.penaltySite(self)
    guard target > 0, target < 1 else {
      throw ModelError(site.name, "wanted a target activity between 0 and 1, found \(target)")
    }
    guard site.activation == .sigmoid else {
      throw ModelError(
        site.name, "wanted a latent of sigmoid units, which have an activity, found \(site.activation)")
    }
    try planner.append(PlannedActivityPenalty(site: site, target: Double(target)))
  }
}

struct PlannedActivityPenalty: PlannedPenalty {
  let site: PenaltySite
  /// The mean over a shard is a function of all its samples.
  var leastShard: Int? { 1 }
  let target: Double

  var kind: String { ActivityPenalty.kind }
  private static let range = 1e-6...1 - 1e-6

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    var sum = 0.0
    for unit in 0..<units {
      let mean = pass.mean(unit, of: units, shard: shard)
      let activity = min(max(mean, Self.range.lowerBound), Self.range.upperBound)
      sum += target * (target / activity).naturalLogarithm
      sum += (1 - target) * ((1 - target) / (1 - activity)).naturalLogarithm
    }
    pass.note(Double(site.weight) * sum, shard: shard)
  }

  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let factor = Double(pass.beta) * Double(site.weight)
    for unit in 0..<units {
      let activity = pass.mean(unit, of: units, shard: shard)
      guard Self.range.contains(activity) else { continue }
      let slope = Float(factor * ((1 - target) / (1 - activity) - target / activity))
      for n in shard { dx[n * units + unit] += slope }
    }
  }
}

/// Codes with mean zero: weight times the sum over units of the square of the mean over the shard.
///
///     weight sum over j of m[j]^2,   m[j] = mean over the shard of h[n,j]
public struct ZeroMeanPenalty: Penalty, Hashable {
  public static let term = "zero-mean penalty"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedZeroMeanPenalty(site: planner.penaltySite(self)))
  }
}

struct PlannedZeroMeanPenalty: PlannedPenalty {
  let site: PenaltySite
  /// The mean over a shard is a function of all its samples.
  var leastShard: Int? { 1 }

  var kind: String { ZeroMeanPenalty.kind }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    var sum = 0.0
    for unit in 0..<units {
      let mean = pass.mean(unit, of: units, shard: shard)
      sum += mean * mean
    }
    pass.note(Double(site.weight) * sum, shard: shard)
  }

  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let factor = 2 * Double(pass.beta) * Double(site.weight)
    for unit in 0..<units {
      let slope = Float(factor * pass.mean(unit, of: units, shard: shard))
      for n in shard { dx[n * units + unit] += slope }
    }
  }
}
