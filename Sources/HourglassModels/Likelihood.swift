import HourglassKernels

/// p(x | decoder's output): what the reconstruction error of one image is, summed over its pixels, and its gradient.
public enum Likelihood: String, Codable, Sendable, CaseIterable {
  /// -log p of pixels in [0, 1] under a Bernoulli distribution; the decoder ends in logits. In nats.
  case bernoulli
  /// Sum of squared differences: -log p under a Gaussian of variance 1/2, less its constant.
  case squaredError

  /// Losses of `samples` images of `count` pixels and, where wanted, the error of the decoder's output.
  public func evaluate(
    samples: Int, count: Int, output: UnsafePointer<Float>, target: UnsafePointer<Float>,
    loss: UnsafeMutablePointer<Float>, error: UnsafeMutablePointer<Float>?
  ) {
    switch self {
    case .bernoulli: checked(hg_bernoulli_logits(samples, count, output, target, loss, error))
    case .squaredError: checked(hg_squared_error(samples, count, output, target, loss, error))
    }
  }

  /// The expected image: what a person looks at. `image` may be `output`.
  public func mean(of output: UnsafePointer<Float>, count: Int, into image: UnsafeMutablePointer<Float>) {
    checked(hg_activation_forward(meanActivation.kernel, count, output, image, nil))
  }

  /// What makes the expected image of the decoder's output.
  var meanActivation: Activation { self == .bernoulli ? .sigmoid : .linear }

  /// Why a decoder that ends in `activation` does not fit, if it does not.
  func refusal(of activation: Activation) -> String? {
    self == .bernoulli && activation != .linear
      ? "the bernoulli likelihood wants logits, so a last layer with linear activation, found \(activation.rawValue)"
      : nil
  }
}
