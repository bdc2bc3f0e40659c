/// Tells a variational model whose decoder ignores the code: the posterior equals the prior in nearly all latent units
/// (Bowman et al., "Generating sentences from a continuous space", CoNLL 2016).
public enum PosteriorCollapse {
  /// A model with a smaller part of active units counts as collapsed.
  public static let leastActive = 0.1
  /// A model is too young to tell before so many steps with the KL divergence in its full weight, unless its run is
  /// over.
  public static let leastSteps = 100
  /// A run of fewer steps shows nothing.
  static let fewestSteps = 10

  /// A sentence where an epoch ended with a collapsed posterior, after enough steps or at the end of a shorter run;
  /// else nil.
  ///
  /// - Parameter units: the latent units of the model.
  public static func warning(after epoch: EpochMetrics, units: Int, recipe: Recipe, stepsPerEpoch: Int) -> String? {
    let warmup = recipe.betaWarmup?.steps(perEpoch: stepsPerEpoch) ?? 0
    let ready = warmup + min(leastSteps, max(1, recipe.lastStep(stepsPerEpoch: stepsPerEpoch) - warmup))
    guard let active = epoch.activeUnits, Double(active) < leastActive * Double(units),
      epoch.step >= max(ready, fewestSteps)
    else { return nil }
    let advice = recipe.betaWarmup == nil ? "--beta-warmup 5epochs, " : ""
    let freeBits = recipe.freeBits == nil ? "--free-bits 0.5, " : ""
    return "posterior collapse: \(active) of \(units) latent units \(active == 1 ? "is" : "are") active after epoch "
      + "\(epoch.epoch), so the decoder makes little use of the code; if it stays so, try \(advice)\(freeBits)a "
      + "--beta below \(recipe.beta), or a smaller decoder"
  }
}
