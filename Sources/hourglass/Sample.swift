import ArgumentParser
import HourglassData
import HourglassTraining

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws codes from the prior of a model and makes images of them.",
    discussion: """
      The model is a variational autoencoder, or one with an MMDPenalty (a Wasserstein autoencoder). An NPY file holds \
      the expected images, N,H,W,C, float32; a PNG file shows the images in rows. Without --count there are 128 images.

      Example:
        hourglass sample --run runs/first --output samples.png --seed 7
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var output: OutputOptions

  @Option(help: "The seed of the draws. (default: the run's)")
  var seed: UInt64?

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("sample")
    try loaded.requireDecoding("sample")
    guard loaded.model.hasPrior else {
      throw ValidationError(
        "sample: wanted a variational model or one with an MMDPenalty, found \(loaded.model.name), a plain "
          + "autoencoder, which has no prior to draw from; use decode with codes of your own")
    }
    let file = try output.file(or: loaded.run.picture("sample.png"), for: loaded)
    let seed = seed ?? loaded.recipe.seed
    try loaded.decode(output.count ?? 8 * Pictures.columns, to: file) {
      loaded.inference.standardNormalCodes($0.count, from: $0.lowerBound, seed: seed)
    }
  }
}
