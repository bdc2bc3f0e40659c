import FoundationEssentials
import HourglassData
import HourglassModels
import HourglassTraining

/// A run as one page to look at: what it was made from, how it went, and what the model makes of images. What is
/// missing is named in a sentence where it would stand.
public struct RunReport {
  let run: RunFolder
  let recipe: Recipe
  let plan: ExecutionPlan
  let epochs: [EpochMetrics]
  let steps: [StepLog.Row]
  let sessions: [RunEnvironment]
  /// What is not shown because files of the run are damaged, a sentence each.
  public private(set) var damages: [String] = []
  /// Where the run stood when the checkpoint that is looked at was written; nil where there is none yet.
  public var progress: Checkpoint.Progress?
  /// What each worker did in the last step; empty unless the run has just ended.
  public var workerTimes: [WorkerTimes] = []
  /// Other runs that this one is compared with.
  public var others: [RunReport] = []

  /// Decoded draws from the prior of a variational model.
  private(set) var samples: PNGImage?
  private(set) var findings: Findings?
  /// What the scores say; nil unless the run keeps a threshold for the weights that are looked at.
  private(set) var anomalies: AnomalyFindings?
  /// Why there are no findings, in a sentence.
  private(set) var missing = "The run has no checkpoint yet, so there is no model to look at."

  /// Reads what the run's folder tells without its checkpoints.
  ///
  /// Errors: a recipe whose model cannot be planned; metrics or steps that are there and cannot be read.
  public init(_ run: RunFolder, _ recipe: Recipe) throws {
    (self.run, self.recipe) = (run, recipe)
    plan = try recipe.plan()
    let metrics = try MetricsLog(run, upTo: .max)
    epochs = metrics.epochs
    if let damage = metrics.damage { damages.append("\(run.file(MetricsLog.name)): \(damage)") }
    let log = try StepLog(run, upTo: .max)
    steps = log.rows
    if let damage = log.damage { damages.append("\(run.file(StepLog.name)): \(damage)") }
    do { sessions = try run.sessions() } catch {
      sessions = []
      damages.append("\(error)")
    }
  }

  /// How well the model does on the images; nil until it has looked at them.
  public var evaluation: Evaluation? { findings?.evaluation }

  /// Looks at what the model makes of images. Where they cannot be read, the page says so.
  ///
  /// - Parameters:
  ///   - images: the images, or why there are none.
  ///   - inference: the model with the weights that are looked at.
  /// - Returns: why nothing was found; nil where all went well.
  @discardableResult
  public mutating func look(at images: Result<ReportImages, DataError>, with inference: Inference) -> DataError? {
    let model = recipe.model
    do {
      if model.hasPrior, Pictures.refusal(of: model) == nil, plan.decodingRefusal == nil {
        let pictures = Pictures(inference, seed: recipe.seed, isBare: true)
        samples = try pictures.samples(count: 10 * pictures.rows(6), columns: 10)
      }
      findings = try Findings(images.get(), inference, beta: recipe.beta, seed: recipe.seed)
      try lookForAnomalies(images.get(), inference)
      return nil
    } catch {
      missing = "The images cannot be read: \(error)."
      return error as? DataError ?? DataError(path: run.path, reason: "\(error)")
    }
  }

  /// Looks for pictures that score above the threshold that the run keeps, where it keeps one.
  private mutating func lookForAnomalies(_ images: ReportImages, _ inference: Inference) throws {
    let kept: ScoreThreshold?
    do { kept = try run.threshold() } catch {
      damages.append("\(error)")
      return
    }
    guard let kept else { return }
    guard kept.weightsHash == WeightsHash.of(inference.parameters, plan: inference.plan) else {
      damages.append(
        "the threshold that \(run.path) keeps is of other weights than those looked at; choose it anew with hourglass "
          + "score --save-threshold")
      return
    }
    anomalies = try AnomalyFindings(kept, images, recipe, inference)
  }

  /// The name of the run's folder.
  var name: String { URL(fileURLWithPath: run.path).lastPathComponent }

  /// A text without the folders of this machine: each path from the root is replaced by its last name.
  func portable(_ text: String) -> String {
    if text.hasPrefix("/"), !text.contains(" ") { return AtomicFile.split(text).name }
    let known = [
      run.path, recipe.data.path, recipe.data.inputs, recipe.data.codes, recipe.validation?.path, findings?.source,
      anomalies?.source,
    ].compactMap(\.self).filter { $0.hasPrefix("/") }.sorted { $0.count > $1.count }
    let named = known.reduce(text) { $0.replacing($1, with: AtomicFile.split($1).name) }
    return named.replacing(/(^|[\s"'(=:,])\/(?:[^\s\/"']+\/)*([^\s\/"']+)/) { "\($0.output.1)\($0.output.2)" }
  }

  /// The unit of the loss.
  var unit: String { recipe.model.likelihood.unit }

  /// The division of the last session; where that is unknown, the division that this machine would take.
  var parallel: ParallelPlan {
    let most = 1...ParallelPlan.most
    guard let last = sessions.last, most.contains(last.workers), most.contains(last.threads) else {
      return ParallelPlan(shards: recipe.shards)
    }
    return ParallelPlan(workers: last.workers, threads: last.threads)
  }
}
