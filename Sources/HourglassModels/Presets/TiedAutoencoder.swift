/// Convolutional autoencoder for 28x28 grey images whose decoder has the encoder's weights, each layer transposed.
/// Source: Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011.
public let convTiedAE28 = Autoencoder("conv-tied-ae-28", input: ImageShape(28, 28, 1), likelihood: .squaredError) {
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 7 x 7 x 64
} latent: {
  Dense(64)  // 64
} decoder: {
  TiedDense(to: "latent", activation: .relu)  // 7 x 7 x 64
  TiedConvTranspose2D(to: "encoder.1", activation: .relu)  // 14 x 14 x 32
  TiedConvTranspose2D(to: "encoder.0", activation: .sigmoid)  // 28 x 28 x 1
}
