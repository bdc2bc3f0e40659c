import ArgumentParser
import HourglassModels
import HourglassTraining

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the models that have a name.",
    discussion: """
      Example:
        hourglass models
      """)

  func run() throws {
    let rows = try ModelCatalog.models.map { model in
      let plan = try ExecutionPlan(model, batchSize: 2)
      let training = model.objective?.summary ?? model.penalties.first.map { type(of: $0).kind }
      return [
        model.name, "\(model.input)", model.isVariational ? "variational" : training ?? "plain",
        "code \(plan.codeShape)", model.likelihood.name,
        "\(grouped(ModelSummary(plan).parameters)) parameters",
      ]
    }
    StandardOutput.write(table: rows, rightAligned: [5])
    StandardOutput.write("")
    StandardOutput.write(
      "of any size, height x width x channels, as conv-vae@128x96x3: "
        + Autoencoder.sizedPresets.map { "\($0)@HxWxC" }.joined(separator: ", "))
  }
}
