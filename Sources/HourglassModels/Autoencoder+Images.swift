import HourglassBase

extension Autoencoder {
  /// Where the numbers that it is to put out must lie, and a sentence of what demands it, the likelihood or the
  /// activation that ends the chain: "the bernoulli likelihood wants numbers in [0, 1]"; nil where nothing does.
  public func demandedTargets(_ output: Activation) -> (range: ClosedRange<Float>, sentence: String)? {
    guard likelihood.target == .image else { return nil }
    if likelihood.wantsCounts {
      return (0 ... .greatestFiniteMagnitude, "the \(likelihood.name) likelihood wants counts, numbers of at least 0")
    }
    if likelihood.wantsWindows || [.bernoulli, .discretizedLogistic].contains(likelihood) {
      return (0...1, "the \(likelihood.name) likelihood wants numbers in [0, 1]")
    }
    switch output {
    case .sigmoid, .hardSigmoid: return (0...1, "a model that ends in \(output) wants numbers in [0, 1]")
    case .tanh, .hardTanh: return (-1...1, "a model that ends in \(output) wants numbers in [-1, 1]")
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
