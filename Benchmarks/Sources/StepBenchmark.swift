import ArgumentParser
import HourglassData
import HourglassModels
import HourglassTraining

/// Whole training steps: forward, likelihood, backward, reduction, update.
struct StepBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Time whole training steps.",
    discussion: "Example: bench step --model conv-vae-28 --batch-size 128 --workers 2 --seconds 10 --json")

  @Option(help: "A model by its name, or all.") var model = "all"
  @Option(help: "Samples of a minibatch.") var batchSize = 128
  @Option(help: "Workers; by default what training would choose.") var workers: Int?
  @Option(help: "OpenMP threads in each worker.") var threads: Int?
  @Option(help: "Seconds of measuring for each model.") var seconds = 5.0
  @Flag(help: "One JSON object a model.") var json = false

  struct Result: Encodable {
    var model: String
    var batchSize: Int
    var workers: Int
    var threads: Int
    var steps: Int
    /// From the median step.
    var samplesPerSecond: Double
    /// From the steps at the 10th and the 90th percentile of time.
    var samplesPerSecondP10: Double
    var samplesPerSecondP90: Double
    /// Padding counted.
    var gflops: Double
  }

  func run() throws {
    let models = try models(named: model)
    if !json { print("model        batch  workers x threads  samples/s     p90     p10  GFLOP/s  steps") }
    for model in models {
      let result = try measure(model)
      if json {
        print(try bench.json(result))
      } else {
        let columns = [
          result.model.padding(toLength: 12, withPad: " ", startingAt: 0), pad("\(batchSize)", 5),
          pad("\(result.workers) x \(result.threads)", 18), pad(fixed(result.samplesPerSecond, 0), 10),
          pad(fixed(result.samplesPerSecondP90, 0), 7), pad(fixed(result.samplesPerSecondP10, 0), 7),
          pad(fixed(result.gflops, 1), 8), pad("\(result.steps)", 6),
        ]
        print(columns.joined(separator: " "))
      }
    }
  }

  private func measure(_ model: Autoencoder) throws -> Result {
    let plan = try ExecutionPlan(model, batchSize: batchSize)
    let parallel = ParallelPlan(workers: workers, threads: threads, shards: plan.shards)
    let data = try Dataset.synthetic(shape: model.input, count: max(1024, batchSize), seed: 1, split: .train)
    let step = TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), seed: 1, beta: 1, data: data)
    Initializer.fill(step.parameters, plan: plan, seed: 1)
    let order = BatchOrder(count: data.count / batchSize * batchSize, batchSize: batchSize, seed: 1)
    let items = order.permutation(epoch: 0)
    var next = 0
    let timing = try Samples(
      Timing.samples(seconds: seconds) {
        _ = try step.run(step: next, items: items[order.batch(step: next % order.stepsPerEpoch).range])
        next += 1
      })
    func rate(_ q: Double) -> Double { Double(batchSize) / timing.quantile(q) }
    return Result(
      model: model.name, batchSize: batchSize, workers: parallel.workers, threads: parallel.threads,
      steps: timing.sorted.count, samplesPerSecond: rate(0.5), samplesPerSecondP10: rate(0.9),
      samplesPerSecondP90: rate(0.1), gflops: rate(0.5) * Double(ModelSummary(plan).trainingFlops) / 1e9)
  }

  private func pad(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
