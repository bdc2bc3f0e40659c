import HourglassKernels

/// Adds normal values of mean 0 while training; otherwise the identity.
///
///     y[j] = x[j] + deviation e[j],   e[j] standard normal
///
/// In front of a chain it makes a denoising autoencoder, since the likelihood compares with the clean image.
/// Source: Vincent et al., "Stacked denoising autoencoders", JMLR 2010.
public struct GaussianNoise: Layer, Hashable {
  /// Standard deviation of what is added: at least 0.
  public var deviation: Float

  /// Noise of a standard deviation; shapes stay.
  public init(_ deviation: Float) { self.deviation = deviation }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard deviation >= 0, deviation.isFinite else {
      throw ModelError(planner.name, "wanted a deviation of the noise of at least 0, found \(deviation)")
    }
    try planner.append(PlannedGaussianNoise(site: Site(planner), deviation: deviation))
  }
}

struct PlannedGaussianNoise: PlannedNoise {
  let site: Site
  let deviation: Float

  var kind: String { GaussianNoise.kind }
  func reads(_ use: Use) -> [Read] { use.gatingReads(site.inputActivation) }

  func disturb(_ pass: Pass, _ stream: hg_random_stream) {
    var stream = stream
    pass.withParallel {
      checked(hg_gaussian_noise(&stream, deviation, pass.samples, site.shape.count, pass.x, pass.y, $0))
    }
  }

  func disturbBackward(_ pass: Pass, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>) {
    passBackward(pass, dy: dy, dx: dx)
  }
}
