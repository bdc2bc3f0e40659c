import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassTraining

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws codes from the prior of a model and makes images of them.",
    discussion: """
      The model is a variational autoencoder, or one with an MMDPenalty (a Wasserstein autoencoder). An NPY file holds \
      the expected images, N,H,W,C, float32; a PNG file shows the images in rows. Without --count there are eight rows.

      A model with conditions is told the class by --class, else all classes in turn: a column for each.

      Example:
        hourglass sample --run runs/first --output samples.png --seed 7
      hourglass sample --run runs/conditional --class 7
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var condition: ConditionOptions
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
    let label = try condition.label(loaded)
    let file = try output.file(or: loaded.run.picture("sample.png"), for: loaded)
    let seed = seed ?? loaded.recipe.seed
    let columns = label == nil ? loaded.inference.columnsOfSamples : Pictures.columns
    try loaded.decode(
      output.count ?? 8 * columns, to: file, columns: columns,
      labels: { ConditionOptions.labels(label, $0) ?? loaded.inference.classesInTurn($0) }
    ) {
      loaded.inference.standardNormalCodes($0.count, from: $0.lowerBound, seed: seed)
    }
  }
}
