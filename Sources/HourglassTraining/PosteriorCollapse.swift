/// A variational model whose decoder ignores the code: posterior equals prior in nearly all latent units (Bowman et
/// al., "Generating sentences from a continuous space", CoNLL 2016).
public enum PosteriorCollapse {
  /// A smaller part of active units counts as collapsed.
  public static let leastActive = 0.1
  /// Steps with the divergence in its full weight before which a model is too young to tell.
  public static let leastSteps = 100

  /// A sentence where an epoch ended with a collapsed posterior, after enough steps.
  public static func warning(after epoch: EpochMetrics, units: Int, recipe: Recipe, stepsPerEpoch: Int) -> String? {
    guard let active = epoch.activeUnits, Double(active) < leastActive * Double(units),
      epoch.step >= leastSteps + (recipe.betaWarmup?.steps(perEpoch: stepsPerEpoch) ?? 0)
    else { return nil }
    let warmup = recipe.betaWarmup == nil ? "--beta-warmup 5epochs, " : ""
    let freeBits = recipe.freeBits == nil ? "--free-bits 0.5, " : ""
    return "posterior collapse: \(active) of \(units) latent units \(active == 1 ? "is" : "are") active after epoch "
      + "\(epoch.epoch), so the decoder makes little use of the code; if it stays so, try \(warmup)\(freeBits)a "
      + "--beta below \(recipe.beta), or a smaller decoder"
  }
}
