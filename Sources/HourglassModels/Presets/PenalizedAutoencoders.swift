/// Sparse autoencoder for 28x28 grey images: more units than pixels, few of them active for an image.
/// Source: Ng, "Sparse autoencoder", CS294A lecture notes, Stanford 2011, target activity 0.05.
public let sparseAE = Autoencoder(
  "sparse-ae", input: ImageShape(28, 28, 1), likelihood: .squaredError,
  penalty: ActivityPenalty(target: 0.05, weight: 0.1)
) {
} latent: {
  Dense(1000, activation: .sigmoid)  // 1000
} decoder: {
  Dense(28 * 28, activation: .sigmoid)
  Reshape(28, 28, 1)  // 28 x 28 x 1
}

/// Contractive autoencoder for 28x28 grey images: one sigmoid layer with tied weights, cross-entropy, and the squared
/// norm of the code's Jacobian.
/// Source: Rifai et al., "Contractive auto-encoders", ICML 2011, whose weights of the penalty lie around 0.1.
public let contractiveAE = Autoencoder(
  "contractive-ae", input: ImageShape(28, 28, 1), likelihood: .bernoulli, penalty: ContractivePenalty(weight: 0.1)
) {
} latent: {
  Dense(1000, activation: .sigmoid)  // 1000
} decoder: {
  TiedDense(to: "latent")  // 28 x 28 x 1 (logits)
}

/// Wasserstein autoencoder for 28x28 grey images: a plain code, whose distribution is drawn to the prior.
/// Source: Tolstikhin et al., "Wasserstein auto-encoders", ICLR 2018, WAE-MMD: a code of 8 numbers, weight 10.
public let convWAE28 = Autoencoder(
  "conv-wae-28", input: ImageShape(28, 28, 1), likelihood: .squaredError, penalty: MMDPenalty(weight: 10)
) {
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 7 x 7 x 64
  Dense(256, activation: .relu)  // 256
} latent: {
  Dense(8)  // 8
} decoder: {
  Dense(256, activation: .relu)  // 256
  Dense(7 * 7 * 64, activation: .relu)
  Reshape(7, 7, 64)  // 7 x 7 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  ConvTranspose2D(1, kernel: 4, stride: 2, activation: .sigmoid)  // 28 x 28 x 1
}
