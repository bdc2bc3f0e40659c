import HourglassKernels

/// Units of a Gaussian latent whose covariance is the identity, by its distance from the covariance over a shard:
///
///     weight sum over i != j of C[i,j]^2 + diagonal sum over i of (C[i,i] - 1)^2
///     C = covariance of the means over the shard's m samples, with divisor m; for type II with the mean of the
///     variances exp(lv[n,i]) added to C[i,i], which is then the covariance of the samples
///
/// The paper's lambda_od is the weight, its lambda_d the diagonal: 10 weights for type I, one weight for type II.
/// Source: Kumar, Sattigeri & Balakrishnan, "Variational inference of disentangled latent concepts from
/// unlabeled observations", ICLR 2018, equations 6 and 7.
public struct DIPPenalty: Penalty, Hashable {
  public static let term = "DIP penalty"

  /// Whose covariance it is.
  public enum Form: String, Codable, Sendable, CaseIterable {
    /// The means' (DIP-VAE-I).
    case means = "I"
    /// The samples' (DIP-VAE-II).
    case samples = "II"
  }

  /// The weight of covariances between units in the loss, before beta; at least 0.
  public var weight: Float
  /// The weight of the units' variances in the loss, before beta; at least 0.
  public var diagonal: Float
  /// Whose covariance it is.
  public var type: Form

  /// A penalty of one of the two forms, with weights of at least 0.
  public init(_ type: Form, weight: Float, diagonal: Float) {
    (self.type, self.weight, self.diagonal) = (type, weight, diagonal)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let site = try planner.penaltySite(self)
    guard diagonal >= 0, diagonal.isFinite else {
      throw ModelError(site.name, "wanted a diagonal of at least 0, found \(diagonal)")
    }
    try planner.append(ofPosterior: PlannedDIPPenalty(site: site, type: type, diagonal: Double(diagonal)))
  }
}

struct PlannedDIPPenalty: PlannedPenalty {
  let site: PenaltySite
  let type: DIPPenalty.Form
  let diagonal: Double

  var kind: String { DIPPenalty.kind }
  /// The covariance over a shard is a function of all its samples.
  var leastShard: Int? { 2 }

  /// Doubles of the means over the shard, and of the covariance.
  func scratchCount(samples: Int, threads: Int) -> Int { 2 * units * (1 + units) }

  func evaluate(_ pass: Pass, shard: Range<Int>) {
    withCovariance(pass, shard) { _, covariance in
      var sum = 0.0
      for i in 0..<units {
        for j in 0..<units {
          let excess = covariance[i * units + j] - (i == j ? 1 : 0)
          sum += (i == j ? diagonal : Double(site.weight)) * excess * excess
        }
      }
      pass.note(sum, shard: shard)
    }
  }

  /// With G the derivative in C, m times that of the shard's penalty is 2 sum over j of G[i,j] (mean[n,j] - its mean)
  /// in a mean, and G[i,i] exp(lv[n,i]) in a log-variance.
  func addDerivative(_ pass: Pass, shard: Range<Int>, to dx: UnsafeMutablePointer<Float>) {
    guard let posterior = pass.skip, let error = pass.dskip else { return }
    let beta = Double(pass.beta)
    withCovariance(pass, shard) { means, covariance in
      for i in 0..<units {
        for j in 0..<units {
          let excess = covariance[i * units + j] - (i == j ? 1 : 0)
          covariance[i * units + j] = 2 * (i == j ? diagonal : Double(site.weight)) * excess
        }
      }
      for n in shard {
        let (mean, logVariance) = (2 * n * units, (2 * n + 1) * units)
        for i in 0..<units {
          var slope = 0.0
          for j in 0..<units { slope += covariance[i * units + j] * (Double(posterior[mean + j]) - means[j]) }
          error[mean + i] += Float(2 * beta * slope)
          let lv = posterior[logVariance + i]
          guard type == .samples, lv > HG_LOG_VARIANCE_MIN, lv < HG_LOG_VARIANCE_MAX else { continue }
          error[logVariance + i] += Float(beta * covariance[i * units + i] * Double(lv).naturalExponential)
        }
      }
    }
  }

  /// The means over the shard, and the covariance; samples in order.
  private func withCovariance(
    _ pass: Pass, _ shard: Range<Int>,
    _ body: (_ means: UnsafeMutablePointer<Double>, _ covariance: UnsafeMutablePointer<Double>) -> Void
  ) {
    guard let posterior = pass.skip else { return }
    pass.scratch.withMemoryRebound(to: Double.self, capacity: units * (1 + units)) { means in
      let covariance = means + units
      means.update(repeating: 0, count: units * (1 + units))
      let m = Double(shard.count)
      for n in shard { for i in 0..<units { means[i] += Double(posterior[2 * n * units + i]) / m } }
      for n in shard {
        for i in 0..<units {
          let difference = Double(posterior[2 * n * units + i]) - means[i]
          for j in 0..<units {
            covariance[i * units + j] += difference * (Double(posterior[2 * n * units + j]) - means[j]) / m
          }
          guard type == .samples else { continue }
          let lv = min(max(posterior[(2 * n + 1) * units + i], HG_LOG_VARIANCE_MIN), HG_LOG_VARIANCE_MAX)
          covariance[i * units + i] += Double(lv).naturalExponential / m
        }
      }
      body(means, covariance)
    }
  }
}
