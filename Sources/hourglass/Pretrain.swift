import ArgumentParser
import HourglassData
import HourglassModels
import HourglassTraining

extension Objective: ExpressibleByArgument {
  public init?(argument: String) { self.init(describedBy: argument) }
}

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model's layers one by one, each as an autoencoder of the codes below.",
    discussion: """
      Each dense or convolutional layer of the encoder is trained as an autoencoder of its own, whose input are the \
      codes of the layers below, which stay as they are; its decoder is dropped, or kept where the model's decoder \
      mirrors the encoder. The flags hold for each stage: --epochs 15 is 15 passes for each. Stages are runs \
      themselves, in the folders stages/1, 2, ... of the run, which in the end holds the whole model before its first \
      step: finetune --from DIR teaches it labels, train --run DIR --resume trains all layers of an autoencoder. \
      A pretraining that was stopped goes on with --run DIR --resume, to the same bits.

      Examples:
        hourglass pretrain --model 784-1000-1000-1000-10,sigmoid,categorical \\
          --data mnist --corrupt mask:0.25 --epochs 15 --run runs/stacked
        hourglass finetune --from runs/stacked --epochs 30 --run runs/digits
        hourglass pretrain --model 784-500-500-10,sigmoid,categorical --objective cd:1 --run runs/belief
      """)

  @Option(
    help: ArgumentHelp(
      "Train each stage as a restricted Boltzmann machine. cd:K: by K steps of contrastive divergence from the image. "
        + "pcd:K: by K steps of persistent chains. Without a number: by one step.", valueName: "cd:K|pcd:K"))
  var objective: Objective?

  @OptionGroup(title: "What decides the result") var start: StartFlags

  @OptionGroup(title: "What decides the result") var flags: RecipeFlags

  @OptionGroup(title: "What decides the speed") var division: DivisionOptions

  @OptionGroup(title: "The session") var session: SessionOptions

  func validate() throws {
    try flags.check(resuming: session.resume, model: start.model)
    if session.resume && objective != nil {
      throw ValidationError("--objective: wanted none with --resume, for a resumed run keeps its recipe, found one")
    }
  }

  mutating func run() throws {
    let file = try Processes.together {
      let file = try flags.configuration(ofStages: true)
      try division.adopt(file)
      try session.adopt(file)
      return file
    }
    let training = StagedTraining(session: session, division: division)
    if session.resume { return try training.resume(flags, start) }
    try training.begin {
      var recipe = try flags.recipe(file, model: start.model, startFrom: start.startFrom)
      let path = try session.newPath(recipe.model.name)
      let objective = try objective ?? file.stageObjective()
      try recipe.settle(
        on: try recipe.data.open(for: recipe.model, seed: recipe.seed, memory: session.memoryForImages))
      return try StagedRun.pretraining(path, recipe: recipe, objective: objective)
    }
  }
}
