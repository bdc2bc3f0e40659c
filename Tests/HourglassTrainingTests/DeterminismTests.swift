import Foundation
import HourglassKernels
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Numbers do not depend on how the work is divided, nor on the instruction set, as long as it fuses multiply and add.
///
/// Each test runs in a process of its own: the instruction set is a property of the whole process.
@Suite(.serialized) struct DeterminismTests {
  static let all = (1...4).flatMap { workers in (1...3).map { ParallelPlan(workers: workers, threads: $0) } }
  static let some = [(1, 1), (4, 1), (1, 3), (2, 2), (3, 2)].map { ParallelPlan(workers: $0, threads: $1) }

  /// A model with batches of which the last is partial.
  struct Run {
    let model: Autoencoder
    let batchSize: Int
    let shards: Int
    let batchSizes: [Int]
    var clipNorm: Float?

    static let tiny = LayerCases.all.map {
      Run(model: $0.model, batchSize: 10, shards: 3, batchSizes: [10, 10, 10, 10, 10, 7])
    }
    static let golden = TinyModels.all.map {
      Run(model: $0, batchSize: 20, shards: 5, batchSizes: [20, 20, 20, 20, 20, 9])
    }
    static let flagships = [convVAE28, convAE28].map {
      Run(model: $0, batchSize: 16, shards: 4, batchSizes: [16, 16, 16, 16, 16, 5])
    }
    static let clipped = (TinyModels.all + [TinyModels.wide]).map {
      Run(model: $0, batchSize: 16, shards: 4, batchSizes: [16, 16, 5], clipNorm: 0.01)
    }

    static let machines = BoltzmannTests.machines.map {
      Run(model: $0, batchSize: 20, shards: 5, batchSizes: [20, 9, 20, 20])
    }

    /// Throws where the weights or the last loss differ in some division, with or without a gradient that is kept, or
    /// on some instruction set.
    func staysTheSame(_ divisions: [ParallelPlan]) throws {
      // Threads of a machine with fewer cores than threads would spin at each other's expense.
      setenv("OMP_WAIT_POLICY", "passive", 1)
      let data = try TestImages.waves(batchSizes: batchSizes, shape: model.input)
      let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
      let start = FloatBuffer(count: plan.parameterCount)
      Initializer.fill(start, plan: plan, seed: 3)
      var first: (bits: [UInt32], loss: TrainingStep.Loss, norm: Double?)?
      for name in fusedInstructionSets where hg_isa_select(name) == nil {
        for (number, parallel) in divisions.enumerated() {
          let step = try TrainingStep(
            plan: plan, parallel: parallel, optimizer: Optimizer(), clipNorm: clipNorm, seed: 3, beta: 1, data: data,
            keepsGradient: number % 2 == 0)
          step.parameters.pointer.update(from: start.pointer, count: start.count)
          let loss = try step.run(batchSizes: batchSizes).last!
          let (bits, norm) = (step.parameters.bits, step.gradientNorm)
          if let first, first.bits != bits || first.loss != loss || first.norm != norm {
            throw Difference(what: "\(model.name): \(name), \(parallel)")
          }
          if let clipNorm, (norm ?? 0) <= Double(clipNorm) {
            throw Difference(what: "\(model.name): nothing was clipped")
          }
          first = (bits, loss, norm)
        }
      }
      hg_isa_select("")
      guard let first else { throw Difference(what: "this machine has no instruction set with FMA") }
      // A run that did nothing would be the same as well.
      if first.bits == start.bits { throw Difference(what: "\(model.name): nothing was learned") }
    }

    struct Difference: Error { let what: String }
  }

  @Test func everyRowOfTheTableIsTheSameInEveryDivision() async {
    await #expect(processExitsWith: .success) {
      for run in Run.tiny { try run.staysTheSame(DeterminismTests.some) }
    }
  }

  @Test func tinyModelsAreTheSameInEveryDivision() async {
    await #expect(processExitsWith: .success) {
      for run in Run.golden { try run.staysTheSame(DeterminismTests.all) }
    }
  }

  @Test func boltzmannMachinesAreTheSameInEveryDivision() async {
    await #expect(processExitsWith: .success) {
      for run in Run.machines { try run.staysTheSame(DeterminismTests.all) }
    }
  }

  @Test func flagshipsAreTheSameInEveryDivision() async {
    await #expect(processExitsWith: .success) {
      for run in Run.flagships { try run.staysTheSame(DeterminismTests.some) }
    }
  }

  @Test func clippedRunsAreTheSameInEveryDivision() async {
    await #expect(processExitsWith: .success) {
      for run in Run.clipped { try run.staysTheSame(DeterminismTests.some) }
    }
  }

  /// The number of shards orders sums, which is why it is part of the recipe.
  @Test func anotherNumberOfShardsIsAnotherRun() throws {
    let run = Run.golden[0]
    let data = try TestImages.waves(batchSizes: run.batchSizes, shape: run.model.input)
    let hashes = try [1, 4].map { shards in
      let step = try startedStep(run.model, batchSize: run.batchSize, shards: shards, data: data)
      try step.run(batchSizes: run.batchSizes)
      return WeightsHash.of(step.parameters, plan: step.plan)
    }
    #expect(hashes[0] != hashes[1])
    #expect(hashes.allSatisfy { $0.count == 16 && $0.allSatisfy(\.isHexDigit) })
  }

  @Test func theSeedDecidesTheNoise() throws {
    let run = Run.golden[1]
    let data = try TestImages.waves(batchSizes: run.batchSizes, shape: run.model.input)
    let losses = try [UInt64(3), 3, 4].map { seed in
      let step = try startedStep(run.model, batchSize: run.batchSize, seed: seed, data: data)
      Initializer.fill(step.parameters, plan: step.plan, seed: 0)
      return try step.run(batchSizes: [20])[0]
    }
    #expect(losses[0] == losses[1] && losses[0].reconstruction != losses[2].reconstruction)
    #expect(losses[0].terms == losses[2].terms, "the divergence does not see the noise")
  }
}
