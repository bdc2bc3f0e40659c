import Foundation
import HourglassModels
import Testing

@testable import HourglassTraining
@testable import bench

@Suite struct StepModelTests {
  /// The plan of a model, of convolutions alone or with products.
  private func plan(_ name: String = "conv-vae-28", batchSize: Int = 128, shards: Int = 16) throws -> ExecutionPlan {
    try ExecutionPlan(try #require(ModelCatalog.model(name)), batchSize: batchSize, shards: shards)
  }

  /// A core that does nothing but forward and backward, a sample in a second, and has memory without limit.
  private func model(_ change: (inout StepModel) -> Void = { _ in }) -> StepModel {
    let rates = StepModel.Rates(sample: 1, product: 0, sum: 0, update: 0)
    var model = StepModel(
      alone: rates, together: rates, fewRows: 0, unthreaded: 0, serial: 0, preparedBytes: 0, latency: 0, signal: 0,
      spread: 0, bandwidth: 1e30,
      ceiling: 1e40, lastCache: 0)
    change(&model)
    return model
  }

  @Test("without losses, the speed-up is the number of workers that divides the shards")
  func ideal() throws {
    for (batchSize, shards) in [(128, 16), (96, 96), (1024, 64)] {
      let plan = try plan(batchSize: batchSize, shards: shards)
      for workers in 1...shards where shards % workers == 0 {
        let step = model().step(plan, workers: workers)
        #expect(abs(Double(batchSize) / step.seconds - Double(workers)) < 1e-9 * Double(workers))
        #expect(step.lastShard < 1e-9 * step.seconds)
      }
    }
  }

  @Test("shards are handed out whole: the step takes as long as the most that one worker gets")
  func shardsAreWhole() throws {
    let plan = try plan()
    for workers in 1...40 {
      let most = (16 + workers - 1) / workers
      #expect(model().step(plan, workers: workers).seconds == Double(8 * most), "\(workers)")
    }
    // 100 samples in 16 shards: 14 of 7 and one of 2.
    #expect(model().step(try self.plan(batchSize: 100), workers: 16).seconds == 7)
    #expect(model().step(plan, workers: 12).limit(plan).contains("the last shard: 16 shards over 12 workers"))
    #expect(
      model().step(plan, workers: 32).limit(plan)
        == "50 % of the step waits for others: 16 shards feed 16 of 32 workers")
  }

  @Test("who is awake wakes four others one by one in both phases, and the last to finish the caller")
  func wakeUps() throws {
    let plan = try plan()
    let idle = model {
      $0.alone.sample = 0
      $0.together.sample = 0
      ($0.signal, $0.latency) = (3, 50)
    }
    #expect(idle.step(plan, workers: 1).seconds < 1e-9)
    for workers in 2...40 {
      // The others begin when whoever wakes them has signalled all before them.
      let starts = (0..<workers).map { worker -> Double in
        var (start, path) = (Double(WorkerTeam.wakes(worker, of: workers).count * 3), worker)
        while path > 0 {
          start += Double(50 + 3 * ((path - 1) % 4 + 1))
          path = (path - 1) / 4
        }
        return start
      }
      let wanted = (starts.max() ?? 0) + 50 * (1 - 1 / Double(workers))
      #expect(abs(idle.step(plan, workers: workers).seconds - 2 * wanted) < 1e-9, "\(workers)")
    }
  }

  @Test("threads share all of a worker's samples and products but a part, and no sums and updates")
  func threads() throws {
    let plan = try plan()
    for (unthreaded, threads) in [(0.0, 4), (0.1, 1), (0.1, 2), (0.1, 16), (1, 3)] {
      let share = unthreaded + (1 - unthreaded) / Double(threads)
      var model = model { $0.unthreaded = unthreaded }
      #expect(abs(model.step(plan, workers: 16, threads: threads).seconds - 8 * share) < 1e-9)
      model.alone = StepModel.Rates(sample: 0, product: 1, sum: 0, update: 0)
      model.together = model.alone
      let seconds = (1...2).map { model.step(plan, workers: 1, threads: $0 == 1 ? 1 : threads).seconds }
      #expect(abs(seconds[1] / seconds[0] - share) < 1e-9)
      model.alone = StepModel.Rates(sample: 0, product: 0, sum: 1, update: 1)
      model.together = model.alone
      let sums = (1...2).map { model.step(plan, workers: 1, threads: $0 == 1 ? 1 : threads).seconds }
      #expect(sums[0] == sums[1])
    }
  }

  @Test("slices of few rows take longer for each multiply-add")
  func rows() throws {
    let plan = try plan()
    let products = model {
      $0.alone = StepModel.Rates(sample: 0, product: 1, sum: 0, update: 0)
      ($0.together, $0.fewRows) = ($0.alone, 4)
    }
    let wanted = TrainingStep.slices(of: plan, workers: 1).reduce(0.0) {
      $0 + ($1.rows > 0 ? Double($1.parameters * plan.batchSize) * (1 + 4 / Double($1.rows)) : 0)
    }
    #expect(abs(products.step(plan, workers: 1).seconds / wanted - 1) < 1e-9)
  }

  @Test("what cannot be divided stays: the caller's part, and preparation in every worker")
  func fixedParts() throws {
    let plan = try plan()
    let slow = model {
      $0.serial = 5
      ($0.preparedBytes, $0.bandwidth) = (20, 10)
      // So little that matrices of dense layers are free.
      $0.ceiling = 1e40
    }
    let dense = try self.plan("conv-ae-28")
    #expect(dense.products.isEmpty == false)
    for workers in [1, 2, 16] {
      let step = slow.step(plan, workers: workers)
      #expect(step.serial == 5 && abs(step.preparation - 2) < 1e-12)
    }
  }

  @Test("an update cannot be faster than the memory of all cores together")
  func ceiling() throws {
    let plan = try plan()
    let bound = model {
      $0.alone = StepModel.Rates(sample: 0, product: 0, sum: 0, update: StepModel.updateBytes / 10)
      $0.together = $0.alone
      ($0.bandwidth, $0.ceiling) = (1e30, 40)
    }
    let all = TrainingStep.slices(of: plan, workers: 1).reduce(0) { $0 + $1.parameters }
    let bytes = StepModel.updateBytes * Double(all)
    let without = model {
      $0.alone.sample = 0
      $0.together.sample = 0
      $0.ceiling = 40
    }
    for workers in [1, 2, 4, 8, 64] {
      let sizes = TrainingStep.slices(of: plan, workers: workers).map { Double($0.parameters) }
      let slice = StepModel.updateBytes * (sizes.max() ?? 0) / 10
      let seconds = bound.step(plan, workers: workers).seconds - without.step(plan, workers: workers).seconds
      let least = bytes / min(40, 10 * Double(workers))
      #expect(seconds > least * (1 - 1e-9) && seconds < least + slice * max(1, Double(workers) / 4), "\(workers)")
    }
    #expect(bound.step(plan, workers: 4).memory == 0 && bound.step(plan, workers: 8).memory > 0)
  }

  @Test("each turn reads the matrices of dense layers, at the ceiling of memory where no cache holds them")
  func matrices() throws {
    let plan = try plan()
    let bytes = 2 * 4 * Double(plan.products.filter { $0.rows > 1 }.reduce(0) { $0 + $1.rows * $1.columns })
    for (cache, rate) in [(bytes, 10.0), (bytes / 2, 40.0 / 16)] {
      let reading = model {
        $0.alone.sample = 0
        $0.together.sample = 0
        ($0.bandwidth, $0.ceiling, $0.lastCache) = (10, 40, cache)
      }
      let step = reading.step(plan, workers: 16)
      #expect(abs(step.matrices / (bytes / rate) - 1) < 1e-12 && abs(step.seconds / step.matrices - 1) < 1e-12)
    }
    // Arithmetic that takes longer hides it.
    #expect(model { ($0.bandwidth, $0.ceiling) = (1e12, 1e12) }.step(plan, workers: 2).matrices == 0)
  }

  @Test(
    "all parameters are in the slices of phase 2, once, and as finely as many workers want", arguments: [1, 16, 64])
  func slices(workers: Int) throws {
    for model in ModelCatalog.models {
      let plan = try ExecutionPlan(model, batchSize: 16)
      let slices = TrainingStep.slices(of: plan, workers: workers)
      let products = plan.products.filter { $0.rows > 1 }.reduce(0) { $0 + $1.rows * $1.columns }
      #expect(slices.reduce(0) { $0 + ($1.rows > 0 ? $1.parameters : 0) } == products)
      let sharded = plan.shardedCount + plan.products.filter { $0.rows == 1 }.reduce(0) { $0 + $1.columns }
      #expect(slices.reduce(0) { $0 + ($1.rows > 0 ? 0 : $1.parameters) } == sharded)
      let few = TrainingStep.slices(of: plan, workers: 1)
      #expect(workers <= 16 ? slices.map(\.parameters) == few.map(\.parameters) : slices.count >= few.count)
      if workers == 64, plan.parameterCount > 1 << 20 { #expect(slices.count > 2 * workers, "\(model.name)") }
    }
  }

  private func calibrated(_ study: ScalingStudy) throws -> (StepModel, Autoencoder) {
    let model = try #require(ModelCatalog.model(study.model))
    return (try #require(try StepModel(study, model: model)), model)
  }

  @Test("the parts of a simulated step add up to it", arguments: ScalingStudy.Mode.allCases)
  func sum(mode: ScalingStudy.Mode) throws {
    let (costs, model) = try calibrated(ScalingFixture.study(mode))
    for (workers, threads) in [(1, 1), (2, 1), (3, 1), (16, 1), (48, 1), (128, 1), (2, 3), (16, 8)] {
      let step = costs.step(try ExecutionPlan(model, batchSize: 256), workers: workers, threads: threads)
      let losses = step.crowding + step.threading + step.preparation + step.matrices + step.memory
      let waits = step.wakeUps + step.lastShard + step.lastSlice
      #expect(abs(step.work + losses + waits + step.serial - step.seconds) < 1e-12)
      #expect(step.work > 0 && waits >= 0)
    }
  }

  private func simulated(_ study: ScalingStudy) throws -> StepSimulation? {
    try StepSimulation(study, model: try #require(ModelCatalog.model(study.model)))
  }

  @Test("the points of calibration come out as they were measured")
  func calibration() throws {
    var study = ScalingFixture.study(deviation: 0)
    // Parts are means, which on a busy machine are longer than the median step.
    study.points[0].parts.forwardBackward *= 1.25
    study.points[0].parts.products *= 1.25
    study.points[0].parts.reduction *= 1.25
    study.points[0].parts.update *= 1.25
    study.points[0].parts.waiting *= 1.25
    let simulation = try #require(try simulated(study))
    #expect(simulation.checks.map(\.workers) == [1, 2, 4, 8, 16])
    #expect(simulation.checks.map(\.isCalibration) == [true, true, false, false, false])
    // The parts of one core add up to its step, and each is calibrated alone.
    #expect(abs(simulation.checks[0].error) < 1e-9)
    #expect(abs(simulation.checks[1].error) < 0.005)
  }

  @Test("more cores never cost work, and without a second worker there is nothing to calibrate with")
  func scenarios() throws {
    let simulation = try #require(try simulated(ScalingFixture.study()))
    #expect(simulation.scenarios.map { [$0.batchSize, $0.shards] } == [[128, 16], [128, 128], [1024, 128]])
    for scenario in simulation.scenarios {
      #expect(scenario.points.map(\.step.workers) == StepSimulation.workers && scenario.points[0].speedup == 1)
      for point in scenario.points { #expect(point.efficiency < 1.0 + 1e-9) }
    }
    // 16 shards feed no more than 16 workers; a larger minibatch feeds all.
    #expect(simulation.scenarios[0].bend.contains("bends beyond 16 cores: 32"))
    #expect(simulation.scenarios[0].bend.contains("16 shards feed 16 of 32 workers"))
    #expect(simulation.scenarios[2].points[7].speedup > 2 * simulation.scenarios[0].points[7].speedup)
    let weak = try #require(try simulated(ScalingFixture.study(.weak)))
    #expect(weak.scenarios.count == 1 && weak.scenarios[0].points[7].batchSize == 128 * 128)
    #expect(try simulated(ScalingFixture.study(most: 1)) == nil)
  }
}
