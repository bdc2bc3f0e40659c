/// The models that have a name.
public enum ModelCatalog {
  /// The presets.
  public static let models: [Autoencoder] = [
    convAE28, convDAE28, convAEUnpool28, convVAE28, convAE32, convVAE64, deepAE, convTiedAE28,
    sparseAE, contractiveAE, convWAE28, rbm500, denseVAE, resAE32, unetDAE64,
  ]

  /// The preset of a name; nil where there is none.
  public static func model(_ name: String) -> Autoencoder? { models.first { $0.name == name } }
}
