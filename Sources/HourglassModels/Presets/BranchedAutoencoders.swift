/// Residual autoencoder for 32x32 colour images: strided convolutions down, transposed ones up, and a residual block at
/// each size in between.
/// Source: He et al., "Deep residual learning for image recognition", CVPR 2016, for the blocks.
public let resAE32 = Autoencoder("res-ae-32", input: ImageShape(32, 32, 3), likelihood: .squaredError) {
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 32
  residual(32)  // 16 x 16 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 64
  residual(64)  // 8 x 8 x 64
  Conv2D(128, kernel: 4, stride: 2, activation: .relu)  // 4 x 4 x 128
} latent: {
  Dense(128)  // 128
} decoder: {
  Dense(4 * 4 * 128, activation: .relu)
  Reshape(4, 4, 128)  // 4 x 4 x 128
  ConvTranspose2D(64, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 64
  residual(64)  // 8 x 8 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 32
  residual(32)  // 16 x 16 x 32
  ConvTranspose2D(3, kernel: 4, stride: 2, activation: .sigmoid)  // 32 x 32 x 3
}

/// Two convolutions and what went into them:  relu(x + conv(relu(conv(x)))).
private func residual(_ filters: Int) -> Residual {
  Residual(activation: .relu) {
    Conv2D(filters, kernel: 3, activation: .relu)
    Conv2D(filters, kernel: 3)
  }
}

/// U-Net that repairs 64x64 colour images: noise in front while training, the clean image as the target, and at each
/// size a skip connection from the way down to the way up, so that fine detail need not go through the code.
/// Source: Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015; Mao et
/// al., "Image restoration using very deep convolutional encoder-decoder networks with symmetric skip connections",
/// NIPS 2016.
public let unetDAE64 = Autoencoder("unet-dae-64", input: ImageShape(64, 64, 3), likelihood: .squaredError) {
  GaussianNoise(0.3)
  Conv2D(16, kernel: 3, activation: .relu)  // 64 x 64 x 16
  Conv2D(32, kernel: 4, stride: 2, activation: .relu)  // 32 x 32 x 32
  Conv2D(64, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 64
} latent: {
  Conv2D(128, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 128
} decoder: {
  ConvTranspose2D(64, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 64
  Concat(from: "encoder.3")  // 16 x 16 x 128
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 32 x 32 x 32
  Concat(from: "encoder.2")  // 32 x 32 x 64
  ConvTranspose2D(16, kernel: 4, stride: 2, activation: .relu)  // 64 x 64 x 16
  Concat(from: "encoder.1")  // 64 x 64 x 32
  Conv2D(3, kernel: 3, activation: .sigmoid)  // 64 x 64 x 3
}
