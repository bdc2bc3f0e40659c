import ArgumentParser
import HourglassData
import HourglassTraining

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws codes from the prior of a model, variational or a WAE, and makes images of them.",
    discussion: """
      NPY output: the expected images, N,H,W,C, float32. PNG output: the images in rows. Without --count 128 images.

      Example:
        hourglass sample --run runs/first --output samples.png --seed 7
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var output: OutputOptions

  @Option(help: "Of the draws; without it the run's.")
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
    let file = try output.file(or: loaded.run.picture("sample.png"))
    let count = file.count ?? 8 * Pictures.columns
    let shape = loaded.model.input
    // Codes, and images twice: as decoded and in the file's bytes.
    let bytes = UInt64(4 * (loaded.inference.codeCount + 2 * shape.count)).multipliedReportingOverflow(
      by: UInt64(count))
    let memory = GrantedMemory.bytes
    guard !bytes.overflow, bytes.partialValue <= memory else {
      throw ValidationError("--count: \(count) images of \(shape) do not fit the granted \(memory >> 20) MiB")
    }
    let codes = loaded.inference.standardNormalCodes(count, seed: seed ?? loaded.recipe.seed)
    let images = loaded.inference.decode(codes)
    try file.write(images, shape: shape) { try Pictures.grid(images, shape: shape, columns: Pictures.columns) }
  }
}
