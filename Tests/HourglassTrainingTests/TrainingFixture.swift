import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining
import Testing
import TestSupport

/// A step of a model on waves, started from a seed.
func startedStep(
  _ model: Autoencoder, batchSize: Int, shards: Int? = nil, parallel: ParallelPlan = .init(workers: 1, threads: 1),
  optimizer: Optimizer = Optimizer(), clipNorm: Float? = nil, clipValue: Float? = nil, freeBits: Float = 0,
  averageDecay: Float? = nil,
  augmentation: Augmentation? = nil, corruption: Corruption? = nil, seed: UInt64 = 3, beta: Float = 1, data: Dataset,
  profiles: Bool = false, importanceSamples: Int? = nil, standardization: Standardization? = nil,
  transport: (any Transport)? = nil
) throws -> TrainingStep {
  let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards, importanceSamples: importanceSamples)
  let step = try TrainingStep(
    plan: plan, parallel: parallel, optimizer: optimizer, clipNorm: clipNorm, clipValue: clipValue,
    freeBits: freeBits,
    averageDecay: averageDecay, augmentation: augmentation, corruption: corruption, standardization: standardization,
    seed: seed, beta: beta, data: data, profiles: profiles, transport: transport)
  Initializer.fill(step.parameters, plan: plan, seed: seed)
  return step
}

extension TrainingStep {
  /// Runs steps over batches that lie one after the other in the data set, with rates and momenta of a recipe where one
  /// is given; the losses before each update.
  @discardableResult
  func run(batchSizes: [Int], _ recipe: Recipe? = nil) throws -> [Loss] {
    var first: Int32 = 0
    return try batchSizes.enumerated().map { step, count in
      defer { first += Int32(count) }
      return try run(
        step: step, items: ArraySlice(first..<first + Int32(count)),
        learningRate: recipe?.learningRate(step: step, stepsPerEpoch: batchSizes.count),
        momentum: recipe?.momentum(step: step, stepsPerEpoch: batchSizes.count))
    }
  }
}

extension FloatBuffer {
  /// The bits, which tell -0 from 0 and compare NaN as well.
  var bits: [UInt32] { elements.map(\.bitPattern) }
}

/// The tiny models of Golden/golden.py, of awkward shapes, and one of dense layers alone.
enum TinyModels {
  static let autoencoder = Autoencoder("tiny-ae", input: ImageShape(9, 7, 3), likelihood: .squaredError) {
    Conv2D(5, kernel: 4, stride: 2, activation: .relu)  // 5 x 4 x 5, odd total padding
    MaxPool2D(2)  // 2 x 2 x 5, a row is left out
  } latent: {
    Dense(6)
  } decoder: {
    Dense(3 * 2 * 5, activation: .relu)
    Reshape(3, 2, 5)
    ConvTranspose2D(
      4, kernel: 3, stride: 2, padding: .amount(1), outputSize: Extent2D(5, 4), activation: .relu)  // 5 x 4 x 4
    ConvTranspose2D(
      3, kernel: 3, stride: 2, padding: .amount(1), outputSize: Extent2D(9, 7), activation: .sigmoid)  // 9 x 7 x 3
  }

  static let variational = Autoencoder("tiny-vae", input: ImageShape(8, 8, 1), likelihood: .bernoulli) {
    Conv2D(4, kernel: 4, stride: 2, activation: .relu)  // 4 x 4 x 4
    Dense(10, activation: .relu)
  } latent: {
    GaussianLatent(3)
  } decoder: {
    Dense(10, activation: .relu)
    Dense(4 * 4 * 4, activation: .relu)
    Reshape(4, 4, 4)
    ConvTranspose2D(1, kernel: 4, stride: 2)  // 8 x 8 x 1, logits
  }

  /// Everything that draws random numbers.
  static let denoising = Autoencoder("tiny-dvae", input: ImageShape(8, 8, 1), likelihood: .bernoulli) {
    GaussianNoise(0.3)
    Conv2D(4, kernel: 4, stride: 2, activation: .relu)  // 4 x 4 x 4
    Dropout(0.25)
    Dense(10, activation: .relu)
    Dropout(0.5)
  } latent: {
    GaussianLatent(3)
  } decoder: {
    Dense(10, activation: .sigmoid)
    Dropout(0.2)
    Dense(4 * 4 * 4, activation: .relu)
    Reshape(4, 4, 4)
    GaussianNoise(0.1)
    ConvTranspose2D(1, kernel: 4, stride: 2)  // 8 x 8 x 1, logits
  }

  /// The activations that the others do without.
  static let smooth = Autoencoder("tiny-smooth", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
    Conv2D(4, kernel: 4, stride: 2, activation: .tanh)  // 4 x 4 x 4
    MaxPool2D(2)  // 2 x 2 x 4
    Dense(10, activation: .elu)
  } latent: {
    Dense(6)
  } decoder: {
    Dense(10, activation: .softplus)
    Dropout(0.2)
    Dense(4 * 4 * 4, activation: .leakyRelu())
    Reshape(4, 4, 4)
    ConvTranspose2D(1, kernel: 4, stride: 2, activation: .sigmoid)  // 8 x 8 x 1
  }

  /// Normalisation, unpooling and GELU, of torch_layers.py.
  static let normalized = Autoencoder("tiny-norm", input: ImageShape(8, 6, 2), likelihood: .squaredError) {
    Conv2D(6, kernel: 3)  // 8 x 6 x 6
    GroupNorm(3)
    GELU()
    MaxPool2D(2)  // 4 x 3 x 6
  } latent: {
    Dense(5)
  } decoder: {
    Dense(4 * 3 * 6)
    Reshape(4, 3, 6)
    MaxUnpool2D(of: "encoder.3")  // 8 x 6 x 6
    Conv2D(4, kernel: 3)  // 8 x 6 x 4
    BatchNorm()
    GELU()
    Conv2D(2, kernel: 3, activation: .sigmoid)  // 8 x 6 x 2
  }

  /// Normalisation of vectors, and a resize-convolution, likewise.
  static let resized = Autoencoder("tiny-resize", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
    Dense(10)
    BatchNorm()
    GELU()
  } latent: {
    Dense(6)
  } decoder: {
    Dense(40)
    GroupNorm(2)
    Dense(4 * 4 * 3)
    Reshape(4, 4, 3)
    Upsample2D(2)  // 8 x 8 x 3
    Conv2D(1, kernel: 3, activation: .sigmoid)  // 8 x 8 x 1
  }

  /// Residual blocks with and without a shortcut, one inside another, of torch_layers.py.
  static let residual = Autoencoder("tiny-residual", input: ImageShape(8, 6, 2), likelihood: .squaredError) {
    Conv2D(4, kernel: 3, activation: .relu)  // 8 x 6 x 4
    Residual(activation: .relu) {
      Conv2D(4, kernel: 3, activation: .relu)
      GroupNorm(2)
      Conv2D(4, kernel: 3)
    }
    Residual(activation: .tanh, shortcut: [Conv2D(6, kernel: 1, stride: 2)]) {
      Conv2D(6, kernel: 4, stride: 2, activation: .tanh)  // 4 x 3 x 6
      Conv2D(6, kernel: 3)
    }
  } latent: {
    Dense(5)
  } decoder: {
    Dense(4 * 3 * 6, activation: .relu)
    Reshape(4, 3, 6)
    Residual { Conv2D(6, kernel: 3, activation: .tanh) }
    ConvTranspose2D(4, kernel: 4, stride: 2, activation: .relu)  // 8 x 6 x 4
    Residual(activation: .sigmoid, shortcut: [Conv2D(3, kernel: 3, activation: .relu), Conv2D(2, kernel: 1)]) {
      Conv2D(3, kernel: 3)
      Residual(activation: .relu) {
        Conv2D(3, kernel: 3, activation: .tanh)
        Conv2D(3, kernel: 3)
      }
      Conv2D(2, kernel: 3)  // 8 x 6 x 2
    }
  }

  /// Skips inside one another, and two from one layer past the code, likewise.
  static let uNet = Autoencoder("tiny-unet", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
    GaussianNoise(0.3)
    Conv2D(3, kernel: 3, activation: .relu)  // 8 x 8 x 3
    Skip {
      Conv2D(2, kernel: 3, activation: .tanh)
      Skip { Conv2D(3, kernel: 3, activation: .relu) }  // 8 x 8 x 5
    }  // 8 x 8 x 8
    Conv2D(4, kernel: 4, stride: 2, activation: .relu)  // 4 x 4 x 4
  } latent: {
    Dense(6)
  } decoder: {
    Dense(4 * 4 * 2, activation: .relu)
    Reshape(4, 4, 2)
    Concat(from: "encoder.3")  // 4 x 4 x 6
    ConvTranspose2D(3, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 3
    Concat(from: "encoder.1")  // 8 x 8 x 6
    Conv2D(2, kernel: 3, activation: .tanh)
    Concat(from: "encoder.1")  // 8 x 8 x 5
    Conv2D(1, kernel: 3, activation: .sigmoid)  // 8 x 8 x 1
  }

  /// A model whose two large matrices are cut into many slices, beside those that have one for each.
  static let wide = Autoencoder("wide", input: ImageShape(16, 16, 1), likelihood: .squaredError) {
    Dense(300, activation: .relu)
  } latent: {
    Dense(6)
  } decoder: {
    Dense(300, activation: .relu)
    Dense(256, activation: .sigmoid)
    Reshape(16, 16, 1)
  }

  /// The models of golden.py and of torch_layers.py.
  static let all = [autoencoder, variational, denoising, smooth, normalized, resized, residual, uNet]
}

/// Every division of `verify`, two of them stopped and resumed, gives the recipe the same weights, and the recipe
/// without its peculiarity other ones.
func expectNoStopChangesABit(_ recipe: Recipe, unlike plain: Recipe) throws {
  let data = try TestImages.waves(batchSizes: [10, 7], shape: recipe.model.input)
  let verification = try withTemporaryFolder { try Verification(recipe, data: data, folder: $0 + "/runs") }
  precondition(verification.difference == nil, verification.difference ?? "")
  let trainer = try Trainer(plain, parallel: ParallelPlan(workers: 1, threads: 1), data: data)
  _ = try trainer.run()
  precondition(trainer.weightsHash != verification.rows[0].weightsHash, "what the recipe asks for changed nothing")
}
