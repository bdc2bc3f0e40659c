/// Convolutional variational autoencoder for 28x28 grey images.
/// Source: Kingma & Welling, "Auto-Encoding Variational Bayes", 2014; strided layers as in Radford et al. 2016.
public let convVAE28 = Autoencoder("conv-vae-28", input: ImageShape(28, 28, 1), likelihood: .bernoulli) {
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 7 x 7 x 64
  Dense(256, activation: .relu)  // 256
} latent: {
  GaussianLatent(20)  // mean, log-variance -> 20
} decoder: {
  Dense(256, activation: .relu)  // 256
  Dense(7 * 7 * 64, activation: .relu)
  Reshape(7, 7, 64)  // 7 x 7 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  ConvTranspose2D(1, kernel: 4, stride: 2)  // 28 x 28 x 1 (logits)
}

/// Convolutional variational autoencoder for 64x64 colour images, the encoder of DCGAN's discriminator in miniature.
/// Source: as above; Higgins et al., "beta-VAE", ICLR 2017, use the same depth.
public let convVAE64 = Autoencoder("conv-vae-64", input: ImageShape(64, 64, 3), likelihood: .squaredError) {
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 32 x 32 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 64
  Conv2D(128, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 128
  Conv2D(256, kernel: 4, stride: 2, activation: .relu)  // 4 x 4 x 256
} latent: {
  GaussianLatent(128)  // mean, log-variance -> 128
} decoder: {
  Dense(4 * 4 * 256, activation: .relu)
  Reshape(4, 4, 256)  // 4 x 4 x 256
  ConvTranspose2D(128, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 128
  ConvTranspose2D(64, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 32 x 32 x 32
  ConvTranspose2D(3, kernel: 4, stride: 2, activation: .sigmoid)  // 64 x 64 x 3
}
