import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// Which model is trained.
struct ModelFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Train this model: a name or a model file; see `hourglass models` and `hourglass inspect`.",
      valueName: "name|file.json"), completion: .models)
  var model: String?
}

/// Which model is trained, and from where.
struct StartFlags: ParsableArguments {
  @OptionGroup var named: ModelFlags

  @Option(
    help: ArgumentHelp(
      """
      Start from the weights of this run, safetensors or NPZ file, as far as they have names and shapes of the \
      model's.
      """, valueName: "dir|file"), completion: .weights)
  var startFrom: String?

  var model: String? { named.model }
}

/// The flags that make a recipe, but for its model. All are optional, so that a resumed run can tell what was given.
struct RecipeFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Read settings from this file, under the names of recipe.json and of the flags that decide no result; flags \
      win.
      """, valueName: "file.json"), completion: .file(extensions: ["json"]))
  var config: String?

  @Option(
    help: ArgumentHelp("\(DataFlags.forms) (default: the built-in images)", valueName: "path"), completion: .images)
  var data: String?

  @Option(help: "The part of the set whose images are trained on. (default: train)")
  var split: Split?

  @OptionGroup var images: DataFlags

  @Option(
    help: """
      Compute each convolution that gains by it with this algorithm: winograd multiplies up to four times less \
      than direct, for 1.5 to 5 times the rounding error. (default: as the model says)
      """)
  var algorithm: Conv2D.Algorithm?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      """
      Train on pairs in place of --data: on noisy images from one folder and the clean images of another that the \
      network is to put out, matched by their names below the two.
      """, valueName: "noisy clean"), completion: .directory)
  var pairs: [String] = []

  @Flag(
    help: """
      Show the model each channel less its mean and over its deviation, both over the images trained on. The \
      output is brought back; losses are of the standardised images.
      """)
  var standardize = false

  @Option(
    help: """
      Evaluate the images at this path after every epoch: its validation split, or else its test split. (default: \
      what --holdout holds out)
      """, completion: .images)
  var validation: String?

  @OptionGroup var settings: SettingFlags

  func validate() throws {
    if !pairs.isEmpty && (pairs.count != 2 || data != nil) {
      throw ValidationError(
        "--pairs: wanted a folder of what the network sees and one of what it is to put out, without --data, found "
          + pairs.joined(separator: " ") + (data.map { " and --data \($0)" } ?? ""))
    }
  }

  /// Refuses what a run that goes on has already, or a new one without a model.
  func check(resuming: Bool, model: String? = nil) throws {
    if resuming && config != nil {
      throw ValidationError("--config: wanted none with --resume, for a resumed run keeps its recipe, found a file")
    }
    if !resuming && model == nil && config == nil {
      throw ValidationError("--model: wanted a model's name or file, or a run with --resume, found none")
    }
  }

  /// The settings of `--config`, empty without one.
  func configuration(ofStages: Bool = false) throws -> Configuration {
    guard let config else { return Configuration() }
    let file = try Configuration(reading: config)
    guard try ofStages || file.stageObjective() == nil else {
      throw DataError(
        path: config, reason: "objective: wanted none but for pretrain, found one; elsewhere it is the model's")
    }
    return file
  }

  /// A model with the algorithm that was given.
  private func chosen(_ model: Autoencoder) throws -> Autoencoder {
    guard let algorithm else { return model }
    do { return try model.using(algorithm) } catch { throw ValidationError("--algorithm: \(error)") }
  }

  /// The recipe of a new run: what the flags say, where they are silent the file, and else the defaults.
  ///
  /// - Parameters:
  ///   - model: the model by its name or file; nil for that of the file.
  ///   - startFrom: a run or a file of weights to start from.
  func recipe(_ file: Configuration, model name: String? = nil, startFrom: String? = nil) throws -> Recipe {
    let (images, given) = (file.trainingImages, try self.settings.given())
    let path = pairs.last ?? data ?? images.path
    try self.images.requireFiles(path)
    let named = try name.map { try resolveModel($0, flag: "--model") }
    guard var model = try named ?? file.model(named: { try resolveModel($0, flag: "\(file.path): model") }) else {
      throw ValidationError("--model: wanted a model's name or file, in \(file.path) as well, found none")
    }
    model = try chosen(model)
    var preparation = self.images.adapting(images.preparation ?? Preparation())
    if standardize { preparation.standardizes = true }
    let source = DataSource(
      path: Self.file(path), split: split ?? images.split ?? .train,
      preparation: preparation == Preparation() ? nil : preparation, codes: images.codes,
      inputs: Self.file(pairs.first ?? (data == nil ? images.inputs : nil)))
    func says(_ name: String) -> Bool { given.says(name) || file.settings.says(name) }
    guard !says("patience") || says("epochs") || says("steps") else {
      throw ValidationError("--patience: wanted the most --epochs or --steps too, found neither")
    }
    var recipe = Recipe(
      model: model, data: source,
      validation: try source.validation(
        at: validation ?? file.validationImages?.path, validation == nil ? file.validationImages : nil),
      settings: [file.settings, given])
    if !says("epochs") && !says("steps") { recipe.epochs = Recipe.defaultEpochs }
    if let path = Self.file(startFrom) { recipe.start = [Start(path: path)] }
    // Other images may be of other classes.
    if data != nil { recipe.classes = nil }
    let kind = recipe.optimizer.kind
    if given.says("optimizer.momentum"), kind != .sgd, kind != .rmsprop {
      throw ValidationError("--momentum: wanted the optimizer sgd or rmsprop, found \(kind.rawValue)")
    }
    if let setting = recipe.refusedSetting, given.says(setting.name),
      let refusal = setting.refusal(in: recipe, call: Setting.flag)
    {
      throw ValidationError("\(setting.flag): \(refusal)")
    }
    // What is left comes of the file, or of flags that the model does not go with.
    if let refusal = recipe.refusal {
      if file.path.isEmpty { throw ValidationError(refusal) }
      throw DataError(path: file.path, reason: refusal)
    }
    try recipe.fixTerms()
    return recipe
  }

  /// The path from the root, so that a run can be resumed from any folder.
  static func file(_ path: String?) -> String? { DataSource.absolute(path) }

  /// Refuses flags that contradict the recipe of a run.
  ///
  /// - Parameter mayMove: whether images may have another path, which their digests then have to prove.
  func check(against recipe: Recipe, path: String, start: StartFlags?, mayMove: Bool = false) throws {
    func same<T: Equatable>(_ flag: String, _ given: T?, _ wanted: T, _ name: (T) -> String = { "\($0)" }) throws {
      guard let given, given != wanted else { return }
      throw ValidationError(
        "\(flag): wanted \(name(wanted)), with which the run \(path) was made, found \(name(given)); a resumed run "
          + "keeps its recipe, so leave the flag out or begin a new run")
    }
    if let model = start?.model {
      let given = try chosen(resolveModel(model, flag: "--model"))
      let isSame = JSONText.line(given) == JSONText.line(recipe.model)
      try same("--model", isSame ? recipe.model.name : model, recipe.model.name)
      if !isSame {
        throw ValidationError("--model: wanted the model of the run \(path), found another one of the same name")
      }
    }
    if let algorithm, JSONText.line(try chosen(recipe.model)) != JSONText.line(recipe.model) {
      throw ValidationError(
        "--algorithm: wanted the algorithms with which the run \(path) was made, found \(algorithm.rawValue); a "
          + "resumed run keeps its recipe, so leave the flag out or begin a new run")
    }
    if !mayMove || recipe.data.path == nil {
      try same("--data", Self.file(data).map(Optional.some), recipe.data.path) { $0 ?? "the built-in images" }
    }
    if !mayMove || recipe.validation?.path == nil {
      try same("--validation", Self.file(validation).map(Optional.some), recipe.validation?.path) { $0 ?? "none" }
    }
    try same("--pairs", pairs.isEmpty ? nil : pairs.map(Self.file), [recipe.data.inputs, recipe.data.path]) {
      $0.map { $0 ?? "none" }.joined(separator: " ")
    }
    try same("--standardize", standardize ? true : nil, recipe.data.preparation?.standardizes == true)
    let preparation = recipe.data.preparation ?? Preparation()
    if images.adapting(preparation) != preparation {
      throw ValidationError(
        "wanted the images prepared as the run \(path) was made with, found other flags; a resumed run keeps its "
          + "recipe, so leave them out or begin a new run")
    }
    try same("--split", split, recipe.data.split) { $0.rawValue }
    var made = recipe
    (made.schedule, made.monitor) = (recipe.schedule ?? .constant, recipe.monitored)
    let given = try settings.given()
    for setting in Setting.all where !setting.isEnd {
      try same(setting.flag, given[setting]?.text, setting.value(made)?.text ?? "none")
    }
    try same("--start-from", Self.file(start?.startFrom), recipe.start?.first?.path ?? "none")
  }

  /// The recipe with the end that was asked for, and with images where they are said to be now.
  func extended(_ old: Recipe) throws -> Recipe {
    var recipe = old
    if let path = Self.file(data) {
      recipe.data.path = path
      if old.validation?.path == old.data.path { recipe.validation?.path = path }
    }
    if let path = Self.file(validation) { recipe.validation?.path = path }
    if settings.epochs != nil || settings.steps != nil { (recipe.epochs, recipe.steps) = (nil, nil) }
    let given = try settings.given()
    for setting in Setting.all where setting.isEnd { given[setting]?.apply(&recipe) }
    return recipe
  }

  /// Refuses an end that comes before the one asked for earlier.
  func checkExtension(from old: Recipe, of trainer: Trainer, path: String) throws {
    let (wanted, found) = (trainer.lastStep(by: old), trainer.lastStep)
    let flags = [
      settings.epochs.map { "--epochs \($0)" }, settings.steps.map { "--steps \($0)" },
    ].compactMap(\.self)
    guard found < wanted else { return }
    throw ValidationError(
      "\(flags.joined(separator: " ")): wanted an end at step \(wanted) or later, which the run \(path) was to reach, "
        + "found step \(found); epochs and steps count from the beginning of the run")
  }
}
