import HourglassData
import HourglassModels

/// The decisions that are made before a run begins.
extension Trainer {
  /// The bytes that the images of each set may take: half of the memory that the plan leaves, which processes of one
  /// node divide.
  ///
  /// Errors: memory does not suffice for training.
  static func memoryForImages(
    _ recipe: Recipe, _ plan: ExecutionPlan, parallel: ParallelPlan, atMost memory: Int, _ place: ProcessPlace?
  ) throws -> Int {
    let planned = try PlannedMemory.check(process: plan, parallel: parallel, recipe: recipe, place: place)
    return min(memory, max(0, GrantedMemory.available / (place?.localCount ?? 1) - planned.total) / 2)
  }

  /// Opens the images of a new run, and makes the facts that follow from them part of its recipe.
  ///
  /// Errors: a recipe or data that cannot be planned or read.
  public static func open(
    _ recipe: inout Recipe, parallel: ParallelPlan, memory: Int = GrantedMemory.forImages, place: ProcessPlace? = nil
  ) throws -> Dataset {
    let memory = try memoryForImages(recipe, recipe.plan(), parallel: parallel, atMost: memory, place)
    let data = try recipe.open(recipe.data, memory: memory, parallel: parallel)
    try recipe.settle(on: data)
    return recipe.matched(data)
  }

  /// Refuses to begin a run again that had come far. The row of the first epoch is written before the first checkpoint,
  /// so one row may be there without a checkpoint.
  static func checkBeginning(_ run: RunFolder) throws(DataError) {
    let rows = try MetricsLog(run, upTo: .max).epochs
    guard let last = rows.last, rows.count > 1 else { return }
    throw DataError(
      path: run.path,
      reason: "wanted the checkpoints of a run that has done \(last.epoch) epochs, as its metrics.jsonl tells, found "
        + "none; bring them back, or begin a new run")
  }
}
