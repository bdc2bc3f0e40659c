import ArgumentParser
import HourglassModels

/// Single layers of a model, forward and backward, as the step calls them.
struct LayerBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers", abstract: "Time each layer of a model by itself, forward and backward.",
    discussion: "Example: bench layers --model conv-ae-32 --batch-size 32")

  @Option(help: "A model by its name.") var model = "conv-vae-28"
  @Option(help: "Samples in each call.") var batchSize = 32
  @Option(help: "OpenMP threads.") var threads = 1
  @Option(help: "Seconds of measuring for each pass.") var seconds = 0.2
  @Flag(help: "One JSON object a layer and pass.") var json = false

  struct Result: Encodable {
    var name: String
    var microseconds: Double
    /// Padding counted; 0 for layers without multiply-adds.
    var gflops: Double
  }

  func run() throws {
    let model = try bench.model(named: model)
    let plan = try ExecutionPlan(model, batchSize: batchSize)
    if !json { print("layer and pass                                  microseconds   GFLOP/s") }
    for (i, layer) in plan.layers.enumerated() {
      let memory = LayerMemory(plan: plan, index: i, samples: batchSize, threads: threads)
      layer.prepare(memory.pass)
      try show(layer, "forward", passes: 1) { layer.forward(memory.pass) }
      let isDense = layer.gradient == .product
      try show(layer, isDense ? "backward-data" : "backward", passes: isDense || i == 0 ? 1 : 2) {
        layer.backward(memory.pass)
      }
      if let dense = layer as? PlannedDense {
        try show(layer, "backward-weight", passes: 1) {
          dense.weightGradient(
            rows: 0..<dense.input.count, samples: batchSize, x: memory.x.pointer, dy: memory.dy.pointer,
            gradient: memory.gradients.pointer, scratch: memory.scratch.pointer, threads: threads)
        }
      }
    }
  }

  private func show(_ layer: any PlannedLayer, _ pass: String, passes: Int, _ body: () -> Void) throws {
    let time = Timing(budget: seconds, body).median
    let flops = 2.0 * Double(layer.multiplyAdds * batchSize * passes)
    let result = Result(
      name: "\(model)/\(layer.name)/\(pass)", microseconds: time * 1e6, gflops: flops / time / 1e9)
    if json {
      print(try bench.json(result))
    } else {
      let name = "\(result.name) (\(layer.kind))".padding(toLength: 48, withPad: " ", startingAt: 0)
      print(name, fixed(result.microseconds, 1), fixed(result.gflops, 1), separator: "\t")
    }
  }
}

/// Everything that one layer touches, filled with values that keep ReLU half open.
private struct LayerMemory {
  let x, y, dy, dx, parameters, gradients, prepared, state, scratch, divergence: FloatBuffer
  let pass: Pass

  init(plan: ExecutionPlan, index: Int, samples: Int, threads: Int) {
    let layer = plan.layers[index]
    func random(_ count: Int, _ sample: Int) -> FloatBuffer {
      FloatBuffer(RandomStream(seed: 1, .synthesis, sample: sample).uniform(count).map { $0 - 0.5 })
    }
    x = random(samples * layer.input.count, 0)
    dy = random(samples * layer.output.count, 1)
    parameters = random(plan.parameterCount, 2)
    y = FloatBuffer(count: dy.count)
    dx = FloatBuffer(count: x.count)
    gradients = FloatBuffer(count: plan.parameterCount)
    prepared = FloatBuffer(count: layer.preparedCount)
    state = FloatBuffer(count: samples * layer.stateCount)
    scratch = FloatBuffer(count: layer.scratchCount(samples: samples, threads: threads))
    divergence = FloatBuffer(count: samples)
    var pass = Pass(
      samples: samples, firstSample: 0, x: x.pointer, y: y.pointer, dy: dy.pointer,
      dx: index == 0 ? nil : dx.pointer, inputActivation: plan.boundaries[index].activation,
      parameters: parameters.pointer, prepared: prepared.pointer, state: state.pointer, scratch: scratch.pointer,
      divergence: divergence.pointer, noise: .drawn(seed: 1, purpose: .latent, step: 0), beta: 1, threads: threads)
    pass.gradients = gradients.pointer
    self.pass = pass
  }
}
