/// Restricted Boltzmann machine for 28x28 grey images, whose pixels are probabilities of its visible units.
/// Source: Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 2002, which
/// trains 500 hidden units on digits.
public let rbm500 = Autoencoder(
  "rbm-500", input: ImageShape(28, 28, 1), likelihood: .squaredError, objective: .contrastiveDivergence()
) {
} latent: {
  Dense(500, activation: .sigmoid)  // 500
} decoder: {
  TiedDense(to: "latent", activation: .sigmoid)  // 28 x 28 x 1
}
