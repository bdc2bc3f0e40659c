import HourglassKernels

/// Dropout: while training each value is zero with probability `rate`, independently of all others, and kept values
/// grow so that the mean stays; otherwise the identity.
///
///     y[j] = x[j] / (1 - rate) where value j is kept, else 0
///
/// In front of a chain it is masking noise, since the likelihood compares with the clean image.
/// Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
public struct Dropout: Layer, Hashable {
  /// Share of values that become zero: at least 0, below 1.
  public var rate: Float

  /// Dropout with a probability; shapes stay.
  public init(_ rate: Float) { self.rate = rate }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard (0..<1).contains(rate) else {
      throw ModelError(planner.name, "wanted a dropout rate of at least 0 and below 1, found \(rate)")
    }
    try planner.append(PlannedDropout(site: Site(planner), rate: rate))
  }
}

struct PlannedDropout: PlannedNoise {
  let site: Site
  let rate: Float

  var kind: String { Dropout.kind }
  /// One bit for each value, which also holds the derivative of a ReLU before it.
  var stateCount: Int { hg_dropout_mask_count(site.shape.count) }
  func reads(_ use: Use) -> [Read] { use.gatingReads(site.inputActivation == .relu ? .linear : site.inputActivation) }

  func disturb(_ pass: Pass, _ stream: hg_random_stream) {
    var stream = stream
    pass.withParallel {
      checked(
        hg_dropout_forward(
          &stream, rate, pass.samples, site.shape.count, pass.inputActivation.kernel, pass.x, pass.y, mask(pass), $0))
    }
  }

  func disturbBackward(_ pass: Pass, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>) {
    pass.withParallel {
      checked(
        hg_dropout_backward(
          rate, pass.samples, site.shape.count, dy, mask(pass), pass.inputActivation.kernel, pass.x, dx, $0))
    }
  }

  private func mask(_ pass: Pass) -> UnsafeMutablePointer<UInt32> {
    UnsafeMutableRawPointer(pass.state).assumingMemoryBound(to: UInt32.self)
  }
}
