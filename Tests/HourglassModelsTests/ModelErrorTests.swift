import HourglassModels
import TestSupport
import Testing

/// A chain that cannot run, and the sentence that says so.
struct RefusedModel: Sendable, CustomStringConvertible {
  let sentence: String
  let model: Autoencoder

  var description: String { sentence }

  /// An autoencoder of 8 x 8 x 2 images, changed by `change`.
  init(_ sentence: String, _ change: (inout Autoencoder) -> Void) {
    self.sentence = sentence
    var model = Autoencoder("m", input: ImageShape(8, 8, 2), likelihood: .squaredError) {
    } latent: {
      Dense(3)
    } decoder: {
      Dense(8 * 8 * 2, activation: .sigmoid)
      Reshape(8, 8, 2)
    }
    change(&model)
    self.model = model
  }

  /// A model that is refused for one layer in its encoder.
  init(_ sentence: String, encoder layer: any Layer) { self.init(sentence) { $0.encoder = [layer] } }

  static let most = 1 << 24

  static let all: [RefusedModel] = [
    RefusedModel(
      "encoder.0: the kernel's height 11 exceeds the input's height 8 with padding 1 on both sides",
      encoder: Conv2D(4, kernel: 11, padding: .amount(1))),
    RefusedModel(
      "encoder.0: the kernel's width 9 exceeds the input's width 8 with padding 0 on both sides",
      encoder: MaxPool2D(Extent2D(2, 9))),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 2, below the kernel's height, found 3",
      encoder: MaxPool2D(3, padding: .amount(3))),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 1, below the kernel's width, found 2",
      encoder: AveragePool2D(2, padding: .sides(.init(top: 0, left: 0, bottom: 1, right: 2)))),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 65536, found 65537",
      encoder: Conv2D(4, kernel: 3, padding: .amount(65_537))),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 65536, found -1",
      encoder: MaxPool2D(2, padding: .amount(Extent2D(0, -1)))),
    RefusedModel(
      "decoder.2: the padding 3 leaves nothing of an output height of 4"
    ) { $0.decoder = [Dense(8), Reshape(2, 2, 2), ConvTranspose2D(2, kernel: 3, padding: .amount(3))] },
    RefusedModel(
      "encoder.0: wanted the pixels on each side, found \"same\", which goes by a kernel", encoder: Pad2D(.same)),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 7, below the width of what is reflected, found 8",
      encoder: Pad2D(.amount(Extent2D(1, 8)), mode: .reflect)),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 65536, found -1", encoder: Pad2D(.amount(Extent2D(-1, -1)), mode: .replicate)
    ),
    RefusedModel(
      "encoder.0: the padding -4 and -4 leaves nothing of a height of 8", encoder: Pad2D(.amount(Extent2D(-4, -4)))),
    RefusedModel(
      "encoder.0: wanted a padding of 0 to 7, below the height of what is reflected, found 8",
      encoder: Conv2D(2, kernel: 3, padding: .amount(8), paddingMode: .reflect)),
    RefusedModel(
      "encoder.0: wanted an outputSize of 1 to 65536, found 2x0", encoder: AdaptiveAveragePool2D(Extent2D(2, 0))),
    RefusedModel(
      "encoder.0: wanted the mode bilinear, where corners are aligned, found nearest",
      encoder: Upsample2D(2, alignCorners: true)),
    RefusedModel("encoder.0: wanted channels that 2 x 2 divides, found 2", encoder: PixelShuffle2D(2)),
    RefusedModel(
      "encoder.0: wanted a factor that divides the height 8 and the width 8, found 3", encoder: PixelUnshuffle2D(3)),
    RefusedModel("encoder.0: wanted a factor of 1 to 65536, found 0", encoder: PixelShuffle2D(0)),
    RefusedModel("encoder.0: wanted a sequence, 1 x length x channels, found 8 x 8 x 2", encoder: Conv1D(2, kernel: 3)),
    RefusedModel("encoder.0: wanted a padding of both ends, or [0, left, 0, right], found one of rows") {
      $0.input = ImageShape(1, 8, 2)
      $0.encoder = [MaxPool1D(2, padding: .amount(Extent2D(1, 0)))]
    },
    RefusedModel(
      "encoder.0: wanted a stride of 1 to 65536, found 0", encoder: Conv2D(4, kernel: 3, stride: 0)),
    RefusedModel(
      "encoder.0: wanted a kernel of 1 to 65536, found 3x0", encoder: Conv2D(4, kernel: Extent2D(3, 0))),
    RefusedModel(
      "encoder.0: wanted a kernel of 1 to 65536, found 1000000000000000000",
      encoder: Conv2D(4, kernel: 1_000_000_000_000_000_000)),
    RefusedModel(
      "encoder.0: wanted a stride of 1 to 65536, found 9223372036854775807",
      encoder: MaxPool2D(2, stride: Extent2D(.max, .max))),
    RefusedModel(
      "encoder.0: Winograd's form has neither dilation nor groups of channels, found a kernel of 3 and a stride of 1, "
        + "a dilation of 2, groups of 1", encoder: Conv2D(4, kernel: 3, dilation: 2, algorithm: .winograd)),
    RefusedModel(
      "encoder.0: wanted groups that divide both 2 and 5 channels, found groups of 2",
      encoder: Conv2D(5, kernel: 3, groups: 2)),
    RefusedModel(
      "encoder.0: wanted a dilation of 1 to 65536, found 0", encoder: Conv2D(4, kernel: 3, dilation: 0)),
    RefusedModel(
      "encoder.0: Winograd's form wants a filter of 3 x 3 and strides of 1, or of 4 x 4 and strides of 2, "
        + "found a kernel of 4 and a stride of 1",
      encoder: Conv2D(4, kernel: 4, algorithm: .winograd)),
    RefusedModel(
      "encoder.0: Winograd's form wants a filter of 3 x 3 and strides of 1, or of 4 x 4 and strides of 2, "
        + "found a kernel of 3 and a stride of 1x2",
      encoder: ConvTranspose2D(4, kernel: 3, stride: Extent2D(1, 2), algorithm: .winograd)),
    RefusedModel("encoder.0: wanted 1 to \(most) filters, found 0", encoder: Conv2D(0, kernel: 3)),
    RefusedModel("encoder.0: wanted 1 to \(most) filters, found -5", encoder: ConvTranspose2D(-5, kernel: 3)),
    RefusedModel(
      "encoder.0: wanted 1 to \(most) units, found 1000000000000", encoder: Dense(1_000_000_000_000)),
    RefusedModel(
      "encoder.0: wanted a dropout rate of at least 0 and below 1, found 1.0", encoder: Dropout(1)),
    RefusedModel(
      "encoder.0: wanted a dropout rate of at least 0 and below 1, found -0.25", encoder: Dropout(-0.25)),
    RefusedModel(
      "encoder.0: wanted a dropout rate of at least 0 and below 1, found nan", encoder: Dropout(.nan)),
    RefusedModel(
      "encoder.0: wanted a deviation of the noise of at least 0, found -0.5", encoder: GaussianNoise(-0.5)),
    RefusedModel(
      "encoder.0: wanted a deviation of the noise of at least 0, found inf", encoder: GaussianNoise(.infinity)),
    RefusedModel("encoder.0: wanted a factor of 1 to 65536, found 0x2", encoder: Upsample2D(Extent2D(0, 2))),
    RefusedModel(
      "encoder.0: wanted height and width of 1 to 65536, 1 to \(most) channels and at most 2147483648 elements, found "
        + "72000 x 16 x 2", encoder: Upsample2D(Extent2D(9000, 2))),
    RefusedModel(
      "encoder.0: wanted the name of a MaxPool2D before it, whose switches it takes, found \"encoder.1\"",
      encoder: MaxUnpool2D(of: "encoder.1")),
    RefusedModel(
      "encoder.1: wanted the switches of a MaxPool2D, found encoder.0, a Conv2D, which has none"
    ) { $0.encoder = [Conv2D(2, kernel: 3), MaxUnpool2D(of: "encoder.0")] },
    RefusedModel(
      "encoder.2: wanted an input of the shape 4 x 4 x 2 that encoder.0 puts out, one value a switch, found 4 x 4 x 3"
    ) { $0.encoder = [MaxPool2D(2), Conv2D(3, kernel: 3), MaxUnpool2D(of: "encoder.0")] },
    RefusedModel("encoder.0: wanted groups that divide the 2 channels, found 3", encoder: GroupNorm(3)),
    RefusedModel("encoder.0: wanted 1 to \(most) groups, found 0", encoder: GroupNorm(0)),
    RefusedModel("latent: wanted 1 to \(most) latent units, found 0") { $0.latent = GaussianLatent(0) },
    RefusedModel("latent: wanted 1 to \(most) units, found 0") { $0.latent = Dense(0) },
    RefusedModel(
      "encoder.0: the gaussian latent belongs in the place of the latent, not in encoder.0",
      encoder: GaussianLatent(2)),
    RefusedModel(
      "decoder.1: 8 x 8 x 3 has 192 elements, but the layer before puts out 128 (128)"
    ) { $0.decoder = [Dense(128), Reshape(8, 8, 3)] },
    RefusedModel("decoder: wanted an output of the input's shape 8 x 8 x 2, found 128") { $0.decoder = [Dense(128)] },
    RefusedModel("decoder: wanted an output of the input's shape 8 x 8 x 2, found 3") { $0.decoder = [] },
    RefusedModel(
      "decoder: wanted a vector with a logit for each of 2 or more classes, as Dense(10) makes, found 8 x 8 x 2"
    ) { $0.likelihood = .categorical },
    RefusedModel(
      "decoder: wanted a vector with a logit for each of 2 or more classes, as Dense(10) makes, found 1"
    ) { ($0.likelihood, $0.decoder) = (.categorical, [Dense(1)]) },
    RefusedModel(
      "decoder.0: the categorical likelihood wants logits, so a last layer with linear activation, found relu"
    ) { ($0.likelihood, $0.decoder) = (.categorical, [Dense(4, activation: .relu)]) },
    RefusedModel(
      "decoder: wanted an output of 8 x 8 x 4, means and log-variances for the input 8 x 8 x 2, found 8 x 8 x 2"
    ) { $0.likelihood = .gaussian() },
    RefusedModel("likelihood: wanted a variance greater than 0, found -1.0") {
      $0.likelihood = .gaussian(variance: -1)
    },
    RefusedModel(
      "decoder.1: the gaussian likelihood wants means and log-variances, so a last layer with linear activation, found "
        + "relu"
    ) {
      $0.likelihood = .gaussian()
      $0.decoder = [Dense(256, activation: .relu), Reshape(8, 8, 4)]
    },
    RefusedModel(
      "likelihood: the ssim likelihood wants images of at least 11 x 11, the size of its window, found 8 x 8 x 2"
    ) { $0.likelihood = .ssim },
    RefusedModel("decoder: wanted one number, as Dense(1) makes, found 3") {
      ($0.likelihood, $0.decoder) = (.labelSquaredError, [])
    },
    RefusedModel(
      "decoder.1: the bernoulli likelihood wants logits, so a last layer with linear activation, found sigmoid"
    ) { $0.likelihood = .bernoulli },
    RefusedModel(
      "decoder.2: wanted an outputSize with a height of 8 to 9, which mirrors an input height of 4, found 7"
    ) {
      $0.decoder = [
        Dense(32), Reshape(4, 4, 2),
        ConvTranspose2D(2, kernel: 4, stride: 2, padding: .amount(1), outputSize: Extent2D(7, 8)),
      ]
    },
    RefusedModel(
      "decoder.2: wanted an outputSize with a width of 7 to 8, which mirrors an input width of 4, found 9"
    ) {
      $0.decoder = [
        Dense(32), Reshape(4, 4, 2), ConvTranspose2D(2, kernel: 3, stride: 2, outputSize: Extent2D(8, 9)),
      ]
    },
    RefusedModel(
      "decoder.2: the padding 2 leaves nothing of an output height of 3"
    ) { $0.decoder = [Dense(8), Reshape(1, 1, 8), ConvTranspose2D(2, kernel: 3, padding: .amount(2))] },
    RefusedModel(
      "input: wanted height and width of 1 to 65536, 1 to \(most) channels and at most 2147483648 elements, "
        + "found 0 x 8 x 2"
    ) { $0.input = ImageShape(0, 8, 2) },
    RefusedModel(
      "input: wanted height and width of 1 to 65536, 1 to \(most) channels and at most 2147483648 elements, "
        + "found 1000000000000 x 1000000000000 x 1000000000000"
    ) { $0.input = ImageShape(1_000_000_000_000, 1_000_000_000_000, 1_000_000_000_000) },
    RefusedModel(
      "encoder.0: wanted at most 2147483648 parameters in all, found 2164260864 with this layer", encoder: Dense(most)),
    RefusedModel("decoder.0: wanted a Dense before it to be tied to, found none called encoder.4") {
      $0.decoder = [TiedDense(to: "encoder.4")]
    },
    RefusedModel("decoder.0: wanted a Conv2D before it to be tied to, found none called decoder.0") {
      $0.decoder = [TiedConvTranspose2D(to: "decoder.0")]
    },
    RefusedModel("decoder.0: wanted a Dense to be tied to, found encoder.0, a Conv2D") {
      $0.encoder = [Conv2D(2, kernel: 3)]
      $0.decoder = [TiedDense(to: "encoder.0")]
    },
    RefusedModel("decoder.0: wanted a Conv2D to be tied to, found latent, a Dense") {
      $0.decoder = [TiedConvTranspose2D(to: "latent")]
    },
    RefusedModel("decoder.1: wanted a Dense to be tied to, found decoder.0, a TiedDense") {
      $0.decoder = [TiedDense(to: "latent"), TiedDense(to: "decoder.0")]
    },
    RefusedModel("decoder.2: wanted a layer that none is tied to, found latent, which decoder.0 is tied to") {
      $0.decoder = [TiedDense(to: "latent"), Dense(3), TiedDense(to: "latent")]
    },
    RefusedModel("decoder.0: tied to encoder.0 it wants the shape that encoder.0 puts out, 40, found 3") {
      $0.encoder = [Dense(40)]
      $0.decoder = [TiedDense(to: "encoder.0")]
    },
    RefusedModel(
      "decoder.2: tied to encoder.0 it wants the shape that encoder.0 puts out, 4 x 4 x 2, found 8 x 4 x 1"
    ) {
      $0.encoder = [Conv2D(2, kernel: 3, stride: 2)]
      $0.decoder = [Dense(32), Reshape(8, 4, 1), TiedConvTranspose2D(to: "encoder.0")]
    },
    RefusedModel("decoder.1: wanted a Dense with one output to be tied to, found latent, which has 2") {
      $0.latent = GaussianLatent(3)
      $0.decoder = [Dense(6), TiedDense(to: "latent")]
    },
    RefusedModel(
      "encoder.0: a VectorQuantizer belongs in the place of the latent, not in encoder.0", encoder: VectorQuantizer(4)),
    RefusedModel("latent: wanted 2 to 65536 codes, found 1") { $0.latent = VectorQuantizer(1) },
    RefusedModel("latent: wanted codebooks that divide the 6 channels of 8 x 8 x 6, found 4") {
      ($0.encoder, $0.latent) = ([Conv2D(6, kernel: 3)], VectorQuantizer(8, codebooks: 4))
    },
    RefusedModel("latent: wanted a commitment of at least 0, found -1.0") {
      $0.latent = VectorQuantizer(8, commitment: -1)
    },
    RefusedModel("latent: wanted a decay of at least 0 and below 1, found 1.0") {
      $0.latent = VectorQuantizer(8, decay: 1)
    },
    RefusedModel(
      "encoder.0: a penalty belongs in the place of the penalty, not in encoder.0", encoder: L1Penalty(weight: 1)),
    RefusedModel("penalty: wanted a weight of at least 0, found -1.0") { $0.penalties = [L1Penalty(weight: -1)] },
    RefusedModel("penalty: wanted a weight of at least 0, found nan") { $0.penalties = [MMDPenalty(weight: .nan)] },
    RefusedModel("penalty.1: wanted one L1Penalty, found two") {
      $0.penalties = [L1Penalty(weight: 1), L1Penalty(weight: 2)]
    },
    RefusedModel("penalty.2: wanted a weight of at least 0, found -1.0") {
      $0.penalties = [L1Penalty(weight: 1), L2Penalty(weight: 2), ZeroMeanPenalty(weight: -1)]
    },
    RefusedModel(
      "penalty: wanted a GaussianLatent, whose means and variances the TotalCorrelationPenalty takes, found another "
        + "latent"
    ) {
      $0.penalties = [TotalCorrelationPenalty(weight: 1)]
    },
    RefusedModel("penalty: wanted a diagonal of at least 0, found -2.0") {
      $0.latent = GaussianLatent(3)
      $0.penalties = [DIPPenalty(.means, weight: 1, diagonal: -2)]
    },
    RefusedModel(
      "penalty.1: wanted the ContractivePenalty first in the list, next to the latent, found it behind others"
    ) {
      $0.penalties = [L2Penalty(weight: 1), ContractivePenalty(weight: 1)]
    },
    RefusedModel("penalty: wanted a target activity between 0 and 1, found 1.0") {
      $0.latent = Dense(3, activation: .sigmoid)
      $0.penalties = [ActivityPenalty(target: 1, weight: 1)]
    },
    RefusedModel("penalty: wanted a latent of sigmoid units, which have an activity, found linear") {
      $0.penalties = [ActivityPenalty(target: 0.1, weight: 1)]
    },
    RefusedModel(
      "penalty: wanted a code made by layers whose derivatives it can follow, such as Conv2D, Dense, Dropout, "
        + "MaxPool2D and Residual, found encoder.2, a gelu"
    ) {
      $0.encoder = [GaussianNoise(0.1), Conv2D(2, kernel: 3), GELU()]
      $0.penalties = [ContractivePenalty(weight: 1)]
    },
    RefusedModel(
      "penalty: wanted a code made by layers whose derivatives it can follow, such as Conv2D, Dense, Dropout, "
        + "MaxPool2D and Residual, found latent, a GaussianLatent"
    ) {
      $0.encoder = [Conv2D(2, kernel: 3)]
      $0.latent = GaussianLatent(3)
      $0.penalties = [ContractivePenalty(weight: 1)]
    },
    RefusedModel("encoder.0: wanted at least one layer inside the block, found none", encoder: Skip {}),
    RefusedModel(
      "encoder.0: wanted branches of shapes that fit where they meet, found 8 x 8 x 5 and 8 x 8 x 2",
      encoder: Residual { Conv2D(5, kernel: 3) }),
    RefusedModel(
      "encoder.0: wanted branches of shapes that fit where they meet, found 4 x 4 x 2 and 8 x 8 x 2",
      encoder: Skip { Conv2D(2, kernel: 4, stride: 2) }),
    RefusedModel(
      "encoder.0.1: wanted 1 to 16777216 filters, found 0",
      encoder: Residual {
        GELU(); Conv2D(0, kernel: 3)
      }),
    RefusedModel(
      "encoder.0: wanted the name of a layer before it, whose output it takes, or image, found \"decoder.7\"",
      encoder: Concat(from: "decoder.7")),
    RefusedModel(
      "encoder.0: wanted the name of a layer before it, whose output it takes, or image, found \"latent\"",
      encoder: Add(from: "latent")),
    RefusedModel("objective: wanted 1 to 65536 steps of a chain, found 0") {
      $0.objective = .contrastiveDivergence(steps: 0)
    },
    RefusedModel(
      "encoder.0: contrastive divergence wants a latent Dense of sigmoid units on the image, found a Dropout of linear "
        + "units"
    ) {
      $0.encoder = [Dropout(0.1)]
      $0.objective = .contrastiveDivergence()
    },
    RefusedModel(
      "latent: contrastive divergence wants a latent Dense of sigmoid units on the image, found a Dense of linear units"
    ) { $0.objective = .contrastiveDivergence() },
    RefusedModel(
      "decoder.0: contrastive divergence wants a TiedDense of sigmoid or linear units behind the latent, found a Dense "
        + "of sigmoid units"
    ) {
      $0.latent = Dense(3, activation: .sigmoid)
      $0.objective = .contrastiveDivergence()
    },
    RefusedModel(
      "penalty: contrastive divergence wants a TiedDense of sigmoid or linear units behind the latent, found a "
        + "L1Penalty of linear units"
    ) {
      ($0.latent, $0.penalties) = (Dense(3, activation: .sigmoid), [L1Penalty(weight: 1)])
      $0.objective = .contrastiveDivergence()
    },
    RefusedModel("decoder.1: contrastive divergence wants one layer behind the latent, found a gelu of linear units") {
      $0.latent = Dense(3, activation: .sigmoid)
      $0.decoder = [TiedDense(to: "latent"), GELU()]
      $0.objective = .contrastiveDivergence()
    },
    RefusedModel(
      "likelihood: contrastive divergence wants squaredError, which it reports, found absoluteError"
    ) {
      ($0.latent, $0.likelihood) = (Dense(3, activation: .sigmoid), .absoluteError)
      $0.decoder = [TiedDense(to: "latent", activation: .sigmoid)]
      $0.objective = .contrastiveDivergence()
    },
  ]
}

@Suite struct ModelErrorTests {
  @Test(arguments: RefusedModel.all) func aChainThatCannotRunIsRefused(_ row: RefusedModel) {
    do {
      _ = try ExecutionPlan(row.model, batchSize: 4)
      Issue.record("planned")
    } catch { #expect(error.description == row.sentence) }
  }

  @Test func discrepanciesWantSeveralSamplesOfAShard() throws {
    let model = try #require(ModelCatalog.model("conv-wae-28"))
    #expect(
      throws: ModelError("penalty", "wanted shards of at least 2 samples, which it takes together, found 1")
    ) { try ExecutionPlan(model, batchSize: 4, shards: 4) }
    #expect(try ExecutionPlan(model, batchSize: 4, shards: 2).samplesPerShard == 2)
  }

  /// The variance of a channel of which a shard holds one value.
  @Test(arguments: [(4, 4), (3, 2)]) func batchNormRefusesShardsOfOneVector(_ batchSize: Int, _ shards: Int) throws {
    let model = RefusedModel("") { $0.encoder = [Dense(6), BatchNorm()] }.model
    guard (batchSize + shards - 1) / shards < 2 else {
      _ = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
      return
    }
    let error = #expect(throws: ModelError.self) { try ExecutionPlan(model, batchSize: batchSize, shards: shards) }
    #expect(error?.description == "encoder.1: wanted shards of at least 2 samples, which it takes together, found 1")
    let images = RefusedModel("") { $0.encoder = [BatchNorm()] }.model
    _ = try ExecutionPlan(images, batchSize: batchSize, shards: shards)
  }

  @Test(
    arguments: [
      (0, nil, "m: wanted a batch size of 1 to 1048576, found 0"),
      (-3, 1, "m: wanted a batch size of 1 to 1048576, found -3"),
      (Int.max, nil, "m: wanted a batch size of 1 to 1048576, found 9223372036854775807"),
      (4, 0, "m: wanted 1 to 4 shards, not more than the batch size, found 0"),
      (4, 5, "m: wanted 1 to 4 shards, not more than the batch size, found 5"),
    ] as [(Int, Int?, String)])
  func aBatchThatCannotBeCutIsRefused(_ batchSize: Int, _ shards: Int?, _ sentence: String) {
    let model = RefusedModel("") { _ in }.model
    do {
      _ = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
      Issue.record("planned")
    } catch { #expect(error.description == sentence) }
  }
}
