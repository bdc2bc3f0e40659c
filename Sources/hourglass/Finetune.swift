import ArgumentParser
import HourglassData
import HourglassModels
import HourglassTraining

struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Teaches a trained encoder the labels of its images.",
    discussion: """
      Behind the code of a run's model comes a linear layer with a logit for each class, or with one number \
      (--regression). This layer is trained alone first, on the codes (--head-epochs), and then all layers together \
      (--epochs and the other flags). A model that puts out labels by itself keeps its layers behind the code. Images \
      and seed are the run's where no flag says otherwise: --limit 1000 takes 1000 of its images with their labels. \
      `hourglass evaluate` shows error rate and confusion matrix.

      Examples:
        hourglass finetune --from runs/stacked --epochs 30 --run runs/digits
        hourglass finetune --from runs/stacked --limit 1000 --validation mnist --run runs/few
      """)

  @Option(help: ArgumentHelp("The folder of the run whose encoder is taken.", valueName: "dir"), completion: .runs)
  var from: String?

  @Option(help: "How many passes over the codes the last layer learns alone. (default: 5)")
  var headEpochs: Int?

  @Option(help: "How many classes to tell apart. (default: as many as the labels have)")
  var classes: Int?

  @Flag(help: "Learn labels as numbers, by their squared error.")
  var regression = false

  @OptionGroup(title: "What decides the result") var flags: RecipeFlags

  @OptionGroup(title: "What decides the speed") var division: DivisionOptions

  @OptionGroup(title: "The session") var session: SessionOptions

  func validate() throws {
    try requirePositive("--head-epochs", headEpochs)
    if session.resume == (from != nil) {
      throw ValidationError("wanted one of --from DIR and --resume, found \(session.resume ? "both" : "neither")")
    }
    if session.resume, headEpochs != nil || classes != nil || regression {
      throw ValidationError(
        "--head-epochs, --classes, --regression: wanted none with --resume, for a resumed run keeps its recipe, "
          + "found one")
    }
    if session.resume { try flags.check(resuming: true) }
    if let classes, classes < 2 { throw ValidationError("--classes: wanted at least 2, found \(classes)") }
    if regression && classes != nil { throw ValidationError("wanted one of --classes and --regression, found both") }
  }

  mutating func run() throws {
    let file = try Processes.together {
      let file = try flags.configuration()
      try division.adopt(file)
      try session.adopt(file)
      return file
    }
    let training = StagedTraining(session: session, division: division)
    guard !session.resume, let from else { return try training.resume(flags) }
    try training.begin { try begin(from, file) }
  }

  private func begin(_ from: String, _ file: Configuration) throws -> StagedRun {
    let (source, trained) = try RunFolder.open(from)
    guard try source.hasCheckpoint() else {
      throw DataError(path: from, reason: "wanted a run with a checkpoint to take the encoder of, found none")
    }
    var recipe = try flags.recipe(file.following(trained))
    let data = try recipe.data.open(for: recipe.model, seed: recipe.seed, memory: session.memoryForImages)
    recipe.model = try withHead(recipe.model, for: data)
    // A head that stays puts out the classes that it has learned.
    if JSONText.line(recipe.model) == JSONText.line(trained.model) { recipe.classes = trained.classes }
    try recipe.settle(on: data)
    try recipe.matched(data).checkTargets(for: try ExecutionPlan(recipe.model, batchSize: 1))
    let path = try session.newPath(recipe.model.name)
    return try StagedRun.finetuning(
      path, recipe: recipe, from: from, headEpochs: headEpochs ?? Self.defaultHeadEpochs)
  }

  private static let defaultHeadEpochs = 5

  /// The run's model where it puts out the labels that are wanted, else with a layer for them.
  private func withHead(_ model: Autoencoder, for data: Dataset) throws -> Autoencoder {
    if regression { return model.likelihood == .labelSquaredError ? model : model.regressor() }
    if model.likelihood.target == .label, classes == nil { return model }
    // Images without labels are refused by the caller, whatever the number.
    return model.classifier(classes: try classes ?? max(2, data.classCount() ?? 0))
  }
}
