import ArgumentParser
import HourglassData
import HourglassTraining

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes images of codes.",
    discussion: """
      An NPY file holds the expected images, N,H,W,C, float32; a PNG file shows the images in rows.

      Example:
        hourglass decode --run runs/first --input codes.npy --output images.png
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: "Read the codes from this NPY file, N,Z.", completion: .file(extensions: ["npy", "codes"]))
  var input: String

  @OptionGroup var condition: ConditionOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("decode")
    try loaded.requireDecoding("decode")
    let label = try condition.label(loaded)
    if label == nil { try requireClass(of: loaded) }
    let file = try output.file(or: loaded.run.picture("decode.png"), for: loaded, reading: input)
    let size = loaded.inference.codeCount
    let array = try NPYFile.read(input)
    guard array.shape.count == 2, array.shape[1] == size, array.shape[0] > 0 else {
      let found = array.shape.map(String.init).joined(separator: ", ")
      throw DataError(
        path: input,
        reason: "wanted codes of the shape (N, \(size)) for the model \(loaded.model.name), found (\(found))")
    }
    let codes = array.floats
    if let place = codes.firstIndex(where: { !$0.isFinite }) {
      throw DataError(path: input, reason: "code \(place / size): wanted finite numbers, found \(codes[place])")
    }
    let count = output.limit(file, array.shape[0], inPicture: 8 * Pictures.columns)
    try loaded.decode(count, to: file, labels: { ConditionOptions.labels(label, $0) }) {
      Array(codes[$0.lowerBound * size..<$0.upperBound * size])
    }
  }

  private func requireClass(of loaded: LoadedRun) throws {
    guard let classes = loaded.model.conditionClasses else { return }
    throw ValidationError(
      "decode: wanted --class, which of its \(classes) classes \(loaded.model.name) is told with each code, found none")
  }
}
