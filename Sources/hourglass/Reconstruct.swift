import ArgumentParser
import HourglassData
import HourglassTraining

struct Reconstruct: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends images through a trained model and back.",
    discussion: """
      An NPY file holds the expected images, N,H,W,C, float32; a PNG file shows originals above reconstructions. A \
      folder, a name that ends in a slash or has no ending, gets a PNG file for each picture, named as the picture is; \
      tiles are joined.

      Example:
        hourglass reconstruct --run runs/first --output reconstructions.png
        hourglass reconstruct --run runs/first --output reconstructions/
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("reconstruct")
    if let folder = try output.folder(for: loaded, reading: images.path) {
      let data = try images.open(loaded)
      let writer = try OutputFolder.Writer(folder, data, count: output.count)
      try loaded.inference.eachPicture(of: data, count: output.count) {
        try writer.write($0.expected, $0.shape, of: $0.index)
      }
      return writer.tell()
    }
    let file = try output.file(or: loaded.run.picture("reconstruct.png"), for: loaded, reading: images.path)
    let data = try images.open(loaded)
    let shape = loaded.model.input
    let count = output.limit(file, data.count, inPicture: 4 * Pictures.imagesPerBand)
    try file.write(count, images: shape) {
      loaded.inference.reconstruct(try data.images($0), labels: data.labels?[$0])
    } draw: {
      try Pictures.bands(originals: try data.images(0..<count), reconstructions: $0, shape: shape)
    }
  }
}
