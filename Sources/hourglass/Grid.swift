import ArgumentParser
import HourglassAnalysis
import HourglassTraining

struct Grid: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the plane of a model with two latent units, or codes in every class of a model with conditions.",
    discussion: """
      The points of a variational model lie at equally spaced quantiles of the normal prior, so that each image stands \
      for as much of it (Kingma & Welling 2014, figure 4); the points of another model divide each unit's range among \
      the images trained on. The first unit grows to the right, the second upwards.

      Of a model with conditions, with any number of units, there is a row for each class, of the same codes, drawn \
      from the prior by the run's seed; --class shows the plane of one class.

      An NPY file holds the expected images, N,H,W,C, float32, row after row; a PNG file shows the plane.

      Example:
        hourglass grid --run runs/plane --side 20 --output plane.png
        hourglass grid --run runs/conditional --side 10 --output classes.png
      """)

  @OptionGroup var trained: RunOptions

  @OptionGroup var condition: ConditionOptions

  @Option(help: "How many points lie along each unit, or codes in a row, at most 100.")
  var side = 15

  @Option(
    help: "Write the images into this file, .npy or .png. (default: pictures/grid.png in the run's folder)",
    completion: .file(extensions: ["npy", "png"]))
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
    let label = try condition.label(loaded)
    let file = OutputFile(output, or: loaded.run.picture("grid.png"))
    try replacing.check([file], reading: loaded.inputs)
    if label == nil, let classes = loaded.model.conditionClasses { return try write(classes, loaded, to: file) }
    let units = loaded.inference.codeCount
    guard units == 2 else {
      throw ValidationError("grid: wanted a model of 2 latent units, found \(loaded.model.name) of \(units)")
    }
    let codes =
      loaded.model.isVariational
      ? LatentPlane.quantiles(side) : LatentPlane.steps(side, over: try loaded.trainingCodeRange())
    let shape = loaded.model.input
    try file.write(side * side, images: shape) {
      loaded.inference.decode(
        Array(codes[$0.lowerBound * units..<$0.upperBound * units]), labels: ConditionOptions.labels(label, $0))
    } draw: {
      try Pictures.grid($0, shape: shape, columns: side)
    }
  }

  /// A row for each class, all of the same codes.
  private func write(_ classes: Int, _ loaded: LoadedRun, to file: OutputFile) throws {
    guard loaded.model.hasPrior else {
      throw ValidationError(
        "grid: wanted --class, or a model with a prior to draw codes from, found \(loaded.model.name), a plain "
          + "autoencoder")
    }
    guard classes * side <= OutputFile.mostInPicture else {
      throw ValidationError(
        "--side: wanted at most \(OutputFile.mostInPicture / classes) codes of \(classes) classes, found \(side)")
    }
    let (side, units) = (side, loaded.inference.codeCount)
    let codes = loaded.inference.standardNormalCodes(side, seed: loaded.recipe.seed)
    try loaded.decode(classes * side, to: file, columns: side, labels: { $0.map { $0 / side }[...] }) {
      $0.flatMap { codes[$0 % side * units..<($0 % side + 1) * units] }
    }
  }
}
