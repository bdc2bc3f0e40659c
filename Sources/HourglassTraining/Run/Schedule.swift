import HourglassBase

/// The course of the learning rate after its warm-up, with PyTorch's definitions.
///
/// JSON and the command line write `constant`, `cosine`, `step:10epochs:0.1`, `exponential:0.95`, `plateau:0.1:10` or
/// `oneCycle:0.3`; the numbers at the end may be left out where they are these, but not that of `exponential`.
public enum Schedule: TextForm, Sendable, Equatable {
  case constant
  /// The rate falls to zero along half a cosine, which ends at the last step (Loshchilov & Hutter, "SGDR", ICLR 2017,
  /// without restarts).
  case cosine
  /// The rate is multiplied by `factor` after each span, as StepLR has it.
  case step(every: Span, factor: Double = 0.1)
  /// The rate is multiplied by `factor` after each epoch, as ExponentialLR has it.
  case exponential(factor: Double)
  /// The rate is multiplied by `factor` when the monitored loss has not fallen, by more than a part of 1e-4 of it, for
  /// more epochs than `patience`, as ReduceLROnPlateau has it.
  case plateau(factor: Double = 0.1, patience: Int = 10)
  /// The rate rises along half a cosine from 1/25 of its height to it, in the part `rise` of all steps, and falls along
  /// another to 1/250000 of its height; the momentum of SGD and RMSprop, and beta1 of Adam, falls from 0.95 to 0.85
  /// meanwhile, and rises again. As OneCycleLR has it.
  ///
  /// Source: Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates",
  /// 2018.
  case oneCycle(rise: Double = 0.3)

  public static let wanted =
    "constant, cosine, step:10epochs:0.1, exponential:0.95, plateau:0.1:10 or oneCycle:0.3, with factors and parts "
    + "between 0 and 1"

  public init?(rawValue: String) {
    let words = rawValue.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    func part(_ index: Int, else usual: Double? = nil) -> Double? {
      guard words.count > index else { return usual }
      return Double(words[index]).flatMap { $0 > 0 && $0 < 1 ? $0 : nil }
    }
    switch (words[0], words.count) {
    case ("constant", 1): self = .constant
    case ("cosine", 1): self = .cosine
    case ("step", 2...3):
      guard let span = Span(rawValue: words[1]), let factor = part(2, else: 0.1) else { return nil }
      self = .step(every: span, factor: factor)
    case ("exponential", 2):
      guard let factor = part(1) else { return nil }
      self = .exponential(factor: factor)
    case ("plateau", 1...3):
      guard let factor = part(1, else: 0.1), let patience = words.count > 2 ? Int(words[2]) : 10,
        (0...1 << 40).contains(patience)
      else { return nil }
      self = .plateau(factor: factor, patience: patience)
    case ("oneCycle", 1...2):
      guard let rise = part(1, else: 0.3) else { return nil }
      self = .oneCycle(rise: rise)
    default: return nil
    }
  }

  public var rawValue: String {
    switch self {
    case .constant: "constant"
    case .cosine: "cosine"
    case .step(let span, let factor): "step:\(span.rawValue):\(factor)"
    case .exponential(let factor): "exponential:\(factor)"
    case .plateau(let factor, let patience): "plateau:\(factor):\(patience)"
    case .oneCycle(let rise): "oneCycle:\(rise)"
    }
  }

  /// Whether rates depend on the step after which the run ends.
  public var leadsToEnd: Bool {
    switch self {
    case .cosine, .oneCycle: true
    case .constant, .step, .exponential, .plateau: false
    }
  }

  /// Whether rates depend on the steps done.
  var goesBySteps: Bool {
    switch self {
    case .step, .exponential, .cosine, .oneCycle: true
    case .constant, .plateau: false
    }
  }
}

/// How far a learning rate has come that falls on plateaus of the monitored loss.
public struct RatePlateau: Codable, Sendable, Equatable {
  /// The loss that later ones are compared with.
  public var best: Double
  /// The epoch that ended with it or with a fall of the rate, counted from 1.
  public var epoch: Int
  /// How often the rate has fallen.
  public var falls = 0
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
  /// The learning rate of step t, counted from 0. It follows from the step and the falls on plateaus alone, in double,
  /// so a resumed run has the same rates.
  ///
  ///     t < W    rate (t + 1) / W
  ///     t >= W   rate, of a schedule with s = t - W, S steps an epoch and T in all:
  ///              cosine        rate (1 + cos(pi s / (T - W))) / 2
  ///              step          rate factor^floor(s / span)
  ///              exponential   rate factor^floor(s / S)
  ///              plateau       rate factor^falls, also while t < W
  ///              oneCycle      see `Schedule`
  public func learningRate(step: Int, stepsPerEpoch: Int, falls: Int = 0) -> Float {
    var rate = Double(optimizer.learningRate)
    if case .plateau(let factor, _) = schedule { rate *= Self.power(factor, falls) }
    let warm = warmup?.steps(perEpoch: stepsPerEpoch) ?? 0
    if step < warm { return Float(rate * Double(step + 1) / Double(warm)) }
    switch schedule ?? .constant {
    case .constant, .plateau: return Float(rate)
    case .cosine:
      let last = lastStep(stepsPerEpoch: stepsPerEpoch)
      return Float(rate * Self.halfCosine(Double(step - warm) / Double(max(1, last - warm))))
    case .step(let span, let factor):
      return Float(rate * Self.power(factor, (step - warm) / span.steps(perEpoch: stepsPerEpoch)))
    case .exponential(let factor): return Float(rate * Self.power(factor, (step - warm) / stepsPerEpoch))
    case .oneCycle(let rise):
      let (part, isRise) = cycle(step: step, stepsPerEpoch: stepsPerEpoch, rise: rise)
      let end = rate / 25 / (isRise ? 1 : 10_000)
      return Float(end + (rate - end) * (isRise ? 1 - part : part))
    }
  }

  /// The momentum of step t, and for Adam its beta1, where the schedule cycles it; nil for the optimiser's own.
  public func momentum(step: Int, stepsPerEpoch: Int) -> Float? {
    guard case .oneCycle(let rise) = schedule else { return nil }
    let (part, isRise) = cycle(step: step, stepsPerEpoch: stepsPerEpoch, rise: rise)
    return Float(0.95 - 0.1 * (isRise ? 1 - part : part))
  }

  /// The half of a cycle in which a step lies, and (1 + cos(pi x)) / 2 for its place x in it, from 1 down to 0.
  private func cycle(step: Int, stepsPerEpoch: Int, rise: Double) -> (part: Double, isRise: Bool) {
    let last = Double(lastStep(stepsPerEpoch: stepsPerEpoch)), t = Double(step)
    let top = rise * last - 1
    if t <= top, top > 0 { return (Self.halfCosine(t / top), true) }
    return (Self.halfCosine((t - top) / (last - 1 - top)), false)
  }

  /// Where a rate that falls on plateaus stands after an epoch, counted from 1, which ended with this monitored loss;
  /// nil with another schedule. A fall by less than 1e-8 is left out.
  func plateau(after epoch: Int, loss: Double, stepsPerEpoch: Int, _ before: RatePlateau?) -> RatePlateau? {
    guard case .plateau(let factor, let patience) = schedule else { return nil }
    guard var now = before, loss >= now.best * (now.best < 0 ? 1 + 1e-4 : 1 - 1e-4) else {
      return RatePlateau(best: loss, epoch: epoch, falls: before?.falls ?? 0)
    }
    guard epoch - max(now.epoch, betaWarmupEpochs(stepsPerEpoch: stepsPerEpoch)) > patience else { return now }
    let rate = Double(optimizer.learningRate) * Self.power(factor, now.falls)
    if rate * (1 - factor) > 1e-8 { now.falls += 1 }
    now.epoch = epoch
    return now
  }

  /// The epochs, the last one begun, until the second term has its full weight.
  func betaWarmupEpochs(stepsPerEpoch: Int) -> Int {
    betaWarmup.map { ($0.steps(perEpoch: stepsPerEpoch) + stepsPerEpoch - 1) / stepsPerEpoch } ?? 0
  }

  /// A factor to a whole power, by squaring.
  private static func power(_ factor: Double, _ exponent: Int) -> Double {
    var (power, base, exponent) = (1.0, factor, exponent)
    while exponent > 0 {
      if exponent & 1 == 1 { power *= base }
      base *= base
      exponent >>= 1
    }
    return power
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
