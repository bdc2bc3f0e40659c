import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Greedy layer-wise pre-training, and supervised training of what it left.
@Suite struct StagedRunTests {
  private static let one = ParallelPlan(workers: 1, threads: 1)
  /// 40 labelled images in batches of 8: an epoch is five steps.
  private static let source = DataSource(preparation: limit(40))
  private static let classifier = try? Autoencoder.dense(describedBy: "8x8x1-12-9-6-10,sigmoid,categorical")

  private static func limit(_ count: Int) -> Preparation {
    var preparation = Preparation()
    preparation.limit = count
    return preparation
  }

  private static func recipe(_ model: Autoencoder? = nil) throws -> Recipe {
    Recipe(
      model: try model ?? #require(classifier), data: source, batchSize: 8, shards: 4, seed: 7,
      optimizer: Optimizer(.adam, learningRate: 0.01), epochs: 2, corruption: .mask(0.25))
  }

  /// Trains all stages, and with `whole` all layers, stopping after so many steps where that is wanted.
  @discardableResult
  private static func train(
    _ staged: StagedRun, _ parallel: ParallelPlan = one, whole: Bool = false, stopAfter: Int = .max
  ) throws -> Trainer? {
    var steps = 0
    func end(_ trainer: Trainer) throws -> Trainer.End {
      try trainer.run(
        shouldStop: steps >= stopAfter, observe: { if case .step = $0 { steps += 1 } })
    }
    for stage in staged.stages {
      if try end(stage.trainer(parallel: parallel)) == .interrupted { return nil }
    }
    let trainer = try staged.trainer(parallel: parallel)
    let isDone = try !whole || end(trainer) != .interrupted
    return isDone ? trainer : nil
  }

  private static func tensors(_ run: RunFolder) throws -> [String: [UInt32]] {
    let tensors = try run.read(.last).parameters.map { try $0.tensor() }
    return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values.map(\.bitPattern)) })
  }

  /// Every stage leaves those below as they are, and the whole model begins with the layers of the stages.
  @Test func layersAreTrainedOneByOneAndStay() throws {
    try withTemporaryFolder { folder in
      let staged = try StagedRun.pretraining(folder + "/run", recipe: Self.recipe())
      #expect(staged.stages.map(\.recipe.model.input.count) == [64, 12, 9])
      var before: [Data?] = []
      for (index, stage) in staged.stages.enumerated() {
        _ = try stage.trainer(parallel: Self.one).run()
        let files = staged.stages.prefix(index + 1).map {
          FileManager.default.contents(atPath: $0.run.checkpoint(.last))
        }
        #expect(files.dropLast() == before[...], "the stages below stage \(index + 1)")
        before = files
      }
      let whole = try staged.trainer(parallel: Self.one)
      #expect(whole.progress.step == 0 && whole.starts.allSatisfy { $0.left.isEmpty && $0.taken.count == 2 })
      let found = try Self.tensors(staged.run)
      for (index, layer) in ["encoder.0", "encoder.1", "latent"].enumerated() {
        let stage = try Self.tensors(staged.stages[index].run)
        for kind in ["weight", "bias"] { #expect(found["\(layer).\(kind)"] == stage["latent.\(kind)"]) }
      }
      // What no stage trains starts from the seed.
      let seeded = try Trainer(Self.recipe(), parallel: Self.one)
      let head = try #require(seeded.training.plan.parameters.last { $0.name == "decoder.0.weight" })
      #expect(found[head.name] == head.tensor(in: seeded.training.parameters.pointer).map(\.bitPattern))
      #expect(whole.weightsHash != seeded.weightsHash)
    }
  }

  /// The images of stage 3 against two layers by hand, in double.
  @Test func aStageReadsTheCodesBelow() throws {
    try withTemporaryFolder { folder in
      let staged = try StagedRun.pretraining(folder + "/run", recipe: Self.recipe())
      try Self.train(staged)
      let images = try Self.source.open(for: Self.recipe().model, seed: 7)
      let codes = try staged.stages[2].trainer(parallel: Self.one).data
      #expect(codes.count == 40 && codes.labels == images.labels && codes.shape == ImageShape(vector: 9))
      let layers = try staged.stages.prefix(2).map { try $0.run.read(.last).parameters.map { try $0.tensor() } }
      for n in [0, 17, 39] {
        var values = try images.image(n).map(Double.init)
        for layer in layers {
          let weight = try #require(layer.first { $0.name == "latent.weight" })
          let bias = try #require(layer.first { $0.name == "latent.bias" })
          values = bias.values.indices.map { o in
            let sum = values.indices.reduce(Double(bias.values[o])) {
              $0 + values[$1] * Double(weight.values[o * values.count + $1])
            }
            return 1 / (1 + exp(-sum))
          }
        }
        #expect(zip(try codes.image(n), values).allSatisfy { abs(Double($0) - $1) < 1e-6 })
      }
    }
  }

  @Test func theDivisionOfTheWorkChangesNoBit() throws {
    try withTemporaryFolder { folder in
      let hashes = try [(1, 1), (4, 1), (2, 2)].enumerated().map { index, division in
        let parallel = ParallelPlan(workers: division.0, threads: division.1)
        let staged = try StagedRun.pretraining("\(folder)/run-\(index)", recipe: Self.recipe())
        let pretrained = try #require(try Self.train(staged, parallel)).weightsHash
        let tuned = try StagedRun.finetuning(
          "\(folder)/tuned-\(index)", recipe: Self.recipe(), from: staged.run.path, headEpochs: 3)
        return [pretrained, try #require(try Self.train(tuned, parallel, whole: true)).weightsHash]
      }
      #expect(hashes[1] == hashes[0] && hashes[2] == hashes[0] && hashes[0][0] != hashes[0][1])
    }
  }

  /// Stage 1 ends after 10 steps: 13 is in the midst of stage 2, 20 between two stages; 33 and 51 are the same for a
  /// head of 15 steps and all layers.
  @Test(arguments: [3, 13, 20, 33, 51])
  func whatWasStoppedEndsAsIfItWasNot(_ stop: Int) throws {
    try withTemporaryFolder { folder in
      func all(_ name: String, _ stops: Int?) throws -> String {
        var left = stops
        // Opened anew each time, for one at a time has the lock of a run.
        func session(_ path: String, _ parallel: ParallelPlan = Self.one, whole: Bool) throws -> Trainer? {
          let staged = try StagedRun.open(path)
          let steps = staged.stages.count * 10 + (whole ? 15 : 0)
          let stop = left.flatMap { $0 <= steps ? $0 : nil }
          left = left.flatMap { $0 <= steps ? nil : $0 - steps }
          let trainer = try Self.train(staged, parallel, whole: whole, stopAfter: stop ?? .max)
          #expect((trainer == nil) == (stop != nil))
          return trainer
        }
        func finish(_ path: String, whole: Bool) throws -> String {
          let trainer =
            try session(path, whole: whole) ?? session(path, ParallelPlan(workers: 3, threads: 1), whole: whole)
          return try #require(trainer).weightsHash
        }
        let paths = ["\(folder)/\(name)", "\(folder)/\(name)-tuned"]
        _ = try StagedRun.pretraining(paths[0], recipe: Self.recipe())
        _ = try finish(paths[0], whole: false)
        _ = try StagedRun.finetuning(paths[1], recipe: Self.recipe(), from: paths[0], headEpochs: 3)
        return try finish(paths[1], whole: true)
      }
      let hashes = try [all("stopped", stop), all("straight", nil)]
      #expect(hashes[0] == hashes[1])
    }
  }

  /// First the head alone learns, on codes; then all layers do.
  @Test func theHeadLearnsAloneFirst() throws {
    try withTemporaryFolder { folder in
      let model = Autoencoder.dense([64, 12, 6], input: ImageShape(8, 8, 1), activation: .tanh)
      let pretrained = try StagedRun.pretraining(folder + "/run", recipe: Self.recipe(model))
      try Self.train(pretrained)
      let below = try Self.tensors(pretrained.run)
      let recipe = try Self.recipe(model.classifier(classes: 10))
      let staged = try StagedRun.finetuning(folder + "/tuned", recipe: recipe, from: pretrained.run.path, headEpochs: 9)
      let head = try staged.stages[0].trainer(parallel: Self.one)
      _ = try head.run()
      let losses = head.metrics.epochs.map(\.loss)
      #expect(losses.count == 9 && losses[8] < losses[0])
      let whole = try staged.trainer(parallel: Self.one)
      let start = try Self.tensors(staged.run)
      for name in ["encoder.0.weight", "encoder.0.bias", "latent.weight", "latent.bias"] {
        #expect(start[name] != nil && start[name] == below[name])
      }
      #expect(start["decoder.0.weight"] == (try Self.tensors(staged.stages[0].run))["latent.weight"])
      // The head alone has the loss that the whole model has before its first step.
      let images = whole.data
      func loss(_ trainer: Trainer) throws -> Double {
        let inference = try Inference(
          model: trainer.recipe.model, parallel: Self.one, parameters: trainer.training.parameters)
        return try Evaluator(inference, beta: 1, seed: 1).evaluate(trainer.data).loss
      }
      #expect(try abs(loss(head) - loss(whole)) < 1e-6 && images.shape == model.input)
      _ = try whole.run()
      let end = try Self.tensors(staged.run)
      #expect(start.keys.allSatisfy { end[$0] != start[$0] }, "all layers learn")
    }
  }

  /// What belongs to the whole model alone is no part of a stage's recipe, which would be refused with it.
  @Test func stagesLeaveOutWhatTheyCannotUse() throws {
    try withTemporaryFolder { folder in
      var recipe = try Self.recipe(TinyModels.variational)
      (recipe.corruption, recipe.freeBits) = (nil, 0.5)
      (recipe.patience, recipe.minDelta) = (2, 0.1)
      let pretrained = try StagedRun.pretraining(folder + "/run", recipe: recipe)
      #expect(!pretrained.isFinetuning && pretrained.recipe.freeBits == 0.5)
      for stage in pretrained.stages {
        #expect(stage.recipe.freeBits == (stage.recipe.model.isVariational ? 0.5 : nil))
        #expect(stage.recipe.patience == 2 && stage.recipe.minDelta == 0.1)
      }
      recipe.model = recipe.model.classifier(classes: 10)
      let tuned = try StagedRun.finetuning(folder + "/tuned", recipe: recipe, from: pretrained.run.path, headEpochs: 3)
      #expect(tuned.isFinetuning && tuned.recipe.minDelta == 0.1 && tuned.recipe.patience == 2)
      #expect(tuned.stages.map(\.recipe.epochs) == [3] && tuned.stages[0].recipe.minDelta == nil)
      #expect(tuned.recipe.freeBits == 0.5 && tuned.stages[0].recipe.freeBits == nil)
    }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    try withTemporaryFolder { folder in
      func refusal(_ body: () throws -> Void) -> String {
        do {
          try body()
          return "none"
        } catch { return "\(error)" }
      }
      let staged = try StagedRun.pretraining(folder + "/run", recipe: Self.recipe())
      #expect(
        refusal { _ = try staged.trainer(parallel: Self.one) }
          == "\(folder)/run/stages/1: wanted a run with a checkpoint, found none yet")
      try Self.train(staged)
      // Codes of 12 for a model of 9, and codes beyond what Bernoulli takes.
      var recipe = staged.stages[2].recipe
      recipe.data.codes = staged.stages[0].run.path
      #expect(
        refusal { _ = try Trainer(recipe, parallel: Self.one) }.contains(
          "run/stages/1: wanted codes of 9 for the model 8x8x1-12-9-6-10,sigmoid,categorical, stage 3, found 12"))
      var linear = try Self.recipe(Autoencoder.dense([64, 5], input: ImageShape(8, 8, 1)))
      let path = folder + "/linear"
      _ = try Trainer(linear, parallel: Self.one, run: .create(path, recipe: linear)).run()
      linear.model = Autoencoder.dense([5, 3], input: ImageShape(vector: 5), likelihood: .bernoulli)
      linear.data.codes = path
      let text = refusal { _ = try Trainer(linear, parallel: Self.one) }
      #expect(text.contains("the bernoulli likelihood wants numbers in [0, 1], found -"), "\(text)")
      // A stage that nobody can train is refused before anything is written.
      let machines = try Autoencoder.dense(describedBy: "8x8x1-12-9-10,sigmoid,categorical")
      var corrupted = try Self.recipe(machines)
      corrupted.corruption = .mask(0.25)
      #expect(
        refusal {
          _ = try StagedRun.pretraining(
            folder + "/machines", recipe: corrupted, objective: .contrastiveDivergence(steps: 1))
        }.contains("stage 1: corruption: wanted none with contrastive divergence"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.contains("machines") })
      linear.model.likelihood = .squaredError
      #expect(refusal { _ = try Trainer(linear, parallel: Self.one) } == "none")
      #expect(
        refusal { _ = try StagedRun.open(path) }
          == "\(path): wanted a run that pretrain or finetune began, found one without stages")
    }
  }

  @Test func weightsAreTakenByNameAndShape() throws {
    try withTemporaryFolder { folder in
      let model = Autoencoder.dense([64, 12, 6], input: ImageShape(8, 8, 1))
      let run = try RunFolder.create(folder + "/run", recipe: Self.recipe(model))
      let first = try Trainer(Self.recipe(model), parallel: Self.one, run: run)
      _ = try first.run()
      var recipe = try Self.recipe(model.classifier(classes: 10))
      for path in [run.path, run.checkpoint(.last)] {
        recipe.start = [Start(path: path)]
        let result = try #require(try Trainer(recipe, parallel: Self.one).starts.first)
        #expect(result.taken == ["encoder.0.weight", "encoder.0.bias", "latent.weight", "latent.bias"])
        #expect(
          result.left == [
            "decoder.0.weight [12, 6], here [10, 6]", "decoder.0.bias [12], here [10]",
            "decoder.1.weight [64, 12], unknown here", "decoder.1.bias [64], unknown here",
          ])
      }
      recipe.model = Autoencoder.dense([64, 3], input: ImageShape(8, 8, 1))
      let error = try #require(throws: DataError.self) { try Trainer(recipe, parallel: Self.one) }
      #expect(
        error.reason.hasPrefix("wanted weights of the model 64-3 by name and shape, such as latent.weight [3, 64]"))
      #expect(error.reason.contains("encoder.0.weight [12, 64], unknown here"))
      recipe.start = [Start(path: folder + "/none")]
      #expect(throws: DataError.self) { try Trainer(recipe, parallel: Self.one) }
      // Layers that are named must be there.
      recipe.start = [Start(path: run.path, layers: ["encoder.0": "latent"])]
      let named = try #require(throws: DataError.self) { try Trainer(recipe, parallel: Self.one) }
      #expect(named.reason.contains("encoder.0.weight [12, 64], here [3, 64]"), "\(named)")
    }
  }
}
