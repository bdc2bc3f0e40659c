import TestSupport
import Testing

@testable import HourglassModels

/// How parameters start.
@Suite struct InitializerTests {
  /// uniform(n, seed, INITIALIZATION, step) of the independent Philox in HourglassTrainingTests/Golden/philox.py.
  @Test(
    arguments: [
      (
        UInt64(0), 0,
        [0.17893141508102417, 0.07533091306686401, 0.9881725907325745, 0.6348826289176941, 0.9114281535148621]
      ),
      (
        4_294_967_307, 0,
        [0.8631947636604309, 0.8577043414115906, 0.21238595247268677, 0.04642754793167114, 0.5635194182395935]
      ),
      (
        4_294_967_307, 3,
        [0.3334941267967224, 0.32472699880599976, 0.9054929614067078]
      ),
    ] as [(UInt64, Int, [Float])])
  func theFirstValuesAreTheIndependentPhiloxs(_ seed: UInt64, _ tensor: Int, _ uniform: [Float]) throws {
    let (plan, flat) = try Self.started(seed)
    let parameter = plan.parameters[tensor]
    let bound = Float(1 / Double(parameter.fanIn).squareRoot())
    let values = parameter.tensor(in: flat.pointer)
    #expect(Array(values.prefix(uniform.count)) == uniform.map { (2 * $0 - 1) * bound })
  }

  /// initial_parameter(7, 2, (64, 32, 3, 3), 288) of Golden/starting_point.py: the bound 1 / sqrt(288) is rounded once.
  @Test func theBoundIsRoundedOnce() throws {
    let plan = try ExecutionPlan(convAE28, batchSize: 8)
    let flat = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(flat, plan: plan, seed: 7)
    #expect(plan.parameters[2].shape == [64, 32, 3, 3])
    #expect(
      plan.parameters[2].tensor(in: flat.pointer).prefix(6) == [
        0.02808152511715889, -0.00791261438280344, 0.056031644344329834, -0.0332932211458683, -0.05204986035823822,
        0.03602012246847153,
      ])
  }

  /// A uniform distribution within b has the variance b^2 / 3; the mean of n values strays by b / sqrt(3 n), their
  /// variance by b^2 sqrt(4/45 / n). Five of these are exceeded once in two million tensors.
  @Test(arguments: [UInt64(1), 2, 3]) func valuesAreUniformWithinTheBound(_ seed: UInt64) throws {
    let (plan, flat) = try Self.started(seed)
    for parameter in plan.parameters {
      let bound = 1 / Double(parameter.fanIn).squareRoot()
      let values = parameter.tensor(in: flat.pointer).map(Double.init)
      let n = Double(values.count)
      #expect(values.allSatisfy { abs($0) <= bound * (1 + 0x1p-22) }, "\(parameter.name)")
      guard n >= 30 else { continue }
      let mean = values.reduce(0, +) / n
      let variance = values.reduce(0) { $0 + $1 * $1 } / n
      #expect(abs(mean) < 5 * bound / (3 * n).squareRoot(), "\(parameter.name)")
      #expect(abs(variance - bound * bound / 3) < 5 * bound * bound * (4 / 45 / n).squareRoot(), "\(parameter.name)")
      #expect(values.contains { abs($0) > 0.8 * bound }, "\(parameter.name) reaches for its bound")
    }
  }

  @Test func aStartDependsOnTheSeedAlone() throws {
    let first = try Self.started(5).flat.array
    #expect(try Self.started(5, batchSize: 33, shards: 3).flat.array == first)
    #expect(try Self.started(6).flat.array != first)
  }

  /// A dense layer, a convolution and a transposed one, all large enough for statistics.
  private static func model(_ initializer: Initializer?) -> Autoencoder {
    Autoencoder("starts", input: ImageShape(16, 16, 8), likelihood: .squaredError) {
      Conv2D(32, kernel: 4, stride: 2, initializer: initializer)
      BatchNorm(activation: .relu)
    } latent: {
      Dense(64, initializer: initializer)
    } decoder: {
      Dense(8 * 8 * 32, initializer: initializer)
      Reshape(8, 8, 32)
      ConvTranspose2D(8, kernel: 4, stride: 2, initializer: initializer)
    }
  }

  /// Variances are as in torch.nn.init: 1 / (3 fan in), 2 / (fan in + fan out), 2 / fan in. A normal distribution cut
  /// off at two deviations has 0.774 of its variance. That of n values strays by its size times sqrt(2 / n) at most.
  @Test(arguments: Initializer.all.filter { $0 != .orthogonal && $0 != .zeros })
  func aStartHasItsVariance(_ initializer: Initializer) throws {
    let plan = try ExecutionPlan(Self.model(initializer), batchSize: 8)
    let flat = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(flat, plan: plan, seed: 3)
    let fans = ["encoder.0": (8 * 16, 32 * 16), "latent": (2048, 64), "decoder.0": (64, 2048), "decoder.2": (128, 512)]
    for parameter in plan.parameters where parameter.start == nil {
      let values = parameter.tensor(in: flat.pointer).map(Double.init)
      guard parameter.name.hasSuffix("weight") else {
        #expect(values.allSatisfy { $0 == 0 } == (initializer != .pytorch), "\(parameter.name)")
        continue
      }
      let (fanIn, fanOut) = try #require(fans[parameter.name.replacing(".weight", with: "")])
      let both = Double(fanIn + fanOut)
      let (variance, most): (Double, Double) =
        switch initializer {
        case .pytorch: (1 / Double(3 * fanIn), 1 / Double(fanIn).squareRoot())
        case .glorotUniform: (2 / both, (6 / both).squareRoot())
        case .glorotNormal: (2 / both, 10)
        case .heUniform: (2 / Double(fanIn), (6 / Double(fanIn)).squareRoot())
        case .heNormal: (2 / Double(fanIn), 10)
        case .normal: (0.0004, 10)
        default: (0.0004 * 0.7737, 0.04)
        }
      let n = Double(values.count)
      let found = values.reduce(0) { $0 + $1 * $1 } / n
      #expect(abs(found / variance - 1) < 5 * (2 / n).squareRoot(), "\(parameter.name): \(found), not \(variance)")
      #expect(
        values.allSatisfy { abs($0) <= most * (1 + 0x1p-20) }
          && values.contains { abs($0) > 1.8 * variance.squareRoot() || most < 10 })
      if case .truncatedNormal = initializer { #expect(values.contains { abs($0) > 0.035 }) }
    }
  }

  @Test func anOrthogonalStartHasOrthonormalRowsOrColumns() throws {
    let plan = try ExecutionPlan(Self.model(.orthogonal), batchSize: 8)
    let flat = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(flat, plan: plan, seed: 3)
    for parameter in plan.parameters where parameter.name.hasSuffix("weight") && parameter.start == nil {
      let values = parameter.tensor(in: flat.pointer).map(Double.init)
      let (rows, columns) = (parameter.shape[0], values.count / parameter.shape[0])
      let isWide = rows <= columns
      let vectors = (0..<min(rows, columns)).map { v in
        (0..<max(rows, columns)).map { isWide ? values[v * columns + $0] : values[$0 * columns + v] }
      }
      for (i, a) in vectors.enumerated() {
        for (j, b) in vectors[...i].enumerated() {
          let product = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
          #expect(abs(product - (i == j ? 1 : 0)) < 1e-6, "\(parameter.name)")
        }
      }
    }
  }

  @Test func theStartOfALayerGoesBeforeThatOfTheRecipe() throws {
    func start(_ own: Initializer?, _ recipes: Initializer) throws -> [Float] {
      let plan = try ExecutionPlan(Self.model(own), batchSize: 8)
      let flat = FloatBuffer(count: plan.parameterCount)
      Initializer.fill(flat, plan: plan, seed: 3, initializer: recipes)
      return flat.array
    }
    #expect(try start(nil, .heNormal) == start(.heNormal, .zeros))
    #expect(try start(nil, .pytorch) == start(.pytorch, .orthogonal))
    let zeros = try start(.zeros, .heNormal)
    // The weights of the normalisation and its running variance start from 1.
    #expect(zeros.count { $0 != 0 } == 2 * 32)
  }

  private static func started(_ seed: UInt64, batchSize: Int = 8, shards: Int? = nil) throws
    -> (plan: ExecutionPlan, flat: FloatBuffer)
  {
    let row = try #require(LayerCases.all.first { $0.name == "conv after conv" })
    let plan = try ExecutionPlan(row.model, batchSize: batchSize, shards: shards)
    let flat = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(flat, plan: plan, seed: seed)
    return (plan, flat)
  }
}
