import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassModels
import HourglassTraining

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a model layer by layer: shapes, parameters, flops, and the bytes a training step takes.",
    discussion: """
      The flops are what a training step takes for one sample, two for each multiply-add, padding counted. The bytes \
      are planned for the run's batch size, or for 128, with the default workers and threads of this machine.

      With --cores it also predicts how many times as fast as on one core a step is with the default division for so \
      many cores, by a simulation with the costs of cores that were measured, and the least batch size that uses them \
      well, with an efficiency of 0.8 or more.

      Examples:
        hourglass inspect conv-vae-28
        hourglass inspect conv-vae@128x96x3
        hourglass inspect 784-1000-500-250-30,tanh,tied
        hourglass inspect conv-vae-28 --json > my-model.json
        hourglass inspect conv-ae-32 --algorithm winograd --json > faster.json
        hourglass inspect conv-vae-64 --batch-size 512 --cores 64
      """)

  @Argument(
    help: ArgumentHelp(
      "A model's name, alone or with a size (conv-vae@128x96x3), the sizes of a dense model (784-1000-30), a model "
        + "file, or the folder of a run.",
      valueName: "name|file|dir"), completion: .modelsAndRuns)
  var subject: String

  @Flag(
    help: """
      Print the model as JSON, which `hourglass train --model FILE.json` reads; with --cores the prediction in its \
      place.
      """)
  var json = false

  @Option(help: "Plan for minibatches of so many images, in their default shards. (default: the run's, or 128)")
  var batchSize: Int?

  @Option(help: "Plan for so many cores, of any machine, and predict the speed-up. (default: the granted cores)")
  var cores: Int?

  @Option(
    help: """
      Show the model with this algorithm for each convolution that gains by it: winograd multiplies up to four times \
      less, for 1.5 to 5 times the rounding error.
      """)
  var algorithm: Conv2D.Algorithm?

  func validate() throws {
    try requirePositive("--batch-size", batchSize, most: Recipe.batchSizeRange.upperBound)
    try requirePositive("--cores", cores, most: ParallelPlan.most)
  }

  func run() throws {
    var recipe = try resolve()
    if let algorithm { recipe.model = try recipe.model.using(algorithm) }
    if let batchSize {
      recipe.batchSize = batchSize
      recipe.shards = recipe.defaultShards
    }
    let forecast = try cores.map { try StepForecast(recipe, cores: $0) }
    if json, let forecast { return StandardOutput.write(json: forecast) }
    if json {
      return StandardOutput.write(lines: try JSONText.indented(recipe.model))
    }
    let plan = try recipe.plan()
    Self.write(plan)
    let parallel =
      forecast.map { ParallelPlan(workers: $0.division.workers, threads: $0.division.threads) }
      ?? ParallelPlan(shards: plan.shards)
    let memory = PlannedMemory(training: plan, parallel: parallel, recipe: recipe)
    Self.write(memory, plan, parallel, accumulate: recipe.accumulate)
    for sentence in [forecast?.summary, forecast?.advice].compactMap(\.self) {
      StandardOutput.write("")
      StandardOutput.write(sentence)
    }
  }

  /// The model layer by layer.
  static func write(_ plan: ExecutionPlan) {
    let model = plan.model
    let objective = model.objective.map { "restricted Boltzmann machine trained by \($0.summary)" }
    let kind =
      objective
      ?? (model.isVariational
        ? "variational autoencoder" : model.isQuantized ? "vector-quantised autoencoder" : "autoencoder")
    StandardOutput.write("\(model.name): \(kind) for \(model.input), \(model.likelihood.name) likelihood")
    StandardOutput.write("")
    StandardOutput.write(table: ModelSummary(plan).table, rightAligned: [4, 5])
    if let contraction = plan.contraction {
      StandardOutput.write("")
      StandardOutput.write("penalty: \(contraction)")
    }
    if let statistics = plan.shardStatistics {
      StandardOutput.write("")
      StandardOutput.write(statistics)
    }
  }

  /// The bytes of a training step.
  static func write(_ memory: PlannedMemory, _ plan: ExecutionPlan, _ parallel: ParallelPlan, accumulate: Int) {
    StandardOutput.write("")
    StandardOutput.write(
      "bytes planned for batches of \(plan.batchSize) in \(plan.shards) shards, "
        + (accumulate > 1 ? "\(accumulate) batches a step, " : "")
        + "\(parallel.workers) workers x \(parallel.threads) threads")
    StandardOutput.write(
      table: [
        ["shared", grouped(memory.shared)], ["per replica", grouped(memory.perReplica)],
        ["in all", grouped(memory.total)],
      ], rightAligned: [1])
  }

  /// The batch size of a run, or the default one for a model.
  private func resolve() throws -> Recipe {
    var isFolder = false
    if ModelCatalog.model(subject) == nil, FileManager.default.fileExists(atPath: subject, isDirectory: &isFolder),
      isFolder
    {
      return try RunFolder.open(subject).recipe
    }
    return Recipe(model: try resolveModel(subject, flag: "inspect"))
  }
}
