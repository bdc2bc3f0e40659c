import ArgumentParser
import HourglassData
import HourglassModels
import HourglassTraining

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a run of weights from elsewhere, such as PyTorch's.",
    discussion: """
      The weights are those of the model under PyTorch's names and shapes, as `hourglass export` writes them: a \
      state_dict saved by safetensors.torch.save_file, or arrays saved by np.savez, all of 32-bit floats. The run \
      stands before its first step: evaluate, encode and the other commands use it as any run, and `hourglass train \
      --run DIR --resume` fine-tunes it by the recipe that the flags here give.

      Example:
        hourglass import --weights vae.safetensors --model conv-vae-28 --data fashion-mnist --run runs/imported
        hourglass evaluate --run runs/imported
        hourglass train --run runs/imported --resume
      """)

  @Option(
    help: ArgumentHelp("Read the weights from this file.", valueName: "file.safetensors|file.npz"),
    completion: .file(extensions: ["safetensors", "npz"]))
  var weights: String

  @Option(
    name: .customLong("run"), help: ArgumentHelp("The folder of the run to make.", valueName: "dir"), completion: .runs)
  var folder: String

  @OptionGroup(title: "What decides the result of further training") var named: ModelFlags

  @OptionGroup(title: "What decides the result of further training") var flags: RecipeFlags

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  /// What `--json` prints.
  private struct Imported: Encodable {
    var run: String
    var model: String
    var weightsHash: String
  }

  func run() throws {
    var recipe = try flags.recipe(try flags.configuration(), model: named.model)
    if let refusal = try RunFolder(folder).refusal() { throw ValidationError("--run: \(refusal)") }
    let plan = try recipe.plan()
    let parameters = try WeightsFile.read(weights, plan: plan)
    if let standardization = try WeightsFile.standardization(weights) {
      var preparation = recipe.data.preparation ?? Preparation()
      (preparation.standardizes, preparation.standardization) = (true, standardization)
      recipe.data.preparation = preparation
      if let refusal = recipe.refusal { throw DataError(path: weights, reason: refusal) }
    } else if recipe.data.preparation?.standardizes == true {
      try recipe.settle(on: try recipe.data.open(for: recipe.model, seed: recipe.seed))
    }
    let checkpoint = Checkpoint(
      startingFrom: parameters, plan: plan, optimizer: recipe.optimizer, hasAverage: recipe.ema != nil)
    let session = RunEnvironment(ParallelPlan(shards: recipe.shards))
    try RunFolder(folder).create(recipe, session: session) { try $0.write(checkpoint, isBest: false) }
    if json {
      let imported = Imported(run: folder, model: recipe.model.name, weightsHash: checkpoint.weightsHash)
      return StandardOutput.write(json: imported)
    }
    StandardOutput.write(table: [
      ["model", recipe.model.name], ["weights", checkpoint.weightsHash], ["run", folder],
      ["go on with", "hourglass train --run \(folder) --resume"],
    ])
  }
}
