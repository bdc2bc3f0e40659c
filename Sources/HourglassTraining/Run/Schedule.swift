import HourglassBase

/// The course of the learning rate after its warm-up.
public enum Schedule: String, Codable, Sendable, CaseIterable {
  case constant
  /// The rate falls to zero along half a cosine, which ends at the last step (Loshchilov & Hutter, "SGDR", ICLR 2017,
  /// without restarts).
  case cosine
}

/// A number of steps, or of epochs.
///
/// JSON and the command line write `500` for steps, `5epochs` for epochs.
public enum Span: TextForm, Sendable, Equatable {
  public static let wanted = "a text with a number of steps, such as \"500\", or of epochs, such as \"5epochs\""

  case steps(Int)
  case epochs(Int)

  /// Answers nil for another form, and for a number that is not 1 to 2^40.
  public init?(rawValue: String) {
    let isEpochs = rawValue.hasSuffix(Self.unit)
    guard let count = Int(isEpochs ? String(rawValue.dropLast(Self.unit.count)) : rawValue),
      (1...1 << 40).contains(count)
    else { return nil }
    self = isEpochs ? .epochs(count) : .steps(count)
  }

  /// `500` for steps, `5epochs` for epochs.
  public var rawValue: String {
    switch self {
    case .steps(let count): "\(count)"
    case .epochs(let count): "\(count)\(Self.unit)"
    }
  }

  private static let unit = "epochs"

  /// The span in steps, where an epoch has so many.
  public func steps(perEpoch: Int) -> Int {
    switch self {
    case .steps(let count): count
    case .epochs(let count):
      count.multipliedReportingOverflow(by: perEpoch).overflow ? Int.max / 2 : count * perEpoch
    }
  }
}

extension Recipe {
  /// The learning rate of step t, counted from 0. It follows from the step alone, in double, so a resumed run has the
  /// same rates.
  ///
  ///     t < W    rate (t + 1) / W
  ///     t >= W   rate, with a cosine rate (1 + cos(pi (t - W) / (T - W))) / 2, T being the steps in all
  public func learningRate(step: Int, stepsPerEpoch: Int) -> Float {
    let rate = Double(optimizer.learningRate)
    let warm = warmup?.steps(perEpoch: stepsPerEpoch) ?? 0
    if step < warm { return Float(rate * Double(step + 1) / Double(warm)) }
    guard schedule == .cosine else { return optimizer.learningRate }
    let last = lastStep(stepsPerEpoch: stepsPerEpoch)
    return Float(rate * Self.halfCosine(Double(step - warm) / Double(max(1, last - warm))))
  }

  /// The weight of the KL divergence and the penalties in step t: beta min(1, t / W).
  public func beta(step: Int, stepsPerEpoch: Int) -> Float {
    guard let warm = betaWarmup?.steps(perEpoch: stepsPerEpoch), step < warm else { return beta }
    return Float(Double(beta) * Double(step) / Double(warm))
  }

  /// The nats that the KL divergence is led to in step t: capacity min(1, t / W); nil where it is kept small.
  public func capacity(step: Int, stepsPerEpoch: Int) -> Float? {
    guard let capacity, let warm = capacityWarmup?.steps(perEpoch: stepsPerEpoch), step < warm else { return capacity }
    return Float(Double(capacity) * Double(step) / Double(warm))
  }

  /// The number (1 + cos(pi x)) / 2 for x from 0 to 1, by Taylor's series of the sine about the middle up to the 21st
  /// power. It is off by less than 1e-15, and has the same bits on every machine, which a library's cosine has not.
  static func halfCosine(_ x: Double) -> Double {
    let u = Double.pi * (min(max(x, 0), 1) - 0.5)
    var (term, sum) = (u, u)
    for k in stride(from: 3.0, through: 21, by: 2) {
      term *= -u * u / (k * (k - 1))
      sum += term
    }
    return (1 - sum) / 2
  }
}
