import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// The command that trains a slice of steps together with the other processes that mpirun has started; `bench scaling
/// --processes` starts it for each repetition.
struct ProcessSlice: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slice", abstract: "Print the times of a few training steps as JSON.", shouldDisplay: false)

  @Option var model: String
  @Option var batchSize: Int
  @Option var shards: Int
  @Option var workers: Int
  @Option var threads: Int
  @Option var seconds: Double

  func run() throws {
    guard let model = try models(named: model).first else { return }
    let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
    // mpirun -n 1 tells nothing that would make a transport.
    let transport = try Launch().map(Launcher.join)
    defer { transport?.end() }
    let parallel = ParallelPlan(workers: workers, threads: threads)
    let data = try StepRun.images(for: model, batchSize: batchSize)
    let slice = try StepSlice(plan, parallel, data, seconds: seconds, transport: transport)
    if transport?.place.isFirst ?? true { say(try json(slice)) }
  }

  /// Measures a slice of a point in processes of its own.
  static func measure(_ point: ScalingDesign.ProcessPoint, seconds: Double) throws -> StepSlice {
    try Launcher.ask(
      point.processes,
      [
        Subprocess.own, "slice", "--model", point.plan.model.name, "--batch-size", "\(point.plan.batchSize)",
        "--shards", "\(point.plan.shards)", "--workers", "\(point.parallel.workers)",
        "--threads", "\(point.parallel.threads)", "--seconds", "\(seconds)",
      ], StepSlice.self)
  }

  /// Measures the network between the processes of a point.
  static func network(_ point: ScalingDesign.ProcessPoint) throws -> NetworkResult {
    try Launcher.ask(
      point.processes, [Subprocess.own, "network", "--json", "--name", "measured, \(point.processes) processes"],
      NetworkResult.self)
  }
}

/// A few steps of a training from its start, measured.
struct StepSlice: Codable {
  /// The hash of the weights after `ScalingMeasurement.warmUp` steps.
  var weightsHash: String
  /// The seconds of the steps.
  var seconds: [Double]
  /// The parts of the steps; of several processes those of this one.
  var parts = PartSums()

  /// - Parameters:
  ///   - seconds: of steps, after a quarter as many that are not measured.
  ///   - transport: of the processes that take the same slice together, as long as position 0 thinks fit; nil for one.
  init(
    _ plan: ExecutionPlan, _ parallel: ParallelPlan, _ data: Dataset, seconds: Double,
    transport: (any Transport)? = nil
  ) throws {
    let run = try StepRun(plan, parallel, data, transport: transport)
    for _ in 0..<ScalingMeasurement.warmUp { try run.step() }
    weightsHash = WeightsHash.of(run.training.parameters, plan: plan)
    let clock = ContinuousClock()
    func step() throws -> Double {
      let start = clock.now
      try run.step()
      return (clock.now - start) / .seconds(1)
    }
    let first = try (0..<ScalingMeasurement.fewestSteps).map { _ in try step() }
    func count(_ seconds: Double) -> Int {
      let count = max(ScalingMeasurement.fewestSteps, Int(clamping: seconds / Samples(first).median))
      return transport.flatMap { Int($0.gather("\(count)")[0]) } ?? count
    }
    for _ in 0..<count(seconds / 4) { _ = try step() }
    self.seconds = []
    for _ in 0..<count(seconds) {
      let seconds = try step()
      parts.add(step: seconds, workers: run.training.times)
      self.seconds.append(seconds)
    }
  }
}
