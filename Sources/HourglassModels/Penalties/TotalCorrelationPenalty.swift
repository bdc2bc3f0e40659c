import HourglassKernels

/// Units of a Gaussian latent that are independent of one another: weight times the total correlation of the samples z,
/// estimated from the m posteriors q(z | x[l]) of a shard.
///
///     weight ( log q(z[n]) - sum over j of log q(z[n,j]) ),   q(z) = mean over l of q(z | x[l]),
///     q(z | x[l]) = product over j of normal(z[j]; mean[l,j], exp(lv[l,j])),   lv clamped to [-30, 20]
///
/// With a weight of b - 1 and a beta of 1 this is the beta-TC-VAE of weight b. It is its estimate by minibatch-weighted
/// sampling but for a constant: that one has the number of images in the mean over l, which makes it (Z - 1) times its
/// logarithm larger and has no derivative.
///
/// Cost: m^2 Z exponentials a shard. Source: Chen et al., "Isolating sources of disentanglement in variational
/// autoencoders", NeurIPS 2018, section 4.1 and appendix C.1.
public struct TotalCorrelationPenalty: Penalty, Hashable {
  public static let term = "total correlation"

  /// The weight of the penalty in the loss, before beta; at least 0.
  public var weight: Float

  /// A penalty with a weight of at least 0.
  public init(weight: Float) { self.weight = weight }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(ofPosterior: PlannedTotalCorrelation(site: planner.penaltySite(self)))
  }
}

struct PlannedTotalCorrelation: PlannedPenalty {
  let site: PenaltySite

  var kind: String { TotalCorrelationPenalty.kind }
  /// A mixture of one posterior has units that are independent.
  var leastShard: Int? { 2 }

  /// A double for each posterior of a shard.
  func scratchCount(samples: Int, threads: Int) -> Int { 2 * samples }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    guard let posterior = pass.skip else { return }
    let size = Double(shard.count).naturalLogarithm
    for n in shard {
      var correlation = logSum(shard) { l in
        (0..<units).reduce(0.0) { $0 + logDensity(pass.x, n, posterior, l, $1) }
      }
      for j in 0..<units { correlation -= logSum(shard) { logDensity(pass.x, n, posterior, $0, j) } }
      pass.term[n] = Float(Double(site.weight) * (correlation + Double(units - 1) * size))
    }
  }

  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    guard let posterior = pass.skip, let error = pass.dskip else { return }
    let factor = Double(pass.beta) * Double(site.weight)
    pass.scratch.withMemoryRebound(to: Double.self, capacity: shard.count) { joint in
      for n in shard {
        for l in shard {
          joint[l - shard.lowerBound] = (0..<units).reduce(0.0) { $0 + logDensity(pass.x, n, posterior, l, $1) }
        }
        let all = logSum(shard) { joint[$0 - shard.lowerBound] }
        for j in 0..<units {
          let one = logSum(shard) { logDensity(pass.x, n, posterior, $0, j) }
          var slope = 0.0
          for l in shard {
            // The part of posterior l in the mixture of all units, less that in the mixture of unit j.
            let part =
              (joint[l - shard.lowerBound] - all).naturalExponential
              - (logDensity(pass.x, n, posterior, l, j) - one).naturalExponential
            let (mean, logVariance) = (2 * l * units + j, (2 * l + 1) * units + j)
            let precision = (-clamped(posterior[logVariance])).naturalExponential
            let distance = Double(pass.x[n * units + j]) - Double(posterior[mean])
            slope -= part * distance * precision
            error[mean] += Float(factor * part * distance * precision)
            if clamped(posterior[logVariance]) == Double(posterior[logVariance]) {
              error[logVariance] += Float(factor * part * (distance * distance * precision - 1) / 2)
            }
          }
          dx[n * units + j] += Float(factor * slope)
        }
      }
    }
  }

  /// log normal(z[n,j]; mean[l,j], exp(lv[l,j])) without -log(2 pi) / 2, which cancels.
  private func logDensity(
    _ z: UnsafePointer<Float>, _ n: Int, _ posterior: UnsafePointer<Float>, _ l: Int, _ j: Int
  ) -> Double {
    let logVariance = clamped(posterior[(2 * l + 1) * units + j])
    let distance = Double(z[n * units + j]) - Double(posterior[2 * l * units + j])
    return -(distance * distance * (-logVariance).naturalExponential + logVariance) / 2
  }

  private func clamped(_ logVariance: Float) -> Double {
    Double(min(max(logVariance, HG_LOG_VARIANCE_MIN), HG_LOG_VARIANCE_MAX))
  }

  /// log of the sum of exponentials over a shard, in order.
  private func logSum(_ shard: Range<Int>, _ term: (Int) -> Double) -> Double {
    let most = shard.reduce(-Double.infinity) { max($0, term($1)) }
    return most + shard.reduce(0.0) { $0 + (term($1) - most).naturalExponential }.naturalLogarithm
  }
}
