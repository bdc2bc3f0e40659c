import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// The contractive penalty of deeper and convolutional codes, which is estimated along a direction of each image.
@Suite struct TangentTests {
  static let weight: Float = 0.3

  /// Six elements an image, so that each of the 64 directions comes by.
  static func model(_ encoder: [any Layer], latent: any Layer) -> Autoencoder {
    var model = Autoencoder(
      "m", input: ImageShape(3, 2, 1), likelihood: .squaredError, penalty: ContractivePenalty(weight: weight)
    ) {
    } latent: {
      latent
    } decoder: {
      Dense(6)
      Reshape(3, 2, 1)
    }
    model.encoder = encoder
    return model
  }

  /// Activations whose derivative follows from their output.
  static let followed = Activation.allCases.filter { ![.gelu, .silu, .mish, .hardSwish, .softmax].contains($0) }

  static let models: [Autoencoder] =
    followed.map { model([Dense(5, activation: $0)], latent: Dense(4, activation: $0)) } + [
      model(
        [Dropout(0.5), Conv2D(3, kernel: 2, activation: .tanh), MaxPool2D(2, stride: 1), GaussianNoise(0.1)],
        latent: Dense(4, activation: .sigmoid)),
      model([Conv2D(3, kernel: 3, activation: .elu)], latent: Conv2D(2, kernel: 3, activation: .softplus)),
    ]

  /// The mean over all directions is the squared norm of the Jacobian, which differences of codes give as well: with
  /// steps h and h / 2 their errors of h^2 cancel, and roundoff of 2^-24 over h stays far below 10^-4.
  @Test(arguments: models.indices) func theMeanOverAllDirectionsIsTheNormOfTheJacobian(_ index: Int) throws {
    let inference = try Self.inference(Self.models[index])
    let image = RandomStream(seed: 3, .sampling).uniform(6)
    func slopes(_ element: Int, _ step: Float) -> [Double] {
      var (up, down) = (image, image)
      up[element] += step
      down[element] -= step
      let distance = Double(up[element]) - Double(down[element])
      return zip(inference.encode(up), inference.encode(down)).map { (Double($0) - Double($1)) / distance }
    }
    let wanted = (0..<6).reduce(0.0) { sum, element in
      zip(slopes(element, 0x1p-5), slopes(element, 0x1p-6)).reduce(sum) { sum, slopes in
        let slope = (4 * slopes.1 - slopes.0) / 3
        return sum + slope * slope
      }
    }

    // By direction, of which many samples have the same.
    var found: [[Bool]: Float] = [:]
    for batch in 0..<4 {
      let images = (0..<Inference.batchSize).flatMap { _ in image }
      let measured = inference.measure(images, noise: .evaluation(seed: 7, step: batch))
      for (sample, one) in measured.enumerated() {
        let direction = RandomStream(seed: 7, .direction, number: 1, step: batch, sample: sample).uniform(6)
        let signs = direction.map { $0 < 0.5 }
        #expect(found[signs].map { $0 == one.terms[0] } ?? true)
        found[signs] = one.terms[0]
      }
    }
    try #require(found.count == 64)
    let mean = found.values.reduce(0) { $0 + Double($1) } / 64
    #expect(Set(found.values).count > 1 && mean > 0)
    #expect(abs(mean - Double(Self.weight) * wanted) < 1e-4 * mean, "\(mean) \(Double(Self.weight) * wanted)")
  }

  /// Where one dense layer makes the code, whose penalty is exact, a chain of two of which one is the identity has the
  /// same in the mean, with a gradient whose mean is the same, too.
  @Test func theGradientsMeanIsThatOfTheClosedForm() throws {
    let exact = Self.model([], latent: Dense(4, activation: .tanh))
    let estimated = Self.model([Conv2D(1, kernel: 1)], latent: Dense(4, activation: .tanh))
    let count = 4096
    let data = try Self.repeated(RandomStream(seed: 3, .sampling).uniform(6), count)
    let gradients = try [exact, estimated].map { model in
      let step = try startedStep(
        model, batchSize: count, optimizer: Optimizer(.sgd, learningRate: 0), beta: 100, data: data)
      let plan = step.plan
      for parameter in plan.parameters {
        let values: [Float] =
          switch parameter.name {
          case "encoder.0.weight": [1]
          case "latent.weight": RandomStream(seed: 5, .sampling).normal(24)
          default: [Float](repeating: 0, count: parameter.count)
          }
        parameter.store(values, in: step.parameters.pointer)
      }
      _ = try step.run(step: 0, items: ArraySlice((0..<count).map(Int32.init)))
      let weight = try #require(plan.parameters.first { $0.name == "latent.weight" })
      return weight.tensor(in: step.gradient.pointer).map { Double($0) / Double(count) }
    }
    let scale = gradients[0].map(abs).max() ?? 0
    let worst = zip(gradients[0], gradients[1]).map { abs($0 - $1) }.max() ?? 0
    // 64 directions with weights that scatter by a part in 8.
    #expect(worst < 0.1 * scale && worst > 0, "\(worst) of \(scale)")
  }

  /// Directions are those of the sample's place in the step, whatever minibatch it comes in.
  @Test func minibatchesOfAStepHaveDirectionsOfTheirOwn() throws {
    let model = Self.models[0]
    let data = try Self.repeated(RandomStream(seed: 3, .sampling).uniform(6), 16)
    let steps = try [16, 8].map { batchSize in
      let step = try startedStep(
        model, batchSize: batchSize, shards: batchSize / 4, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
      let loss = try step.run(step: 0, items: ArraySlice((0..<16).map(Int32.init)))
      return (loss: loss, gradient: step.gradient.array)
    }
    #expect(steps[0].loss == steps[1].loss)
    // The terms of values and of tangents add up in another order.
    let scale = steps[0].gradient.map(abs).max() ?? 0
    #expect(zip(steps[0].gradient, steps[1].gradient).allSatisfy { abs($0 - $1) < 1e-6 * scale })
  }

  /// Encoding and reconstructing ask for no penalty, and evaluations draw other directions than training.
  @Test func whatIsMeasuredWithoutNoiseHasNoPenalty() throws {
    let inference = try Self.inference(Self.models[0])
    let images = RandomStream(seed: 3, .sampling).uniform(6 * 40)
    #expect(inference.measure(images, noise: .none).allSatisfy { $0.terms[0] == 0 })
    let drawn = [Noise.evaluation(seed: 1, step: 0), .evaluation(seed: 2, step: 0), .training(seed: 1, step: 0)].map {
      inference.measure(images, noise: $0).map(\.terms[0])
    }
    #expect(Set(drawn).count == 3 && drawn.joined().allSatisfy { $0 > 0 })
    #expect(drawn[0] == inference.measure(images, noise: .evaluation(seed: 1, step: 0)).map(\.terms[0]))
  }

  /// What `inspect` says.
  @Test func aPlanTellsWhichFormThePenaltyHas() throws {
    func contraction(_ model: Autoencoder) throws -> String? { try ExecutionPlan(model, batchSize: 1).contraction }
    #expect(try contraction(Self.model([GaussianNoise(0.1)], latent: Dense(3)))?.hasPrefix("exact") == true)
    #expect(try contraction(Self.models[0])?.hasPrefix("an estimate") == true)
    #expect(try contraction(Self.model([], latent: Conv2D(2, kernel: 3)))?.hasPrefix("an estimate") == true)
    #expect(try contraction(FamilyTests.model("l1")) == nil)
  }

  private static func inference(_ model: Autoencoder) throws -> Inference {
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 2, threads: 1))
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 12)
    for i in 0..<inference.parameters.count { inference.parameters.pointer[i] *= 2 }
    // So that some ReLU is awake.
    for bias in inference.plan.parameters where bias.shape.count == 1 {
      bias.store([Float](repeating: 0.5, count: bias.count), in: inference.parameters.pointer)
    }
    return inference
  }

  private static func repeated(_ image: [Float], _ count: Int) throws -> Dataset {
    let images = [[Float]](repeating: image, count: count).flatMap { $0 }
    return try Dataset(.floats(images), shape: ImageShape(3, 2, 1), source: "copies")
  }
}
