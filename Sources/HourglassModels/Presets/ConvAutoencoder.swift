/// Convolutional autoencoder for 28x28 grey images: convolutions and max-pooling down, transposed convolutions up.
/// Source: Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011.
public let convAE28 = Autoencoder("conv-ae-28", input: ImageShape(28, 28, 1), likelihood: .squaredError) {
  Conv2D(32, kernel: 3, activation: .relu)  // 28 x 28 x 32
  MaxPool2D(2)  // 14 x 14 x 32
  Conv2D(64, kernel: 3, activation: .relu)  // 14 x 14 x 64
  MaxPool2D(2)  // 7 x 7 x 64
} latent: {
  Dense(64)  // 64
} decoder: {
  Dense(7 * 7 * 64, activation: .relu)
  Reshape(7, 7, 64)  // 7 x 7 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 14 x 14 x 32
  ConvTranspose2D(1, kernel: 4, stride: 2, activation: .sigmoid)  // 28 x 28 x 1
}

/// The autoencoder conv-ae-28 as a denoising one: noise in front while training, and the clean image as the target.
/// Source: Vincent et al., "Stacked denoising autoencoders", JMLR 2010, whose Gaussian noise has deviations to 0.5.
public let convDAE28: Autoencoder = {
  var model = convAE28
  (model.name, model.encoder) = ("conv-dae-28", [GaussianNoise(0.3)] + convAE28.encoder)
  return model
}()

/// The autoencoder conv-ae-28 with max-unpooling at the switches of the encoder's pools in place of transposed
/// convolutions.
/// Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014; Badrinarayanan et al.,
/// "SegNet", PAMI 2017.
public let convAEUnpool28 = Autoencoder("conv-ae-unpool-28", input: ImageShape(28, 28, 1), likelihood: .squaredError) {
  Conv2D(32, kernel: 3, activation: .relu)  // 28 x 28 x 32
  MaxPool2D(2)  // 14 x 14 x 32
  Conv2D(64, kernel: 3, activation: .relu)  // 14 x 14 x 64
  MaxPool2D(2)  // 7 x 7 x 64
} latent: {
  Dense(64)  // 64
} decoder: {
  Dense(7 * 7 * 64, activation: .relu)
  Reshape(7, 7, 64)  // 7 x 7 x 64
  MaxUnpool2D(of: "encoder.3")  // 14 x 14 x 64
  Conv2D(32, kernel: 3, activation: .relu)  // 14 x 14 x 32
  MaxUnpool2D(of: "encoder.1")  // 28 x 28 x 32
  Conv2D(1, kernel: 3, activation: .sigmoid)  // 28 x 28 x 1
}

/// The autoencoder for 32x32 colour images, one stage deeper.
public let convAE32 = Autoencoder("conv-ae-32", input: ImageShape(32, 32, 3), likelihood: .squaredError) {
  Conv2D(32, kernel: 3, activation: .relu)  // 32 x 32 x 32
  MaxPool2D(2)  // 16 x 16 x 32
  Conv2D(64, kernel: 3, activation: .relu)  // 16 x 16 x 64
  MaxPool2D(2)  // 8 x 8 x 64
  Conv2D(128, kernel: 3, activation: .relu)  // 8 x 8 x 128
  MaxPool2D(2)  // 4 x 4 x 128
} latent: {
  Dense(128)  // 128
} decoder: {
  Dense(4 * 4 * 128, activation: .relu)
  Reshape(4, 4, 128)  // 4 x 4 x 128
  ConvTranspose2D(64, kernel: 4, stride: 2, activation: .relu)  // 8 x 8 x 64
  ConvTranspose2D(32, kernel: 4, stride: 2, activation: .relu)  // 16 x 16 x 32
  ConvTranspose2D(3, kernel: 4, stride: 2, activation: .sigmoid)  // 32 x 32 x 3
}
