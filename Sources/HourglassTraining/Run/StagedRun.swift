import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels

/// A run that begins with stages, ordinary runs that are trained one after the other before it:
///
///     RUN/stages/1, 2, ...   each with recipe, metrics, checkpoints; its images are the codes of a run before it
///     RUN                    the whole model; its recipe says which weights it takes of which run
///
/// A stage trains only its own layers, so all others stay as they are to the bit. Each goes on from its checkpoint as
/// any run does, so a program that was stopped opens the folder and does this again:
///
///     for stage in staged.stages { _ = try stage.trainer(parallel: parallel).run() }
///     _ = try staged.trainer(parallel: parallel).run()
public struct StagedRun: Sendable {
  /// The folder of the whole run.
  public let run: RunFolder
  /// The recipe of the whole model.
  public let recipe: Recipe
  /// The stages, in the order in which they are to be trained.
  public let stages: [Stage]
  /// Whether the run learns labels behind codes that are there, and is trained as a whole once its stages are done.
  /// Otherwise it is pre-trained, and its stages are all there is.
  public var isFinetuning: Bool { stages.first.map { $0.recipe.data.codes != recipe.data.codes } ?? false }

  /// A run before the whole one, which trains a part of the layers.
  public struct Stage: Sendable {
    /// The folder of the stage.
    public let run: RunFolder
    /// The recipe of the stage, whose model is a part of the whole one.
    public let recipe: Recipe

    /// The trainer of the stage, at its last checkpoint or, where it has none, at its start. The stages before it must
    /// be done.
    ///
    /// - Parameter transport: of the processes that train together, see `Trainer`.
    public func trainer(
      parallel: ParallelPlan, acceptsChangedData: Bool = false, memory: Int = GrantedMemory.forImages,
      transport: (any Transport)? = nil
    ) throws -> Trainer {
      // The codes of the stage before are read once position 0 has written its last checkpoint.
      _ = transport?.gather("")
      let isFirst = transport?.place.isFirst ?? true
      return try Trainer(
        recipe, parallel: parallel, run: isFirst ? run : nil, resume: isFirst, acceptsChangedData: acceptsChangedData,
        memory: memory, transport: transport)
    }
  }

  /// Begins greedy layer-wise pre-training of the recipe's model, see `Autoencoder.pretrainingStages`.
  ///
  /// The recipe holds for every stage, from epochs to corruption; only augmentation, which changes images, is of use in
  /// the first stage alone.
  ///
  /// Errors: the model has no stages; a stage cannot be trained by the recipe; the folder exists.
  ///
  /// - Parameter objective: the objective of each stage; nil for that of the model.
  public static func pretraining(_ path: String, recipe: Recipe, objective: Objective? = nil) throws -> StagedRun {
    let stages = try recipe.model.pretrainingStages(objective: objective)
    let root = RunFolder(absolute(path))
    var (whole, starts, recipes) = (recipe, recipe.start ?? [], [Recipe]())
    for (index, stage) in stages.enumerated() {
      var own = recipe
      own.train(stage.model)
      if index > 0 {
        own.readCodes(of: root.stage(index))
        own.augmentation = nil
      }
      recipes.append(own)
      starts.append(Start(path: root.stage(index + 1), layers: stage.layers))
    }
    whole.start = starts
    return try create(path, whole, recipes)
  }

  /// Begins supervised training: first the layers behind the code alone are trained, on the codes of a run, then all
  /// layers.
  ///
  /// Errors: a model without a layer behind the code; a stage that nobody can train by the recipe; a folder that
  /// exists.
  ///
  /// - Parameters:
  ///   - recipe: the recipe of all layers. Its model puts out labels and has the encoder of the run.
  ///   - from: the folder of the run.
  ///   - headEpochs: passes over the codes.
  public static func finetuning(
    _ path: String, recipe: Recipe, from: String, headEpochs: Int
  ) throws -> StagedRun {
    let (from, head) = (absolute(from), try recipe.model.headStage())
    var (whole, own) = (recipe, recipe)
    own.train(head.model)
    own.readCodes(of: from)
    (own.epochs, own.steps, own.patience, own.minDelta) = (headEpochs, nil, nil, nil)
    (own.augmentation, own.corruption) = (nil, nil)
    whole.start = [Start(path: from), Start(path: RunFolder(absolute(path)).stage(1), layers: head.layers)]
    return try create(path, whole, [own])
  }

  /// The path from the root, so that a run can go on from any folder.
  private static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

  private static func create(_ path: String, _ recipe: Recipe, _ stages: [Recipe]) throws -> StagedRun {
    for recipe in [recipe] + stages {
      if let refusal = recipe.refusal { throw ModelError(recipe.model.name, refusal) }
    }
    let run = RunFolder(path)
    try run.create(recipe) { whole in
      for (index, stage) in stages.enumerated() { try RunFolder(whole.stage(index + 1)).begin(stage) }
    }
    return try StagedRun(run, recipe)
  }

  /// Opens a run that was begun earlier, to go on with it.
  ///
  /// Errors: there is no such run; another process has its lock.
  public static func open(_ path: String) throws(DataError) -> StagedRun {
    let (run, recipe) = try RunFolder.open(path, locked: true)
    return try StagedRun(run, recipe)
  }

  /// A run that position 0 has begun or opened, for another process that trains with it.
  ///
  /// - Parameter recipes: of the whole model, and of the stages.
  public init(_ path: String, following recipes: [Recipe]) {
    (run, recipe) = (RunFolder(path), recipes[0])
    stages = recipes.dropFirst().enumerated().map { [run] in Stage(run: RunFolder(run.stage($0 + 1)), recipe: $1) }
  }

  private init(_ run: RunFolder, _ recipe: Recipe) throws(DataError) {
    guard try run.hasStages() else {
      throw DataError(path: run.path, reason: "wanted a run that pretrain or finetune began, found one without stages")
    }
    var stages: [Stage] = []
    while try InputFile.isThere(run.stage(stages.count + 1)) {
      let stage = try RunFolder.open(run.stage(stages.count + 1))
      stages.append(Stage(run: stage.run, recipe: stage.recipe))
    }
    (self.run, self.recipe, self.stages) = (run, recipe, stages)
  }

  /// The trainer of the whole model once all stages are done: at its last checkpoint or at its start, of which it
  /// writes a checkpoint then.
  ///
  /// - Parameter transport: of the processes that train together, see `Trainer`.
  public func trainer(
    parallel: ParallelPlan, acceptsChangedData: Bool = false, memory: Int = GrantedMemory.forImages,
    transport: (any Transport)? = nil
  ) throws -> Trainer {
    let trainer = try Stage(run: run, recipe: recipe).trainer(
      parallel: parallel, acceptsChangedData: acceptsChangedData, memory: memory, transport: transport)
    try trainer.saveStart()
    return trainer
  }
}

extension Recipe {
  /// Takes the model of a stage in place of the whole, from the seed, without settings that such a model cannot have.
  fileprivate mutating func train(_ model: Autoencoder) {
    (self.model, start) = (model, nil)
    let plain = Recipe(model: model)
    for setting in Setting.all where !setting.fits(model) { setting.copy(plain, &self) }
  }

  /// Takes the codes that a run makes of the images in place of the images.
  fileprivate mutating func readCodes(of run: String) {
    data.codes = run
    validation?.codes = run
  }
}
