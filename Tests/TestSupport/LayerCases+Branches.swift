import HourglassModels

/// Rows of models whose layers are no chain.
extension LayerCases {
  public static let branched: [LayerCase] = [
    branch("residual, linear", Residual { Conv2D(4, kernel: 3) }, to: 4),
    branch(
      "residual of two, relu", after: .tanh,
      Residual(activation: .relu) {
        Conv2D(3, kernel: 3, activation: .relu)
        BatchNorm()
        Conv2D(4, kernel: 3)
      }, to: 4),
    branch(
      "residual, conv, norm and relu twice", after: .relu,
      Residual(activation: .relu) {
        Conv2D(3, kernel: 3, bias: false)
        BatchNorm(activation: .relu)
        Conv2D(4, kernel: 3, bias: false, initializer: .heNormal)
        BatchNorm()
      }, to: 4),
    branch(
      "residual with activations of their input", after: .tanh,
      Residual(activation: .silu) {
        GroupNorm(2, activation: .mish)
        Conv2D(4, kernel: 3, activation: .gelu)
      }, to: 4),
    branch(
      "residual that ends in an activation", after: .sigmoid,
      Residual(activation: .tanh) { Conv2D(4, kernel: 3, activation: .softplus) }, to: 4),
    branch(
      "residual with a shortcut", after: .relu,
      Residual(activation: .elu, shortcut: [Conv2D(5, kernel: 1, activation: .sigmoid)]) {
        Conv2D(5, kernel: 3, activation: .tanh)
        Dropout(0.2)
      }, to: 5),
    branch(
      "residual in a residual, the first and the last", after: .softplus,
      Residual(activation: .leakyRelu()) {
        Residual { Conv2D(4, kernel: 1, activation: .tanh) }
        Residual { GELU() }
      }, to: 4),
    branch("skip", after: .elu, Skip { Conv2D(3, kernel: 3, activation: .tanh) }, to: 7),
    branch(
      "skips in one another, a U-Net", after: .relu,
      Skip {
        Conv2D(3, kernel: 4, stride: 2, activation: .relu)
        Skip {
          MaxPool2D(2)
          Conv2D(5, kernel: 3, activation: .relu)
          Upsample2D(2)
        }
        ConvTranspose2D(4, kernel: 4, stride: 2, activation: .sigmoid)
      }, to: 8),
    branch(
      "skip with a shortcut", after: .tanh,
      Skip(shortcut: [Conv2D(2, kernel: 1, activation: .sigmoid)]) { Conv2D(3, kernel: 3, activation: .tanh) }, to: 5),
    branch(
      "branches side by side, an Inception block", after: .relu,
      Skip(
        shortcut: [
          Skip(shortcut: [MaxPool2D(3, stride: 1, padding: .same), Conv2D(2, kernel: 1, activation: .tanh)]) {
            Conv2D(2, kernel: 5, activation: .relu)
          }
        ]
      ) {
        Conv2D(3, kernel: 1, activation: .softplus)
      }, to: 7),
    denseResidual, parametersInTheShortcut, skipOutOfABlock, unet, skippedCode, imageInFront, sums, sumOutOfABlock,
    contracted("residual blocks", ImageShape(4, 4, 1), code: ImageShape(vector: 5)) {
      Residual(activation: .tanh, shortcut: [Conv2D(3, kernel: 1, activation: .sigmoid)]) {
        Conv2D(3, kernel: 3, activation: .softplus)
      }
      Residual { Conv2D(3, kernel: 3, activation: .elu) }
      MaxPool2D(2)
      Skip { Conv2D(2, kernel: 3, activation: .tanh) }
    } latent: {
      Dense(5, activation: .sigmoid)
    } decoder: {
      Dense(16, activation: .sigmoid)
      Reshape(4, 4, 1)
    },
  ]

  private static func branch(
    _ name: String, after activation: Activation = .linear, _ layer: any Layer, to channels: Int
  ) -> LayerCase {
    let (height, width) = (8, 4)
    return LayerCase(
      name: name, layer: layer, input: ImageShape(height, width, 4), output: ImageShape(height, width, channels),
      model: Autoencoder(name, input: ImageShape(height, width, 2), likelihood: .squaredError) {
        Conv2D(4, kernel: 3, activation: activation)
        layer
      } latent: {
        Conv2D(3, kernel: 4, stride: 2)
      } decoder: {
        ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
      })
  }

  /// Branches in segments that take a group at once, and across them.
  private static let denseResidual: LayerCase = {
    let layer = Residual(activation: .relu) {
      Dense(7, activation: .tanh)
      Dense(9)
    }
    let model = Autoencoder("dense residual", input: ImageShape(4, 3, 2), likelihood: .squaredError) {
      Dense(9, activation: .sigmoid)
      layer
    } latent: {
      Dense(4)
    } decoder: {
      Dense(24, activation: .tanh)
      Reshape(4, 3, 2)
      Residual {
        Conv2D(3, kernel: 3, activation: .relu)
        Dense(24)
        Reshape(4, 3, 2)
        Conv2D(2, kernel: 1)
      }
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(vector: 9), output: ImageShape(vector: 9), model: model)
  }()

  /// Nobody wants the error of one of the branches that meet.
  private static let parametersInTheShortcut: LayerCase = {
    let layer = Residual(activation: .tanh, shortcut: [Conv2D(2, kernel: 3, activation: .sigmoid)]) { GELU() }
    let model = Autoencoder("parameters in the shortcut", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
      layer
    } latent: {
      Conv2D(3, kernel: 4, stride: 2)
    } decoder: {
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(4, 4, 2), output: ImageShape(4, 4, 2), model: model)
  }()

  /// A skip from the end of a shortcut, which the block reads as well.
  private static let skipOutOfABlock: LayerCase = {
    let layer = Concat(from: "encoder.0.shortcut.0")
    let model = Autoencoder("skip out of a block", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
      Residual(activation: .relu, shortcut: [Conv2D(3, kernel: 1, activation: .tanh)]) { Conv2D(3, kernel: 3) }
    } latent: {
      Conv2D(3, kernel: 4, stride: 2)
    } decoder: {
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
      layer
      Conv2D(2, kernel: 1)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(4, 4, 2), output: ImageShape(4, 4, 5), model: model)
  }()

  /// Skips whose channels lie in front, one of them the image.
  private static let imageInFront: LayerCase = {
    let layer = Concat(from: "image", first: true)
    let model = Autoencoder("skips that come first", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
      Conv2D(3, kernel: 3, activation: .tanh)
    } latent: {
      Conv2D(3, kernel: 4, stride: 2)
    } decoder: {
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
      Concat(from: "encoder.0", first: true)
      Conv2D(3, kernel: 1, activation: .elu)
      layer
      Conv2D(2, kernel: 1)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(4, 4, 3), output: ImageShape(4, 4, 5), model: model)
  }()

  /// Sums with what the encoder and the image were, RED-Net's.
  private static let sums: LayerCase = {
    let layer = Add(from: "encoder.0", activation: .relu)
    let model = Autoencoder("sums with earlier layers", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
      Conv2D(3, kernel: 3, activation: .tanh)
    } latent: {
      Conv2D(3, kernel: 4, stride: 2, activation: .relu)
    } decoder: {
      ConvTranspose2D(3, kernel: 4, stride: 2)
      layer
      Conv2D(2, kernel: 3)
      Add(from: "image")
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(4, 4, 3), output: ImageShape(4, 4, 3), model: model)
  }()

  /// What blocks have before they add their input, once more together, as temporal convolutional networks have it.
  private static let sumOutOfABlock: LayerCase = {
    let layer = Add(from: "encoder.0.1", activation: .silu)
    let model = Autoencoder("sum out of a block", input: ImageShape(4, 4, 2), likelihood: .squaredError) {
      Residual(activation: .relu, shortcut: [Conv2D(3, kernel: 1)]) {
        Conv2D(3, kernel: 3, activation: .tanh)
        Conv2D(3, kernel: 3, activation: .relu)
      }
      Conv2D(3, kernel: 3, activation: .sigmoid)
      layer
    } latent: {
      Conv2D(3, kernel: 4, stride: 2)
    } decoder: {
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(4, 4, 3), output: ImageShape(4, 4, 3), model: model)
  }()

  /// Skips from the encoder to the decoder, two of them from one layer.
  private static let unet: LayerCase = {
    let layer = Concat(from: "encoder.0")
    let model = Autoencoder("U-Net", input: ImageShape(8, 4, 1), likelihood: .squaredError) {
      Conv2D(3, kernel: 3, activation: .tanh)
      MaxPool2D(2)
      Conv2D(4, kernel: 3, activation: .relu)
    } latent: {
      Dense(5)
    } decoder: {
      Dense(16, activation: .sigmoid)
      Reshape(4, 2, 2)
      Concat(from: "encoder.2")
      ConvTranspose2D(2, kernel: 4, stride: 2, activation: .softplus)
      layer
      Conv2D(3, kernel: 3, activation: .relu)
      Concat(from: "encoder.0")
      Conv2D(1, kernel: 3)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(8, 4, 2), output: ImageShape(8, 4, 5), model: model)
  }()

  /// A code that reaches two layers of the decoder, of a model with a latent that draws.
  private static let skippedCode: LayerCase = {
    let layer = Concat(from: "latent")
    let model = Autoencoder("skipped code", input: ImageShape(vector: 10), likelihood: .bernoulli) {
      Dense(8, activation: .relu)
    } latent: {
      GaussianLatent(3)
    } decoder: {
      Dense(6, activation: .tanh)
      layer
      Dense(10)
    }
    return LayerCase(
      name: model.name, layer: layer, input: ImageShape(vector: 6), output: ImageShape(vector: 9), model: model)
  }()
}

/// Models drawn at random, with branches inside one another and skips from the encoder to the decoder.
public enum DrawnModels {
  public static let all = (0..<24).map { model(seed: $0) }

  private struct Draw {
    let stream: RandomStream
    var next = 0

    mutating func below(_ limit: Int) -> Int {
      defer { next += 1 }
      return Int(stream.bits(1, first: next)[0]) % limit
    }

    mutating func activation() -> Activation { Activation.allCases[below(Activation.allCases.count)] }

    /// A few layers that keep height and width, and lead from so many channels to so many.
    mutating func layers(from: Int, to: Int, depth: Int) -> [any Layer] {
      var (layers, channels): ([any Layer], Int) = ([], from)
      for _ in 0...below(2) {
        switch below(depth > 0 ? 8 : 4) {
        case 0: layers.append(GroupNorm(1))
        case 1: layers.append(Dropout(0.25))
        case 2: layers.append(GELU())
        case 3:
          channels = 2 + below(3)
          layers.append(Conv2D(channels, kernel: 3, activation: activation()))
        case 4, 5:
          let inner = self.layers(from: channels, to: channels, depth: depth - 1)
          layers.append(Residual(activation: activation()) { inner })
        case 6:
          let wide = 2 + below(3)
          let inner = self.layers(from: channels, to: wide, depth: depth - 1)
          let shortcut = self.layers(from: channels, to: wide, depth: 0)
          layers.append(Residual(activation: activation(), shortcut: shortcut) { inner })
          channels = wide
        default:
          let wide = 1 + below(3)
          let inner = self.layers(from: channels, to: wide, depth: depth - 1)
          layers.append(Skip { inner })
          channels += wide
        }
      }
      if channels != to || layers.isEmpty { layers.append(Conv2D(to, kernel: 1, activation: activation())) }
      return layers
    }
  }

  private static func model(seed: UInt64) -> Autoencoder {
    var draw = Draw(stream: RandomStream(seed: seed, .sampling))
    let encoder = draw.layers(from: 1, to: 3, depth: 2)
    let latent: any Layer =
      draw.below(2) == 0 ? Dense(24, activation: draw.activation()) : Conv2D(3, kernel: 3, stride: 2)
    let isDense = latent is Dense
    let fused: [Activation] = [
      .linear, .relu, .sigmoid, .tanh, .softplus, .elu, .leakyRelu(slope: 0.2), .selu, .hardTanh,
    ]
    var decoder: [any Layer] =
      isDense ? [Dense(24, activation: fused[draw.below(fused.count)]), Reshape(4, 2, 3)] : []
    decoder += draw.layers(from: 3, to: 2, depth: 1)
    decoder.append(ConvTranspose2D(2, kernel: 4, stride: 2, activation: draw.activation()))
    var channels = 2
    for _ in 0..<draw.below(3) {
      let from = draw.below(encoder.count)
      decoder.append(Concat(from: "encoder.\(from)"))
      channels = 0
    }
    decoder += channels == 0 ? [Conv2D(2, kernel: 3)] : draw.layers(from: channels, to: 2, depth: 1)
    decoder.append(Conv2D(1, kernel: 3, activation: .sigmoid))
    var model = Autoencoder("drawn \(seed)", input: ImageShape(8, 4, 1), likelihood: .squaredError) {
      Conv2D(1, kernel: 1)
    } latent: {
      latent
    } decoder: {
      Conv2D(1, kernel: 1)
    }
    (model.encoder, model.decoder) = (encoder, decoder)
    return model
  }
}
