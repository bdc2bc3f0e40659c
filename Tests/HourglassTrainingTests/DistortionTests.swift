import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Training on images that are augmented and corrupted as they are trained on.
@Suite struct DistortionTests {
  static let distortions: [(Augmentation?, Corruption?)] = [
    (Augmentation(flips: true, shift: 1), nil), (nil, .gaussian(0.3)), (Augmentation(shift: 2), .mask(0.25)),
    (Augmentation(flips: true), .saltPepper(0.2)),
  ]

  private static func step(
    _ model: Autoencoder, _ distortion: (Augmentation?, Corruption?), _ parallel: ParallelPlan, seed: UInt64 = 3
  ) throws -> TrainingStep {
    let plan = try ExecutionPlan(model, batchSize: 10, shards: 4)
    return try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(), augmentation: distortion.0, corruption: distortion.1,
      seed: seed, beta: 1, data: try TestImages.waves(batchSizes: [10, 10, 7], shape: model.input))
  }

  private static let alone = ParallelPlan(workers: 1, threads: 1)

  /// Without weights the output is 1/2 whatever the network sees, so the loss is the target's alone.
  @Test func targetsOfCorruptionStayCleanAndThoseOfAugmentationDoNot() throws {
    let model = TinyModels.autoencoder
    func loss(_ distortion: (Augmentation?, Corruption?)) throws -> Double {
      try Self.step(model, distortion, Self.alone).run(step: 0, items: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).reconstruction
    }
    let clean = try loss((nil, nil))
    for corruption in [Corruption.gaussian(0.3), .mask(0.25), .saltPepper(0.2)] {
      #expect(try loss((nil, corruption)) == clean)
    }
    #expect(try loss((Augmentation(shift: 2), nil)) != clean)
    #expect(try loss((Augmentation(shift: 2), .mask(0.5))) == loss((Augmentation(shift: 2), nil)))
  }

  @Test(arguments: distortions) func itsMemoryIsPlanned(_ distortion: (Augmentation?, Corruption?)) throws {
    let model = TinyModels.autoencoder
    let plan = try ExecutionPlan(model, batchSize: 10, shards: 4)
    let recipe = Recipe(model: model, augmentation: distortion.0, corruption: distortion.1)
    let samples = TrainingStep.shardsPerTurn(plan: plan, workers: 1) * plan.samplesPerShard
    let taken = try #require(
      Distortion(distortion.0, distortion.1, hasPairs: false, shape: model.input, groupSamples: samples))
    let (plain, more) = (
      PlannedMemory(training: plan, parallel: Self.alone, recipe: Recipe(model: model)),
      PlannedMemory(training: plan, parallel: Self.alone, recipe: recipe)
    )
    #expect(more.perReplica - plain.perReplica == 4 * taken.arenas.reduce(0) { $0 + $1.count })
    #expect(more.shared == plain.shared)
  }

  @Test func theNetworkSeesTheDamageAndEachSeedAnother() throws {
    func loss(_ corruption: Corruption?, seed: UInt64 = 3) throws -> Double {
      let step = try Self.step(TinyModels.variational, (nil, corruption), Self.alone, seed: seed)
      Initializer.fill(step.parameters, plan: step.plan, seed: 1)
      return try step.run(step: 0, items: [0, 1, 2]).reconstruction
    }
    let losses = try [loss(nil), loss(.mask(0.5)), loss(.mask(0.5), seed: 4), loss(.gaussian(0.5))]
    #expect(Set(losses).count == 4)
  }

  @Test func theDivisionChangesNoBit() throws {
    for model in TinyModels.all {
      for distortion in Self.distortions {
        let all = try [(1, 1), (4, 1), (1, 3), (3, 2)].map { workers, threads in
          let step = try Self.step(model, distortion, ParallelPlan(workers: workers, threads: threads))
          Initializer.fill(step.parameters, plan: step.plan, seed: 1)
          let losses = try step.run(batchSizes: [10, 10, 7])
          return (step.parameters.bits, losses)
        }
        #expect(all.allSatisfy { $0.0 == all[0].0 && $0.1 == all[0].1 }, "\(model.name) \(distortion)")
      }
    }
  }

  @Test func severalMinibatchesAStepAreDistortedAsOne() throws {
    for distortion in Self.distortions {
      let bits = try [(20, 4), (10, 2)].map { batchSize, shards in
        let model = TinyModels.variational
        let step = try startedStep(
          model, batchSize: batchSize, shards: shards, augmentation: distortion.0, corruption: distortion.1,
          data: TestImages.waves(batchSizes: [20], shape: model.input))
        _ = try step.run(step: 0, items: ArraySlice(0..<20))
        return step.parameters.bits
      }
      #expect(bits[0] == bits[1], "\(distortion)")
    }
  }

  @Test func noStopChangesABit() async {
    await #expect(processExitsWith: .success) {
      let recipe = Recipe(
        model: TinyModels.variational, batchSize: 10, shards: 4, epochs: nil, steps: 5,
        augmentation: Augmentation(flips: true, shift: 1), corruption: .gaussian(0.2))
      var plain = recipe
      plain.corruption = nil
      try expectNoStopChangesABit(recipe, unlike: plain)
    }
  }

  /// Images are binarized in every division of `verify`, two of them stopped and resumed. An image is drawn anew in
  /// each step but not for each minibatch of it.
  @Test func binarizingDependsOnNoDivision() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        let (path, model) = (folder + "/images.npy", TinyModels.variational)
        try NPYFile.write(TestImages.waves(step: 0, samples: 17, shape: model.input), shape: [17, 8, 8], to: path)
        var preparation = Preparation()
        preparation.binarizes = true
        let source = DataSource(path: path, preparation: preparation)
        let data = try source.open(seed: 1)
        let recipe = Recipe(
          model: model, data: source, batchSize: 10, shards: 4, epochs: nil, steps: 5,
          augmentation: Augmentation(shift: 1))
        let verification = try Verification(recipe, data: data, folder: folder + "/runs")
        precondition(verification.difference == nil, verification.difference ?? "")
        func losses(batchSize: Int, shards: Int) throws -> [Double] {
          let step = try startedStep(
            model, batchSize: batchSize, shards: shards, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
          // The output is the bias of the last layer alone, so nothing but images makes losses differ.
          for i in 0..<step.parameters.count { step.parameters.pointer[i] = 0 }
          step.parameters.pointer[step.plan.parameters.last?.offset ?? 0] = 1
          return try (0..<2).map { try step.run(step: $0, items: ArraySlice(0..<16)).reconstruction }
        }
        let (whole, parts) = (try losses(batchSize: 16, shards: 4), try losses(batchSize: 8, shards: 2))
        precondition(whole == parts && whole[0] != whole[1], "\(whole) \(parts)")
      }
    }
  }

  @Test func recipesSayItInWordsAndThoseOfEarlierVersionsAreRead() throws {
    let recipe = Recipe(
      model: TinyModels.variational, data: DataSource(path: "a"), augmentation: Augmentation(flips: true),
      corruption: .mask(0.25))
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let json = try encoder.encode(recipe)
    let text = String(decoding: json, as: UTF8.self)
    #expect(text.contains(#""corruption":"mask:0.25""#) && text.contains(#""augmentation":"flip""#))
    let again = try JSONDecoder().decode(Recipe.self, from: json)
    #expect(again.corruption == .mask(0.25) && again.augmentation == Augmentation(flips: true))
    let old = text.replacingOccurrences(of: #""corruption":"mask:0.25","#, with: "")
      .replacingOccurrences(of: #""augmentation":"flip","#, with: "")
    #expect(!old.contains("corruption") && !old.contains("preparation"))
    let read = try JSONDecoder().decode(Recipe.self, from: Data(old.utf8))
    #expect(read.corruption == nil && read.augmentation == nil && read.data == DataSource(path: "a"))
    let wrong = text.replacingOccurrences(of: "mask:0.25", with: "mask:25")
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Recipe.self, from: Data(wrong.utf8)) }
  }
}
