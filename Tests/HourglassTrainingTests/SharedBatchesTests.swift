import Foundation
import HourglassAnalysis
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Processes that share the images of a set come to the numbers of one process, to the bit. Threads stand for the
/// processes.
@Suite struct SharedBatchesTests {
  /// Four batches, of which the last is partial: more than some processes have, and fewer than others.
  private static let samples = 3 * Inference.batchSize + 37

  /// All numbers of an evaluation, with those of each image.
  private struct Found: Equatable, Sendable {
    var evaluation: Evaluation
    var rows: [[UInt32]]
    var codes: [UInt32]
    var scores: [UInt64]
  }

  private static func look(
    _ model: Autoencoder, at data: Dataset, importanceSamples: Int?, _ transport: (any Transport)? = nil
  ) throws -> Found {
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 1))
    Initializer.fill(inference.parameters, plan: inference.plan, seed: 9)
    var rows: [[UInt32]] = []
    let evaluation = try Evaluator(inference, beta: 1, seed: 4).evaluate(
      data, importanceSamples: importanceSamples, sharedBy: transport
    ) { sample in
      let its = sample.measurement
      let others = [its.image?.squaredError, its.image?.similarity, its.prediction].map { $0?.bitPattern ?? 0 }
      rows.append([UInt32(sample.index), its.reconstruction.bitPattern] + its.terms.map(\.bitPattern) + others)
    }
    let kind: AnomalyScores.Kind = model.likelihood.target == .image ? .error : .likelihood
    return Found(
      evaluation: evaluation, rows: rows,
      codes: try inference.codes(of: data, 5..<data.count, sharedBy: transport).map(\.bitPattern),
      scores: try inference.scores(of: data, by: kind, samples: nil, seed: 4, sharedBy: transport).scores
        .map(\.bitPattern))
  }

  @Test(
    arguments: [
      (TinyModels.autoencoder, nil), (TinyModels.variational, 3), (TinyModels.normalized, nil),
    ] as [(Autoencoder, Int?)])
  func anyNumberOfProcessesFindsTheSame(_ model: Autoencoder, _ importanceSamples: Int?) throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: model.input)
    let wanted = try Self.look(model, at: data, importanceSamples: importanceSamples)
    #expect(wanted.rows.count == Self.samples && wanted.evaluation.samples == Self.samples)
    for count in [1, 2, 3, 5] {
      let found = try ThreadTransport.run(processes: count) { transport in
        try Self.look(model, at: data, importanceSamples: importanceSamples, transport)
      }
      for (position, its) in found.enumerated() {
        let isSame = its == wanted
        #expect(isSame, "\(model.name): position \(position) of \(count)")
      }
    }
  }

  /// Models that put out classes, numbers of codes or nothing, and one with penalties.
  @Test(arguments: LayerCases.all.map(\.model)) func everyLayer(_ model: Autoencoder) throws {
    let data = try TestImages.waves(batchSizes: [Inference.batchSize + 5], shape: model.input)
    let wanted = try Self.look(model, at: data, importanceSamples: nil)
    let found = try ThreadTransport.run(processes: 2) { try Self.look(model, at: data, importanceSamples: nil, $0) }
    for its in found {
      let isSame = its == wanted
      #expect(isSame, "\(model.name)")
    }
  }

  /// Each process makes its own batches alone, and is told what it makes next.
  @Test func batchesAreDealtInTurn() throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: TinyModels.variational.input)
    let made = try ThreadTransport.run(processes: 3) { transport throws -> [[Range<Int>]] in
      var own: [[Range<Int>]] = []
      var batches = SharedBatches<Float>(data, sharedBy: transport) { batch in
        own.append([batch.images, batch.following])
        return batch.images.map { Float($0) }
      }
      var all: [Float] = []
      while let (_, numbers) = try batches.next() { all += numbers }
      #expect(all == (0..<Self.samples).map { Float($0) })
      return own
    }
    #expect(
      made == [[[0..<256, 768..<805], [768..<805, 805..<805]], [[256..<512, 805..<805]], [[512..<768, 805..<805]]])
  }

  /// What one process cannot read fails in all of them, with its position.
  @Test func aFailureIsThatOfAll() throws {
    let data = try TestImages.waves(batchSizes: [Self.samples], shape: TinyModels.variational.input)
    let told = try ThreadTransport.run(processes: 3) { transport throws -> String in
      var batches = SharedBatches<Float>(data, sharedBy: transport) { batch throws(DataError) in
        guard batch.number < 1 else { throw DataError(path: "\(batch.number).png", reason: "gone") }
        return [1]
      }
      do {
        while try batches.next() != nil {}
        return ""
      } catch { return "\(error)" }
    }
    let host = ProcessPlace(position: 1, count: 3).name
    #expect(told == Array(repeating: "1.png: gone (\(host))", count: 3))
  }

  /// Epochs that are evaluated, and what the run keeps of its images at the end.
  @Test func runsKeepTheSameFiles() throws {
    let recipe = Recipe(model: TinyModels.variational, batchSize: 200, epochs: 2)
    let shape = recipe.model.input
    let data = try TestImages.waves(batchSizes: [600], shape: shape)
    let validation = try TestImages.waves(batchSizes: [Self.samples], shape: shape)
    @Sendable func train(in folder: String, _ transport: (any Transport)? = nil) throws -> [EpochMetrics] {
      let isFirst = transport?.place.isFirst ?? true
      let run = isFirst ? try RunFolder.create(folder, recipe: recipe) : nil
      let trainer = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, data: data, validation: validation,
        transport: transport)
      #expect(try trainer.run() == .finished)
      try trainer.keepTraining(in: run ?? RunFolder(""))
      return trainer.metrics.epochs
    }
    try withTemporaryFolder { folder in
      let wanted = try train(in: "\(folder)/alone")
      let kept = try #require(FileManager.default.contents(atPath: "\(folder)/alone/training.safetensors"))
      for count in [2, 5] {
        let found = try ThreadTransport.run(processes: count) { try train(in: "\(folder)/\(count)", $0) }
        for rows in found {
          #expect(rows.map(\.validationLoss) == wanted.map(\.validationLoss))
          #expect(rows.map(\.activeUnits) == wanted.map(\.activeUnits))
        }
        #expect(FileManager.default.contents(atPath: "\(folder)/\(count)/training.safetensors") == kept)
      }
    }
  }

  /// A loss that is infinite in one share ends all processes as it ends one, with the item that it is of.
  @Test func aLossThatDivergesInOneShare() throws {
    let model = Autoencoder("linear", input: ImageShape(4, 4, 1), likelihood: .squaredError) {
      Dense(8, activation: .relu)
    } latent: {
      Dense(3)
    } decoder: {
      Dense(16)
      Reshape(4, 4, 1)
    }
    var pixels = TestImages.waves(step: 0, samples: 20, shape: model.input)
    pixels[13 * model.input.count] = 3e38
    let data = try Dataset(.floats(pixels), shape: model.input, source: "waves")
    @Sendable func error(_ transport: (any Transport)? = nil) throws -> (TrainingError?, [UInt32]) {
      let step = try startedStep(model, batchSize: 20, shards: 5, data: data, transport: transport)
      do throws(TrainingError) { _ = try step.run(step: 0, items: ArraySlice(0..<20)) } catch {
        return (error, step.parameters.bits)
      }
      return (nil, step.parameters.bits)
    }
    let wanted = try error()
    #expect("\(wanted.0.map { "\($0)" } ?? "")".contains("item 13 of waves"))
    for found in try ThreadTransport.run(processes: 3, { try error($0) }) {
      let isSame = found == wanted
      #expect(isSame, "\(found.0.map { "\($0)" } ?? "none")")
    }
  }
}
