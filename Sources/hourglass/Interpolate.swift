import ArgumentParser
import HourglassAnalysis
import HourglassTraining

struct Interpolate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes from one image to another through the codes between theirs.",
    discussion: """
      The codes lie on the straight line between the two, or with --spherical on the arc, whose codes keep the lengths \
      that a normal prior gives them. A model with conditions is told one class for all of them.

      An NPY file holds the expected images, N,H,W,C, float32; a PNG file shows them in one row.

      Example:
        hourglass interpolate --run runs/first --first 3 --second 8 --stops 9
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var condition: ConditionOptions

  @Option(help: "The number in the set, from 0, of the image to begin with.")
  var first = 0

  @Option(help: "The number in the set, from 0, of the image to end with.")
  var second = 1

  @Option(help: "How many images to make, both ends included.")
  var stops = 11

  @Flag(help: "Go along the arc between the two codes, not along the straight line.")
  var spherical = false

  @Option(
    help: "Write the images into this file, .npy or .png. (default: pictures/interpolate.png in the run's folder)",
    completion: .file(extensions: ["npy", "png"]))
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  func validate() throws {
    guard (2...1000).contains(stops) else { throw ValidationError("--stops: wanted 2 to 1000, found \(stops)") }
    try OutputOptions.check(output)
  }

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("interpolate")
    try loaded.requireDecoding("interpolate")
    let chosen = try condition.label(loaded)
    let file = OutputFile(output, or: loaded.run.picture("interpolate.png"))
    try replacing.check([file], reading: loaded.inputs + [images.path])
    let data = try images.open(loaded)
    for (flag, place) in [("--first", first), ("--second", second)] where !(0..<data.count).contains(place) {
      throw ValidationError("\(flag): wanted 0 to \(data.count - 1), found \(place)")
    }
    let ends = try [first, second].map { loaded.inference.encode(try data.image($0), labels: data.labels?[$0...$0]) }
    let label = chosen ?? data.labels?[first]
    let codes = LatentPath.codes(from: ends[0], to: ends[1], stops: stops, isSpherical: spherical)
    let (shape, size) = (loaded.model.input, loaded.inference.codeCount)
    try file.write(stops, images: shape) {
      loaded.inference.decode(
        Array(codes[$0.lowerBound * size..<$0.upperBound * size]), labels: ConditionOptions.labels(label, $0))
    } draw: {
      try Pictures.grid($0, shape: shape, columns: stops)
    }
  }
}
