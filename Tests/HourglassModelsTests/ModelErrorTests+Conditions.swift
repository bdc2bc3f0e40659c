import HourglassModels

/// Conditions and centres that cannot run.
extension RefusedModel {
  static let conditioned: [RefusedModel] = [
    RefusedModel(
      "encoder.0: wanted a Centre as the first layer of the decoder, decoder.0", encoder: Centre()),
    RefusedModel(
      "decoder: wanted a Centre alone, behind a code that is no distribution, and the likelihood squaredNorm, found 2 "
        + "layers and squaredNorm"
    ) { $0.likelihood = .squaredNorm },
    RefusedModel("encoder.0: wanted 1 to 65536 classes, found 0", encoder: Condition(classes: 0)),
    RefusedModel(
      "encoder.0: wanted an embedding of 1 to 65536 numbers, found -1", encoder: Condition(classes: 2, embedding: -1)),
    RefusedModel("m: wanted the same number of classes in every Condition, found 4 and 3") {
      $0.encoder = [Condition(classes: 4)]
      $0.decoder.insert(Condition(classes: 3), at: 0)
    },
    RefusedModel(
      "likelihood: wanted one of images beside a Condition, which tells the layers the label, found categorical"
    ) {
      ($0.encoder, $0.likelihood, $0.decoder) = ([Condition(classes: 4)], .categorical, [Dense(4)])
    },
  ]
}
