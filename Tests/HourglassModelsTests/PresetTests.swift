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
    ("deep-ae", deepParameters, deepFlops),
    ("conv-tied-ae-28", tiedParameters, tiedFlops),
  ]
  private static let deepProducts = 2 * (784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30)
  private static let deepParameters = deepProducts + 2 * (1000 + 500 + 250) + 30 + 784
  private static let deepFlops = 2 * (3 * deepProducts - 784 * 1000)
  /// Multiply-adds of one pass through the encoder: 14 x 14 places of a 4 x 4 filter to 32, 7 x 7 of 512 to 64, dense.
  private static let tiedProducts = 196 * 16 * 32 + 49 * 512 * 64 + 3136 * 64
  /// Filters and weights once, 512 + 32768 + 200704; biases of encoder, code and decoder.
  private static let tiedParameters = 233_984 + 32 + 64 + 64 + 3136 + 32 + 1
  /// Three passes of encoder and decoder, but no data gradient of the first layer.
  private static let tiedFlops = 2 * (6 * tiedProducts - 100_352)

  @Test func theCatalogHasThePresets() {
    #expect(
      ModelCatalog.models.map(\.name) == [
        "conv-ae-28", "conv-dae-28", "conv-ae-unpool-28", "conv-vae-28", "conv-ae-32", "conv-vae-64", "deep-ae",
        "conv-tied-ae-28",
      ])
    #expect(ModelCatalog.model("conv-ae-27") == nil)
  }

  /// Each `// 14 x 14 x 32` behind a layer in Presets/ is what the summary prints for that layer.
  @Test func shapeCommentsAreTrue() throws {
    var compared = 0
    for file in ["ConvAutoencoder", "ConvVAE", "TiedAutoencoder"] {
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
    for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
      if line.contains("= Autoencoder(\"") {
        models.append((String(line.split(separator: "\"")[1]), []))
      } else if line.hasPrefix("  ") {
        models[models.count - 1].layers.append(String(line))
      }
    }
    return models
  }
}
