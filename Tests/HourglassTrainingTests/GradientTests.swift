import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// The gradient buffer of a step against central differences of the mean loss, for every row of the table of layers.
///
/// Along a direction d of length 1 the loss is smooth but for kinks (ReLU, max-pooling), so (f(+h d) - f(-h d)) / 2h =
/// g.d + O(h^2). A loss f is rounded by 2^-24 f, which with h = 2^-10 f / |g| makes 3e-5 of |g|, and 64 times as much
/// with a step 64 times smaller. The largest steps may cross a kink, so two neighbouring steps count that agree with
/// the gradient, and so with each other; a wrong gradient fits none. A bias in front of a batch normalisation has no
/// gradient but rounding, so a 10^-5 of the whole gradient is allowed as well.
@Suite struct GradientTests {
  static let samples = 7
  static let steps: [Float] = [0x1p-10, 0x1p-12, 0x1p-14, 0x1p-16]

  @Test(arguments: LayerCases.differentiable) func theGradientIsTheSlopeOfTheLoss(_ row: LayerCase) throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: row.model.input)
    // Two shards of at most four samples, the last one partial; no learning, so that a step only measures.
    let step = try startedStep(
      row.model, batchSize: 8, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0), beta: 0.7, data: data)
    // Wider than a start, so that gradients of the first layers are not small.
    for i in 0..<step.parameters.count { step.parameters.pointer[i] *= 3 }
    let start = step.parameters.array
    let scale = Float(try step.run(batchSizes: [Self.samples])[0].total)
    let isStatistic = Self.places(step.plan) { $0.isStatistic }
    let isStill = start.indices.allSatisfy { isStatistic[$0] != 0 || step.parameters[$0] == start[$0] }
    #expect(isStill)
    let gradient = step.gradient.array.map { $0 / Float(Self.samples) }
    let slopeOfAll = zip(gradient, isStatistic).reduce(0) { $0 + ($1.1 == 0 ? Double($1.0 * $1.0) : 0) }.squareRoot()

    for (number, parameter) in step.plan.parameters.enumerated() where !parameter.isStatistic {
      // Only this tensor moves.
      let places = Self.places(step.plan) { $0.name == parameter.name }
      let own = zip(gradient, places).map { $0 * $1 }
      let norm = Self.dot(own, own).squareRoot()
      let noise = RandomStream(seed: 1, .sampling, step: number).uniform(start.count)
      // Along the gradient with uneven weights, which finds wrong values; and anywhere, which finds missing ones.
      let along = zip(own, noise).map { $0 * (0.5 + $1) }
      let anywhere = zip(places, noise).map { $0 * ($1 - 0.5) }
      for direction in [along, anywhere] {
        let length = Self.dot(direction, direction).squareRoot()
        guard length > 0 else { continue }
        let d = direction.map { $0 / Float(length) }
        let wanted = Self.dot(gradient, d)
        let slopes = try Self.steps.map { step in min(0.125, step * scale / Float(norm)) }.map { h in
          (try loss(step, start, d, h) - loss(step, start, d, -h)) / (2 * Double(h))
        }
        let fits = slopes.map { abs($0 - wanted) < 0.01 * norm + 1e-5 * slopeOfAll }
        #expect(
          zip(fits, fits.dropFirst()).contains { $0 && $1 },
          "\(parameter.name): slopes \(slopes), gradient \(wanted), norm \(norm)")
      }
    }
  }

  /// Each row's parameters matter: no gradient is all zeros, or the test above would be empty.
  @Test(arguments: LayerCases.all) func everyTensorHasAGradient(_ row: LayerCase) throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: row.model.input)
    let step = try startedStep(
      row.model, batchSize: 8, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
    _ = try step.run(batchSizes: [Self.samples])
    for parameter in step.plan.parameters {
      #expect(parameter.tensor(in: step.gradient.pointer).contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  /// Beta weighs the divergence and nothing else: the gradient is linear in it.
  @Test(arguments: LayerCases.diverging) func theGradientIsLinearInBeta(_ row: LayerCase) throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: row.model.input)
    let gradients = try [Float(0), 1, 2].map { beta in
      let step = try startedStep(
        row.model, batchSize: 8, optimizer: Optimizer(.sgd, learningRate: 0), beta: beta, data: data)
      let loss = try step.run(batchSizes: [Self.samples])[0]
      #expect(abs(loss.total - loss.reconstruction - Double(beta) * loss.terms) < 1e-9)
      #expect(loss.terms != 0)
      return step.gradient.array
    }
    // Sums of at most 8 samples and a few hundred products in float: 1e-4 of the largest is far above their rounding.
    let scale = gradients.joined().map(abs).max() ?? 0
    for i in gradients[0].indices {
      let bend: Float = gradients[0][i] - 2 * gradients[1][i] + gradients[2][i]
      #expect(abs(bend) < 1e-4 * scale)
    }
    #expect(gradients[0] != gradients[1])
  }

  /// One shard of 40 samples runs in three chunks, whose gradients add up to those of five shards of one chunk each,
  /// where samples do not meet.
  @Test(arguments: LayerCases.bySample) func chunksOfAShardAddUp(_ row: LayerCase) throws {
    let data = try TestImages.waves(batchSizes: [40], shape: row.model.input)
    let gradients = try [1, 5].map { shards in
      let step = try startedStep(
        row.model, batchSize: 40, shards: shards, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
      #expect(step.plan.samplesPerChunk < step.plan.samplesPerShard || shards == 5)
      try step.run(batchSizes: [40])
      return step.gradient.array
    }
    // The order of a sum of some thousand products in float: 1e-4 of the largest is far above its rounding.
    let scale = gradients.joined().map(abs).max() ?? 0
    let worst = zip(gradients[0], gradients[1]).map { abs($0 - $1) }.max() ?? 0
    #expect(worst < 1e-4 * scale && scale > 0)
  }

  /// Ones at the places of some parameters, zeros elsewhere.
  private static func places(_ plan: ExecutionPlan, _ isMeant: (Parameter) -> Bool) -> [Float] {
    let places = FloatBuffer(count: plan.parameterCount)
    for parameter in plan.parameters where isMeant(parameter) {
      parameter.store([Float](repeating: 1, count: parameter.count), in: places.pointer)
    }
    return places.array
  }

  private func loss(_ step: TrainingStep, _ start: [Float], _ direction: [Float], _ h: Float) throws -> Double {
    for i in start.indices { step.parameters.pointer[i] = start[i] + h * direction[i] }
    defer { for i in start.indices { step.parameters.pointer[i] = start[i] } }
    return try step.run(batchSizes: [Self.samples])[0].total
  }

  private static func dot(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
}
