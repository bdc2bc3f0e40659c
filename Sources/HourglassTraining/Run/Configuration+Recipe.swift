import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels

extension Configuration {
  /// The recipe that the settings make, with the defaults of what they do not say.
  ///
  /// Errors: no model, or one that cannot be planned; settings that nobody can train by; documents whose vocabulary
  /// cannot be read.
  public func recipe() throws -> Recipe {
    let images = trainingImages
    guard let model = try model(named: { (name) in try Autoencoder.named(name, as: "model") }) else {
      throw DataError(path: path, reason: "model: wanted a model's name, file or description, found none")
    }
    guard try stageObjective() == nil else {
      throw DataError(path: path, reason: "objective: wanted none but for pretrain, found one; it is part of the model")
    }
    let preparation = images.preparation == Preparation() ? nil : images.preparation
    let source = DataSource(
      path: DataSource.absolute(images.path), split: images.split ?? .train, preparation: preparation,
      codes: images.codes, inputs: DataSource.absolute(images.inputs))
    let hasEnd = settings.says("epochs") || settings.says("steps")
    guard !settings.says("patience") || hasEnd else {
      throw DataError(path: path, reason: "patience: wanted the most epochs or steps too, found neither")
    }
    var recipe = Recipe(
      model: model, data: source, validation: try source.validation(at: validationImages?.path, validationImages),
      settings: [settings])
    if !hasEnd { recipe.epochs = Recipe.defaultEpochs }
    if let refusal = recipe.refusal { throw DataError(path: path, reason: refusal) }
    try recipe.fixTerms()
    return recipe
  }
}

extension DataSource {
  /// The images that are evaluated beside those trained on: at a path, prepared alike but all of them; or as a file of
  /// settings says; else what is held out.
  ///
  /// - Parameters:
  ///   - path: where they are, the part for validation, or else for test; nil where nobody says.
  ///   - file: what a file of settings says of them, whose split and preparation count as they stand there.
  public func validation(at path: String?, _ file: Configuration.Images?) throws(DataError) -> DataSource? {
    if let file, file.split != nil || file.preparation != nil {
      return DataSource(
        path: Self.absolute(file.path), split: file.split ?? .test, preparation: file.preparation, codes: codes,
        inputs: Self.absolute(file.inputs))
    }
    guard let path = Self.absolute(path) else {
      guard preparation?.holdout != nil, split == .train else { return nil }
      return DataSource(path: self.path, split: .test, preparation: preparation, codes: codes, inputs: inputs)
    }
    let isSame = path == self.path
    return DataSource(
      path: path, split: try Dataset.parts(at: path).contains(.validation) ? .validation : .test,
      preparation: isSame ? preparation : preparation?.forOtherImages, codes: codes, inputs: isSame ? inputs : nil)
  }

  /// The path from the root, so that a run can be resumed from any folder.
  public static func absolute(_ path: String?) -> String? {
    path.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
  }
}

extension Autoencoder {
  /// A model as command lines and settings name it: by name, by name and size, as the sizes of a dense autoencoder, or
  /// as a file.
  ///
  /// Errors: a `ModelError` at `place` where no model is called so, or that cannot be planned; a `DataError` where the
  /// file is none of a model.
  ///
  /// - Parameter place: where the name stands, for errors: a flag or a setting.
  public static func named(_ name: String, as place: String) throws -> Autoencoder {
    if let model = ModelCatalog.model(name) { return model }
    guard try InputFile.isThere(name) else {
      do {
        if let model = try preset(sizedBy: name) ?? .dense(describedBy: name) {
          _ = try ExecutionPlan(model, batchSize: 2)
          return model
        }
      } catch let error as ModelError { throw ModelError(place, error.description) }
      if name.hasSuffix(".json") { throw DataError(path: name, reason: "wanted a model file, found nothing there") }
      let names = ModelCatalog.models.map(\.name).joined(separator: ", ")
      throw ModelError(
        place,
        "wanted one of \(names), a size such as conv-vae@128x96x3 or 784-1000-30, or a model file, found \(name)")
    }
    let model = try JSONFile.read(Autoencoder.self, from: name, what: "not a model")
    do { _ = try ExecutionPlan(model, batchSize: 2) } catch {
      throw DataError(path: name, reason: error.description)
    }
    return model
  }
}
