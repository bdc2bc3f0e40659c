import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

extension PrincipalComponents.Method: ExpressibleByArgument {}

struct PCA: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pca",
    abstract: "Fits the best linear autoencoder in closed form: principal component analysis.",
    discussion: """
      The command writes the folder of a run as train does, so that evaluate, encode, decode, search, compress and \
      report take it. With --no-centre the mean stays, which is a truncated singular value decomposition, and on term \
      counts latent semantic analysis. `hourglass train --run DIR --resume` goes on from there by gradients.

      Example:
        hourglass pca --components 30 --data mnist --run runs/pca
        hourglass evaluate --run runs/pca
      """)

  @Option(help: "How many principal components to keep: the units of the code.")
  var components: Int

  @Option(
    help: ArgumentHelp("\(DataFlags.forms) (default: the built-in images of 28 x 28)", valueName: "path"),
    completion: .images)
  var data: String?

  @Option(help: "The part of the set whose images are fitted.")
  var split: Split = .train

  @OptionGroup var images: DataFlags

  @Flag(inversion: .prefixedNo, help: "Remove the mean of the images first, or leave it.")
  var centre = true

  @Option(
    help: """
      How the components are found: from all eigenvectors (exact), or by iterating random directions (randomised). \
      (default: exact for images of at most \(PrincipalComponents.largestExact) elements)
      """)
  var method: PrincipalComponents.Method?

  @Option(help: "The seed of the random directions, the built-in images and --holdout.")
  var seed: UInt64 = 1

  @Option(
    name: .customLong("run"), help: ArgumentHelp("The folder of the run to write.", valueName: "dir"), completion: .runs
  )
  var folder: String

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws { try requirePositive("--components", components) }

  private struct Report: Encodable {
    var components: Int
    var samples: Int
    /// The part that the code keeps of the squared length of all images, their mean removed with --centre.
    var explained: Double
    var weightsHash: String
    var run: String
  }

  func run() throws {
    try images.requireFiles(data)
    if let refusal = try RunFolder(folder).refusal() { throw ValidationError("--run: \(refusal)") }
    let source = DataSource(path: RecipeFlags.file(data), split: split, preparation: images.preparation)
    let set = try source.open(seed: seed)
    list(about: set)
    let most = min(set.count, set.shape.count)
    guard components <= most else {
      throw ValidationError(
        "--components: wanted 1 to \(most), for \(set.count) images of \(set.shape), found \(components)")
    }
    let name = "\(centre ? "pca" : "lsa")-\(components)"
    var recipe = Recipe(
      model: PrincipalComponents.autoencoder(name, input: set.shape, components: components), data: source, seed: seed)
    try recipe.fixTerms()
    try recipe.settle(on: set)
    let found = try PrincipalComponents(
      set, components: components, isCentred: centre, method: method, seed: seed)
    let parallel = ParallelPlan(shards: recipe.shards)
    let run = RunFolder(folder)
    let trainer = try run.create(recipe, session: RunEnvironment(parallel)) { whole in
      let trainer = try Trainer(recipe, parallel: parallel, run: whole, data: set)
      try trainer.adopt(found)
      return trainer
    }
    try trainer.keepTraining(in: run)
    try trainer.writePictures(to: run)
    let report = Report(
      components: components, samples: set.count, explained: found.shares.reduce(0, +),
      weightsHash: trainer.weightsHash, run: run.path)
    if json { return StandardOutput.write(json: report) }
    StandardOutput.write(table: [
      ["\(name)", "of \(grouped(set.count)) images of \(set.shape)"],
      ["explained", "\(decimal(100 * report.explained, 2)) % of the variance"],
      ["weights", report.weightsHash], ["run", run.path], ["report", run.report],
    ])
  }
}
