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
    ("res-ae-32", 1_042_243, 170_655_744),
    ("unet-dae-64", 386_675, 430_964_736),
  ]

  @Test(arguments: [
    ("conv-ae-28", nil), ("rbm-500", nil), ("conv-vae-28", "KL divergence"), ("sparse-ae", "activity penalty"),
    ("contractive-ae", "contractive penalty"), ("conv-wae-28", "MMD penalty"),
  ])
  func aModelNamesTheSecondTermOfItsLoss(_ name: String, _ term: String?) throws {
    #expect(try #require(ModelCatalog.model(name)).terms.first?.name == term)
  }

  @Test func theCatalogHasThePresets() {
    #expect(
      ModelCatalog.models.map(\.name) == [
        "conv-ae-28", "conv-dae-28", "conv-ae-unpool-28", "conv-vae-28", "conv-ae-32", "conv-vae-64", "deep-ae",
        "conv-tied-ae-28", "sparse-ae", "contractive-ae", "conv-wae-28", "rbm-500",
        "dense-vae", "res-ae-32", "unet-dae-64",
      ])
    #expect(ModelCatalog.model("conv-ae-27") == nil)
  }

  /// Each `// 14 x 14 x 32` behind a layer in Presets/ is what the summary prints for that layer.
  @Test func shapeCommentsAreTrue() throws {
    var compared = 0
    let files = [
      "ConvAutoencoder", "ConvVAE", "TiedAutoencoder", "PenalizedAutoencoders", "RestrictedBoltzmannMachine",
      "BranchedAutoencoders",
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

  /// At the sizes of the presets with a number, layers and all are theirs.
  @Test(arguments: [
    ("conv-ae@28x28x1", "conv-ae-28"), ("conv-ae@32x32x3", "conv-ae-32"), ("conv-dae@28x28x1", "conv-dae-28"),
    ("conv-tied-ae@28x28x1", "conv-tied-ae-28"), ("conv-vae@64x64x3", "conv-vae-64"), ("deep-ae@28x28x1", "deep-ae"),
    ("sparse-ae@28x28x1", "sparse-ae"), ("contractive-ae@28x28x1", "contractive-ae"), ("rbm-500@28x28x1", "rbm-500"),
    ("dense-vae@28x28x1", "dense-vae"),
  ])
  func aSizedPresetIsThePresetOfThatSize(_ text: String, _ name: String) throws {
    var model = try #require(try Autoencoder.preset(sizedBy: text))
    #expect(model.name == text)
    model.name = name
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(try encoder.encode(model) == encoder.encode(try #require(ModelCatalog.model(name))))
  }

  /// Every preset at sizes that halve evenly or not, of one axis alone, of any number of channels.
  @Test(arguments: ["128x96x3", "100x75x1", "13x29x4", "7x5x1", "2x1x1", "256x1x1", "1x300x2", "9x64x3"])
  func presetsTakeAnySizeAndHalveItUntilItIsSmall(_ size: String) throws {
    for name in Autoencoder.sizedPresets {
      let model = try #require(try Autoencoder.preset(sizedBy: "\(name)@\(size)"))
      let plan = try ExecutionPlan(model, batchSize: 2)
      let input = model.input
      #expect("\(input.height)x\(input.width)x\(input.channels)" == size)
      #expect(plan.outputShape.count == input.count)
      guard name.hasPrefix("conv") else { continue }
      let smallest = try #require(
        plan.values[..<plan.code].last { !$0.shape.isVector || $0.shape == input })
      for (small, large) in [(smallest.shape.height, input.height), (smallest.shape.width, input.width)] {
        #expect(small < 8 && small >= min(4, (large + 1) / 2), "\(name)@\(size): \(smallest.shape)")
      }
    }
  }

  /// What stands behind the size takes the place of the preset's output and likelihood.
  @Test func aSizedPresetTakesAnOutputAndALikelihood() throws {
    for name in Autoencoder.sizedPresets where name != "rbm-500" {
      for (words, likelihood, output) in [
        ("linear", nil, Activation.linear), ("bernoulli", .bernoulli, .linear),
        ("ssim", .ssim, .sigmoid), ("huber,linear", .huber, .linear),
        ("poisson", .poisson, .linear), ("logCosh", .logCosh, .sigmoid),
      ] as [(String, Likelihood?, Activation)] {
        let base = try #require(try Autoencoder.preset(sizedBy: "\(name)@16x12x3"))
        guard base.likelihood != .bernoulli || output == .linear else { continue }
        let model = try #require(try Autoencoder.preset(sizedBy: "\(name)@16x12x3,\(words)"))
        let plan = try ExecutionPlan(model, batchSize: 2)
        #expect(plan.values[plan.output].activation == output, "\(model.name)")
        #expect(model.likelihood == likelihood ?? base.likelihood)
      }
    }
  }

  @Test(arguments: [
    ("conv-vae@128x96", "height x width x channels"), ("conv-vae@0x96x3", "0x96x3"), ("conv-vae@axbxc", "axbxc"),
    ("conv-xyz@8x8x1", "conv-ae, conv-dae"), ("conv-ae@1x1x256", "256-64-16"), ("conv-vae-28@64x64x1", "conv-vae,"),
  ])
  func aSizeThatIsNoneIsRefused(_ text: String, _ mentions: String) throws {
    let error = try #require(throws: ModelError.self) { _ = try Autoencoder.preset(sizedBy: text) }
    #expect(error.description.contains(mentions), "\(error)")
    #expect(try Autoencoder.preset(sizedBy: "conv-vae")?.name == nil)
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
