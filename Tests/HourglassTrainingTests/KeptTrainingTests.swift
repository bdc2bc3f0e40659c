import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// What a run keeps of the images that it was trained on is what they would give.
@Suite struct KeptTrainingTests {
  private static func trained(_ model: Autoencoder, _ folder: String) throws -> (run: RunFolder, trainer: Trainer) {
    let path = folder + "/images.npy"
    try NPYFile.write(TestImages.waves(step: 0, samples: 20, shape: model.input), shape: [20, 8, 8, 1], to: path)
    var preparation = Preparation()
    preparation.limit = 7
    let recipe = Recipe(
      model: model, data: DataSource(path: path, preparation: preparation), batchSize: 6, shards: 3, seed: 5, epochs: 1)
    let run = try RunFolder.create(folder + "/run", recipe: recipe)
    let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
    #expect(try trainer.run() == .finished)
    try trainer.keepTraining(in: run)
    return (run, trainer)
  }

  private static let plain = Autoencoder("plain", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
  } latent: {
    Dense(3)
  } decoder: {
    Dense(64, activation: .sigmoid)
    Reshape(8, 8, 1)
  }

  @Test(arguments: [plain, TinyModels.variational]) func itIsWhatTheImagesGive(_ model: Autoencoder) throws {
    try withTemporaryFolder { folder in
      let (run, trainer) = try Self.trained(model, folder)
      let inference = try trainer.inference()
      let kept = try #require(try run.keptTraining(for: trainer.weightsHash))
      let codes = try inference.codes(of: trainer.data)
      #expect(kept.count == 7 && kept.codes == codes)
      let units = inference.codeCount
      for unit in 0..<units {
        let values = stride(from: unit, to: codes.count, by: units).map { codes[$0] }
        #expect(kept.codeRange.low[unit] == values.min() && kept.codeRange.high[unit] == values.max())
      }
      let measured = inference.measure(try trainer.data.images(0..<7), noise: .none)
      #expect(kept.scores(by: .error).scores == measured.map { Double($0.image?.squaredError ?? .nan) })
      #expect(
        kept.scores(by: .likelihood).scores
          == measured.map { Double($0.reconstruction) + (model.isVariational ? Double($0.terms[0]) : 0) })

      let table = try #require(kept.table)
      let set = try Dataset(codes, shape: ImageShape(vector: units), of: table, source: "kept")
      #expect((0..<7).allSatisfy { set.name($0) == trainer.data.name($0) && set.number($0) == trainer.data.number($0) })
      #expect(try set.labels == nil && set.images(0..<7) == codes)
    }
  }

  /// Tiles have codes, their pictures scores.
  @Test func scoresAreThoseOfWholePictures() throws {
    try withTemporaryFolder { folder in
      let shape = ImageShape(16, 16, 1)
      let path = folder + "/large.npy"
      try NPYFile.write(TestImages.waves(step: 0, samples: 3, shape: shape), shape: [3, 16, 16, 1], to: path)
      var preparation = Preparation()
      preparation.tile = Extent2D(8, 8)
      let recipe = Recipe(
        model: Self.plain, data: DataSource(path: path, preparation: preparation), batchSize: 6, epochs: 1)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run)
      _ = try trainer.run()
      try trainer.keepTraining(in: run)
      let kept = try #require(try run.keptTraining(for: trainer.weightsHash))
      #expect(kept.count == 12 && kept.codes?.count == 36)
      for kind in AnomalyScores.Kind.allCases {
        let found = try trainer.inference().scores(of: trainer.data, by: kind, seed: 1).ofPictures(trainer.data)
        #expect(found.scores.count == 3 && kept.scores(by: kind).scores == found.scores)
      }
    }
  }

  @Test func otherWeightsHaveNoneAndDamageIsSeen() throws {
    try withTemporaryFolder { folder in
      let (run, trainer) = try Self.trained(Self.plain, folder)
      #expect(try run.keptTraining(for: "0123456789abcdef") == nil)
      let path = run.file("training.safetensors")
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try trainer.keepTraining(in: run)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
      var damaged = whole
      damaged[damaged.count - 3] ^= 16
      try damaged.write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: DataError.self) { try run.keptTraining(for: trainer.weightsHash) }
      #expect(error?.reason.contains("altered") == true)
      try trainer.keepTraining(in: run)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
      // A table of other images names none of these.
      try AtomicFile.write("index,name,class,bytes,sha256\n0,a.png,,1,00\n", to: run.file("data.csv"))
      #expect(try run.keptTraining(for: trainer.weightsHash)?.table == nil)
    }
  }
}
