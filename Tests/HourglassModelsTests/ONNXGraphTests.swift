import TestSupport
import Testing

@testable import HourglassModels

/// What graphs are made of. That they compute the right numbers is checked with onnxruntime, in ONNXRuntimeTests.
@Suite struct ONNXGraphTests {
  private static func graph(_ model: Autoencoder, _ part: ModelPart) throws -> ONNXGraph {
    let plan = try ExecutionPlan(model, batchSize: 2)
    let parameters = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(parameters, plan: plan, seed: 1)
    return try plan.onnxGraph(part, parameters: parameters)
  }

  @Test(arguments: LayerCases.all, ModelPart.allCases)
  func everyNodeReadsWhatIsThereAndNothingIsLeftOver(_ row: LayerCase, _ part: ModelPart) throws {
    guard try part != .decoder || ExecutionPlan(row.model, batchSize: 2).decodingRefusal == nil else {
      #expect(throws: ModelError.self) { try Self.graph(row.model, part) }
      return
    }
    let graph = try Self.graph(row.model, part)
    // Nothing stands for an input that is left out.
    var values = Set(graph.inputs.map(\.name) + [""])
    for tensor in graph.tensors {
      let count =
        switch tensor.elements {
        case .floats(let floats): floats.count
        case .integers(let integers): integers.count
        }
      #expect(values.insert(tensor.name).inserted && tensor.shape.reduce(1, *) == count, "\(tensor.name)")
    }
    var read = Set(graph.outputs.map(\.name) + [""])
    for node in graph.nodes {
      #expect(node.inputs.allSatisfy(values.contains), "\(node.name) reads \(node.inputs)")
      read.formUnion(node.inputs)
      for output in node.outputs { #expect(values.insert(output).inserted, "\(output) is made twice") }
    }
    #expect(read == values, "left over are \(values.subtracting(read)), missing \(read.subtracting(values))")
    #expect(Set(graph.nodes.map(\.name)).count == graph.nodes.count)
  }

  @Test func parametersStandInAGraphUnderTheirNames() throws {
    let names = try Self.graph(convVAE28, .autoencoder).tensors.map(\.name)
    let wanted = try ExecutionPlan(convVAE28, batchSize: 1).parameters.map(\.name)
    // The log-variance does not reach the reconstruction.
    #expect(names.filter(wanted.contains) == wanted.filter { !$0.hasPrefix("latent.logVariance") })
    let encoder = try Self.graph(convVAE28, .encoder)
    #expect(
      encoder.inputs == [.init("image", ImageShape(28, 28, 1))] && encoder.inputs[0].shape == [1, 28, 28]
        && encoder.outputs == [.init("mean", ImageShape(vector: 20)), .init("log_variance", ImageShape(vector: 20))])
    #expect(encoder.outputs[0].shape == [20])
    let weight = try #require(encoder.tensors.first { $0.name == "latent.mean.weight" })
    #expect(weight.shape == [20, 256])
    #expect(
      encoder.nodes.map(\.operation) == [
        "Conv", "Relu", "Conv", "Relu", "Flatten", "Gemm", "Relu", "Gemm", "Gemm", "Clip",
      ])
  }

  @Test func aBernoulliDecoderPutsOutProbabilities() throws {
    #expect(
      try Self.graph(convVAE28, .decoder).nodes.map(\.operation) == [
        "Gemm", "Relu", "Gemm", "Relu", "Reshape", "ConvTranspose", "Relu", "ConvTranspose", "Sigmoid",
      ])
    #expect(try Self.graph(convVAE64, .decoder).nodes.count { $0.operation == "Sigmoid" } == 1)
  }

  @Test func tiedLayersReadTheWeightsOfTheirPartners() throws {
    let names = try Self.graph(convTiedAE28, .autoencoder).tensors.map(\.name)
    let parameters = try ExecutionPlan(convTiedAE28, batchSize: 1).parameters.map(\.name)
    #expect(names.filter { $0.hasSuffix("weight") || $0.hasSuffix("bias") } == parameters)
    let decoder = try Self.graph(convTiedAE28, .decoder)
    #expect(
      decoder.nodes.compactMap { $0.inputs.count > 1 ? $0.inputs[1] : nil } == [
        "latent.weight", "decoder.1/shape", "encoder.1.weight", "encoder.0.weight",
      ])
  }

  @Test func labelsAreCalledWhatTheyAre() throws {
    var model = Autoencoder("labels", input: ImageShape(4, 4, 1), likelihood: .categorical) {
    } latent: {
      Dense(4)
    } decoder: {
      Dense(10)
    }
    #expect(try Self.graph(model, .autoencoder).outputs == [.init("logits", ImageShape(vector: 10))])
    (model.likelihood, model.decoder) = (.labelSquaredError, [Dense(1)])
    #expect(try Self.graph(model, .decoder).outputs == [.init("prediction", ImageShape(vector: 1))])
  }

  @Test func noiseVanishes() throws {
    let (with, without) = (try Self.graph(convDAE28, .encoder), try Self.graph(convAE28, .encoder))
    #expect(with.nodes.map(\.operation) == without.nodes.map(\.operation))
    var empty = Autoencoder("empty", input: ImageShape(2, 2, 1), likelihood: .squaredError) {
    } latent: {
      Dropout(0.5)
    } decoder: {
    }
    for part in ModelPart.allCases { #expect(try Self.graph(empty, part).nodes.map(\.operation) == ["Identity"]) }
    empty.likelihood = .bernoulli
    #expect(try Self.graph(empty, .decoder).nodes.map(\.operation) == ["Sigmoid"])
  }

  /// Worked out by hand from ONNX's formulas, floor((H + top + bottom - R) / U) + 1 of Conv and
  /// U (P - 1) + output_padding + R - top - bottom of ConvTranspose.
  @Test(arguments: [
    ("conv 4x4 stride 2, odd image", ModelPart.encoder, [1, 1, 2, 2], nil),
    ("conv 3x2 stride 1x2 padding 1x0", .encoder, [1, 0, 1, 0], nil),
    ("max-pool 3 stride 2 padding 1", .encoder, [1, 1, 1, 0], nil),
    ("transposed 3x3 stride 2 padding 1 to an odd size", .decoder, [1, 1, 1, 0], [0, 0]),
    ("transposed 2x2 stride 3 beyond the last window", .decoder, [0, 0, 0, 0], [2, 1]),
  ])
  func paddingIsThatOfONNX(_ name: String, _ part: ModelPart, _ pads: [Int], _ outside: [Int]?) throws {
    let row = try #require(LayerCases.all.first { $0.name == name })
    let node = try #require(try Self.graph(row.model, part).nodes.last { $0.attributes["pads"] != nil })
    #expect(node.attributes["pads"] == .integers(pads))
    #expect(node.attributes["output_padding"] == outside.map { .integers($0) })
  }

  @Test func aLayerWithoutAFormIsRefusedWithASentence() throws {
    var model = convAE28
    model.encoder.insert(Squaring(), at: 1)
    #expect(
      throws: ModelError(
        "encoder.1", "a Squaring layer has no form in ONNX here; --format safetensors or npy writes its weights")
    ) {
      try Self.graph(model, .encoder)
    }
    #expect(try !Self.graph(model, .decoder).nodes.isEmpty)
  }
}

/// A layer of somebody who does not care for ONNX.
private struct Squaring: Layer {
  func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.append(PlannedSquaring(name: planner.name, input: planner.shape))
  }
}

private struct PlannedSquaring: PlannedLayer {
  let name: String
  let input: ImageShape

  init(name: String, input: ImageShape) { (self.name, self.input) = (name, input) }

  var kind: String { Squaring.kind }
  var output: ImageShape { input }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  func forward(_ pass: Pass) {}
  func backward(_ pass: Pass) {}
}
