import HourglassModels

/// Rows of tied weights and of penalties.
extension LayerCases {
  /// Every penalty, and the contractive one with each activation that has a curvature.
  static let penalized: [LayerCase] =
    [
      penalty(L1Penalty(weight: 0.3), code: .tanh), penalty(ActivityPenalty(target: 0.2, weight: 2), code: .sigmoid),
      penalty(ZeroMeanPenalty(weight: 3), code: .relu), penalty(MMDPenalty(weight: 5), code: .linear),
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

  private static func penalty(_ penalty: some Penalty, code: Activation) -> LayerCase {
    let name = "\(type(of: penalty).kind) of \(code.rawValue)"
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
