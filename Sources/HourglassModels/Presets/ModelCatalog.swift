/// A model that has a name, what it is and where it comes from.
public struct Preset: Sendable {
  /// The model.
  public let model: Autoencoder
  /// What it is, in a sentence.
  public let summary: String
  /// The paper that it is built after.
  public let source: String

  init(_ model: Autoencoder, _ summary: String, source: String) {
    (self.model, self.summary, self.source) = (model, summary, source)
  }
}

/// The models that have a name.
public enum ModelCatalog {
  /// The presets.
  public static let presets: [Preset] = [
    Preset(
      convAE28,
      "Convolutional autoencoder for 28x28 grey images: convolutions and max-pooling down, transposed convolutions up.",
      source: #"Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011"#),
    Preset(
      convDAE28,
      "The autoencoder conv-ae-28 as a denoising one: noise in front while training, and the clean image as the target.",
      source: #"Vincent et al., "Stacked denoising autoencoders", JMLR 2010"#),
    Preset(
      convAEUnpool28,
      "The autoencoder conv-ae-28 with max-unpooling at the switches of the encoder's pools in place of transposed "
        + "convolutions.",
      source: #"Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014"#),
    Preset(
      convVAE28, "Convolutional variational autoencoder for 28x28 grey images.",
      source: #"Kingma & Welling, "Auto-Encoding Variational Bayes", 2014; strided layers as in Radford et al. 2016"#),
    Preset(
      convAE32, "The autoencoder for 32x32 colour images, one stage deeper than conv-ae-28.",
      source: #"Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011"#),
    Preset(
      convVAE64,
      "Convolutional variational autoencoder for 64x64 colour images, the encoder of DCGAN's discriminator in "
        + "miniature.",
      source: #"Kingma & Welling, "Auto-Encoding Variational Bayes", 2014; Higgins et al., "beta-VAE", ICLR 2017"#),
    Preset(
      deepAE, "Dense autoencoder with four layers on each side for 28x28 grey images, a code of 30 numbers.",
      source: #"Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 2006"#),
    Preset(
      convTiedAE28,
      "Convolutional autoencoder for 28x28 grey images whose decoder has the encoder's weights, each layer transposed.",
      source: #"Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN 2011"#),
    Preset(
      sparseAE, "Sparse autoencoder for 28x28 grey images: more units than pixels, few of them active for an image.",
      source: #"Ng, "Sparse autoencoder", CS294A lecture notes, Stanford 2011"#),
    Preset(
      contractiveAE,
      "Contractive autoencoder for 28x28 grey images: one sigmoid layer with tied weights, cross-entropy, and the "
        + "squared norm of the code's Jacobian.",
      source: #"Rifai et al., "Contractive auto-encoders", ICML 2011"#),
    Preset(
      convWAE28,
      "Wasserstein autoencoder for 28x28 grey images: a plain code, whose distribution is drawn to the prior.",
      source: #"Tolstikhin et al., "Wasserstein auto-encoders", ICLR 2018"#),
    Preset(
      rbm500,
      "Restricted Boltzmann machine for 28x28 grey images, whose pixels are probabilities of its visible units.",
      source: #"Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 2002"#),
    Preset(
      denseVAE,
      "Dense variational autoencoder for 28x28 grey images, a code of 50 numbers and hidden units of tanh.",
      source: #"Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016"#),
    Preset(
      resAE32,
      "Residual autoencoder for 32x32 colour images: strided convolutions down, transposed ones up, and a residual "
        + "block at each size in between.",
      source: #"He et al., "Deep residual learning for image recognition", CVPR 2016"#),
    Preset(
      unetDAE64,
      "U-Net that repairs 64x64 colour images: noise in front while training, the clean image as the target, and at "
        + "each size a skip connection from the way down to the way up.",
      source: #"Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015"#),
  ]

  /// The models of the presets.
  public static let models = presets.map(\.model)

  /// The preset of a name; nil where there is none.
  public static func model(_ name: String) -> Autoencoder? { models.first { $0.name == name } }
}
