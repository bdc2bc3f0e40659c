import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A step of several minibatches has the bits of one large minibatch with shards of as many samples.
@Suite struct AccumulationTests {
  /// 18 samples a step, as three minibatches of 6 or one of 18, in shards of 2. The last step ends in a minibatch of
  /// one sample, the one before it lacks a whole minibatch.
  static let steps = [18, 18, 11, 13]
  /// `SANITIZERS=thread make sanitize FILTER=AccumulationTests` looks for races in all of them.
  static let divisions = [(1, 1), (2, 1), (3, 1), (1, 3), (2, 2), (5, 1), (4, 2)].map {
    ParallelPlan(workers: $0, threads: $1)
  }

  /// What is left of a run, to the bit.
  private struct Remains: Equatable {
    var parameters: [UInt32]
    var moments: [[UInt32]]
    var losses: [TrainingStep.Loss]
    var norm: Double?
  }

  private func train(
    _ model: Autoencoder, batchSize: Int, shards: Int, _ parallel: ParallelPlan, clipNorm: Float?
  ) throws -> Remains {
    let data = try TestImages.waves(batchSizes: Self.steps, shape: model.input)
    let step = try startedStep(
      model, batchSize: batchSize, shards: shards, parallel: parallel, clipNorm: clipNorm, data: data)
    let start = step.parameters.bits
    let losses = try step.run(batchSizes: Self.steps)
    #expect(step.parameters.bits != start)
    return Remains(
      parameters: step.parameters.bits, moments: step.moments.map { $0.values.bits }, losses: losses,
      norm: step.gradientNorm)
  }

  @Test(arguments: TinyModels.all + [TinyModels.wide], [nil, Float(0.01)])
  func aStepOfMinibatchesIsOneLargeMinibatch(_ model: Autoencoder, _ clipNorm: Float?) throws {
    let large = try train(model, batchSize: 18, shards: 9, Self.divisions[0], clipNorm: clipNorm)
    for parallel in Self.divisions {
      let summed = try train(model, batchSize: 6, shards: 3, parallel, clipNorm: clipNorm)
      let isSame = summed == large
      #expect(isSame, "\(parallel)")
    }
  }

  /// What lies in memory for each sample of the minibatch and for each shard is a third.
  @Test(arguments: TinyModels.all) func itTakesTheMemoryOfTheSmallMinibatch(_ model: Autoencoder) throws {
    let bytes = try [(6, 3), (18, 9)].map { batchSize, shards in
      let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
      let memory = PlannedMemory(training: plan, parallel: ParallelPlan(workers: 1, threads: 1))
      return memory.shared - 4 * plan.parameterCount * MemoryLayout<Float>.size
    }
    #expect(bytes[1] == 3 * bytes[0])
  }

  /// One minibatch after the other needs no flat vector of gradients, but room for a slice for each worker.
  @Test(arguments: [1, 3]) func onlySummedOrClippedGradientsAreKept(_ workers: Int) throws {
    let plan = try ExecutionPlan(TinyModels.wide, batchSize: 6, shards: 3)
    func memory(accumulate: Int = 1, clipNorm: Float? = nil) -> PlannedMemory {
      let recipe = Recipe(model: plan.model, accumulate: accumulate, optimizer: Optimizer(), clipNorm: clipNorm)
      return PlannedMemory(training: plan, parallel: ParallelPlan(workers: workers, threads: 1), recipe: recipe)
    }
    let (alone, kept) = (memory(), memory(accumulate: 2))
    #expect(kept == memory(clipNorm: 1))
    #expect(kept.shared - alone.shared == 4 * plan.parameterCount)
    let largest = TrainingStep.slices(of: plan, workers: workers).map(\.parameters).max()
    #expect(alone.perReplica - kept.perReplica == 4 * (try #require(largest)))
  }

  /// The first minibatch is black, so that weights of 1e30 do not show before the second.
  @Test(arguments: [nil, Float(1)]) func aLossThatOverflowsInTheSecondMinibatchChangesNothing(_ clipNorm: Float?) throws
  {
    let model = Autoencoder("plain", input: ImageShape(4, 4, 1), likelihood: .squaredError) {
    } latent: {
      Dense(2)
    } decoder: {
      Dense(16)
      Reshape(4, 4, 1)
    }
    let pixels = (0..<8 * 16).map { $0 < 6 * 16 ? Float(0) : 1 }
    let data = try Dataset(.floats(pixels), shape: model.input, source: "black and white")
    let step = try startedStep(
      model, batchSize: 4, shards: 2, parallel: ParallelPlan(workers: 2, threads: 1), clipNorm: clipNorm, data: data)
    for parameter in step.plan.parameters {
      let value: Float = parameter.name.hasSuffix("weight") ? 1e30 : 0
      parameter.store([Float](repeating: value, count: parameter.count), in: step.parameters.pointer)
    }
    let before = step.parameters.bits
    let error = #expect(throws: TrainingError.self) { try step.run(batchSizes: [8]) }
    guard case .diverged(step: 0, let cause)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(cause.contains("layer decoder.0") && cause.hasSuffix("for item 6 of black and white"), "\(cause)")
    #expect(step.parameters.bits == before && step.moments.allSatisfy { $0.values.array.allSatisfy { $0 == 0 } })
  }

  /// 20 images in steps of 12: an epoch is two steps, of two minibatches each, the last of two images.
  private static func recipe(_ folder: String, accumulate: Int) throws -> Recipe {
    var recipe = try ResumeTests.recipe(folder, epochs: 3, steps: 5)
    recipe.accumulate = accumulate
    (recipe.batchSize, recipe.shards) = (12 / accumulate, 6 / accumulate)
    return recipe
  }

  @Test(arguments: [1, 2, 3]) func aRunStoppedAnywhereEndsAsOneOfLargeMinibatches(_ stop: Int) throws {
    try withTemporaryFolder { folder in
      let large = try Trainer(Self.recipe(folder, accumulate: 1), parallel: ParallelPlan(workers: 1, threads: 1))
      #expect(try large.run() == .finished)
      let recipe = try Self.recipe(folder, accumulate: 2)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
      #expect(first.stepsPerEpoch == 2)
      #expect(try first.run(shouldStop: first.progress.step == stop) == .interrupted)
      let (_, read) = try RunFolder.open(run.path)
      let second = try Trainer(read, parallel: ParallelPlan(workers: 3, threads: 2), run: run, resume: true)
      var sizes: [Int] = []
      #expect(
        try second.run(observe: { if case .step(let report) = $0 { sizes.append(report.samples) } }) == .finished)
      #expect(sizes == Array([12, 20, 32, 40, 52].dropFirst(stop)))
      #expect(ResumeTests.Remains(second) == ResumeTests.Remains(large))
    }
  }

  @Test func aRecipeOfBeforeMeansOneMinibatch() throws {
    var recipe = Recipe(
      model: TinyModels.variational, data: DataSource(path: "a", split: .test), validation: DataSource(path: "b"),
      batchSize: 12, accumulate: 3, shards: 4, seed: 7, optimizer: Optimizer(.sgd, learningRate: 0.25), clipNorm: 2,
      beta: 0.5, epochs: 6, steps: 9)
    #expect(recipe.samplesPerStep == 36)
    let encoded = try JSONEncoder().encode(recipe)
    var fields = try #require(JSONSerialization.jsonObject(with: encoded) as? [String: Any])
    let again = try JSONDecoder().decode(Recipe.self, from: encoded)
    #expect(JSONText.line(again) == JSONText.line(recipe))
    #expect(fields.removeValue(forKey: "accumulate") as? Int == 3)
    let old = try JSONDecoder().decode(Recipe.self, from: JSONSerialization.data(withJSONObject: fields))
    recipe.accumulate = 1
    #expect(JSONText.line(old) == JSONText.line(recipe))
  }
}
