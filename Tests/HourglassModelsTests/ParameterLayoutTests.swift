import TestSupport
import Testing

@testable import HourglassModels

/// Where each element of a file's tensor lies in the flat vector.
@Suite struct ParameterLayoutTests {
  @Test(arguments: LayerCases.all) func storeAndTensorAreInverse(_ row: LayerCase) throws {
    let plan = try ExecutionPlan(row.model, batchSize: 4)
    let flat = FloatBuffer(count: plan.parameterCount)
    var next: Float = 0
    var written: [[Float]] = []
    for parameter in plan.parameters {
      let values = (0..<parameter.count).map { next + Float($0) + 1 }
      next += Float(values.count)
      parameter.store(values, in: flat.pointer)
      written.append(values)
    }
    // Every value is there once: no two elements share a place, and what is left is padding.
    #expect(flat.array.filter { $0 != 0 }.sorted() == written.joined().sorted())
    for (parameter, values) in zip(plan.parameters, written) {
      #expect(parameter.tensor(in: flat.pointer) == values)
      #expect(parameter.shape.reduce(1, *) == parameter.count)
    }
  }

  @Test(arguments: LayerCases.all) func theFrontPartHoldsExactlyTheShardedParameters(_ row: LayerCase) throws {
    let plan = try ExecutionPlan(row.model, batchSize: 4)
    for use in plan.uses {
      for parameter in use.parameters {
        let places = try Self.places(of: parameter, in: plan)
        #expect(places.allSatisfy { ($0 < plan.shardedCount) == use.isSharded })
        #expect(places.allSatisfy { use.parameterRange ~= $0 })
      }
      #expect(use.parameterOffset % 16 == 0, "on a 64-byte boundary")
    }
    #expect(Set(plan.parameters.map(\.name)).count == plan.parameters.count)
  }

  @Test func namesAndShapesArePyTorchs() throws {
    let plan = try ExecutionPlan(convVAE28, batchSize: 8)
    #expect(
      plan.parameters.map { "\($0.name) \($0.shape) \($0.fanIn)" } == [
        "encoder.0.weight [32, 1, 4, 4] 16", "encoder.0.bias [32] 16",
        "encoder.1.weight [64, 32, 4, 4] 512", "encoder.1.bias [64] 512",
        "encoder.2.weight [256, 3136] 3136", "encoder.2.bias [256] 3136",
        "latent.mean.weight [20, 256] 256", "latent.mean.bias [20] 256",
        "latent.logVariance.weight [20, 256] 256", "latent.logVariance.bias [20] 256",
        "decoder.0.weight [256, 20] 20", "decoder.0.bias [256] 20",
        "decoder.1.weight [3136, 256] 256", "decoder.1.bias [3136] 256",
        "decoder.3.weight [64, 32, 4, 4] 512", "decoder.3.bias [32] 512",
        "decoder.4.weight [32, 1, 4, 4] 16", "decoder.4.bias [1] 16",
      ])
  }

  /// Memory R S C K with C the input's channels; file O I H W.
  @Test func aConvolutionIsOIHWInFiles() throws {
    let (r, s, c, k) = (2, 3, 4, 5)
    let plan = try Self.plan(ImageShape(6, 6, c), Conv2D(k, kernel: Extent2D(r, s)))
    let weight = plan.parameters[0]
    #expect(weight.shape == [k, c, r, s])
    let places = try Self.places(of: weight, in: plan)
    for (i, index) in Self.indices([k, c, r, s]).enumerated() {
      let (o, channel, h, w) = (index[0], index[1], index[2], index[3])
      #expect(places[i] == weight.offset + ((h * s + w) * c + channel) * k + o)
    }
  }

  /// Memory R S C K with C the output's channels; file I O H W.
  @Test func aTransposedConvolutionIsIOHWInFiles() throws {
    let (r, s, c, k) = (3, 2, 4, 5)
    let plan = try Self.plan(ImageShape(3, 3, k), ConvTranspose2D(c, kernel: Extent2D(r, s)))
    let weight = plan.parameters[0]
    #expect(weight.shape == [k, c, r, s] && weight.fanIn == c * r * s)
    let places = try Self.places(of: weight, in: plan)
    for (i, index) in Self.indices([k, c, r, s]).enumerated() {
      let (input, output, h, w) = (index[0], index[1], index[2], index[3])
      #expect(places[i] == weight.offset + ((h * s + w) * c + output) * k + input)
    }
  }

  /// Memory inputs x outputs with inputs in H, W, C order; file outputs x inputs with inputs in C, H, W order.
  @Test func aDenseLayerReadsAnImageInCHWOrder() throws {
    let (h, w, c, units) = (2, 3, 4, 5)
    let plan = try Self.plan(ImageShape(h, w, c), Dense(units))
    let weight = plan.parameters[0]
    #expect(weight.shape == [units, c * h * w])
    let places = try Self.places(of: weight, in: plan)
    for (i, index) in Self.indices([units, c, h, w]).enumerated() {
      let input = (index[2] * w + index[3]) * c + index[1]
      #expect(places[i] == weight.offset + input * units + index[0])
    }
  }

  /// A dense layer that feeds a Reshape puts its outputs in H, W, C order; the file has them in C, H, W order.
  @Test func aDenseLayerFeedsAnImageInCHWOrder() throws {
    let (inputs, h, w, c) = (3, 2, 3, 4)
    let plan = try Self.plan(ImageShape(vector: inputs), Dense(h * w * c), Reshape(h, w, c))
    let (weight, bias) = (plan.parameters[0], plan.parameters[1])
    #expect(weight.shape == [c * h * w, inputs] && bias.shape == [c * h * w])
    let places = try Self.places(of: weight, in: plan)
    for (i, index) in Self.indices([c, h, w, inputs]).enumerated() {
      let output = (index[1] * w + index[2]) * c + index[0]
      #expect(places[i] == weight.offset + index[3] * (h * w * c) + output)
    }
    let biases = try Self.places(of: bias, in: plan)
    for (i, index) in Self.indices([c, h, w]).enumerated() {
      #expect(biases[i] == bias.offset + (index[1] * w + index[2]) * c + index[0])
    }
  }

  /// The heads of a Gaussian latent lie side by side: outputs 0..<Z are the means.
  @Test func theHeadsAreSplit() throws {
    let (inputs, z) = (4, 3)
    var model = Self.model(ImageShape(vector: inputs))
    model.latent = GaussianLatent(z)
    let plan = try ExecutionPlan(model, batchSize: 2)
    let heads = plan.parameters.filter { $0.name.hasPrefix("latent.") }
    #expect(
      heads.map(\.name) == [
        "latent.mean.weight", "latent.mean.bias", "latent.logVariance.weight", "latent.logVariance.bias",
      ])
    let start = heads[0].offset
    for (head, first) in [(heads[0], 0), (heads[2], z)] {
      let places = try Self.places(of: head, in: plan)
      for (i, index) in Self.indices([z, inputs]).enumerated() {
        #expect(places[i] == start + index[1] * 2 * z + first + index[0])
      }
    }
    let biases = try Self.places(of: heads[1], in: plan) + Self.places(of: heads[3], in: plan)
    #expect(biases == Array(biases[0]..<biases[0] + 2 * z))
  }

  /// The place of each element of a tensor, found by reading a flat vector that holds its own indices.
  private static func places(of parameter: Parameter, in plan: ExecutionPlan) throws -> [Int] {
    try #require(plan.parameterCount < 1 << 24, "floats count exactly only so far")
    let flat = FloatBuffer((0..<plan.parameterCount).map(Float.init))
    return parameter.tensor(in: flat.pointer).map { Int(clamping: $0) }
  }

  /// All indices of an array of that shape, row-major.
  private static func indices(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { list, extent in list.flatMap { prefix in (0..<extent).map { prefix + [$0] } } }
  }

  private static func plan(_ input: ImageShape, _ layers: any Layer...) throws -> ExecutionPlan {
    var model = model(input)
    model.encoder = layers
    return try ExecutionPlan(model, batchSize: 2)
  }

  private static func model(_ input: ImageShape) -> Autoencoder {
    Autoencoder("m", input: input, likelihood: .squaredError) {
    } latent: {
      Dense(2)
    } decoder: {
      Dense(input.count)
      Reshape(input.height, input.width, input.channels)
    }
  }
}
