import ArgumentParser
import HourglassAnalysis
import HourglassTraining

struct Grid: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the plane of a model with two latent units: images at equally spaced points.",
    discussion: """
      The points of a variational model lie at equally spaced quantiles of the normal prior, so that each image stands \
      for as much of it (Kingma & Welling 2014, figure 4); the points of another model divide each unit's range among \
      the images trained on. The first unit grows to the right, the second upwards.

      An NPY file holds the expected images, N,H,W,C, float32, row after row; a PNG file shows the plane.

      Example:
        hourglass grid --run runs/plane --side 20 --output plane.png
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: "How many points lie along each unit, at most 100.")
  var side = 15

  @Option(help: "Write the images into this file, .npy or .png. (default: pictures/grid.png in the run's folder)")
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  func validate() throws {
    try requirePositive("--side", side, most: 100)
    try OutputOptions.check(output)
  }

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("grid")
    try loaded.requireDecoding("grid")
    let units = loaded.inference.codeCount
    guard units == 2 else {
      throw ValidationError("grid: wanted a model of 2 latent units, found \(loaded.model.name) of \(units)")
    }
    let file = OutputFile(output, or: loaded.run.picture("grid.png"))
    try replacing.check([file], reading: loaded.inputs)
    let codes =
      loaded.model.isVariational
      ? LatentPlane.quantiles(side) : LatentPlane.steps(side, over: try loaded.trainingCodeRange())
    let shape = loaded.model.input
    try file.write(side * side, images: shape) {
      loaded.inference.decode(Array(codes[$0.lowerBound * units..<$0.upperBound * units]))
    } draw: {
      try Pictures.grid($0, shape: shape, columns: side)
    }
  }
}
