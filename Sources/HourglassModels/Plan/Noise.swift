/// Which layers of a pass draw random numbers, and what the addresses of these have in common.
///
/// A sample counts by its place in the step, a layer by its place among the layers that run. So each layer has a
/// stream of its own for every sample of every step, whoever computes it and however often.
public enum Noise: Sendable, Equatable, BitwiseCopyable {
  /// None: the latent is its mean, and layers that draw while training are the identity.
  case none
  /// The latent alone, which an evaluation samples, or the directions of a penalty that is estimated.
  case evaluation(seed: UInt64, step: Int)
  /// The latent alone, which an evaluation samples many times: draw 0, 1, ..., below 2^24.
  case importance(seed: UInt64, step: Int, draw: Int)
  /// All.
  case training(seed: UInt64, step: Int)

  /// Whether layers do what they do in training alone.
  var isTraining: Bool { if case .training = self { true } else { false } }

  /// Where the latent's noise for a sample comes from; nil where it is its mean.
  func latent(sample: Int) -> RandomStream? { codes(sample: sample, number: 0) }

  /// Where a draw from the prior comes from that a sample's code is compared with; nil where nobody compares.
  ///
  /// - Parameter isSampled: whether the code has noise of its own, of which the draw is independent then.
  func prior(sample: Int, isSampled: Bool) -> RandomStream? { codes(sample: sample, number: isSampled ? 1 : 0) }

  private func codes(sample: Int, number: Int) -> RandomStream? {
    switch self {
    case .none: nil
    case .evaluation(let seed, let step):
      RandomStream(seed: seed, .evaluation, number: number, step: step, sample: sample)
    case .importance(let seed, let step, let draw):
      number > 0 ? nil : RandomStream(seed: seed, .importance, number: draw, step: step, sample: sample)
    case .training(let seed, let step):
      RandomStream(seed: seed, .latent, number: number, step: step, sample: sample)
    }
  }

  /// Where another layer's random numbers for a sample come from; nil where it is the identity.
  func layer(_ number: Int, sample: Int) -> RandomStream? {
    guard case .training(let seed, let step) = self else { return nil }
    return RandomStream(seed: seed, .layer, number: number, step: step, sample: sample)
  }

  /// Where the direction in which a sample's code is differentiated comes from; nil where nobody asks how its code
  /// changes.
  func direction(sample: Int) -> RandomStream? {
    switch self {
    case .none, .importance: nil
    case .evaluation(let seed, let step): RandomStream(seed: seed, .direction, number: 1, step: step, sample: sample)
    case .training(let seed, let step): RandomStream(seed: seed, .direction, step: step, sample: sample)
    }
  }

  /// Whether samples have a direction.
  public var hasDirections: Bool { direction(sample: 0) != nil }

  /// Where the numbers come from that draw units of a sample's Gibbs chain: hidden ones in even half-steps, visible
  /// ones in odd ones.
  func gibbs(_ halfStep: Int, sample: Int) -> RandomStream? {
    guard case .training(let seed, let step) = self else { return nil }
    return RandomStream(seed: seed, .gibbs, number: halfStep, step: step, sample: sample)
  }

  /// Which draw of binarized images is seen: each step of training has its own, all else the first.
  public var imageDraw: Int { if case .training(_, let step) = self { step + 1 } else { 0 } }

  /// Where the numbers that change a sample's image come from; nil where it is seen as it is.
  public func image(sample: Int) -> (augmentation: RandomStream, corruption: RandomStream)? {
    guard case .training(let seed, let step) = self else { return nil }
    func stream(_ purpose: RandomStream.Purpose) -> RandomStream {
      RandomStream(seed: seed, purpose, step: step, sample: sample)
    }
    return (stream(.augmentation), stream(.corruption))
  }
}
