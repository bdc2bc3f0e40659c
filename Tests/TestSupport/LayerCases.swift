import HourglassModels

/// One row of the table of layers: a layer, the shape that reaches it and that it makes, and an autoencoder around it.
///
/// A new layer adds a row; round trips, shapes, parameter layouts, plans, gradients and determinism then test it.
public struct LayerCase: Sendable, CustomStringConvertible {
  public let name: String
  public let layer: any Layer
  public let input: ImageShape
  /// By PyTorch's formula, worked out by hand.
  public let output: ImageShape
  public let model: Autoencoder

  public var description: String { name }
}

public enum LayerCases {
  /// The rows of the table.
  public static let all = plain + shapes + grouped + tied + penalized + contracted + branched

  private static let plain: [LayerCase] = [
    encoding("conv 3x3", Conv2D(3, kernel: 3, activation: .relu), of: ImageShape(6, 5, 2), to: ImageShape(6, 5, 3)),
    encoding(
      "conv 4x4 stride 2, odd image", Conv2D(3, kernel: 4, stride: 2, activation: .relu), of: ImageShape(7, 5, 2),
      to: ImageShape(4, 3, 3)),
    encoding(
      "conv 4x4 stride 2 padding 1", Conv2D(5, kernel: 4, stride: 2, padding: .amount(1), activation: .sigmoid),
      of: ImageShape(8, 6, 1), to: ImageShape(4, 3, 5)),
    encoding(
      "conv 3x2 stride 1x2 padding 1x0",
      Conv2D(2, kernel: Extent2D(3, 2), stride: Extent2D(1, 2), padding: .amount(Extent2D(1, 0))),
      of: ImageShape(5, 7, 3), to: ImageShape(5, 3, 2)),
    encoding(
      "conv, winograd", after: [Conv2D(5, kernel: 3, activation: .sigmoid)],
      Conv2D(18, kernel: 3, activation: .relu, algorithm: .winograd), of: ImageShape(7, 5, 2), to: ImageShape(7, 5, 18)
    ),
    encoding(
      "conv 4x4 stride 2, winograd", after: [Conv2D(5, kernel: 3, activation: .softplus)],
      Conv2D(18, kernel: 4, stride: 2, activation: .sigmoid, algorithm: .winograd), of: ImageShape(7, 5, 2),
      to: ImageShape(4, 3, 18)),
    encoding("conv 1x1", Conv2D(4, kernel: 1), of: ImageShape(3, 4, 2), to: ImageShape(3, 4, 4)),
    encoding(
      "conv wider than the image", Conv2D(2, kernel: 5, activation: .relu), of: ImageShape(3, 2, 2),
      to: ImageShape(3, 2, 2)),
    encoding(
      "conv after conv", after: [Conv2D(4, kernel: 3, activation: .relu)],
      Conv2D(3, kernel: 4, stride: 2, activation: .relu), of: ImageShape(6, 6, 1), to: ImageShape(3, 3, 3)),
    encoding(
      "conv, tanh", Conv2D(3, kernel: 3, activation: .tanh), of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "max-pool of elu", after: [Conv2D(3, kernel: 3, activation: .elu)], MaxPool2D(2), of: ImageShape(6, 4, 2),
      to: ImageShape(3, 2, 3)),
    encoding(
      "dropout below a leaky relu", after: [Dense(21, activation: .leakyRelu())], Dropout(0.25),
      of: ImageShape(3, 3, 2), to: ImageShape(vector: 21)),
    encoding(
      "conv after softplus", after: [Conv2D(4, kernel: 3, activation: .softplus)],
      Conv2D(3, kernel: 4, stride: 2, activation: .leakyRelu()), of: ImageShape(6, 6, 1), to: ImageShape(3, 3, 3)),
    encoding(
      "dense, elu", after: [Dense(9, activation: .tanh)], Dense(5, activation: .elu), of: ImageShape(4, 3, 2),
      to: ImageShape(vector: 5)),
    encoding(
      "average-pool 3x2 of a sigmoid", after: [Conv2D(3, kernel: 3, activation: .sigmoid)],
      AveragePool2D(Extent2D(3, 2)), of: ImageShape(6, 4, 2), to: ImageShape(2, 2, 3)),
    encoding("max-pool 2", MaxPool2D(2), of: ImageShape(6, 7, 2), to: ImageShape(3, 3, 2)),
    encoding(
      "max-pool 3 stride 2 padding 1", after: [Conv2D(3, kernel: 3, activation: .relu)],
      MaxPool2D(3, stride: 2, padding: .amount(1)), of: ImageShape(7, 6, 1), to: ImageShape(4, 3, 3)),
    encoding(
      "max-pool 2 stride 1", after: [Conv2D(2, kernel: 3, activation: .sigmoid)], MaxPool2D(2, stride: 1),
      of: ImageShape(4, 4, 1), to: ImageShape(3, 3, 2)),
    encoding("dense", Dense(7, activation: .relu), of: ImageShape(3, 2, 2), to: ImageShape(vector: 7)),
    encoding(
      "dense, sigmoid", after: [Conv2D(2, kernel: 3, activation: .relu)], Dense(5, activation: .sigmoid),
      of: ImageShape(4, 3, 2), to: ImageShape(vector: 5)),
    encoding(
      "reshape", after: [Dense(24, activation: .relu)], Reshape(2, 3, 4), of: ImageShape(4, 4, 1),
      to: ImageShape(2, 3, 4)),
    encoding(
      "dropout below a relu", after: [Conv2D(3, kernel: 3, activation: .relu)], Dropout(0.4), of: ImageShape(5, 7, 2),
      to: ImageShape(5, 7, 3)),
    encoding(
      "dropout below a sigmoid", after: [Dense(37, activation: .sigmoid)], Dropout(0.25), of: ImageShape(3, 3, 2),
      to: ImageShape(vector: 37)),
    encoding("dropout in front", Dropout(0.5), of: ImageShape(4, 5, 2), to: ImageShape(4, 5, 2)),
    encoding(
      "gaussian noise below a sigmoid", after: [Conv2D(3, kernel: 3, activation: .sigmoid)], GaussianNoise(0.5),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "gaussian noise below a relu", after: [Dense(19, activation: .relu)], GaussianNoise(0.3),
      of: ImageShape(3, 3, 2), to: ImageShape(vector: 19)),
    encoding("gaussian noise in front", GaussianNoise(0.2), of: ImageShape(4, 4, 3), to: ImageShape(4, 4, 3)),
    decoding(
      "transposed 4x4 stride 2", ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid),
      from: ImageShape(3, 2, 4), to: ImageShape(6, 4, 2)),
    decoding(
      "transposed, softplus", after: [ConvTranspose2D(3, kernel: 4, stride: 2, activation: .leakyRelu())],
      ConvTranspose2D(2, kernel: 3, activation: .softplus), from: ImageShape(2, 2, 3), to: ImageShape(4, 4, 2)),
    decoding(
      "transposed, winograd",
      after: [ConvTranspose2D(3, kernel: 4, stride: 2, activation: .tanh, algorithm: .winograd)],
      ConvTranspose2D(17, kernel: 3, activation: .relu, algorithm: .winograd), from: ImageShape(3, 2, 3),
      to: ImageShape(6, 4, 17)),
    decoding(
      "transposed 4x4 stride 2 padding 1", ConvTranspose2D(1, kernel: 4, stride: 2, padding: .amount(1)),
      from: ImageShape(3, 4, 2), to: ImageShape(6, 8, 1)),
    decoding(
      "transposed 3x3 stride 2 padding 1 to an odd size",
      ConvTranspose2D(3, kernel: 3, stride: 2, padding: .amount(1), outputSize: Extent2D(5, 8)),
      from: ImageShape(3, 4, 2), to: ImageShape(5, 8, 3)),
    decoding(
      "transposed 3x3 stride 2 to an odd size",
      ConvTranspose2D(2, kernel: 3, stride: 2, outputSize: Extent2D(5, 7), activation: .sigmoid),
      from: ImageShape(3, 4, 3), to: ImageShape(5, 7, 2)),
    decoding(
      "transposed 2x3 stride 1x2 padding 0",
      ConvTranspose2D(2, kernel: Extent2D(2, 3), stride: Extent2D(1, 2), padding: .amount(0)),
      from: ImageShape(3, 2, 3), to: ImageShape(4, 5, 2)),
    decoding(
      "transposed 2x2 stride 3 beyond the last window",
      ConvTranspose2D(2, kernel: 2, stride: 3, padding: .amount(0), outputSize: Extent2D(10, 6), activation: .tanh),
      from: ImageShape(3, 2, 3), to: ImageShape(10, 6, 2)),
    decoding(
      "transposed after transposed", after: [ConvTranspose2D(3, kernel: 4, stride: 2, activation: .relu)],
      ConvTranspose2D(2, kernel: 3, activation: .sigmoid), from: ImageShape(2, 3, 4), to: ImageShape(4, 6, 2)),
    encoding(
      "gelu", after: [Conv2D(3, kernel: 3)], GELU(), of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "gelu of tanh", after: [Dense(21, activation: .tanh)], GELU(), of: ImageShape(3, 3, 2), to: ImageShape(vector: 21)
    ),
    encoding(
      "activation", after: [Conv2D(3, kernel: 3)], ActivationLayer(.selu), of: ImageShape(5, 4, 2),
      to: ImageShape(5, 4, 3)),
    encoding(
      "activation of a sigmoid", after: [Dense(21, activation: .sigmoid)], ActivationLayer(.leakyRelu(slope: 0.2)),
      of: ImageShape(3, 3, 2), to: ImageShape(vector: 21)),
    encoding(
      "softmax of a sigmoid", after: [Conv2D(5, kernel: 3, activation: .sigmoid)], ActivationLayer(.softmax),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 5)),
    encoding(
      "dense, softmax", after: [Dense(6, activation: .hardTanh)], Dense(19, activation: .softmax),
      of: ImageShape(3, 3, 2), to: ImageShape(vector: 19)),
    encoding(
      "conv, silu", after: [Conv2D(3, kernel: 3, activation: .relu6)], Conv2D(4, kernel: 3, activation: .silu),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 4)),
    encoding(
      "dense, mish", after: [Dense(12, activation: .hardSigmoid)], Dense(9, activation: .mish), of: ImageShape(3, 3, 2),
      to: ImageShape(vector: 9)),
    decoding(
      "transposed, hard swish", ConvTranspose2D(2, kernel: 4, stride: 2, activation: .hardSwish),
      from: ImageShape(3, 2, 4), to: ImageShape(6, 4, 2)),
    encoding(
      "prelu", after: [Conv2D(3, kernel: 3)], PReLU(), of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "prelu of a tanh, shared", after: [Dense(21, activation: .tanh)], PReLU(shared: true), of: ImageShape(3, 3, 2),
      to: ImageShape(vector: 21)),
    encoding(
      "conv without bias", after: [Conv2D(3, kernel: 3, activation: .tanh, bias: false)],
      Conv2D(4, kernel: 4, stride: 2, activation: .relu, bias: false), of: ImageShape(6, 6, 2),
      to: ImageShape(3, 3, 4)),
    encoding(
      "dense without bias", after: [Dense(9, activation: .tanh, bias: false)],
      Dense(5, activation: .relu, bias: false, initializer: .glorotUniform), of: ImageShape(4, 3, 2),
      to: ImageShape(vector: 5)),
    decoding(
      "transposed without bias",
      ConvTranspose2D(3, kernel: 4, stride: 2, activation: .sigmoid, bias: false),
      from: ImageShape(3, 2, 4), to: ImageShape(6, 4, 3)),
    encoding(
      "layer norm of a vector", after: [Dense(20)], LayerNorm(activation: .elu, epsilon: 1e-3),
      of: ImageShape(3, 3, 2), to: ImageShape(vector: 20)),
    encoding(
      "layer norm without weights", after: [Conv2D(3, kernel: 3, activation: .tanh)], LayerNorm(affine: false),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "instance norm", after: [Conv2D(3, kernel: 3)], InstanceNorm(activation: .leakyRelu(slope: 0.2)),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "instance norm with weights", after: [Conv2D(3, kernel: 3)], InstanceNorm(affine: true),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "group norm, silu", after: [Conv2D(6, kernel: 3)], GroupNorm(3, activation: .silu), of: ImageShape(5, 4, 2),
      to: ImageShape(5, 4, 6)),
    encoding(
      "batch norm, relu", after: [Conv2D(5, kernel: 3, bias: false)],
      BatchNorm(activation: .relu, momentum: 0.3, epsilon: 1e-3), of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 5)),
    encoding(
      "batch norm without weights, tanh", after: [Conv2D(5, kernel: 3)], BatchNorm(activation: .tanh, affine: false),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 5)),
    encoding(
      "group norm", after: [Conv2D(6, kernel: 3)], GroupNorm(3), of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 6)),
    encoding(
      "group norm of a sigmoid vector", after: [Dense(20, activation: .sigmoid)], GroupNorm(2), of: ImageShape(3, 3, 2),
      to: ImageShape(vector: 20)),
    encoding(
      "batch norm", after: [Conv2D(5, kernel: 3, activation: .tanh)], BatchNorm(), of: ImageShape(5, 4, 2),
      to: ImageShape(5, 4, 5)),
    encoding(
      "batch norm of a vector", after: [Dense(9)], BatchNorm(), of: ImageShape(3, 3, 2), to: ImageShape(vector: 9)),
    decoding("upsampling 2", Upsample2D(2), from: ImageShape(3, 2, 3), to: ImageShape(6, 4, 3)),
    decoding(
      "upsampling 3x1 after transposed", after: [ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)],
      Upsample2D(Extent2D(3, 1)), from: ImageShape(2, 2, 3), to: ImageShape(12, 4, 2)),
    unpooling,
    latent("gaussian latent", GaussianLatent(3), units: 3),
    latent("linear latent", Dense(4), units: 4),
    convolutionalLatent,
    quantized("vector quantizer", VectorQuantizer(8)),
    quantized("vector quantizer, running means", VectorQuantizer(5, codebooks: 2, commitment: 2, decay: 0.8)),
    LayerCase(
      name: "vector quantizer of a vector", layer: VectorQuantizer(6, codebooks: 3), input: ImageShape(vector: 6),
      output: ImageShape(vector: 6),
      model: Autoencoder("vector quantizer of a vector", input: ImageShape(4, 3, 1), likelihood: .squaredError) {
        Dense(6, activation: .tanh)
      } latent: {
        VectorQuantizer(6, codebooks: 3)
      } decoder: {
        Dense(12)
        Reshape(4, 3, 1)
      }),
    vectors,
    noisy,
    similar,
  ]

  private static let similar = LayerCase(
    name: "ssim", layer: ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid), input: ImageShape(7, 6, 3),
    output: ImageShape(14, 12, 2), model: similarModel)

  /// A model of images of more than one window, whose rows of 24 elements end within a register.
  public static let similarModel = Autoencoder("ssim", input: ImageShape(14, 12, 2), likelihood: .ssim) {
    Conv2D(3, kernel: 4, stride: 2, activation: .tanh)
  } latent: {
    Dense(4)
  } decoder: {
    Dense(7 * 6 * 3, activation: .tanh)
    Reshape(7, 6, 3)
    ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
  }

  /// The cases whose gradient is that of the loss: a quantiser hands errors straight through.
  public static let differentiable = all.filter { !$0.model.isQuantized }

  /// A model of images that are halved once for their similarity.
  public static let multiScaleModel = Autoencoder("ms-ssim", input: ImageShape(24, 22, 2), likelihood: .msSsim) {
    Conv2D(3, kernel: 4, stride: 2, activation: .tanh)
  } latent: {
    Dense(4)
  } decoder: {
    Dense(12 * 11 * 3, activation: .tanh)
    Reshape(12, 11, 3)
    ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
  }

  /// The cases whose model has a second term of the loss, a divergence or a penalty.
  public static let diverging = all.filter { !$0.model.terms.isEmpty }

  /// The cases whose loss is a mean over samples, not over shards.
  public static let bySample = all.filter { !$0.model.joinsSamplesOfShards }

  static func encoding(
    _ name: String, after: [any Layer] = [], _ layer: any Layer, of input: ImageShape, to output: ImageShape
  ) -> LayerCase {
    var model = Autoencoder(name, input: input, likelihood: .squaredError) {
    } latent: {
      Dense(3)
    } decoder: {
      Dense(input.count, activation: .sigmoid)
      Reshape(input.height, input.width, input.channels)
    }
    model.encoder = after + [layer]
    let reaching =
      switch after.first {
      case let conv as Conv2D: ImageShape(input.height, input.width, conv.filters)
      case let dense as Dense: ImageShape(vector: dense.units)
      default: input
      }
    return LayerCase(name: name, layer: layer, input: reaching, output: output, model: model)
  }

  static func decoding(
    _ name: String, after: [any Layer] = [], _ layer: any Layer, from small: ImageShape, to image: ImageShape
  ) -> LayerCase {
    var model = Autoencoder(name, input: image, likelihood: .squaredError) {
      Dense(6, activation: .relu)
    } latent: {
      Dense(4)
    } decoder: {
      Dense(small.count, activation: .relu)
      Reshape(small.height, small.width, small.channels)
    }
    model.decoder += after + [layer]
    let reaching =
      after.isEmpty ? small : ImageShape(2 * small.height, 2 * small.width, (after[0] as! ConvTranspose2D).filters)
    return LayerCase(name: name, layer: layer, input: reaching, output: image, model: model)
  }

  private static func latent(_ name: String, _ layer: any Layer, units: Int) -> LayerCase {
    let model = Autoencoder(name, input: ImageShape(4, 4, 1), likelihood: .bernoulli) {
      Conv2D(3, kernel: 4, stride: 2, activation: .relu)
    } latent: {
      layer
    } decoder: {
      Dense(12, activation: .relu)
      Reshape(2, 2, 3)
      ConvTranspose2D(1, kernel: 4, stride: 2)
    }
    return LayerCase(
      name: name, layer: layer, input: ImageShape(2, 2, 3), output: ImageShape(vector: units), model: model)
  }

  /// Between convolutions: one chunked segment.
  private static func quantized(_ name: String, _ layer: VectorQuantizer) -> LayerCase {
    let model = Autoencoder(name, input: ImageShape(6, 6, 2), likelihood: .squaredError) {
      Conv2D(4, kernel: 3, stride: 2, activation: .tanh)
    } latent: {
      layer
    } decoder: {
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
    }
    return LayerCase(
      name: name, layer: layer, input: ImageShape(3, 3, 4), output: ImageShape(3, 3, 4), model: model)
  }

  /// No dense layer at all: one chunked segment.
  private static let convolutionalLatent: LayerCase = {
    let layer = Conv2D(2, kernel: 3, stride: 2)
    let model = Autoencoder("convolutional latent", input: ImageShape(6, 6, 2), likelihood: .squaredError) {
      Conv2D(4, kernel: 3, activation: .relu)
    } latent: {
      layer
    } decoder: {
      ConvTranspose2D(4, kernel: 4, stride: 2, activation: .relu)
      Conv2D(2, kernel: 3, activation: .sigmoid)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(6, 6, 4), output: ImageShape(3, 3, 2), model: model)
  }()

  /// Switches from before the latent, and normalisation on the way.
  private static let unpooling: LayerCase = {
    let layer = MaxUnpool2D(of: "encoder.1")
    let model = Autoencoder("unpooling", input: ImageShape(6, 4, 1), likelihood: .squaredError) {
      Conv2D(3, kernel: 3, activation: .tanh)
      MaxPool2D(2)
    } latent: {
      Dense(5)
    } decoder: {
      Dense(3 * 2 * 3, activation: .sigmoid)
      Reshape(3, 2, 3)
      layer
      GroupNorm(1)
      Conv2D(1, kernel: 3)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(3, 2, 3), output: ImageShape(6, 4, 3), model: model)
  }()

  /// Layers that draw between convolutions of the segment that goes forward and back chunk by chunk.
  private static let noisy: LayerCase = {
    let layer = Dropout(0.3)
    let model = Autoencoder("noisy", input: ImageShape(6, 6, 2), likelihood: .squaredError) {
      GaussianNoise(0.2)
      Conv2D(4, kernel: 3, activation: .relu)
      layer
      MaxPool2D(2)
      Dropout(0.1)
    } latent: {
      Conv2D(3, kernel: 3)
    } decoder: {
      GaussianNoise(0.1)
      ConvTranspose2D(4, kernel: 4, stride: 2, activation: .relu)
      Dropout(0.2)
      Conv2D(2, kernel: 3, activation: .sigmoid)
      GaussianNoise(0.05)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(6, 6, 4), output: ImageShape(6, 6, 4), model: model)
  }()

  /// No image at all: one grouped segment, dense at both ends.
  private static let vectors: LayerCase = {
    let layer = Dense(8, activation: .relu)
    let model = Autoencoder("vectors", input: ImageShape(vector: 10), likelihood: .bernoulli) {
      layer
    } latent: {
      GaussianLatent(2)
    } decoder: {
      Dense(10)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(vector: 10), output: ImageShape(vector: 8), model: model)
  }()
}
