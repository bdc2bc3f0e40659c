import HourglassData
import HourglassModels

/// What TensorBoard shows of a run: the folders `train` and `validation`, which call the same measure by the same name,
/// so that one chart has both, and beside them the hyperparameters.
struct TensorBoardLog {
  private let train: EventFile
  private let validation: EventFile?
  /// Whether no session before this one wrote events.
  let isFirst: Bool

  /// The folders below `RunFolder.tensorBoard`.
  static let parts = ["train", "validation"]

  /// Makes the files of a session.
  ///
  /// - Parameter step: the first step of the session.
  /// - Throws: a folder or a file cannot be made.
  init(_ run: RunFolder, _ recipe: Recipe, hasValidation: Bool, from step: Int) throws(DataError) {
    try EventFile(in: run.tensorBoard, from: step).append(hyperparameters: Self.hyperparameters(of: recipe))
    train = try EventFile(in: "\(run.tensorBoard)/\(Self.parts[0])", from: step)
    validation =
      hasValidation
      ? try EventFile(in: "\(run.tensorBoard)/\(Self.parts[1])", from: step) : nil
    isFirst = train.isFirst
  }

  /// Adds the loss and the learning rate of a step.
  func append(step: Int, loss: Double, learningRate: Float) throws(DataError) {
    try train.append(
      step: step, [("stepLoss", .scalar(Float(loss))), ("learningRate", .scalar(learningRate))])
  }

  /// Adds an epoch, with a picture of reconstructions.
  func append(_ row: EpochMetrics, of model: Autoencoder, picture: PNGImage? = nil) throws(DataError) {
    let trained: [(name: String, value: Double?)] =
      [
        ("loss", row.loss), ("reconstruction", row.reconstruction), ("kl", model.isVariational ? row.kl : nil),
        ("penalty", row.penalty), ("samplesPerSecond", row.samplesPerSecond),
      ] + (row.terms ?? [:]).filter { $0.key != LossTerm.kl.key }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    // Measured on the validation images where there are some, else on the first images of the training data.
    let codes = [("activeUnits", row.activeUnits.map(Double.init)), ("perplexity", row.perplexity)]
    let measured = [
      ("loss", row.validationLoss), ("mse", row.validationMSE), ("errorRate", row.validationErrorRate),
    ]
    try Self.append(trained + (validation == nil ? codes : []), picture: validation == nil ? picture : nil, row, train)
    if let validation { try Self.append(measured + codes, picture: picture, row, validation) }
  }

  private static func append(
    _ scalars: [(name: String, value: Double?)], picture: PNGImage?, _ row: EpochMetrics, _ file: EventFile
  ) throws(DataError) {
    var values = scalars.compactMap { name, value in
      value.map { (name: name, value: EventFile.Value.scalar(Float($0))) }
    }
    if let picture { values.append((name: "reconstructions", value: .image(picture))) }
    try file.append(step: row.step, values)
  }

  /// The fields of a recipe by name, with a point between the name of an object and that of its field; the model and
  /// the files by their names alone.
  static func hyperparameters(of recipe: Recipe) -> [(name: String, value: JSONValue)] {
    guard case .object(let fields)? = try? JSONParser.parse(Array(JSONText.line(recipe).utf8)) else { return [] }
    return fields.flatMap { name, value in
      name == "model" ? [(name, .text(recipe.model.name))] : scalars(value, name)
    }
  }

  private static func scalars(_ value: JSONValue, _ name: String) -> [(name: String, value: JSONValue)] {
    switch value {
    case .object(let fields): fields.flatMap { scalars($0.value, "\(name).\($0.name)") }
    case .text(let text) where text.hasPrefix("/"): [(name, .text(AtomicFile.split(text).name))]
    case .text, .number, .bool: [(name, value)]
    case .list, .null: []
    }
  }
}
