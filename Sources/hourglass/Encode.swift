import ArgumentParser
import HourglassData
import HourglassTraining

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the codes of images; of a variational model the means.",
    discussion: """
      NPY output: codes, N,Z, float32.

      Example:
        hourglass encode --run runs/first --data images.npy --output codes.npy
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if output.isPicture {
      throw ValidationError("--output: wanted a .npy file, because codes are no pictures, found \(output.output)")
    }
  }

  func run() throws {
    let loaded = try trained.load()
    let data = try images.open(loaded)
    let count = output.limit(data.count, inPicture: 0)
    let codes = loaded.inference.encode(data.images(0..<count))
    let size = loaded.inference.codeCount
    try writing { try NPYFile.write(codes, shape: [count, size], to: output.output) }
    StandardOutput.write("\(output.output): \(count) codes of \(size)")
  }
}
