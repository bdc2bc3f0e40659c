import HourglassData
import HourglassModels

extension EventFile {
  /// Adds an epoch under the names of the metrics, with the learning rate of its last step and a picture of
  /// reconstructions.
  func append(_ row: EpochMetrics, learningRate: Float, picture: PNGImage? = nil) throws(DataError) {
    let scalars: [(name: String, value: Double?)] =
      [
        ("loss", row.loss), ("reconstruction", row.reconstruction), ("kl", row.kl), ("penalty", row.penalty),
        ("validationLoss", row.validationLoss), ("validationMSE", row.validationMSE),
        ("validationErrorRate", row.validationErrorRate),
        ("activeUnits", row.activeUnits.map(Double.init)), ("samplesPerSecond", row.samplesPerSecond),
        ("learningRate", Double(learningRate)),
      ] + row.others.filter { $0.key != LossTerm.kl.key }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    var values = scalars.compactMap { name, value in value.map { (name: name, value: Value.scalar(Float($0))) } }
    if let picture { values.append((name: "reconstructions", value: .image(picture))) }
    try append(step: row.step, values)
  }
}
