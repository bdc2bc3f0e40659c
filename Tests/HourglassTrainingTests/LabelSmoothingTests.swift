import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// A part of each label's probability is spread over all classes while a model learns.
@Suite struct LabelSmoothingTests {
  private static func evaluate(
    _ logits: [Float], _ labels: [Int32], smoothing: Float, wantsError: Bool = true, inPlace: Bool = false
  ) -> (loss: [Float], error: [Float]) {
    let count = logits.count / labels.count
    var (output, loss, error) = (logits, [Float](repeating: 0, count: labels.count), logits)
    let image = ImageShape(vector: 1)
    error.withUnsafeMutableBufferPointer { error in
      output.withUnsafeMutableBufferPointer { output in
        guard let output = output.baseAddress, let error = error.baseAddress else { return }
        Likelihood.categorical.evaluate(
          samples: labels.count, count: count, image: image, output: inPlace ? error : output, target: output,
          labels: labels, loss: &loss, error: wantsError ? error : nil, scratch: output, threads: 1,
          labelSmoothing: smoothing)
      }
    }
    return (loss, error)
  }

  /// What torch.nn.functional.cross_entropy(l, y, label_smoothing=0.1, reduction="none") is defined to be, by NumPy:
  ///
  ///     l = np.array([[1, 2, 3, .5], [0, -1, .25, 2]]); y = [2, 0]; e = .1; K = 4
  ///     t = np.full((2, K), e / K); t[[0, 1], y] += 1 - e
  ///     logp = l - np.log(np.exp(l).sum(1, keepdims=True))
  ///     print(-(t * logp).sum(1), np.exp(logp) - t)
  @Test(arguments: [false, true]) func lossAndErrorArePyTorchs(_ inPlace: Bool) {
    let found = Self.evaluate([1, 2, 3, 0.5, 0, -1, 0.25, 2], [2, 0], smoothing: 0.1, inPlace: inPlace)
    let loss: [Float] = [0.5982734891568512, 2.2754228225110755]
    let error: [Float] = [
      0.06036889350978889, 0.2070567119433145, -0.29420445675253315, 0.026778851299429807,
      -0.8254079386123112, 0.01163787188841494, 0.10287873812211829, 0.7108913286017778,
    ]
    #expect(zip(found.loss, loss).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(zip(found.error, error).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  /// The error of one logit is how the loss changes with it: central differences, by losses of about 3 that are rounded
  /// by 2e-7, over a step of 2e-2, whose third order is below 1e-5.
  @Test(arguments: [0, 0.1, 0.9] as [Float]) func theErrorIsTheGradientOfTheLoss(_ smoothing: Float) {
    let logits: [Float] = [0.5, -1.25, 2, 0.75, -0.5, 1.5, -2, 0, 0.25, 1, -0.75, 0.5]
    let labels: [Int32] = [2, 0]
    let error = Self.evaluate(logits, labels, smoothing: smoothing).error
    for j in logits.indices {
      let losses = [0.01, -0.01].map { (step: Float) in
        var moved = logits
        moved[j] += step
        return Self.evaluate(moved, labels, smoothing: smoothing, wantsError: false).loss.map(Double.init).reduce(0, +)
      }
      #expect(abs((losses[0] - losses[1]) / 0.02 - Double(error[j])) < 5e-5, "logit \(j)")
    }
    // Probabilities and targets both sum to one.
    #expect(abs(error[..<6].reduce(0, +)) < 1e-6 && abs(error[6...].reduce(0, +)) < 1e-6)
  }

  private static func step(_ smoothing: Float, _ parallel: ParallelPlan = .init(workers: 1, threads: 1)) throws
    -> TrainingStep
  {
    let model = ObjectiveTests.model(.categorical)
    let plan = try ExecutionPlan(model, batchSize: 16, shards: 4)
    let step = try TrainingStep(
      plan: plan, parallel: parallel, optimizer: Optimizer(.sgd, learningRate: 0.1), labelSmoothing: smoothing, seed: 3,
      beta: 1, data: ObjectiveTests.data([16, 16, 16]))
    Initializer.fill(step.parameters, plan: plan, seed: 3)
    return step
  }

  @Test func theDivisionChangesNoBitAndSmoothingMany() throws {
    let all = try [(1, 1), (3, 1), (2, 2)].map { workers, threads in
      let step = try Self.step(0.2, ParallelPlan(workers: workers, threads: threads))
      return (try step.run(batchSizes: [16, 16, 16]), step.parameters.bits)
    }
    #expect(all.allSatisfy { $0 == all[0] })
    let plain = try Self.step(0)
    try plain.run(batchSizes: [16, 16, 16])
    #expect(plain.parameters.bits != all[0].1)
  }

  /// While weights stay, the loss trained on is that of smoothed labels, and validation measures plain ones.
  @Test func trainingIsSmoothedAndValidationIsNot() throws {
    let data = try ObjectiveTests.data([64])
    let found = try [0, 0.3].map { (smoothing: Float) in
      var recipe = Recipe(
        model: ObjectiveTests.model(.categorical), batchSize: 16, shards: 2,
        optimizer: Optimizer(.sgd, learningRate: 1e-30), epochs: 1)
      recipe.labelSmoothing = smoothing
      let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), data: data, validation: data)
      _ = try trainer.run()
      let epoch = try #require(trainer.metrics.epochs.last)
      return (epoch.loss, try #require(epoch.validationLoss))
    }
    #expect(found[0].1 == found[1].1)
    #expect(abs(found[0].0 - found[0].1) < 1e-5)
    // e (mean over classes of -log p - that of the label), from logits of the model itself.
    let recipe = Recipe(model: ObjectiveTests.model(.categorical))
    let inference = try Inference(model: recipe.model, parallel: ParallelPlan(workers: 1, threads: 1))
    Initializer.fill(inference.parameters, plan: inference.plan, seed: recipe.seed)
    let logits = try inference.reconstruct(data.images(0..<data.count)).map(Double.init)
    let labels = try #require(data.labels)
    let more =
      labels.indices.map { n in
        let row = logits[n * ObjectiveTests.classes..<(n + 1) * ObjectiveTests.classes]
        return row[row.startIndex + labels[n]] - row.reduce(0, +) / Double(ObjectiveTests.classes)
      }.reduce(0, +) / Double(labels.count)
    #expect(abs(found[1].0 - found[0].0 - 0.3 * more) < 1e-5)
  }
}
