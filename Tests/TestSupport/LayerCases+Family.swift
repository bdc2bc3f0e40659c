import HourglassModels

/// Rows of tied weights and of penalties.
extension LayerCases {
  /// Every penalty, and the contractive one with each activation that has a curvature.
  static let penalized: [LayerCase] =
    [
      penalty(L1Penalty(weight: 0.3), code: .tanh), penalty(ActivityPenalty(target: 0.2, weight: 2), code: .sigmoid),
      penalty(ZeroMeanPenalty(weight: 3), code: .relu), penalty(MMDPenalty(weight: 5), code: .linear),
      penalty(L2Penalty(weight: 0.3), code: .tanh),
      several("penalties", L1Penalty(weight: 0.2), ActivityPenalty(target: 0.2, weight: 2), latent: sigmoid),
      several(
        "a penalty behind the exact contractive", ContractivePenalty(weight: 3), L1Penalty(weight: 0.2), after: [],
        latent: sigmoid),
      several(
        "penalties behind a tangent", ContractivePenalty(weight: 3), L2Penalty(weight: 0.2), ZeroMeanPenalty(weight: 2),
        latent: sigmoid),
      several("InfoVAE", MMDPenalty(weight: 20), latent: GaussianLatent(4)),
      several("total correlation", TotalCorrelationPenalty(weight: 3), latent: GaussianLatent(4)),
      several("DIP-I", DIPPenalty(.means, weight: 3, diagonal: 5), latent: GaussianLatent(4)),
      several(
        "DIP-II beside others", L2Penalty(weight: 0.1), DIPPenalty(.samples, weight: 3, diagonal: 2),
        TotalCorrelationPenalty(weight: 1),
        latent: GaussianLatent(4)),
    ]
    + [Activation.sigmoid, .tanh, .softplus, .elu].map { penalty(ContractivePenalty(weight: 0.4), code: $0) } + [
      LayerCase(
        name: "contractive, tied, noisy", layer: ContractivePenalty(weight: 0.2), input: ImageShape(vector: 7),
        output: ImageShape(vector: 7),
        model: Autoencoder(
          "contractive, tied, noisy", input: ImageShape(4, 3, 2), likelihood: .squaredError,
          penalty: ContractivePenalty(weight: 0.2)
        ) {
          GaussianNoise(0.2)
        } latent: {
          Dense(7, activation: .sigmoid)
        } decoder: {
          TiedDense(to: "latent", activation: .sigmoid)
        }),
      LayerCase(
        name: "penalty between convolutions", layer: ActivityPenalty(target: 0.3, weight: 0.5),
        input: ImageShape(3, 3, 2), output: ImageShape(3, 3, 2),
        model: Autoencoder(
          "penalty between convolutions", input: ImageShape(6, 6, 2), likelihood: .squaredError,
          penalty: ActivityPenalty(target: 0.3, weight: 0.5)
        ) {
          Conv2D(4, kernel: 3, activation: .tanh)
        } latent: {
          Conv2D(2, kernel: 3, stride: 2, activation: .sigmoid)
        } decoder: {
          ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
        }),
    ]

  /// The contractive penalty where it is an estimate along a tangent: dense codes with each activation, and every layer
  /// that a tangent goes through, in the place of the first and behind others.
  static let contracted: [LayerCase] =
    [Activation.sigmoid, .tanh, .softplus, .elu].map { activation in
      contracted("deep, \(activation)", ImageShape(4, 3, 2), code: ImageShape(vector: 6)) {
        Dense(9, activation: activation)
      } latent: {
        Dense(6, activation: activation)
      } decoder: {
        Dense(24, activation: .sigmoid)
        Reshape(4, 3, 2)
      }
    } + [
      contracted("tied", ImageShape(4, 3, 2), code: ImageShape(vector: 5)) {
        Dropout(0.2)
        Dense(9, activation: .tanh)
        Dense(7, activation: .softplus)
      } latent: {
        Dense(5, activation: .sigmoid)
      } decoder: {
        TiedDense(to: "latent", activation: .tanh)
        TiedDense(to: "encoder.2", activation: .tanh)
        TiedDense(to: "encoder.1", activation: .sigmoid)
      },
      contracted("tied within the encoder", ImageShape(vector: 8), code: ImageShape(vector: 5)) {
        Dense(6, activation: .tanh)
        TiedDense(to: "encoder.0", activation: .tanh)
      } latent: {
        Dense(5, activation: .sigmoid)
      } decoder: {
        Dense(8)
      },
      contracted("convolution, pool, dense", ImageShape(8, 6, 2), code: ImageShape(vector: 5)) {
        Conv2D(4, kernel: 3, activation: .elu)
        MaxPool2D(2)
        Conv2D(3, kernel: 3, activation: .tanh)
        Dense(8, activation: .softplus)
      } latent: {
        Dense(5, activation: .sigmoid)
      } decoder: {
        Dense(96, activation: .sigmoid)
        Reshape(8, 6, 2)
      },
      contracted("dense, convolutions, dense", ImageShape(vector: 10), code: ImageShape(vector: 5)) {
        Dense(24, activation: .tanh)
        Reshape(4, 3, 2)
        Conv2D(3, kernel: 3, activation: .leakyRelu())
        MaxPool2D(2, stride: 1)
        Conv2D(3, kernel: 2, activation: .tanh)
      } latent: {
        Dense(5, activation: .elu)
      } decoder: {
        Dense(10)
      },
      contracted("noise among convolutions", ImageShape(6, 6, 2), code: ImageShape(3, 3, 2)) {
        GaussianNoise(0.2)
        Dropout(0.3)
        Conv2D(4, kernel: 3, stride: 2, activation: .sigmoid)
        Dropout(0.3)
        Conv2D(3, kernel: 3, activation: .softplus)
        GaussianNoise(0.1)
      } latent: {
        Conv2D(2, kernel: 3, activation: .tanh)
      } decoder: {
        ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)
      },
      contracted("tied convolutions", ImageShape(7, 6, 2), code: ImageShape(4, 3, 2)) {
        Conv2D(3, kernel: 4, stride: 2, activation: .tanh, algorithm: .winograd)
        Conv2D(4, kernel: 3, activation: .sigmoid)
      } latent: {
        Conv2D(2, kernel: 3)
      } decoder: {
        TiedConvTranspose2D(to: "latent", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.1", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      },
    ]

  static func contracted(
    _ name: String, _ input: ImageShape, code: ImageShape, @LayerBuilder encoder: () -> [any Layer],
    latent: () -> any Layer, @LayerBuilder decoder: () -> [any Layer]
  ) -> LayerCase {
    let penalty = ContractivePenalty(weight: 10)
    let model = Autoencoder(
      "contractive, \(name)", input: input, likelihood: .squaredError, penalty: penalty, encoder: encoder,
      latent: latent,
      decoder: decoder)
    return LayerCase(name: model.name, layer: penalty, input: code, output: code, model: model)
  }

  private static let sigmoid = Dense(4, activation: .sigmoid)

  /// Penalties on a code of four, of which the last is the row's layer.
  private static func several(
    _ name: String, _ penalties: any Penalty..., after encoder: [any Layer] = [Dense(9, activation: .tanh)],
    latent: any Layer
  ) -> LayerCase {
    var model = Autoencoder(name, input: ImageShape(4, 4, 2), likelihood: .squaredError) {
    } latent: {
      latent
    } decoder: {
      Dense(32, activation: .sigmoid)
      Reshape(4, 4, 2)
    }
    (model.encoder, model.penalties) = (encoder, penalties)
    return LayerCase(
      name: name, layer: penalties[penalties.count - 1], input: ImageShape(vector: 4), output: ImageShape(vector: 4),
      model: model)
  }

  private static func penalty(_ penalty: some Penalty, code: Activation) -> LayerCase {
    let name = "\(type(of: penalty).kind) of \(code)"
    var model = Autoencoder(name, input: ImageShape(4, 4, 2), likelihood: .squaredError, penalty: penalty) {
    } latent: {
      Dense(6, activation: code)
    } decoder: {
      Dense(32, activation: .sigmoid)
      Reshape(4, 4, 2)
    }
    if !(penalty is ContractivePenalty) { model.encoder = [Dense(9, activation: .tanh)] }
    return LayerCase(
      name: name, layer: penalty, input: ImageShape(vector: 6), output: ImageShape(vector: 6), model: model)
  }

  /// Decoders with the encoder's weights: dense, convolutional, and both ways in the one segment of a model without
  /// dense layers, whose chunks go forward and back in turn.
  static let tied: [LayerCase] = [
    LayerCase(
      name: "tied dense", layer: TiedDense(to: "encoder.0", activation: .sigmoid), input: ImageShape(vector: 12),
      output: ImageShape(5, 4, 2),
      model: Autoencoder("tied dense", input: ImageShape(5, 4, 2), likelihood: .squaredError) {
        Dense(12, activation: .tanh)
      } latent: {
        Dense(5, activation: .sigmoid)
      } decoder: {
        TiedDense(to: "latent", activation: .tanh)
        TiedDense(to: "encoder.0", activation: .sigmoid)
      }),
    LayerCase(
      name: "tied convolutions", layer: TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid),
      input: ImageShape(4, 3, 3), output: ImageShape(7, 6, 2),
      model: Autoencoder("tied convolutions", input: ImageShape(7, 6, 2), likelihood: .squaredError) {
        Conv2D(3, kernel: 4, stride: 2, activation: .tanh)
        Conv2D(4, kernel: 3, activation: .relu)
      } latent: {
        Dense(6)
      } decoder: {
        TiedDense(to: "latent", activation: .relu)
        TiedConvTranspose2D(to: "encoder.1", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      }),
    LayerCase(
      name: "tied to layers without bias", layer: TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid),
      input: ImageShape(4, 3, 3), output: ImageShape(7, 6, 2),
      model: Autoencoder("tied to layers without bias", input: ImageShape(7, 6, 2), likelihood: .squaredError) {
        Conv2D(3, kernel: 4, stride: 2, activation: .tanh, bias: false)
      } latent: {
        Dense(6, bias: false)
      } decoder: {
        TiedDense(to: "latent", activation: .relu)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      }),
    LayerCase(
      name: "tied convolutional latent", layer: TiedConvTranspose2D(to: "latent", activation: .tanh),
      input: ImageShape(3, 3, 2), output: ImageShape(6, 6, 4),
      model: Autoencoder("tied convolutional latent", input: ImageShape(6, 6, 2), likelihood: .squaredError) {
        Conv2D(4, kernel: 3, activation: .tanh)
      } latent: {
        Conv2D(2, kernel: 3, stride: 2)
      } decoder: {
        TiedConvTranspose2D(to: "latent", activation: .tanh)
        TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)
      }),
  ]
}
