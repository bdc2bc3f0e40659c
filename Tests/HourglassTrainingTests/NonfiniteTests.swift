import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A loss that is no number ends the run, says where it came from, and spoils nothing.
@Suite struct NonfiniteTests {
  @Test(arguments: [Float.nan, .infinity]) func aBadParameterIsNamed(_ value: Float) throws {
    let training = try CheckpointTests.trained(TinyModels.autoencoder)
    let bias = try #require(training.plan.parameters.first { $0.name == "decoder.2.bias" })
    var values = bias.tensor(in: training.parameters.pointer)
    values[1] = value
    bias.store(values, in: training.parameters.pointer)
    let before = (training.parameters.bits, training.moments.map { $0.values.bits })
    let error = #expect(throws: TrainingError.self) { try training.run(step: 7, items: [0, 1, 2, 3, 4, 5]) }
    #expect(error == .diverged(step: 7, cause: "the parameter decoder.2.bias holds \(value)"))
    #expect(
      error?.description
        == "the loss of step 7 is not finite: the parameter decoder.2.bias holds \(value). "
        + "Try a new run with a smaller --learning-rate, --warmup 500, --clip-norm 1, or for a variational model "
        + "--beta-warmup 5epochs; the last checkpoint, if there is one, keeps the weights from before")
    #expect(training.parameters.bits == before.0)
    #expect(training.moments.map { $0.values.bits } == before.1)
  }

  /// Weights of 1e30 are numbers, their products over two layers are not. Every worker may be the one that looks.
  @Test(arguments: [1, 4]) func theFirstLayerThatOverflowsIsNamed(_ workers: Int) throws {
    let data = try TestImages.waves(batchSizes: [6], shape: TinyModels.autoencoder.input)
    let training = try startedStep(
      TinyModels.autoencoder, batchSize: 6, shards: 1, parallel: ParallelPlan(workers: workers, threads: 1), data: data)
    // Once with sound weights, so that what a replica prepared for it is there to be mistaken for the new ones.
    _ = try training.run(step: 0, items: [0, 1, 2, 3, 4, 5])
    for name in ["encoder.0.weight", "latent.weight"] {
      let weight = try #require(training.plan.parameters.first { $0.name == name })
      weight.store([Float](repeating: 1e30, count: weight.count), in: training.parameters.pointer)
    }
    let before = training.parameters.bits
    let error = #expect(throws: TrainingError.self) { try training.run(step: 1, items: [0, 1, 2, 3, 4, 5]) }
    #expect(
      error == .diverged(step: 1, cause: "layer latent (Dense) puts out inf for item 0 of waves"))
    #expect(training.parameters.bits == before)
  }

  /// The replica that looks took no shard of the step, and so prepared no weights for it.
  @Test func theLayerIsFoundWithFreshWeights() throws {
    let data = try TestImages.waves(batchSizes: [6], shape: TinyModels.autoencoder.input)
    let training = try startedStep(TinyModels.autoencoder, batchSize: 6, data: data)
    let sound = training.parameters.array
    let convolution = try #require(training.plan.parameters.first { $0.name == "encoder.0.weight" })
    convolution.store([Float](repeating: 1e38, count: convolution.count), in: training.parameters.pointer)
    #expect(throws: TrainingError.self) { try training.run(step: 0, items: [0, 1, 2, 3, 4, 5]) }
    // The losses are still those of the failed step; with sound weights every layer is sound again.
    training.parameters.pointer.update(from: sound, count: sound.count)
    #expect(
      training.nonfiniteLayer(count: 6) == "the squaredError likelihood overflows for item 0 of waves")
  }

  /// Codes of at most 10^24 whose decoder weighs them with 0, and the square of their derivative.
  @Test func aPenaltyThatOverflowsIsNamed() throws {
    let model = TangentTests.models[0]
    let data = try TestImages.waves(batchSizes: [6], shape: model.input)
    let training = try startedStep(model, batchSize: 6, data: data)
    for parameter in training.plan.parameters {
      let value: Float = ["encoder.0.weight", "latent.weight"].contains(parameter.name) ? 1e12 : 0
      parameter.store([Float](repeating: value, count: parameter.count), in: training.parameters.pointer)
    }
    let error = #expect(throws: TrainingError.self) { try training.run(step: 0, items: [0, 1, 2, 3, 4, 5]) }
    #expect(error == .diverged(step: 0, cause: "the contractive penalty overflows for item 0 of waves"))
  }

  @Test func anAbsurdLearningRateDiverges() throws {
    try withTemporaryFolder { folder in
      var recipe = try ResumeTests.recipe(folder, epochs: 50, steps: nil)
      recipe.optimizer = Optimizer(.sgd, learningRate: 1e30)
      let run = try RunFolder.create(folder + "/run", recipe: recipe)
      // A sound checkpoint to keep.
      let start = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run)
      #expect(try start.run(shouldStop: true) == .interrupted)
      let sound = try run.read(.last).weightsHash
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), run: run, resume: true)
      let error = #expect(throws: TrainingError.self) { try trainer.run() }
      guard case .diverged(let step, let cause)? = error else {
        Issue.record("\(error.debugDescription)")
        return
      }
      #expect(step < 8, "within two epochs")
      #expect(cause.contains("parameter") || cause.contains("layer"), "\(cause)")
      #expect(try run.read(.last).weightsHash == sound, "the last good checkpoint is kept")
    }
  }
}
