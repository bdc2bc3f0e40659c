import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows that the division of the work changes no weight on this machine.",
    discussion: """
      The command trains a few steps with many mixes of workers and threads, also stopped and resumed with another \
      mix, on every instruction set with FMA that the machine has, and compares the weights. It fails when any differ. \
      With --processes it also trains by mpirun, which must be in PATH, with so many processes, which share memory or \
      are nodes that send each other messages.

      Examples:
        hourglass verify --model all
        hourglass verify --model conv-vae-28 --data fashion-mnist --steps 10
        hourglass verify --model conv-ae-28 --processes 1,2,3,4
      """)

  @Option(
    help: ArgumentHelp("The model to train, or all for every model that has a name.", valueName: "name|file.json|all"),
    completion: .names(["all"] + ModelCatalog.presets.map(\.model.name), endings: [".json"], runs: false))
  var model: String

  @Option(
    help: ArgumentHelp("\(DataFlags.forms) (default: the built-in images)", valueName: "path"), completion: .images)
  var data: String?

  @OptionGroup var images: DataFlags

  @Option(help: "How many updates of the weights each run makes.")
  var steps = 3

  @Option(help: "How many samples a minibatch has; 60 are 8 shards of which the last is short.")
  var batchSize = 60

  @Option(help: ArgumentHelp("How many minibatches are added up for one update.", valueName: "minibatches"))
  var accumulate = 1

  @Option(help: ArgumentHelp("Train with these numbers of processes too.", valueName: "numbers"))
  var processes: IntegerList?

  @Flag(help: "Print one JSON object for each run.")
  var json = false

  private static let all = "all"

  func validate() throws {
    try requirePositive("--steps", steps)
    try requirePositive("--batch-size", batchSize, most: Recipe.batchSizeRange.upperBound)
    try requirePositive("--accumulate", accumulate, most: Recipe.accumulateRange.upperBound)
    for count in processes?.values ?? [] { try requirePositive("--processes", count, most: ParallelPlan.most) }
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
        let divided = try Verification(recipe, data: images, folder: folder)
        let launched = try (processes?.values ?? []).flatMap(Verification.Division.all(processes:)).map {
          try launch($0, recipe, folder: folder)
        }
        return Verification(model: divided.model, rows: divided.rows + launched)
      }()
      write(verification, images)
      difference = difference ?? verification.difference
    }
    if let difference { throw ExitStatusError(status: .failed, description: difference) }
  }

  /// Trains by mpirun, and reads the weights that `train --json` tells.
  private func launch(
    _ division: Verification.Division, _ recipe: Recipe, folder: String
  ) throws -> Verification.Row {
    let (file, run, errors) = ("\(folder)/recipe.json", "\(folder)/processes", "\(folder)/errors.txt")
    try? FileManager.default.removeItem(atPath: run)
    try AtomicFile.makeFolder(folder)
    try AtomicFile.write(try JSONText.indented(recipe), to: file)
    let program = realpath("/proc/self/exe", nil)
    defer { free(program) }
    var environment = ProcessInfo.processInfo.environment.merging(Launch.ofManyProcesses) { own, _ in own }
    environment[MPITransport.nodesVariable] = division.areNodes ? "separate" : nil
    let ended = try ChildProcess.run(
      ["mpirun", "-n", "\(division.processes ?? 1)", program.map { pathText($0) } ?? "hourglass"]
        + ["train", "--config", file, "--run", run, "--workers", "\(division.plan.workers)"]
        + ["--threads", "\(division.plan.threads)", "--json", "--quiet", "--weights-only"], environment: environment,
      errors: errors)
    let lines = ended.output.split(separator: UInt8(ascii: "\n"))
    struct End: Decodable { var weightsHash: String }
    guard ended.status == 0, let last = lines.last,
      let end = try? JSONDecoder().decode(End.self, from: Data(last))
    else {
      StandardError.tell(String(decoding: FileManager.default.contents(atPath: errors) ?? Data(), as: UTF8.self))
      throw ExitStatusError(
        status: .failed,
        description: "\(recipe.model.name): wanted \(division) processes, workers and threads started by mpirun to "
          + "train, found that they ended with status \(ended.status)")
    }
    return Verification.Row(
      instructionSet: RunEnvironment.instructionSetName, division: division, weightsHash: end.weightsHash)
  }

  /// A line of `--json`.
  private struct Line: Encodable {
    var event = "division"
    var model: String
    var instructionSet: String
    /// The processes, of `--processes`, and whether each is a node of its own.
    var processes: Int?
    var areNodes: Bool?
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
          model: verification.model, instructionSet: row.instructionSet, processes: row.division.processes,
          areNodes: row.division.processes == nil ? nil : row.division.areNodes,
          workers: row.division.plan.workers,
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
