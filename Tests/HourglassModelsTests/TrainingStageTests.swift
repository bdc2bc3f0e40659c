import HourglassModels
import TestSupport
import Testing

/// How a model is cut into stages.
@Suite struct TrainingStageTests {
  /// `input: layers that run; likelihood; name here = name in the whole model, ...`
  private static func describe(_ stage: TrainingStage) throws -> String {
    let plan = try ExecutionPlan(stage.model, batchSize: 2)
    let layers = plan.uses.map(\.layer).map {
      "\($0.kind) \($0.output)" + ($0.activation == .linear ? "" : " \($0.activation)")
    }
    let names = stage.layers.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
    return "\(stage.model.input): \(layers.joined(separator: ", ")); \(stage.model.likelihood.name); "
      + names.joined(separator: ", ")
  }

  @Test func aDecoderThatMirrorsTheEncoderIsKept() throws {
    #expect(
      try Autoencoder.dense([784, 20, 10, 4]).pretrainingStages().map(Self.describe) == [
        "28 x 28 x 1: Dense 20 relu, Dense 28 x 28 x 1 sigmoid; squaredError; "
          + "decoder.0 = decoder.2, decoder.1 = decoder.3, latent = encoder.0",
        "20: Dense 10 relu, Dense 20 relu; squaredError; decoder.0 = decoder.1, latent = encoder.1",
        "10: Dense 4, Dense 10 relu; squaredError; decoder.0 = decoder.0, latent = latent",
      ])
    #expect(
      try convAE28.pretrainingStages().map(Self.describe) == [
        "28 x 28 x 1: Conv2D 28 x 28 x 32 relu, MaxPool2D 14 x 14 x 32, ConvTranspose2D 28 x 28 x 1 sigmoid; "
          + "squaredError; decoder.0 = decoder.3, encoder.0 = encoder.0, latent = encoder.1",
        "14 x 14 x 32: Conv2D 14 x 14 x 64 relu, MaxPool2D 7 x 7 x 64, ConvTranspose2D 14 x 14 x 32 relu; "
          + "squaredError; decoder.0 = decoder.2, encoder.0 = encoder.2, latent = encoder.3",
        "7 x 7 x 64: Dense 64, Dense 7 x 7 x 64 relu; squaredError; "
          + "decoder.0 = decoder.0, decoder.1 = decoder.1, latent = latent",
      ])
    let variational = try convVAE28.pretrainingStages()
    #expect(variational.map(\.model.isVariational) == [false, false, false, true])
    #expect(variational[0].model.likelihood == .bernoulli && variational[3].layers["decoder.0"] == "decoder.0")
  }

  /// A block is one layer, with its own counterpart in the decoder, or a transposed convolution where skips lead past
  /// the code.
  @Test func aBlockIsOneLayer() throws {
    let residual = try resAE32.pretrainingStages().map(Self.describe)
    #expect(residual.count == 6)
    let block = "Fork 16 x 16 x 32, Conv2D 16 x 16 x 32 relu, Conv2D 16 x 16 x 32, Residual 16 x 16 x 32 relu"
    #expect(
      residual[1] == "16 x 16 x 32: \(block), \(block); squaredError; decoder.0 = decoder.5, latent = encoder.1")
    let unet = try unetDAE64.pretrainingStages().map(Self.describe)
    #expect(
      unet.map { $0.prefix(while: { $0 != ";" }) } == [
        "64 x 64 x 3: GaussianNoise 64 x 64 x 3, Conv2D 64 x 64 x 16 relu, ConvTranspose2D 64 x 64 x 3",
        "64 x 64 x 16: Conv2D 32 x 32 x 32 relu, ConvTranspose2D 64 x 64 x 16",
        "32 x 32 x 32: Conv2D 16 x 16 x 64 relu, ConvTranspose2D 32 x 32 x 32",
        "16 x 16 x 64: Conv2D 8 x 8 x 128 relu, ConvTranspose2D 16 x 16 x 64",
      ])
    var classifier = resAE32.classifier(classes: 5)
    classifier.encoder = Array(classifier.encoder.prefix(2))
    #expect(
      try classifier.pretrainingStages().map(Self.describe)[1]
        == "16 x 16 x 32: \(block), ConvTranspose2D 16 x 16 x 32; squaredError; latent = encoder.1")
  }

  /// A layer that names another reads that one in its stage too, whatever it is called there, or is refused.
  @Test func namesGoWithTheirLayersOrAreRefused() throws {
    func stages(_ from: String, _ first: any Layer = Conv2D(2, kernel: 3)) throws -> [TrainingStage] {
      let model = Autoencoder("m", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
        Conv2D(2, kernel: 3)
        first
        GELU()
        Concat(from: from)
      } latent: {
        Dense(3)
      } decoder: {
        Dense(32)
        Reshape(4, 4, 2)
      }
      return try model.pretrainingStages()
    }
    // What the second stage calls its first layer is what the whole model calls the second.
    let second = try stages("encoder.1")[1]
    #expect((second.model.latent as? Concat)?.from == "encoder.0" && second.layers["encoder.0"] == "encoder.1")
    let inside = try stages("encoder.1.0", Residual { Conv2D(2, kernel: 3) })[1]
    #expect((inside.model.latent as? Concat)?.from == "encoder.0.0")
    // In the second stage another layer of the same shape is called encoder.0.
    let refusal = ModelError(
      "encoder.3", "reads encoder.0, which another stage trains, so that the layers cannot be trained one by one")
    #expect(throws: refusal) { try stages("encoder.0") }
    var classifier = convAE28.classifier(classes: 4)
    classifier.decoder = [Dense(5), Dense(5), Concat(from: "decoder.0"), Dense(4)]
    let head = try classifier.headStage()
    #expect((head.model.decoder[1] as? Concat)?.from == "latent")
    classifier.decoder[2] = Concat(from: "latent")
    #expect(throws: ModelError.self) { try classifier.headStage() }
  }

  @Test func otherwiseEachStageGetsAMirrorThatIsDropped() throws {
    func stages(_ text: String) throws -> [String] {
      try #require(try Autoencoder.dense(describedBy: text)).pretrainingStages().map(Self.describe)
    }
    #expect(
      try stages("784-20-10-5,sigmoid,categorical") == [
        "28 x 28 x 1: Dense 20 sigmoid, Dense 28 x 28 x 1; bernoulli; latent = encoder.0",
        "20: Dense 10 sigmoid, Dense 20; bernoulli; latent = latent",
      ])
    #expect(
      try stages("12-6-4-1,relu,labelSquaredError") == [
        "2 x 2 x 3: Dense 6 relu, Dense 2 x 2 x 3; bernoulli; latent = encoder.0",
        "6: Dense 4 relu, Dense 6; squaredError; latent = latent",
      ])
    #expect(
      try stages("12-6-4,relu,tied") == [
        "2 x 2 x 3: Dense 6 relu, Dense 2 x 2 x 3; bernoulli; latent = encoder.0",
        "6: Dense 4, Dense 6; squaredError; latent = latent",
      ])
  }

  /// Noise stands before the layer that it disturbs; a pool after its convolution, and the mirror undoes both.
  @Test func noiseAndPoolsGoWithTheirLayer() throws {
    let model = Autoencoder("conv", input: ImageShape(8, 8, 1), likelihood: .categorical) {
      GaussianNoise(0.1)
      Conv2D(4, kernel: 3, activation: .sigmoid)
      MaxPool2D(2)
      Dropout(0.25)
    } latent: {
      Dense(6, activation: .relu)
    } decoder: {
      Dropout(0.5)
      Dense(5, activation: .relu)
      Dense(3)
    }
    #expect(
      try model.pretrainingStages().map(Self.describe) == [
        "8 x 8 x 1: GaussianNoise 8 x 8 x 1, Conv2D 8 x 8 x 4 sigmoid, MaxPool2D 4 x 4 x 4, ConvTranspose2D 8 x 8 x 1; "
          + "bernoulli; encoder.0 = encoder.0, encoder.1 = encoder.1, latent = encoder.2",
        "4 x 4 x 4: Dropout 4 x 4 x 4, Dense 6 relu, Dense 4 x 4 x 4; bernoulli; "
          + "encoder.0 = encoder.3, latent = latent",
      ])
    #expect(
      try Self.describe(model.headStage())
        == "6: Dropout 6, Dense 5 relu, Dense 3; categorical; "
        + "decoder.0 = decoder.1, decoder.1 = decoder.2, latent = decoder.0")
  }

  /// Each layer with parameters of encoder and latent is trained in one stage.
  @Test(arguments: ModelCatalog.models)
  func everyLayerOfTheEncoderHasItsStage(_ model: Autoencoder) throws {
    let names = try model.pretrainingStages().flatMap { $0.layers.values }
    #expect(Set(names).count == names.count)
    let plan = try ExecutionPlan(model, batchSize: 2)
    for layer in plan.uses[plan.encoder].map(\.layer) where layer.parameterCount > 0 {
      // The layers of a block are trained with it.
      #expect(names.contains { layer.name == $0 || layer.name.hasPrefix($0 + ".") }, "\(layer.name)")
    }
  }

  @Test func aHeadGoesBehindTheCode() throws {
    let classifier = convAE28.classifier(classes: 7)
    #expect(
      try Self.describe(classifier.headStage()) == "64: Dense 7; categorical; latent = decoder.0")
    #expect(
      try Self.describe(convVAE28.regressor().headStage()) == "20: Dense 1; labelSquaredError; latent = decoder.0")
    let images = ModelError("conv-ae-28", "wanted a model that puts out labels, found the likelihood squaredError")
    #expect(throws: images) { try convAE28.headStage() }
  }

  @Test func aPenaltyHoldsForEachCodeAndForNoLabel() throws {
    var model = Autoencoder.dense([64, 12, 6], activation: .sigmoid, code: .sigmoid)
    model.penalties = [ActivityPenalty(target: 0.05, weight: 0.1)]
    #expect(try model.pretrainingStages().map { $0.model.penalties.first is ActivityPenalty } == [true, true])
    #expect(model.classifier(classes: 3).penalties.isEmpty)
    model.likelihood = .categorical
    model.decoder = [Dense(3)]
    #expect(try model.headStage().model.penalties.isEmpty)
    model = convAE28
    model.penalties = [ContractivePenalty(weight: 1)]
    let forms = try model.pretrainingStages().map { try ExecutionPlan($0.model, batchSize: 1).contraction?.prefix(2) }
    #expect(forms == ["an", "an", "ex"])
  }

  @Test func whatDoesNotChainIsRefused() throws {
    func refusal(_ model: Autoencoder) -> String {
      do {
        _ = try model.pretrainingStages()
        return "none"
      } catch { return error.description }
    }
    var model = Autoencoder("odd", input: ImageShape(7, 7, 1), likelihood: .categorical) {
      Conv2D(4, kernel: 3)
      MaxPool2D(2)
    } latent: {
      Dense(6)
    } decoder: {
      Dense(3)
    }
    #expect(
      refusal(model)
        == "stage 1, decoder.0: wanted an outputSize with a height of 5 to 6, which mirrors an input height of 3, "
        + "found 7"
    )
    (model.encoder, model.latent) = ([], MaxPool2D(2))
    #expect(refusal(model) == "odd: wanted a dense or convolutional layer in encoder or latent to train, found none")
    model.latent = Dense(0)
    #expect(refusal(model) == "latent: wanted 1 to 16777216 units, found 0")
    model.latent = Dense(4)
    model.decoder = []
    #expect(throws: ModelError.self) { try model.headStage() }
  }
}
