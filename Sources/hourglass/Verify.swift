import ArgumentParser
import Foundation
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows that the division of the work changes no weight on this machine.",
    discussion: """
      The command trains a few steps with many mixes of workers and threads, also stopped and resumed with another \
      mix, on every instruction set with FMA that the machine has, and compares the weights. It fails when any differ.

      Examples:
        hourglass verify --model all
        hourglass verify --model conv-vae-28 --data fashion-mnist --steps 10
      """)

  @Option(
    help: ArgumentHelp("The model to train, or all for every model that has a name.", valueName: "name|file.json|all"))
  var model: String

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the built-in images)", valueName: "path"))
  var data: String?

  @OptionGroup var images: DataFlags

  @Option(help: "How many updates of the weights each run makes.")
  var steps = 3

  @Option(help: "How many samples a minibatch has; 60 are 8 shards of which the last is short.")
  var batchSize = 60

  @Option(help: ArgumentHelp("How many minibatches are added up for one update.", valueName: "minibatches"))
  var accumulate = 1

  @Flag(help: "Print one JSON object for each run.")
  var json = false

  private static let all = "all"

  func validate() throws {
    try requirePositive("--steps", steps)
    try requirePositive("--batch-size", batchSize, most: Recipe.batchSizeRange.upperBound)
    try requirePositive("--accumulate", accumulate, most: Recipe.accumulateRange.upperBound)
    if model == Self.all && data != nil {
      throw ValidationError("--data: wanted one model for these images with --model, found all")
    }
  }

  func run() throws {
    try images.requireFiles(data)
    let temporary = FileManager.default.temporaryDirectory.path
    guard access(temporary, W_OK | X_OK) == 0 else {
      throw ExitStatusError(
        status: .failed, description: "\(temporary): cannot be written; name a folder that can with TMPDIR")
    }
    let models = try model == Self.all ? ModelCatalog.models : [resolveModel(model, flag: "--model")]
    var difference: String?
    for model in models {
      let recipe = Recipe(
        model: model, data: DataSource(path: data, preparation: images.preparation), batchSize: batchSize,
        accumulate: accumulate, epochs: nil, steps: steps)
      let images = try recipe.data.open(for: model, seed: recipe.seed)
      let name = "hourglass-verify-\(UUID().uuidString)"
      let folder = "\(temporary)/\(name)"
      // Checkpoints are gone before a reader of the output can be.
      let verification = try {
        defer {
          if FileManager.default.fileExists(atPath: folder) {
            do { try AtomicFile.remove(folder) } catch { StandardError.write("hourglass: warning: \(error)") }
          }
        }
        return try Verification(recipe, data: images, folder: folder)
      }()
      write(verification, images)
      difference = difference ?? verification.difference
    }
    if let difference { throw ExitStatusError(status: .failed, description: difference) }
  }

  /// A line of `--json`.
  private struct Line: Encodable {
    var event = "division"
    var model: String
    var instructionSet: String
    var workers: Int
    var threads: Int
    /// The division that the run went on with after its stop.
    var resumed: ParallelPlan?
    var weightsHash: String
    var equal: Bool
  }

  private func write(_ verification: Verification, _ images: Dataset) {
    guard !json else {
      for row in verification.rows {
        let line = Line(
          model: verification.model, instructionSet: row.instructionSet, workers: row.division.plan.workers,
          threads: row.division.plan.threads, resumed: row.division.resumed, weightsHash: row.weightsHash,
          equal: verification.isEqual(row))
        StandardOutput.write(json: line)
      }
      return
    }
    let samples = accumulate > 1 ? "\(accumulate) x \(batchSize)" : "\(batchSize)"
    StandardOutput.write("\(verification.model), \(steps) steps of \(samples) on \(images.source)")
    StandardOutput.write("")
    let rows = verification.rows.map { row in
      [
        "\(row.division)", row.instructionSet, row.weightsHash, verification.isEqual(row) ? "equal" : "DIFFERENT",
      ]
    }
    StandardOutput.write(table: [["workers x threads", "instruction set", "weights", ""]] + rows + [[]])
  }
}
