import Foundation
import HourglassModels
import TestSupport
import Testing

/// The models that have a name.
@Suite struct PresetTests {
  /// Parameters and training flops a sample of the PyTorch twins, from their layer tables.
  @Test(arguments: twins) func aPresetIsAsLargeAsItsPyTorchTwin(_ name: String, _ parameters: Int, _ flops: Int) throws
  {
    let summary = ModelSummary(try ExecutionPlan(try #require(ModelCatalog.model(name)), batchSize: 8))
    #expect(summary.parameters == parameters)
    #expect(summary.trainingFlops == flops)
  }

  private static let twins: [(String, Int, Int)] = [
    ("conv-ae-28", 456_737, 35_223_552),
    ("conv-dae-28", 456_737, 35_223_552),
    ("conv-ae-unpool-28", 442_177, 48_018_432),
    ("conv-vae-28", 1_691_369, 29_997_056),
    ("conv-ae-32", 785_187, 90_832_896),
    ("conv-vae-64", 2_957_251, 327_155_712),
    ("deep-ae", 2_837_314, 15_430_000),
    ("conv-tied-ae-28", 237_313, 22_679_552),
    ("sparse-ae", 1_569_784, 7_840_000),
    ("contractive-ae", 785_784, 7_840_000),
    ("conv-wae-28", 1_680_073, 29_929_472),
    // Each layer goes forward twice, and the weight's gradient has two terms.
    ("rbm-500", 393_284, 4_704_000),
    ("dense-vae", 425_284, 2_228_000),
  ]

  @Test func theCatalogHasThePresets() {
    #expect(
      ModelCatalog.models.map(\.name) == [
        "conv-ae-28", "conv-dae-28", "conv-ae-unpool-28", "conv-vae-28", "conv-ae-32", "conv-vae-64", "deep-ae",
        "conv-tied-ae-28", "sparse-ae", "contractive-ae", "conv-wae-28", "rbm-500",
        "dense-vae",
      ])
    #expect(ModelCatalog.model("conv-ae-27") == nil)
  }

  /// Each `// 14 x 14 x 32` behind a layer in Presets/ is what the summary prints for that layer.
  @Test func shapeCommentsAreTrue() throws {
    var compared = 0
    let files = [
      "ConvAutoencoder", "ConvVAE", "TiedAutoencoder", "PenalizedAutoencoders", "RestrictedBoltzmannMachine",
    ]
    for file in files {
      for (name, lines) in try Self.models(in: file) {
        let model = try #require(ModelCatalog.model(name))
        let items = model.encoder + [model.latent] + model.decoder
        try #require(lines.count == items.count, "\(name): a layer a line")
        let rows = ModelSummary(try ExecutionPlan(model, batchSize: 8)).rows
        let places =
          model.encoder.indices.map { "encoder.\($0)" } + ["latent"] + model.decoder.indices.map { "decoder.\($0)" }
        for (place, line) in zip(places, lines) {
          guard let comment = line.components(separatedBy: "  // ").dropFirst().first else { continue }
          // A Reshape is no row of its own: it gives the Dense before it a shape.
          let index = Int(place.drop { $0 != "." }.dropFirst()) ?? 0
          let row =
            rows.last { $0.name == place } ?? rows.last { $0.name == "decoder.\(index - 1)" }
          let claimed = comment.components(separatedBy: "-> ").last!.components(separatedBy: " (")[0]
          #expect(row?.output.description == claimed, "\(name) \(place): \(line)")
          compared += 1
        }
      }
    }
    #expect(compared > 25)
  }

  /// The lines with layers of each model in a file of Presets/.
  private static func models(in file: String) throws -> [(name: String, layers: [String])] {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/HourglassModels/Presets/\(file).swift").standardized
    var models: [(name: String, layers: [String])] = []
    var isInside = false
    for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
      // The name stands in this line, or in the next with what else there is beside the layers.
      if line.contains("= Autoencoder(") {
        models.append(("", []))
        isInside = true
      }
      isInside = isInside && line != "}"
      if models.last?.name.isEmpty == true {
        let parts = line.split(separator: "\"")
        if parts.count > 1 { models[models.count - 1].name = String(parts[1]) }
      } else if isInside && line.hasPrefix("  ") && !line.hasPrefix("  penalty:") {
        models[models.count - 1].layers.append(String(line))
      }
    }
    return models
  }
}
