import ArgumentParser
import HourglassTraining

struct Reconstruct: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends images through a trained model and back.",
    discussion: """
      NPY output: the expected images, N,H,W,C, float32. PNG output: originals above reconstructions.

      Example:
        hourglass reconstruct --run runs/first --output reconstructions.png
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("reconstruct")
    let file = try output.file(or: loaded.run.picture("reconstruct.png"))
    let data = try images.open(loaded)
    let originals = try data.images(0..<file.limit(data.count, inPicture: 4 * Pictures.imagesPerBand))
    let reconstructions = loaded.inference.reconstruct(originals)
    try file.write(reconstructions, shape: loaded.model.input) {
      try Pictures.bands(originals: originals, reconstructions: reconstructions, shape: loaded.model.input)
    }
  }
}
