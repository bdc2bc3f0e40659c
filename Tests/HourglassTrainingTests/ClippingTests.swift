import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Clipping scales the gradient of the mean loss by min(1, limit / (norm + 1e-6)) and does nothing else.
@Suite struct ClippingTests {
  /// A full and a partial minibatch: the mean is over 20 samples and over 7.
  static let counts = [20, 7]

  /// One step of plain descent against the definition in double.
  ///
  /// The norm differs by the rounding of double sums. The update rounds the scale, its product with the gradient, the
  /// product with the rate and the difference, so it may be wrong by three units of 2^-24 of the update, doubled
  /// for comfort, and one of the weight.
  @Test(arguments: TinyModels.all, counts) func anUpdateIsTheClippedGradient(_ model: Autoencoder, _ count: Int) throws
  {
    let (limit, rate) = (Float(0.25), Float(0.5))
    let step = try descent(model, rate: rate, clipNorm: limit)
    let before = step.parameters.array
    try step.run(batchSizes: [count])
    var mean = step.gradient.array.map { Double($0) / Double(count) }
    // Running statistics are in the place of gradients and are none.
    for i in step.plan.owned.map(\.range).joined() {
      #expect(abs(Double(step.parameters[i]) - (0.9 * Double(before[i]) + 0.1 * mean[i])) < 1e-6)
      mean[i] = 0
    }
    let norm = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(try #require(step.gradientNorm) - norm) < 1e-12 * norm)
    let scale = min(1, Double(limit) / (norm + 1e-6))
    #expect(scale < 0.9, "the limit is far below the norm of \(norm)")
    var after = step.parameters.array
    for i in step.plan.owned.map(\.range).joined() { after[i] = before[i] }
    var moved = 0.0
    for i in mean.indices {
      let update = Double(rate) * scale * mean[i]
      let bound = 0x1p-24 * (6 * abs(update) + abs(Double(before[i])) + abs(update))
      #expect(abs(Double(after[i]) - (Double(before[i]) - update)) <= bound, "parameter \(i)")
      moved += (Double(after[i]) - Double(before[i])) * (Double(after[i]) - Double(before[i]))
    }
    // What moved is as long as the limit says, whatever the gradient was; its parts are rounded as bounded above.
    #expect(abs(moved.squareRoot() - Double(rate * limit)) < 1e-5 * Double(rate * limit))
  }

  /// A limit that is never reached multiplies by exactly 1.
  @Test(arguments: TinyModels.all) func aLimitAboveTheNormChangesNoBit(_ model: Autoencoder) throws {
    let bits = try [nil, Float(1e6)].map { limit in
      let step = try descent(model, rate: 0.01, clipNorm: limit)
      let start = step.parameters.bits
      try step.run(batchSizes: [20, 13, 7])
      #expect((step.gradientNorm != nil) == (limit != nil))
      #expect(step.parameters.bits != start)
      return step.parameters.bits
    }
    #expect(bits[0] == bits[1])
  }

  /// Codes are 0 and outputs small, so that the loss is too, but the codes' errors are sums of 64 errors of one sign,
  /// times weights of 1e38.
  @Test func aGradientThatOverflowsIsRefused() throws {
    let model = Autoencoder("steep", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
    } latent: {
      Dense(2)
    } decoder: {
      Dense(64)
      Reshape(8, 8, 1)
    }
    let step = try descent(model, rate: 0.01, clipNorm: 1)
    for (name, value) in [("latent.weight", Float(0)), ("latent.bias", 0), ("decoder.0.weight", 1e38)] {
      let weight = try #require(step.plan.parameters.first { $0.name == name })
      weight.store([Float](repeating: value, count: weight.count), in: step.parameters.pointer)
    }
    let before = step.parameters.bits
    let error = #expect(throws: TrainingError.self) { try step.run(batchSizes: [20]) }
    guard case .overflow(step: 0, let parameter)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(parameter.hasPrefix("latent."))
    #expect(step.parameters.bits == before && step.moments.allSatisfy { $0.values.array.allSatisfy { $0 == 0 } })
  }

  private func descent(_ model: Autoencoder, rate: Float, clipNorm: Float?) throws -> TrainingStep {
    var optimizer = Optimizer(.sgd, learningRate: rate)
    optimizer.momentum = 0
    let data = try TestImages.waves(batchSizes: [20, 13, 7], shape: model.input)
    return try startedStep(
      model, batchSize: 20, shards: 3, parallel: ParallelPlan(workers: 2, threads: 1), optimizer: optimizer,
      clipNorm: clipNorm, data: data)
  }
}
