import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassTraining

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws codes from a prior and makes images of them.",
    discussion: """
      The prior of a variational autoencoder, or of a model with an MMDPenalty (a Wasserstein autoencoder), is the \
      standard normal distribution. With --prior mixture:10 codes come from a mixture of 10 normal distributions with \
      full covariances, which is fitted to the codes of at most 10,000 images trained on; it serves any autoencoder \
      whose codes are numbers. What is printed beside it says how likely codes of other images trained on are under \
      either prior, and how far draws are from them (the maximum mean discrepancy, 0 for the same distribution). \
      An NPY file holds the expected images, N,H,W,C, float32; a PNG file shows the images in rows. Without --count \
      there are 128 images.

      Example:
        hourglass sample --run runs/first --output samples.png --seed 7
        hourglass sample --run runs/first --prior mixture:10
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var output: OutputOptions

  @Option(help: "The seed of the draws. (default: the run's)")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      """
      Draw codes from normal, the standard normal distribution, or from mixture:K, K normal distributions fitted to \
      codes. (default: normal)
      """, valueName: "prior"))
  var prior: String?

  /// The most components of a mixture, and the most units of its codes.
  private static let (mostComponents, mostUnits) = (1000, 1024)
  /// The codes that a mixture is fitted to, and those that it is judged by.
  private static let (fitted, judged) = (10_000, 1000)

  func validate() throws { _ = try components() }

  /// The components of the mixture that was asked for; nil for the standard normal distribution.
  private func components() throws -> Int? {
    guard let prior, prior != "normal" else { return nil }
    let parts = prior.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0] == "mixture", let count = Int(parts[1]), (1...Self.mostComponents).contains(count)
    else {
      throw ValidationError("--prior: wanted normal, or mixture:1 to mixture:\(Self.mostComponents), found \(prior)")
    }
    return count
  }

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("sample")
    try loaded.requireDecoding("sample")
    let components = try components()
    guard components != nil || loaded.model.hasPrior else {
      throw ValidationError(
        "sample: wanted a variational model or one with an MMDPenalty, found \(loaded.model.name), a plain "
          + "autoencoder, which has no prior to draw from; fit one with --prior mixture:10, or use decode with codes "
          + "of your own")
    }
    let file = try output.file(or: loaded.run.picture("sample.png"), for: loaded)
    let seed = seed ?? loaded.recipe.seed
    let mixture = try components.map { try fit($0, to: loaded, seed: seed) }
    try loaded.decode(output.count ?? 8 * Pictures.columns, to: file) {
      mixture?.codes($0.count, from: $0.lowerBound, seed: seed)
        ?? loaded.inference.standardNormalCodes($0.count, from: $0.lowerBound, seed: seed)
    }
  }

  /// A mixture of the run's codes, and a table of how it does beside the standard normal distribution.
  private func fit(_ components: Int, to loaded: LoadedRun, seed: UInt64) throws -> GaussianMixture {
    let units = loaded.inference.codeCount
    guard !loaded.model.isQuantized, units <= Self.mostUnits else {
      throw ValidationError(
        "--prior: wanted codes of at most \(Self.mostUnits) numbers for a mixture, found "
          + (loaded.model.isQuantized ? "the numbered codes of a VectorQuantizer" : "\(units)"))
    }
    let data = try loaded.trainedOn()
    guard data.count >= components + 2 else {
      throw ValidationError("--prior: wanted \(components + 2) images trained on or more, found \(data.count)")
    }
    // Where images are few, a tenth of them is left to judge by.
    let judged = min(Self.judged, max(2, data.count / 10))
    let fitted = max(components, min(Self.fitted, data.count - judged))
    let codes = try loaded.codes(of: data, 0..<min(fitted + judged, data.count))
    let mixture = GaussianMixture(
      of: Array(codes[..<(fitted * units)]), units: units, components: components, seed: seed)
    let others = Array(codes[(fitted * units)...])
    StandardOutput.write("codes of \(fitted) images, judged by \(others.count / units) others")
    StandardOutput.write("")
    let priors = [("mixture of \(components)", mixture), ("standard normal", GaussianMixture(standardNormalOf: units))]
    let rows = priors.map { name, prior in
      let drawn = prior.codes(others.count / units, seed: seed)
      return [
        name, decimal(prior.meanLogDensity(of: others), 3),
        decimal(GaussianMixture.discrepancy(others, drawn, units: units), 5),
      ]
    }
    StandardOutput.write(table: [["prior", "log density", "discrepancy"]] + rows, rightAligned: [1, 2])
    return mixture
  }
}
