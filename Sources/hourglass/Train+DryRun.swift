import HourglassData
import HourglassModels
import HourglassTraining

extension Train {
  /// The only line of `--dry-run --json`.
  private struct Plan: Encodable {
    var event = "plan"
    var model: String
    var parameters: Int
    var samples: Int
    var validationSamples: Int?
    var stepsPerEpoch: Int
    var lastStep: Int
    var workers: Int
    var threads: Int
    var plannedBytes: Int
    var run: String
  }

  /// Does `--dry-run`: opens the images and plans everything as training would, and shows the plan.
  func showPlan(_ file: Configuration) throws {
    var (recipe, path) = try resume ? resumed() : recipeOfNewRun(file)
    let plan = try recipe.plan()
    let parallel = division.plan(shards: plan.shards)
    let memory = PlannedMemory(training: plan, parallel: parallel, recipe: recipe)
    let process = try PlannedMemory.check(process: plan, parallel: parallel, recipe: recipe)
    let data = try recipe.open(recipe.data, memory: session.memoryForImages)
    if !resume { try recipe.settle(on: data) }
    let validation = try recipe.validation.map { try recipe.open($0, memory: session.memoryForImages) }
    try data.checkTargets(for: plan)
    try validation?.checkTargets(for: plan, isMeasured: true)
    let order = recipe.order(count: data.count)
    let lastStep = recipe.lastStep(stepsPerEpoch: order.stepsPerEpoch)
    if json {
      let parameters = ModelSummary(plan).parameters
      let line = Plan(
        model: recipe.model.name, parameters: parameters, samples: order.visited, validationSamples: validation?.count,
        stepsPerEpoch: order.stepsPerEpoch, lastStep: lastStep, workers: parallel.workers, threads: parallel.threads,
        plannedBytes: process.total, run: path)
      return StandardOutput.write(json: line)
    }
    Inspect.write(plan)
    Inspect.write(memory, plan, parallel, accumulate: recipe.accumulate)
    StandardOutput.write("")
    StandardOutput.write(
      table: [
        ["images", "\(grouped(order.visited)) of \(grouped(data.count)), \(data.source)"],
        ["validation", validation.map { "\(grouped($0.count)), \($0.source)" } ?? "none"],
        ["steps", "\(grouped(order.stepsPerEpoch)) an epoch, \(grouped(lastStep)) in all"],
        ["run", "\(path), not written: --dry-run"],
      ])
  }

  private func resumed() throws -> (recipe: Recipe, path: String) {
    let (run, _, extended) = try recipesOfRun()
    return (extended, run.path)
  }
}
