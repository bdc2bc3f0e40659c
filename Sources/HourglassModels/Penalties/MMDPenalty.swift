/// Codes distributed as the standard normal prior, by the maximum mean discrepancy of a shard's m codes h from as many
/// draws z of the prior: the Wasserstein autoencoder with that penalty, and beside a Gaussian latent, whose samples are
/// the codes then, the InfoVAE.
///
///     weight ( sum over n != l of (k(h[n], h[l]) + k(z[n], z[l])) / (m (m - 1))
///              - 2 sum over n, l of k(h[n], z[l]) / m^2 )
///     k(x, y) = sum over s in 1/10, 1/5, 1/2, 1, 2, 5, 10 of C s / (C s + |x - y|^2),   C = 2 Z
///
/// The estimate is unbiased for any m above 1, so it may be below 0; the mean over shards is a block estimate. A shard
/// of one sample, at the end of a partial minibatch, has none.
/// Sources: Tolstikhin et al., "Wasserstein auto-encoders", ICLR 2018, algorithm 2, kernel and scales of its code;
/// Zhao, Song & Ermon, "InfoVAE", AAAI 2019; Zaremba et al., "B-test", NIPS 2013, for blocks.
public struct MMDPenalty: Penalty, Hashable {
  public static let term = "MMD penalty"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedMMDPenalty(site: planner.penaltySite(self)))
  }
}

struct PlannedMMDPenalty: PlannedPenalty {
  let site: PenaltySite

  var kind: String { MMDPenalty.kind }
  var leastShard: Int? { 2 }
  /// The draw from the prior.
  var stateCount: Int { units }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    let (m, z) = (Double(shard.count), UnsafePointer(pass.state))
    guard m > 1, drawPrior(pass, shard: shard) else { return pass.note(0, shard: shard) }
    let h = UnsafePointer(pass.x)
    var (same, across) = (0.0, 0.0)
    for n in shard {
      for l in shard {
        if n != l { same += kernel(distance(h, n, h, l)) + kernel(distance(z, n, z, l)) }
        across += kernel(distance(h, n, z, l))
      }
    }
    pass.note(Double(site.weight) * (same / (m * (m - 1)) - 2 * across / (m * m)), shard: shard)
  }

  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    let m = Double(shard.count)
    guard m > 1, pass.noise.prior(sample: pass.firstSample, isSampled: site.isSampled) != nil else { return }
    let (h, z) = (UnsafePointer(pass.x), UnsafePointer(pass.state))
    // The derivative of m times the shard's penalty: 2 for a code's place in both arguments, 2 for the square.
    let factor = 4 * m * Double(pass.beta) * Double(site.weight)
    for n in shard {
      let (code, error) = (h + n * units, dx + n * units)
      func add(_ other: UnsafePointer<Float>, _ slope: Double) {
        for i in 0..<units { error[i] += Float(slope * (Double(code[i]) - Double(other[i]))) }
      }
      for l in shard {
        if n != l { add(h + l * units, factor / (m * (m - 1)) * slope(distance(h, n, h, l))) }
        add(z + l * units, -factor / (m * m) * slope(distance(h, n, z, l)))
      }
    }
  }

  /// False where the pass draws nothing.
  private func drawPrior(_ pass: Pass, shard: Range<Int>) -> Bool {
    for n in shard {
      guard let stream = pass.noise.prior(sample: pass.firstSample + n, isSampled: site.isSampled) else { return false }
      stream.fillNormal(pass.state + n * units, units)
    }
    return true
  }

  private func distance(_ x: UnsafePointer<Float>, _ n: Int, _ y: UnsafePointer<Float>, _ l: Int) -> Double {
    var sum = 0.0
    for i in 0..<units {
      let difference = Double(x[n * units + i]) - Double(y[l * units + i])
      sum += difference * difference
    }
    return sum
  }

  /// k as a function of the squared distance.
  private func kernel(_ distance: Double) -> Double {
    sumOverScales { $0 / ($0 + distance) }
  }

  /// Its derivative.
  private func slope(_ distance: Double) -> Double {
    sumOverScales { -$0 / (($0 + distance) * ($0 + distance)) }
  }

  @inline(__always)
  private func sumOverScales(_ term: (Double) -> Double) -> Double {
    let c = 2 * Double(units)
    return term(c / 10) + term(c / 5) + term(c / 2) + term(c) + term(2 * c) + term(5 * c) + term(10 * c)
  }
}
