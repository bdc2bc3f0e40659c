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
    if let file = output.output, OutputFile.isPicture(file) {
      throw ValidationError("--output: wanted a .npy file, because codes are no pictures, found \(file)")
    }
  }

  func run() throws {
    let loaded = try trained.load()
    let file = try output.file(or: loaded.run.file("codes.npy"), for: loaded, reading: images.path)
    let data = try images.open(loaded)
    let (count, size) = (output.limit(file, data.count, inPicture: 0), loaded.inference.codeCount)
    try file.write(count, of: [size]) { loaded.inference.encode(try data.images($0)) }
    StandardOutput.write("\(file.path): \(count) codes of \(size)")
  }
}
