import HourglassBase

extension Autoencoder {
  /// Where the numbers that it is to put out must lie, and what demands it; nil where nothing does: the likelihood, or
  /// the activation that ends the chain.
  public func demandedTargets(_ output: Activation) -> (range: ClosedRange<Float>, reason: String)? {
    guard likelihood.target == .image else { return nil }
    if likelihood == .bernoulli || likelihood == .ssim { return (0...1, "the \(likelihood.name) likelihood") }
    switch output {
    case .sigmoid, .hardSigmoid: return (0...1, "a model that ends in \(output)")
    case .tanh, .hardTanh: return (-1...1, "a model that ends in \(output)")
    default: return nil
    }
  }
}

extension Standardization {
  /// Why a model cannot see its images so, if it cannot.
  public func refusal(for model: Autoencoder) -> String? {
    mean.count == model.input.channels
      ? nil : "wanted means of \(model.input.channels) channels, as the model reads, found \(mean.count)"
  }
}
