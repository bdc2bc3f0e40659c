import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// The flags that make a recipe. All are optional, so that a resumed run can tell what was given.
struct RecipeFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Settings under the names of recipe.json, and of the flags that decide no result; flags win.",
      valueName: "file.json"))
  var config: String?

  @Option(
    help: ArgumentHelp("What to train; see `hourglass models` and `hourglass inspect`.", valueName: "name|file.json"))
  var model: String?

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the built-in images)", valueName: "path"))
  var data: String?

  @Option(help: "Which images of a folder, or of the built-in images. (default: train)")
  var split: Split?

  @OptionGroup var images: DataFlags

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      """
      Train on pairs in place of --data: what the network sees, and what it is to put out; matched by the names below \
      the two folders.
      """, valueName: "noisy clean"))
  var pairs: [String] = []

  @Flag(
    help: """
      Show the model each channel less its mean and over its deviation, of the images trained on; what it puts out is \
      brought back, losses are of what it sees.
      """)
  var standardize = false

  @Option(
    help:
      "Images to evaluate after every epoch, the validation split or else test. (default: what --holdout holds out)"
  )
  var validation: String?

  @Option(
    help: ArgumentHelp(
      """
      Damage what the network sees, not what it is to put out: gaussian:0.3, multiplicative:0.3, mask:0.25 or \
      salt-pepper:0.1.
      """,
      valueName: "kind:amount"))
  var corrupt: Corruption?

  @Option(help: ArgumentHelp("Change images whenever they are trained on: flip, shift:2 or both with a comma."))
  var augment: Augmentation?

  @Option(help: "Passes over the data. (default: 5, none with --steps)")
  var epochs: Int?

  @Option(help: "Updates of the weights, each after as many minibatches as --accumulate says.")
  var steps: Int?

  @Option(
    help: ArgumentHelp(
      "End earlier, when the monitored loss has not fallen for so many epochs. The best checkpoint is kept.",
      valueName: "epochs"))
  var patience: Int?

  @Option(
    help: ArgumentHelp(
      "For --patience a loss must fall by more than this, in the loss's own unit. (default: 0)", valueName: "loss"))
  var minDelta: Double?

  @Option(help: "The loss that --patience and the best checkpoint go by. (default: validation where there is one)")
  var monitor: Recipe.Monitor?

  @Option(
    help: ArgumentHelp(
      "Train on the first so many minibatches alone: a sound model learns them by heart.", valueName: "minibatches"))
  var overfitBatches: Int?

  @Option(help: "Samples of a minibatch. (default: 128)")
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "Minibatches whose gradients are summed up for one update: large steps in little memory. (default: 1)",
      valueName: "minibatches"))
  var accumulate: Int?

  @Option(help: "Greater than 0. (default: 0.001; sgd, rmsprop, adagrad: 0.01; adadelta: 1)")
  var learningRate: Float?

  @Option(
    help: ArgumentHelp(
      "Raise the learning rate to its height over so many steps, or as 2epochs.", valueName: "steps"))
  var warmup: Span?

  @Option(help: "How it goes on: constant, or down to zero at the last step (cosine). (default: constant)")
  var schedule: Schedule?

  @Option(help: "How weights follow gradients. (default: adam)")
  var optimizer: Optimizer.Kind?

  @OptionGroup var updates: OptimizerFlags

  @Option(
    help: ArgumentHelp(
      "Scale gradients of a larger norm down to this one, greater than 0. (default: no limit)", valueName: "norm"))
  var clipNorm: Float?

  @Option(
    help: ArgumentHelp(
      "Keep an exponential moving average of the weights with this decay, such as 0.999; it is what is evaluated.",
      valueName: "decay"))
  var ema: Float?

  @Option(help: "Weight of the latent's divergence, at least 0. (default: 1)")
  var beta: Float?

  @Option(
    help: ArgumentHelp(
      "Let each latent unit diverge by so many nats at no cost, in the mean over a shard, against posterior collapse.",
      valueName: "nats"))
  var freeBits: Float?

  @Option(
    help: ArgumentHelp(
      "Of a variational model train on the importance-weighted bound of log p(image), by so many samples of each code.",
      valueName: "samples"))
  var importanceSamples: Int?

  @Option(
    help: ArgumentHelp(
      "Raise that weight from 0 over so many steps, or as 5epochs, against posterior collapse.", valueName: "steps"))
  var betaWarmup: Span?

  @Option(
    help: ArgumentHelp(
      "Start from those weights of a run, a safetensors or an NPZ file that have names and shapes of the model's.",
      valueName: "dir|file"))
  var startFrom: String?

  @Option(help: "Of all random numbers. (default: 1)")
  var seed: UInt64?

  @Option(help: "Pieces of a minibatch whose gradients are summed apart. (default: one for 8 samples, at most 16)")
  var shards: Int?

  private static let defaultEpochs = 5

  func validate() throws {
    if !pairs.isEmpty && (pairs.count != 2 || data != nil) {
      throw ValidationError(
        "--pairs: wanted a folder of what the network sees and one of what it is to put out, without --data, found "
          + pairs.joined(separator: " ") + (data.map { " and --data \($0)" } ?? ""))
    }
    try requirePositive("--epochs", epochs)
    try requirePositive("--steps", steps)
    try requirePositive("--patience", patience)
    try requirePositive("--overfit-batches", overfitBatches)
    try requirePositive("--batch-size", batchSize, most: Recipe.batchSizeRange.upperBound)
    try requirePositive("--accumulate", accumulate, most: Recipe.accumulateRange.upperBound)
    try requirePositive("--shards", shards)
    try requirePositive("--importance-samples", importanceSamples, most: Recipe.batchSizeRange.upperBound)
    if let learningRate, !(learningRate.isFinite && learningRate > 0) {
      throw ValidationError("--learning-rate: wanted a number greater than 0, found \(learningRate)")
    }
    if let minDelta, !(minDelta.isFinite && minDelta >= 0) {
      throw ValidationError("--min-delta: wanted a number of at least 0, found \(minDelta)")
    }
    if let clipNorm, !Recipe.isClipNorm(clipNorm) {
      throw ValidationError("--clip-norm: wanted a number greater than 0, found \(clipNorm)")
    }
    if let ema, !(ema > 0 && ema < 1) {
      throw ValidationError("--ema: wanted a number between 0 and 1, found \(ema)")
    }
    if let beta, !(beta.isFinite && beta >= 0) {
      throw ValidationError("--beta: wanted a number of at least 0, found \(beta)")
    }
    if let freeBits, !(freeBits.isFinite && freeBits > 0) {
      throw ValidationError("--free-bits: wanted a number greater than 0, found \(freeBits)")
    }
  }

  /// Refuses what a run that goes on has already, or a new one without a model.
  func check(resuming: Bool) throws {
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

  /// The recipe of a new run: what the flags say, where they are silent the file, and else the defaults.
  func recipe(_ file: Configuration) throws -> Recipe {
    let images = file.trainingImages
    let path = pairs.last ?? data ?? images.path
    try self.images.requireFiles(path)
    let batchSize = batchSize ?? file.batchSize ?? Recipe.defaultBatchSize
    if Recipe.batchSizeRange.contains(batchSize) { try requirePositive("--shards", shards, most: batchSize) }
    let named = try model.map { try resolveModel($0, flag: "--model") }
    guard let model = try named ?? file.model(named: { try resolveModel($0, flag: "\(file.path): model") }) else {
      throw ValidationError("--model: wanted a model's name or file, in \(file.path) as well, found none")
    }
    var preparation = self.images.adapting(images.preparation ?? Preparation())
    if standardize { preparation.standardizes = true }
    let source = DataSource(
      path: Self.file(path), split: split ?? images.split ?? .train,
      preparation: preparation == Preparation() ? nil : preparation, codes: images.codes,
      inputs: Self.file(pairs.first ?? (data == nil ? images.inputs : nil)))
    let steps = steps ?? file.steps
    let patience = patience ?? file.patience
    guard patience == nil || epochs ?? file.epochs ?? steps != nil else {
      throw ValidationError("--patience: wanted the most --epochs or --steps too, found neither")
    }
    var recipe = Recipe(
      model: model, data: source, validation: try validation(for: source, file.validationImages), batchSize: batchSize,
      accumulate: accumulate ?? file.accumulate ?? 1, shards: shards ?? file.shards, seed: seed ?? file.seed ?? 1,
      optimizer: updates.changing(try file.optimizer(kind: optimizer, learningRate: learningRate)),
      clipNorm: clipNorm ?? file.clipNorm,
      beta: beta ?? file.beta ?? 1, epochs: epochs ?? file.epochs ?? (steps == nil ? Self.defaultEpochs : nil),
      steps: steps, augmentation: augment ?? file.augmentation, corruption: corrupt ?? file.corruption,
      importanceSamples: importanceSamples ?? file.importanceSamples)
    (recipe.patience, recipe.minDelta) = (patience, minDelta ?? file.minDelta)
    recipe.monitor = monitor ?? file.monitor
    (recipe.schedule, recipe.warmup) = (schedule ?? file.schedule, warmup ?? file.warmup)
    recipe.betaWarmup = betaWarmup ?? file.betaWarmup
    recipe.overfitBatches = overfitBatches ?? file.overfitBatches
    recipe.start = Self.file(startFrom).map { [Start(path: $0)] } ?? file.start
    // Other images may be of other classes.
    recipe.classes = data == nil ? file.classes : nil
    guard minDelta == nil || patience != nil else {
      throw ValidationError("--min-delta: wanted a --patience too, found none")
    }
    if let refusal = updates.refusal(for: recipe.optimizer) { throw ValidationError(refusal) }
    (recipe.ema, recipe.freeBits) = (ema ?? file.ema, freeBits ?? file.freeBits)
    if let freeBits, !model.isVariational {
      throw ValidationError(
        "--free-bits: wanted a model with a Gaussian latent, found \(model.name) and \(freeBits)")
    }
    if monitor == .validation, recipe.validation == nil {
      throw ValidationError("--monitor: wanted images to evaluate with --validation or --holdout, found none")
    }
    // Flags were checked one by one; what is left comes of the file, or of flags that the model does not go with.
    if let refusal = recipe.refusal {
      if file.path.isEmpty { throw ValidationError(refusal) }
      throw DataError(path: file.path, reason: refusal)
    }
    try recipe.fixTerms()
    return recipe
  }

  /// The images named by --validation, prepared as those trained on but all of them; else those of the file; else what
  /// was held out.
  private func validation(for data: DataSource, _ file: Configuration.Images?) throws(DataError) -> DataSource? {
    let named = validation ?? file?.path
    if validation == nil, let file, file.split != nil || file.preparation != nil {
      return DataSource(
        path: Self.file(file.path), split: file.split ?? .test, preparation: file.preparation, codes: data.codes,
        inputs: Self.file(file.inputs))
    }
    guard let path = Self.file(named) else {
      guard data.preparation?.holdout != nil, data.split == .train else { return nil }
      return DataSource(
        path: data.path, split: .test, preparation: data.preparation, codes: data.codes, inputs: data.inputs)
    }
    let isSame = path == data.path
    return DataSource(
      path: path, split: try Dataset.parts(at: path).contains(.validation) ? .validation : .test,
      preparation: isSame ? data.preparation : data.preparation?.forOtherImages,
      codes: data.codes, inputs: isSame ? data.inputs : nil)
  }

  /// The path from the root, so that a run can be resumed from any folder.
  static func file(_ path: String?) -> String? {
    path.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
  }

  /// Refuses flags that contradict the recipe of a run.
  ///
  /// - Parameter mayMove: whether images may have another path, which their digests then have to prove.
  func check(against recipe: Recipe, path: String, mayMove: Bool = false) throws {
    func same<T: Equatable>(_ flag: String, _ given: T?, _ wanted: T, _ name: (T) -> String = { "\($0)" }) throws {
      guard let given, given != wanted else { return }
      throw ValidationError(
        "\(flag): wanted \(name(wanted)), with which the run \(path) was made, found \(name(given)); a resumed run "
          + "keeps its recipe, so leave the flag out or begin a new run")
    }
    if let model {
      let given = try resolveModel(model, flag: "--model")
      let isSame = JSONText.line(given) == JSONText.line(recipe.model)
      try same("--model", isSame ? recipe.model.name : model, recipe.model.name)
      if !isSame {
        throw ValidationError("--model: wanted the model of the run \(path), found another one of the same name")
      }
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
    try same("--corrupt", corrupt.map(Optional.some), recipe.corruption) { $0?.rawValue ?? "none" }
    try same("--augment", augment.map(Optional.some), recipe.augmentation) { $0?.rawValue ?? "none" }
    try same("--split", split, recipe.data.split) { $0.rawValue }
    try same("--batch-size", batchSize, recipe.batchSize)
    try same("--accumulate", accumulate, recipe.accumulate)
    try same("--learning-rate", learningRate, recipe.optimizer.learningRate)
    try same("--optimizer", optimizer, recipe.optimizer.kind) { $0.rawValue }
    try same("--momentum", updates.momentum, recipe.optimizer.momentum)
    try same("--nesterov", updates.nesterov ? true : nil, recipe.optimizer.nesterov)
    try same("--weight-decay", updates.weightDecay, recipe.optimizer.weightDecay)
    try same("--weight-l1", updates.weightL1, recipe.optimizer.weightL1)
    try same("--clip-norm", clipNorm.map(Optional.some), recipe.clipNorm) { $0.map { "\($0)" } ?? "none" }
    try same("--beta", beta, recipe.beta)
    try same("--ema", ema.map(Optional.some), recipe.ema) { $0.map { "\($0)" } ?? "none" }
    try same("--free-bits", freeBits.map(Optional.some), recipe.freeBits) { $0.map { "\($0)" } ?? "none" }
    try same("--importance-samples", importanceSamples.map(Optional.some), recipe.importanceSamples) {
      $0.map { "\($0)" } ?? "none"
    }
    try same("--seed", seed, recipe.seed)
    try same("--schedule", schedule, recipe.schedule ?? .constant) { $0.rawValue }
    try same("--warmup", warmup.map(Optional.some), recipe.warmup) { $0?.rawValue ?? "none" }
    try same("--beta-warmup", betaWarmup.map(Optional.some), recipe.betaWarmup) { $0?.rawValue ?? "none" }
    try same("--monitor", monitor, recipe.monitored) { $0.rawValue }
    try same("--overfit-batches", overfitBatches.map(Optional.some), recipe.overfitBatches) {
      $0.map { "\($0)" } ?? "none"
    }
    try same("--shards", shards, recipe.shards)
    try same("--start-from", Self.file(startFrom), recipe.start?.first?.path ?? "none")
  }

  /// The recipe with the end that was asked for, and with images where they are said to be now.
  func extended(_ old: Recipe) -> Recipe {
    var recipe = old
    if let path = Self.file(data) {
      recipe.data.path = path
      if old.validation?.path == old.data.path { recipe.validation?.path = path }
    }
    if let path = Self.file(validation) { recipe.validation?.path = path }
    recipe.patience = patience ?? recipe.patience
    recipe.minDelta = minDelta ?? recipe.minDelta
    guard epochs != nil || steps != nil else { return recipe }
    (recipe.epochs, recipe.steps) = (epochs, steps)
    return recipe
  }

  /// Refuses an end that comes before the one asked for earlier.
  func checkExtension(from old: Recipe, of trainer: Trainer, path: String) throws {
    let (wanted, found) = (trainer.lastStep(by: old), trainer.lastStep)
    let flags = [epochs.map { "--epochs \($0)" }, steps.map { "--steps \($0)" }].compactMap(\.self)
    guard found < wanted else { return }
    throw ValidationError(
      "\(flags.joined(separator: " ")): wanted an end at step \(wanted) or later, which the run \(path) was to reach, "
        + "found step \(found); epochs and steps count from the beginning of the run")
  }
}
