import Foundation
import HourglassModels
import HourglassTraining

/// The predictions of the calibrated model of a step for more cores than were measured.
struct StepSimulation: Encodable {
  struct Scenario: Encodable {
    /// The samples of a minibatch on one core; a weak study has p times as many on p cores.
    var batchSize: Int
    var shards: Int
    var points: [Point]
    /// A sentence about where the curve bends.
    var bend: String
  }

  struct Point: Encodable {
    var step: StepModel.Step
    var batchSize: Int
    var shards: Int
    var samplesPerSecond: Double
    /// The samples a second over those of the scenario on one core.
    var speedup: Double
    var efficiency: Double
    /// A clause about the largest loss.
    var limit: String
  }

  /// A measured point, simulated.
  struct Check: Encodable {
    var workers: Int
    /// The measured and the predicted seconds of a step.
    var measured: Double
    var predicted: Double
    /// The relative error of the prediction, predicted / measured - 1.
    var error: Double
    /// Whether the model was calibrated with this point, so that its error says little.
    var isCalibration: Bool
  }

  var model: StepModel
  var assumptions: [String]
  var checks: [Check]
  /// The scenarios, the measured recipe first.
  var scenarios: [Scenario]

  static let workers = [1, 2, 4, 8, 16, 32, 64, 128]
}

extension StepSimulation {
  /// Simulates; nil where the study has no point to calibrate the model with.
  init?(_ study: ScalingStudy, model: Autoencoder) throws {
    guard let costs = try StepModel(study, model: model) else { return nil }
    self.model = costs
    assumptions = Self.assumptions(study.machine, costs)
    checks = try study.points.filter { $0.threads == 1 && study.isGranted($0) }.map { point in
      let plan = try ExecutionPlan(model, batchSize: point.batchSize, shards: point.shards)
      let (measured, predicted) = (
        Samples(point.seconds).median, costs.step(plan, workers: point.workers).seconds
      )
      return Check(
        workers: point.workers, measured: measured, predicted: predicted, error: predicted / measured - 1,
        isCalibration: point.workers <= 2)
    }
    let first = study.points[0]
    var recipes = [(batchSize: first.batchSize, shards: first.shards)]
    if study.mode == .strong, let most = Self.workers.last, first.shards < most {
      let perShard = (first.batchSize + first.shards - 1) / first.shards
      if first.batchSize > first.shards { recipes.append((first.batchSize, min(most, first.batchSize))) }
      recipes.append((most * perShard, most))
    }
    scenarios = try recipes.map { recipe in
      try Scenario(costs, model, batchSize: recipe.batchSize, shards: recipe.shards, mode: study.mode)
    }
  }

  private static func assumptions(_ machine: MachineBlock, _ costs: StepModel) -> [String] {
    let ceiling = "\(fixed(costs.ceiling / 1e9, 0)) GB/s"
    return [
      "All cores are alike, and from two on each is as fast as each of the two that were measured together: clocks "
        + "that fall with more cores, sockets, NUMA and cores that share a unit are not in the model.",
      StepModel.isSaturated(machine)
        ? "Memory serves all cores together at most at the \(ceiling) that \(machine.grantedCores) cores reached "
          + "here, less than so many times one core."
        : "Memory serves one core at \(fixed(costs.bandwidth / 1e9, 1)) GB/s and all together at most at \(ceiling): "
          + "the measured cores did not exhaust theirs, so this ceiling is assumed, not measured.",
      "Sums and updates move their bytes through memory, though a cache may hold some of them: where they reach the "
        + "ceiling, the prediction is cautious. Matrices of dense layers that fit into half of the last cache come "
        + "from there, for each core as fast as memory is for one.",
      "A sample costs the same in a shard of any size, but for the matrices of dense layers, which every turn of "
        + "shards reads anew. Chunks smaller than those measured may be slower.",
      "Each worker prepares its own copy of the filters, \(significant(costs.preparedBytes / 2e6)) MB, at the "
        + "bandwidth of one core.",
      "A worker starts \(significant(costs.latency * 1e6)) us after its signal, and each signal takes "
        + "\(significant(costs.signal * 1e6)) us of the worker that gives it. The measured wake-up is the sum of both; "
        + "how it divides is assumed.",
      "Workers differ by chance as the two measured ones do, with a logistic distribution of scale "
        + "\(fixed(costs.spread * 100, 2)) %. Nobody else computes on the cores.",
      "Workers beyond the shards have nothing to do in the first phase; training would give their cores to OpenMP "
        + "threads inside the other workers, which `hourglass inspect --cores` predicts.",
    ]
  }
}

extension StepSimulation.Scenario {
  init(
    _ costs: StepModel, _ model: Autoencoder, batchSize: Int, shards: Int, mode: ScalingStudy.Mode
  ) throws {
    (self.batchSize, self.shards) = (batchSize, shards)
    points = []
    for workers in StepSimulation.workers {
      let factor = mode == .weak ? workers : 1
      let plan = try ExecutionPlan(model, batchSize: factor * batchSize, shards: factor * shards)
      let step = costs.step(plan, workers: workers)
      let rate = Double(plan.batchSize) / step.seconds
      let speedup = rate / (points.first?.samplesPerSecond ?? rate)
      points.append(
        StepSimulation.Point(
          step: step, batchSize: plan.batchSize, shards: plan.shards, samplesPerSecond: rate, speedup: speedup,
          efficiency: speedup / Double(workers), limit: step.limit(plan)))
    }
    bend = Self.bend(points)
  }

  /// The sentence about where doubling the workers gives less than one and a half times as many samples a second.
  private static func bend(_ points: [StepSimulation.Point]) -> String {
    func number(_ point: StepSimulation.Point) -> String { fixed(point.samplesPerSecond, 0) }
    let best = points.max { $0.samplesPerSecond < $1.samplesPerSecond } ?? points[0]
    let most = "The highest rate is \(number(best)) samples/s, on \(best.step.workers) cores."
    guard let place = points.indices.dropFirst().first(where: { points[$0].speedup < 1.5 * points[$0 - 1].speedup })
    else {
      let last = points[points.count - 1]
      return "No bend up to \(last.step.workers) cores, where the efficiency is \(fixed(last.efficiency, 2)) and "
        + "\(last.limit). \(most)"
    }
    let (before, after) = (points[place - 1], points[place])
    return "The curve bends beyond \(before.step.workers) core\(before.step.workers == 1 ? "" : "s"): "
      + "\(after.step.workers) are \(fixed(after.speedup / before.speedup, 2)) times as fast, because \(after.limit). "
      + most
  }
}
