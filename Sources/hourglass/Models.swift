import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the models that have a name, or the model files of a folder.",
    discussion: """
      Examples:
        hourglass models --describe
        hourglass models examples/models
      """)

  @Argument(
    help: "List the model files (.json) of this folder in place of the models that have a name.", completion: .directory
  )
  var folder: String?

  @Flag(help: "Say of each model what it is and where it comes from.")
  var describe = false

  func run() throws {
    let listed = try folder.map(files) ?? ModelCatalog.presets.map { ($0.model, [$0.summary, Self.words($0.source)]) }
    let rows = try listed.map { model, _ in try cells(model) }
    if describe {
      for (row, (_, words)) in zip(rows, listed) {
        StandardOutput.write(row[0])
        for line in [row.dropFirst().joined(separator: ", ")] + words { StandardOutput.write("  " + line) }
      }
    } else {
      StandardOutput.write(table: rows, rightAligned: [5])
    }
    guard folder == nil else { return }
    StandardOutput.write("")
    StandardOutput.write(
      "of any size, height x width x channels, as conv-vae@128x96x3: "
        + Autoencoder.sizedPresets.map { "\($0)@HxWxC" }.joined(separator: ", "))
  }

  private static func words(_ source: String) -> String { "Source: \(source)." }

  private func cells(_ model: Autoencoder) throws -> [String] {
    let plan = try ExecutionPlan(model, batchSize: 2)
    let training = model.objective?.summary ?? model.penalties.first.map { type(of: $0).kind }
    return [
      model.name, "\(model.input)", model.isVariational ? "variational" : training ?? "plain",
      "code \(plan.codeShape)", model.likelihood.name,
      "\(grouped(ModelSummary(plan).parameters)) parameters",
    ]
  }

  /// The model files of a folder by name, each with what it says of its source.
  private func files(_ folder: String) throws -> [(Autoencoder, [String])] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
      throw DataError(path: folder, reason: "wanted a folder of model files, found none that can be read")
    }
    let files = names.filter { $0.hasSuffix(".json") }.sorted()
    guard !files.isEmpty else { throw DataError(path: folder, reason: "wanted model files (.json), found none") }
    return try files.map { file in
      let model = try resolveModel(folder + "/" + file, flag: "FOLDER")
      return (model, model.source.map { [Self.words($0)] } ?? [])
    }
  }
}
