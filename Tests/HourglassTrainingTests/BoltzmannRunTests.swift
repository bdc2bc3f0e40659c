import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Runs of restricted Boltzmann machines: checkpoints, weights for other models, stacks.
@Suite struct BoltzmannRunTests {
  private static func recipe(_ model: Autoencoder, _ folder: String) throws -> Recipe {
    let path = folder + "/images.npy"
    if !FileManager.default.fileExists(atPath: path) {
      let shape = model.input
      try NPYFile.write(
        TestImages.waves(step: 0, samples: 20, shape: shape),
        shape: [20, shape.height, shape.width, shape.channels], to: path)
    }
    return Recipe(model: model, data: DataSource(path: path), batchSize: 6, shards: 3, seed: 5, epochs: 2)
  }

  /// An epoch is four steps, the last of two images.
  @Test(arguments: BoltzmannTests.machines, [1, 4, 5]) func aResumedRunEndsAsOneThatNeverStopped(
    _ model: Autoencoder, _ stop: Int
  ) throws {
    try withTemporaryFolder { folder in
      let recipe = try Self.recipe(model, folder)
      let straight = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1))
      #expect(try straight.run() == .finished)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      let first = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run)
      #expect(try first.run(shouldStop: first.progress.step == stop) == .interrupted)
      let second = try Trainer(recipe, parallel: ParallelPlan(workers: 3, threads: 2), run: run, resume: true)
      #expect(try second.run() == .finished)
      #expect(second.weightsHash == straight.weightsHash && second.progress.step == 8)
      let chains = [second, straight].map { $0.training.chains.map { $0.map(\.bitPattern) } }
      #expect(chains[0] == chains[1])
      guard case .contrastiveDivergence(_, true) = model.objective else { return }
      #expect(try #require(second.training.chains).contains { $0 != 0 })
      #expect(try SafeTensors.read(run.checkpoint(.last))["chains"]?.shape == [6, 8, 5, 1])
    }
  }

  @Test func aCheckpointWithoutTheChainsIsRefused() throws {
    try withTemporaryFolder { folder in
      let data = try TestImages.waves(batchSizes: [6], shape: BoltzmannTests.machines[0].input)
      let path = folder + "/c.safetensors"
      try Checkpoint(try startedStep(BoltzmannTests.machines[0], batchSize: 6, data: data), progress: .init()).write(
        to: path)
      let persistent = try startedStep(BoltzmannTests.machines[2], batchSize: 6, data: data)
      let error = #expect(throws: DataError.self) { try Checkpoint(reading: path).restore(persistent, path: path) }
      #expect(error?.reason == "the model wants a tensor chains of the shape [6, 8, 5, 1], found none")
      // One that starts from given weights has the chains' start.
      let plan = persistent.plan
      let start = Checkpoint(startingFrom: persistent.parameters, plan: plan, optimizer: persistent.optimizer)
      _ = try persistent.run(step: 0, items: [0, 1, 2])
      try start.restore(persistent, path: path)
      #expect(try #require(persistent.chains).allSatisfy { $0 == 0 })
    }
  }

  /// Unrolled, the machine is the tied autoencoder: the same weights under the same names reconstruct the same images.
  @Test func theWeightsAreThoseOfATiedAutoencoder() throws {
    try withTemporaryFolder { folder in
      let model = BoltzmannTests.machines[0]
      let data = try TestImages.waves(batchSizes: [20], shape: model.input)
      let step = try startedStep(model, batchSize: 20, data: data)
      for t in 0..<5 { _ = try step.run(step: t, items: (0..<20).map { $0 }[...]) }
      let path = folder + "/weights.safetensors"
      try SafeTensors.write(step.plan.tensors(step.parameters), metadata: [:], to: path)
      let tied = Autoencoder.dense(
        [40, 23], input: model.input, activation: .sigmoid, code: .sigmoid, isTied: true)
      let plan = try ExecutionPlan(tied, batchSize: 4)
      let parameters = try WeightsFile.read(path, plan: plan)
      let images = try data.images(0..<20)
      let parallel = ParallelPlan(workers: 1, threads: 1)
      let found = try Inference(model: tied, parallel: parallel, parameters: parameters).reconstruct(images)
      let wanted = try Inference(model: model, parallel: parallel, parameters: step.parameters).reconstruct(images)
      #expect(found == wanted && found != images)
    }
  }

  /// A deep belief network: the second machine reads the probabilities of the first one's hidden units, and the tied
  /// autoencoder of both takes weights and biases of either.
  @Test func aStackOfMachinesIsTrainedOneByOne() throws {
    try withTemporaryFolder { folder in
      let model = Autoencoder("belief", input: ImageShape(8, 5, 1), likelihood: .squaredError) {
        Dense(12, activation: .sigmoid)
      } latent: {
        Dense(6, activation: .sigmoid)
      } decoder: {
        TiedDense(to: "latent", activation: .sigmoid)
        TiedDense(to: "encoder.0", activation: .sigmoid)
      }
      let objective = try #require(Objective(describedBy: "pcd:2"))
      let staged = try StagedRun.pretraining(
        folder + "/belief", recipe: Self.recipe(model, folder), objective: objective)
      #expect(staged.stages.map(\.recipe.model.objective) == [objective, objective])
      #expect(staged.stages.map(\.recipe.model.input.count) == [40, 12])
      let parallel = ParallelPlan(workers: 2, threads: 1)
      for stage in staged.stages {
        let trainer = try stage.trainer(parallel: parallel)
        _ = try trainer.run()
        #expect(trainer.progress.step == 8 && trainer.training.chains?.contains { $0 != 0 } == true)
      }
      let whole = try staged.trainer(parallel: parallel)
      #expect(whole.starts.allSatisfy { $0.left.isEmpty && $0.taken.count == 3 })
      let found = try staged.run.read(.last).parameters.map { try $0.tensor() }
      for (index, names) in [("encoder.0", "decoder.1"), ("latent", "decoder.0")].enumerated() {
        let machine = try staged.stages[index].run.read(.last).parameters.map { try $0.tensor() }
        #expect(machine.map(\.name) == ["latent.weight", "latent.bias", "decoder.0.bias"])
        let places = ["\(names.0).weight", "\(names.0).bias", "\(names.1).bias"]
        for (tensor, place) in zip(machine, places) {
          #expect(found.first { $0.name == place }?.values == tensor.values, "\(place)")
        }
      }
      #expect(
        try ExecutionPlan(BoltzmannTests.machines[0].classifier(classes: 3), batchSize: 2).contrastiveDivergence == nil)
    }
  }

  @Test(arguments: ["", "cd:0", "cd:x", "cd:1:2", "dc:1", "pcd:"]) func textsThatSayNoObjective(_ text: String) {
    #expect(Objective(describedBy: text) == nil)
  }

  @Test func whatTheObjectiveDoesNotGoWithIsRefused() {
    var recipe = Recipe(model: BoltzmannTests.machines[2])
    #expect(recipe.refusal == nil)
    recipe.accumulate = 2
    #expect(recipe.refusal == "accumulate: wanted 1 with persistent chains, found 2")
    recipe.model = BoltzmannTests.machines[0]
    #expect(recipe.refusal == nil)
    recipe.corruption = .mask(0.25)
    #expect(recipe.refusal == "corruption: wanted none with contrastive divergence, found mask:0.25")
  }
}
