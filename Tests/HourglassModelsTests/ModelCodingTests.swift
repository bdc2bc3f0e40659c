import Foundation
import HourglassModels
import TestSupport
import Testing

/// Models as files: what is written is what is read, and what nobody understands is refused.
@Suite struct ModelCodingTests {
  @Test(arguments: LayerCases.all) func aModelSurvivesTheRoundTrip(_ row: LayerCase) throws {
    let first = try json(row.model)
    let read = try JSONDecoder().decode(Autoencoder.self, from: Data(first.utf8))
    #expect(try json(read) == first)
    #expect(read.encoder.count == row.model.encoder.count && read.decoder.count == row.model.decoder.count)
    #expect(type(of: read.latent) == type(of: row.model.latent))
  }

  @Test(arguments: ModelCatalog.models.map(\.name)) func aPresetSurvivesTheRoundTrip(_ name: String) throws {
    let model = try #require(ModelCatalog.model(name))
    let first = try json(model)
    #expect(try json(JSONDecoder().decode(Autoencoder.self, from: Data(first.utf8))) == first)
  }

  @Test func aGaussianOfGivenVarianceSurvivesTheRoundTrip() throws {
    let written = try JSONEncoder().encode(Likelihood.gaussian(variance: 0.25))
    #expect(try JSONDecoder().decode(Likelihood.self, from: written) == .gaussian(variance: 0.25))
    let fields = try JSONDecoder().decode([String: JSONNumberOrText].self, from: written)
    #expect(fields == ["name": .text("gaussian"), "variance": .number(0.25)])
    func read(_ text: String) throws -> Likelihood {
      try JSONParser.decode(Likelihood.self, from: Array(text.utf8))
    }
    #expect(try read(#"{"name": "huber"}"#) == .huber && read(#"{"name": "gaussian"}"#) == .gaussian())
    for (text, sentence) in [
      (#"{"name": "huber", "variance": 1}"#, "only a gaussian has a variance, found huber"),
      (#"{"name": "gaussian", "variance": 0}"#, "wanted a variance greater than 0, found 0.0"),
      (#"{"name": "gaussian", "sigma": 1}"#, #"a likelihood has no field "sigma"; it has name, variance"#),
    ] {
      #expect { try read(text) } throws: { Self.describe($0).hasPrefix(sentence) }
    }
  }

  private enum JSONNumberOrText: Decodable, Equatable {
    case number(Double)
    case text(String)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let number = try? value.decode(Double.self) {
        self = .number(number)
      } else {
        self = .text(try value.decode(String.self))
      }
    }
  }

  @Test(arguments: Likelihood.withoutParameters)
  func aLikelihoodSurvivesTheRoundTrip(_ likelihood: Likelihood) throws {
    let written = try JSONEncoder().encode(likelihood)
    #expect(try JSONDecoder().decode(Likelihood.self, from: written) == likelihood)
    #expect(String(decoding: written, as: UTF8.self) == "\"\(likelihood.name)\"")
  }

  @Test func anUnknownLikelihoodIsRefused() {
    #expect {
      try JSONParser.decode(Likelihood.self, from: Array(#""bernouli""#.utf8))
    } throws: {
      Self.describe($0).hasPrefix("wanted one of bernoulli, squaredError, ")
        && Self.describe($0).hasSuffix(#", found "bernouli"; the nearest is bernoulli"#)
    }
  }

  private static let activations = Activation.allCases.map(\.description).joined(separator: ", ")
  private static let layers = LayerCatalog.layers.map { $0.kind }.joined(separator: ", ")

  @Test func everyLayerOfTheCatalogHasARow() {
    let tested = Set(LayerCases.all.map { type(of: $0.layer).kind })
    #expect(tested == Set((LayerCatalog.layers + PenaltyCatalog.penalties).map { $0.kind }))
  }

  /// What a person writes, and the value it means with all defaults in place.
  @Test(arguments: [
    (#"{"layer": "Conv2D", "filters": 3, "kernel": 4}"#, "Conv2D(3, kernel: 4, stride: 1, same, linear, direct)"),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": [4,2], "stride": [2,1], "padding": [1,0], "activation": "relu"}"#,
      "Conv2D(3, kernel: 4x2, stride: 2x1, 1x0, relu, direct)"
    ),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": 3, "algorithm": "winograd"}"#,
      "Conv2D(3, kernel: 3, stride: 1, same, linear, winograd)"
    ),
    (
      #"{"layer": "ConvTranspose2D", "filters": 3, "kernel": 4}"#,
      "ConvTranspose2D(3, kernel: 4, stride: 1, same, to nil, linear, direct)"
    ),
    (
      #"{"layer": "ConvTranspose2D", "filters": 1, "kernel": 4, "stride": 2, "padding": 1, "outputSize": [7, 8]}"#,
      "ConvTranspose2D(1, kernel: 4, stride: 2, 1, to 7x8, linear, direct)"
    ),
    (
      #"{"layer": "ConvTranspose2D", "filters": 3, "kernel": 4, "stride": 2, "algorithm": "winograd"}"#,
      "ConvTranspose2D(3, kernel: 4, stride: 2, same, to nil, linear, winograd)"
    ),
    (#"{"layer": "Dense", "units": 5}"#, "Dense(5, linear)"),
    (#"{"layer": "Dense", "units": 5, "activation": "sigmoid"}"#, "Dense(5, sigmoid)"),
    (
      #"{"layer": "Dense", "units": 5, "activation": "leakyRelu:0.2", "bias": false, "initializer": "glorot"}"#,
      "Dense(5, leakyRelu:0.2, no bias, glorotUniform)"
    ),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": 4, "bias": false, "initializer": "truncatedNormal:0.02"}"#,
      "Conv2D(3, kernel: 4, stride: 1, same, linear, direct, no bias, truncatedNormal:0.02)"
    ),
    (#"{"layer": "BatchNorm"}"#, "BatchNorm(linear, 0.1, 1e-05, true)"),
    (
      #"{"layer": "BatchNorm", "activation": "relu", "momentum": 0.01, "epsilon": 0.001, "affine": false}"#,
      "BatchNorm(relu, 0.01, 0.001, false)"
    ),
    (#"{"layer": "GroupNorm", "groups": 2}"#, "GroupNorm(2, linear, 1e-05, true)"),
    (#"{"layer": "LayerNorm"}"#, "LayerNorm(linear, 1e-05, true)"),
    (#"{"layer": "InstanceNorm"}"#, "InstanceNorm(linear, 1e-05, false)"),
    (#"{"layer": "InstanceNorm", "affine": true, "activation": "silu"}"#, "InstanceNorm(silu, 1e-05, true)"),
    (#"{"layer": "Activation", "activation": "hardSwish"}"#, "Activation(hardSwish)"),
    (#"{"layer": "PReLU"}"#, "PReLU(false)"),
    (#"{"layer": "MaxPool2D", "kernel": 2}"#, "MaxPool2D(2, stride: nil, 0)"),
    (#"{"layer": "MaxPool2D", "kernel": 3, "stride": 2, "padding": "same"}"#, "MaxPool2D(3, stride: 2, same)"),
    (#"{"layer": "MaxPool2D", "kernel": 3, "padding": "valid"}"#, "MaxPool2D(3, stride: nil, 0)"),
    (#"{"layer": "MaxPool2D", "kernel": 3, "padding": [0, 1, 0, 2]}"#, "MaxPool2D(3, stride: nil, 0, 1, 0, 2)"),
    (#"{"layer": "Reshape", "shape": [2, 3, 4]}"#, "Reshape(2 x 3 x 4)"),
    (#"{"layer": "GaussianLatent", "units": 6}"#, "GaussianLatent(6)"),
    (#"{"layer": "Dropout", "rate": 0.25}"#, "Dropout(0.25)"),
    (#"{"layer": "GaussianNoise", "deviation": 0.5}"#, "GaussianNoise(0.5)"),
    (#"{"layer": "TiedDense", "to": "encoder.0"}"#, "TiedDense(encoder.0, linear)"),
    (#"{"layer": "TiedConvTranspose2D", "to": "latent"}"#, "TiedConvTranspose2D(latent, linear)"),
  ]) func aMissingFieldHasItsDefault(_ written: String, _ meant: String) throws {
    #expect(spell(try model(encoder: written).encoder[0]) == meant)
  }

  @Test(arguments: [
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": 4, "strides": 2}"#,
      #"encoder.0: Conv2D has no field "strides"; it has filters, kernel, stride, padding, paddingMode, "#
        + "activation, algorithm, bias, dilation, groups, initializer; the nearest is stride"
    ),
    (
      #"{"layer": "Dense", "units": 4, "momentum": 2}"#,
      #"encoder.0: Dense has no field "momentum"; it has units, activation, bias, initializer; BatchNorm has it"#
    ),
    (
      #"{"layer": "Conv2D", "filter": 3, "kernel": 3}"#,
      #"encoder.0: Conv2D has no field "filter"; it has filters, "#
        + "kernel, stride, padding, paddingMode, activation, algorithm, bias, dilation, groups, initializer; the "
        + "nearest is filters"
    ),
    (
      #"{"layer": "BatchNorm", "eps": 1}"#,
      #"encoder.0: BatchNorm has no field "eps"; it has activation, momentum, epsilon, affine; the nearest is epsilon"#
    ),
    (
      #"{"layer": "BatchNorm", "activation": "swish"}"#,
      "encoder.0.activation: wanted one of \(activations), leakyRelu:0.2 with any slope of 0.0001 to 1, found "
        + #""swish"; it is called silu here"#
    ),
    (
      #"{"layer": "Dense", "units": 3, "activation": "leakyRelu:0.00001"}"#,
      #"encoder.0.activation: wanted a slope of 0.0001 to 1 in steps of 0.0001, found "leakyRelu:0.00001""#
    ),
    (
      #"{"layer": "Dense", "units": 3, "initializer": "normal"}"#,
      "encoder.0.initializer: wanted \(Initializer.wanted), found \"normal\""
    ),
    (
      #"{"layer": "Conv3D", "filters": 3}"#,
      "encoder.0.layer: wanted one of \(layers), found \"Conv3D\"; the nearest is Conv1D"
    ),
    (
      #"{"layer": "L1Penalty", "weight": 1}"#,
      "encoder.0.layer: wanted a layer, found \"L1Penalty\", which is a penalty and belongs under the model's key "
        + "\"penalty\""
    ),
    (#"{"layer": "Conv2D", "filters": 3}"#, #"encoder.0: wanted a field "kernel", found none"#),
    (#"{"units": 3}"#, #"encoder.0: wanted a field "layer", found none"#),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": 3, "padding": "full"}"#,
      #"encoder.0.padding: wanted "same", "valid", a whole number, [height, width] or [top, left, bottom, right], "#
        + #"found "full""#
    ),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": 3, "padding": [1, 2, 3]}"#,
      #"encoder.0.padding: wanted "same", "valid", a whole number, [height, width] or [top, left, bottom, right], "#
        + "found [1, 2, 3]"
    ),
    (
      #"{"layer": "Reshape", "shape": [2, 3, 4, 5]}"#,
      "encoder.0.shape: wanted [height, width, channels], found [2, 3, 4, 5]"
    ),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": [3, 3, 3]}"#,
      "encoder.0.kernel: wanted a whole number or [height, width], found [3, 3, 3]"
    ),
    (
      #"{"layer": "Conv2D", "filters": 3, "kernel": "3"}"#,
      #"encoder.0.kernel: wanted a whole number or [height, width], found "3""#
    ),
    (#"{"layer": "Dense", "units": 8.5}"#, "encoder.0.units: wanted a whole number, found 8.5"),
    (
      #"{"layer": "Dense", "units": 1e30}"#,
      "encoder.0.units: wanted a whole number of -9223372036854775808 to 9223372036854775807, found 1e30"
    ),
    (#"{"layer": "Residual", "layers": {"layer": "GELU"}}"#, "encoder.0.layers: wanted a list, found an object"),
    (#""Dense""#, #"encoder.0: wanted a layer, such as {"layer": "Activation"}, found "Dense""#),
  ]) func whatIsNotUnderstoodIsRefused(_ written: String, _ sentence: String) {
    #expect(throws: DecodingError.self) { try model(encoder: written) }
    do { _ = try model(encoder: written) } catch { #expect(Self.describe(error) == sentence) }
  }

  @Test func anUnknownFieldOfTheModelIsRefused() {
    let text =
      #"{"name": "m", "input": [1, 1, 4], "likelihood": "squaredError", "beta": 4, "encoder": [], "#
      + #""latent": {"layer": "Dense", "units": 4}, "decoder": []}"#
    do {
      _ = try JSONParser.decode(Autoencoder.self, from: Array(text.utf8))
      Issue.record("the field beta was ignored")
    } catch {
      #expect(
        Self.describe(error)
          == #"a model has no field "beta"; it has name, source, input, likelihood, encoder, latent, decoder, "#
          + "penalty, objective")
    }
  }

  @Test(arguments: [
    (#"{"layer": "L1Penalty", "weight": 0.5}"#, nil),
    (#"{"layer": "ActivityPenalty", "weight": 2, "target": 0.1}"#, nil),
    (#"{"layer": "DIPPenalty", "type": "II", "weight": 1, "diagonal": 2}"#, nil),
    (#"[{"layer": "ActivityPenalty", "weight": 2, "target": 0.1}, {"layer": "L2Penalty", "weight": 1}]"#, nil),
    (
      #"[{"layer": "L2Penalty", "weight": 1}, {"layer": "L1Penalty"}]"#,
      #"penalty.1: wanted a field "weight", found none"#
    ),
    (#"{"layer": "MMDPenalty"}"#, #"penalty: wanted a field "weight", found none"#),
    (
      #"{"layer": "L1Penalty", "weight": 1, "target": 2}"#,
      #"penalty: L1Penalty has no field "target"; it has weight; "#
        + "ActivityPenalty has it"
    ),
    (
      #"{"layer": "Dropout", "rate": 0.5}"#,
      #"penalty.layer: wanted a penalty, found "Dropout", which is a layer and belongs in the encoder, the latent or "#
        + "the decoder"
    ),
    (
      #"{"layer": "L3Penalty", "weight": 1}"#,
      "penalty.layer: wanted one of ActivityPenalty, ContractivePenalty, DIPPenalty, L1Penalty, L2Penalty, "
        + "MMDPenalty, TotalCorrelationPenalty, ZeroMeanPenalty, "
        + #"found "L3Penalty"; the nearest is L1Penalty"#
    ),
  ]) func aPenaltyIsAFieldOfTheModel(_ written: String, _ sentence: String?) throws {
    let text =
      #"{"name": "m", "input": [1, 1, 4], "likelihood": "squaredError", "encoder": [], "penalty": \#(written), "#
      + #""latent": {"layer": "Dense", "units": 4, "activation": "sigmoid"}, "decoder": []}"#
    do {
      let model = try JSONParser.decode(Autoencoder.self, from: Array(text.utf8))
      let again = try JSONDecoder().decode(Autoencoder.self, from: Data(json(model).utf8))
      let (first, second) = (try json(model), try json(again))
      #expect(sentence == nil && !model.penalties.isEmpty && first == second && first.contains("weight"))
    } catch { #expect(Self.describe(error) == sentence) }
  }

  @Test(arguments: [
    (#"{"name": "contrastiveDivergence", "steps": 3, "persistent": true}"#, nil),
    (#"{"name": "contrastiveDivergence"}"#, nil),
    (
      #"{"name": "contrastiveDivergence", "k": 3}"#,
      #"objective: an objective has no field "k"; it has name, steps, persistent"#
    ),
    (#"{"name": "scoreMatching"}"#, #"objective.name: wanted contrastiveDivergence, found "scoreMatching""#),
    (#""cd""#, #"objective: wanted an objective, such as {"name": "contrastiveDivergence"}, found "cd""#),
  ]) func anObjectiveIsAFieldOfTheModel(_ written: String, _ sentence: String?) throws {
    let text =
      #"{"name": "m", "input": [1, 1, 4], "likelihood": "squaredError", "encoder": [], "objective": \#(written), "#
      + #""latent": {"layer": "Dense", "units": 4, "activation": "sigmoid"}, "decoder": []}"#
    do {
      let model = try JSONParser.decode(Autoencoder.self, from: Array(text.utf8))
      let again = try JSONDecoder().decode(Autoencoder.self, from: Data(json(model).utf8))
      let isLong = written.contains("steps")
      #expect(model.objective == .contrastiveDivergence(steps: isLong ? 3 : 1, persistent: isLong))
      #expect(sentence == nil && again.objective == model.objective)
    } catch { #expect(Self.describe(error) == sentence) }
  }

  /// No number of a file may trap, however large: it decodes, and planning refuses it, or it does not decode.
  @Test(arguments: [
    #"{"layer": "Conv2D", "filters": 9223372036854775807, "kernel": 9223372036854775807}"#,
    #"{"layer": "Conv2D", "filters": 1, "kernel": 3, "stride": 9223372036854775807}"#,
    #"{"layer": "Conv2D", "filters": 1, "kernel": 9223372036854775807, "padding": 4611686018427387904}"#,
    #"{"layer": "Conv2D", "filters": 1e30, "kernel": 3}"#,
    #"{"layer": "ConvTranspose2D", "filters": 1, "kernel": 1000000000000000000, "stride": 1000000000000000000}"#,
    #"{"layer": "ConvTranspose2D", "filters": 1, "kernel": 3, "outputSize": -9223372036854775808}"#,
    #"{"layer": "ConvTranspose2D", "filters": 1, "kernel": 3, "stride": 65536, "padding": -9223372036854775808}"#,
    #"{"layer": "MaxPool2D", "kernel": 9223372036854775807, "stride": 9223372036854775807, "padding": "same"}"#,
    #"{"layer": "Dense", "units": 1000000000000}"#,
    #"{"layer": "Reshape", "shape": [9223372036854775807, 9223372036854775807, 2]}"#,
    #"{"layer": "GaussianLatent", "units": 9223372036854775807}"#,
    #"{"layer": "Dropout", "rate": 1e30}"#,
    #"{"layer": "GaussianNoise", "deviation": 1e300}"#,
  ]) func absurdNumbersAreRefused(_ written: String) {
    #expect(throws: (any Error).self) { try ExecutionPlan(model(encoder: written), batchSize: 2) }
  }

  private func json(_ model: Autoencoder) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    return String(decoding: try encoder.encode(model), as: UTF8.self)
  }

  private func model(encoder: String) throws -> Autoencoder {
    let text =
      #"{"name": "m", "input": [8, 8, 2], "likelihood": "squaredError", "encoder": [\#(encoder)], "#
      + #""latent": {"layer": "Dense", "units": 4}, "decoder": []}"#
    return try JSONParser.decode(Autoencoder.self, from: Array(text.utf8))
  }

  private func spell(_ layer: any Layer) -> String {
    func text(_ padding: Padding) -> String {
      switch padding {
      case .same: "same"
      case .amount(let amount): "\(amount)"
      case .sides(let sides): "\(sides.top), \(sides.left), \(sides.bottom), \(sides.right)"
      }
    }
    func start(_ bias: Bool, _ initializer: Initializer?) -> String {
      (bias ? "" : ", no bias") + (initializer.map { ", \($0.rawValue)" } ?? "")
    }
    func text(_ extent: Extent2D?) -> String { extent.map { "\($0)" } ?? "nil" }
    return switch layer {
    case let l as Conv2D:
      "Conv2D(\(l.filters), kernel: \(l.kernel), stride: \(l.stride), \(text(l.padding)), \(l.activation), "
        + "\(l.algorithm)\(start(l.bias, l.initializer)))"
    case let l as ConvTranspose2D:
      "ConvTranspose2D(\(l.filters), kernel: \(l.kernel), stride: \(l.stride), \(text(l.padding)), "
        + "to \(text(l.outputSize)), \(l.activation), \(l.algorithm)\(start(l.bias, l.initializer)))"
    case let l as Dense: "Dense(\(l.units), \(l.activation)\(start(l.bias, l.initializer)))"
    case let l as BatchNorm: "BatchNorm(\(l.activation), \(l.momentum), \(l.epsilon), \(l.affine))"
    case let l as GroupNorm: "GroupNorm(\(l.groups), \(l.activation), \(l.epsilon), \(l.affine))"
    case let l as LayerNorm: "LayerNorm(\(l.activation), \(l.epsilon), \(l.affine))"
    case let l as InstanceNorm: "InstanceNorm(\(l.activation), \(l.epsilon), \(l.affine))"
    case let l as ActivationLayer: "Activation(\(l.activation))"
    case let l as PReLU: "PReLU(\(l.shared))"
    case let l as MaxPool2D: "MaxPool2D(\(l.kernel), stride: \(text(l.stride)), \(text(l.padding)))"
    case let l as Reshape: "Reshape(\(l.shape))"
    case let l as Dropout: "Dropout(\(l.rate))"
    case let l as GaussianNoise: "GaussianNoise(\(l.deviation))"
    case let l as TiedDense: "TiedDense(\(l.to), \(l.activation))"
    case let l as TiedConvTranspose2D: "TiedConvTranspose2D(\(l.to), \(l.activation))"
    case let l as GaussianLatent: "GaussianLatent(\(l.units))"
    default: "\(layer)"
    }
  }

  /// Place and sentence of a decoding error.
  static func describe(_ error: any Error) -> String { (error as? DecodingError)?.sentence ?? "\(error)" }
}
