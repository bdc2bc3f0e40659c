import ArgumentParser
import HourglassModels

/// Times Hourglass on the machine at hand.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure whole training steps and single layers.",
    subcommands: [StepBenchmark.self, LayerBenchmark.self], defaultSubcommand: StepBenchmark.self)
}

/// A model by its name.
func model(named name: String) throws -> Autoencoder {
  guard let model = ModelCatalog.model(name) else {
    let known = ModelCatalog.models.map(\.name).joined(separator: ", ")
    throw ValidationError("--model: wanted one of \(known), found \(name)")
  }
  return model
}
