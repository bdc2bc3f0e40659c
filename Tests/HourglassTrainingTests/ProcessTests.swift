import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Processes that share steps come to the bits of one process, whatever they train and however many they are. Threads
/// stand for the processes; `SANITIZERS=thread make sanitize FILTER=ProcessTests` looks for races.
@Suite struct ProcessTests {
  /// What is left of steps, to the bit.
  struct Remains: Equatable, Sendable {
    var parameters: [UInt32]
    var moments: [[UInt32]]
    var average: [UInt32]?
    var chains: [UInt32]?
    var losses: [TrainingStep.Loss]
    var norm: Double?
  }

  /// A training of a few steps, some of them on partial minibatches or on several.
  struct Case: Sendable, CustomStringConvertible {
    var model: Autoencoder
    var batchSize = 20
    var shards = 5
    var steps = [20, 9, 20, 1]
    var optimizer = Optimizer()
    var clipNorm: Float?
    var freeBits: Float = 0
    var averageDecay: Float?
    var augmentation: Augmentation?
    var corruption: Corruption?
    var importanceSamples: Int?
    var keepsGradient = true

    var description: String { "\(model.name), \(batchSize) in \(shards)" }

    func train(_ parallel: ParallelPlan, _ transport: (any Transport)? = nil) throws -> Remains {
      let data = try TestImages.waves(batchSizes: steps, shape: model.input)
      let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards, importanceSamples: importanceSamples)
      let step = try TrainingStep(
        plan: plan, parallel: parallel, optimizer: optimizer, clipNorm: clipNorm, freeBits: freeBits,
        averageDecay: averageDecay, augmentation: augmentation, corruption: corruption, seed: 3, beta: 1, data: data,
        keepsGradient: keepsGradient, transport: transport)
      Self.start(step, transport)
      let losses = try step.run(batchSizes: steps)
      return Remains(
        parameters: step.parameters.bits, moments: step.moments.map { $0.values.bits }, average: step.average?.bits,
        chains: step.chains.map { $0.map(\.bitPattern) }, losses: losses, norm: step.gradientNorm)
    }

    /// Fills the weights of a step, which the processes of a node share.
    static func start(_ step: TrainingStep, _ transport: (any Transport)?) {
      if transport.map({ $0.place.local == 0 }) ?? true {
        Initializer.fill(step.parameters, plan: step.plan, seed: 3)
        step.startAverage()
      }
      _ = transport?.gather("")
    }

    /// Expects the bits of one process in each of so many processes, which have different numbers of workers; each
    /// number of them is divided among nodes in another way.
    func expectTheBitsOfOne(_ counts: [Int]) throws {
      let wanted = try train(ParallelPlan(workers: 1, threads: 1))
      for (number, count) in counts.enumerated() {
        let perNode = 1 + (number + batchSize) % count
        let found = try ThreadTransport.run(processes: count, perNode: perNode) { transport in
          let parallel = ParallelPlan(workers: 1 + (transport.place.position + count) % 2, threads: 1)
          let remains = try train(parallel, transport)
          // Over TCP MPI announces a longer message first, and waits for leave to send it.
          #expect((transport as? ThreadTransport).map { $0.longestMessage < 1 << 16 } == true)
          return remains
        }
        for (position, remains) in found.enumerated() {
          let isSame = remains == wanted
          #expect(isSame, "\(self): position \(position) of \(count), \(perNode) a node")
        }
      }
    }
  }

  /// More processes than shards among them.
  @Test(arguments: TinyModels.all + [TinyModels.wide]) func tinyModels(_ model: Autoencoder) throws {
    try Case(model: model).expectTheBitsOfOne([1, 2, 3, 4, 7])
  }

  @Test(arguments: LayerCases.all.map(\.model)) func everyLayer(_ model: Autoencoder) throws {
    try Case(model: model, batchSize: 10, shards: 3, steps: [10, 7, 10]).expectTheBitsOfOne([2, 3])
  }

  @Test(arguments: BoltzmannTests.machines) func boltzmannMachines(_ model: Autoencoder) throws {
    try Case(model: model).expectTheBitsOfOne([2, 3, 7])
  }

  /// Steps of three minibatches, of which the last is partial, with a gradient that is clipped or not.
  @Test(arguments: TinyModels.all, [nil, Float(0.01)])
  func accumulation(_ model: Autoencoder, _ clipNorm: Float?) throws {
    try Case(model: model, batchSize: 6, shards: 3, steps: [18, 11, 13], clipNorm: clipNorm)
      .expectTheBitsOfOne([2, 4])
  }

  /// No gradient is kept, and one process would hold all or fewer gradients than there are shards.
  @Test(arguments: [TinyModels.autoencoder, TinyModels.normalized, TinyModels.variational])
  func fewAndManyShards(_ model: Autoencoder) throws {
    for shards in [1, 3, 48] {
      try Case(model: model, batchSize: 96, shards: shards, steps: [96, 51], keepsGradient: false)
        .expectTheBitsOfOne([2, 3])
    }
  }

  @Test func everythingThatDraws() throws {
    try Case(
      model: TinyModels.denoising, optimizer: Optimizer(.sgd), freeBits: 0.1, averageDecay: 0.9,
      augmentation: Augmentation(flips: true, shift: 1), corruption: Corruption(rawValue: "mask:0.25")
    ).expectTheBitsOfOne([2, 3, 6])
  }

  @Test func importanceSamples() throws {
    try Case(model: TinyModels.variational, steps: [20, 9, 1], importanceSamples: 3).expectTheBitsOfOne([2, 3, 6])
  }

  /// Pieces of a gradient, of which the flagships have several.
  @Test(arguments: [convVAE28, convAE32]) func flagships(_ model: Autoencoder) throws {
    try Case(model: model, batchSize: 8, shards: 4, steps: [8, 5]).expectTheBitsOfOne([3])
  }

  /// Wide dense layers, whose sums go from node to node where nodes are two, and whose operands where they are four.
  @Test(arguments: [2, 4]) func wideLayers(_ nodes: Int) throws {
    try Case(model: convAE28, batchSize: 128, shards: 4, steps: [128]).expectTheBitsOfOne([nodes])
  }

  /// Every preset takes two steps with two processes.
  @Test(arguments: ModelCatalog.models.filter { $0.input.count <= 32 * 32 * 3 })
  func presets(_ model: Autoencoder) throws {
    try Case(model: model, batchSize: 4, shards: 2, steps: [4, 3]).expectTheBitsOfOne([2])
  }

  private static func step(on data: Dataset, workers: Int = 1, _ transport: any Transport) throws -> TrainingStep {
    let plan = try ExecutionPlan(TinyModels.autoencoder, batchSize: 20, shards: 5)
    let step = try TrainingStep(
      plan: plan, parallel: ParallelPlan(workers: workers, threads: 1), optimizer: Optimizer(), seed: 3, beta: 1,
      data: data, transport: transport)
    Case.start(step, transport)
    return step
  }

  /// All processes refuse the image that one process would refuse, and go on with the next step.
  @Test(arguments: [0, 7, 19]) func anImageThatCannotBeRead(_ bad: Int) throws {
    let whole = try TestImages.waves(batchSizes: [20], shape: TinyModels.autoencoder.input)
    let data = Dataset(count: 20, shape: whole.shape, source: "bad") { index, image throws(DataError) in
      if index == bad || index == 19 { throw DataError(path: "bad", reason: "image \(index) is gone") }
      try whole.fill(index, into: image)
    }
    let found = try ThreadTransport.run(processes: 3) { transport throws -> String in
      let step = try Self.step(on: data, workers: 2, transport)
      let before = step.parameters.bits
      var reason = ""
      do throws(TrainingError) { _ = try step.run(step: 0, items: ArraySlice(0..<20)) } catch {
        if case .unreadable(0, let found) = error { reason = found.description }
      }
      #expect(step.parameters.bits == before)
      _ = try step.run(step: 0, items: ArraySlice((1..<19).filter { $0 != 7 }))
      return reason
    }
    #expect(Set(found).count == 1)
    #expect(found[0].hasPrefix("bad: image \(bad) is gone"), "\(found[0])")
  }

  /// A process that wants to stop tells all of them.
  @Test func everybodyStopsAfterTheSameStep() throws {
    let data = try TestImages.waves(batchSizes: [20], shape: TinyModels.autoencoder.input)
    let stops = try ThreadTransport.run(processes: 3) { transport throws -> [Bool] in
      let step = try Self.step(on: data, transport)
      return try (0..<4).map { number in
        step.wantsStop = transport.place.position == 2 && number == 2
        _ = try step.run(step: number, items: ArraySlice(0..<20))
        return step.stopIsWanted
      }
    }
    #expect(stops == Array(repeating: [false, false, true, false], count: 3))
  }

  /// A dense layer sends what is less: for 128 images on four nodes the operands of the large layers and the sums of
  /// the small ones, for 1024 images all sums.
  @Test func theSmallerMessagesAreChosen() throws {
    func products(_ batchSize: Int, nodes: Int) throws -> [String: Bool] {
      let plan = try ExecutionPlan(convVAE28, batchSize: batchSize)
      let chained = StepExchange.areChained(plan, nodes: nodes)
      return Dictionary(
        zip(plan.products, chained).filter { $0.0.rows > 1 }.map { ("\($0.rows) x \($0.columns)", $1) },
        uniquingKeysWith: { $0 && $1 })
    }
    #expect(try products(128, nodes: 1).values.allSatisfy { !$0 })
    #expect(
      try products(1024, nodes: 4)
        == ["3136 x 256": true, "256 x 40": true, "20 x 256": true, "256 x 3136": true])
    #expect(
      try products(128, nodes: 4)
        == ["3136 x 256": false, "256 x 40": true, "20 x 256": true, "256 x 3136": false])
    #expect(try products(64 * 128, nodes: 64).values.allSatisfy { $0 })
    // Between two nodes a sum goes one way and its total the other.
    let plan = try ExecutionPlan(convAE28, batchSize: 128)
    #expect(StepExchange.areChained(plan, nodes: 2).allSatisfy { $0 })
    #expect(!StepExchange.areChained(plan, nodes: 4).contains(true))
    // A tied layer has a term of each of its two uses.
    let tied = try LayerCases.all.map(\.model).filter { $0.name.contains("tied") }.map {
      try ExecutionPlan($0, batchSize: 4096)
    }
    #expect(tied.contains { $0.products.contains { $0.terms.count > 1 } })
    for plan in tied {
      for (product, isChained) in zip(plan.products, StepExchange.areChained(plan, nodes: 2)) {
        #expect(!isChained || product.terms.count == 1)
      }
    }
  }

  /// The images of a step are divided without a gap, those of several minibatches too.
  @Test(arguments: [20, 13, 1, 47]) func imagesAreDivided(_ count: Int) throws {
    let data = try TestImages.waves(batchSizes: [60], shape: TinyModels.autoencoder.input)
    let items = ArraySlice((0..<Int32(60)).reversed())[5..<5 + count]
    let found = try ThreadTransport.run(processes: 3) { transport throws -> [Int32] in
      let step = try Self.step(on: data, transport)
      return Array(step.ownItems(items))
    }
    #expect(found.joined().sorted() == items.sorted())
    if count <= 20 { #expect(Array(found.joined()) == Array(items)) }
  }

  @Test func differencesAreNamed() throws {
    let errors = try ThreadTransport.run(processes: 4) { transport throws -> String in
      #expect(transport.gather("ä\(transport.place.position)") == ["ä0", "ä1", "ä2", "ä3"])
      let isOther = transport.place.position >= 2
      do throws(ProcessError) {
        try transport.requireEqual(["seed": "1", "images": isOther ? "7 of 8 x 8" : "6 of 8 x 8"])
        return ""
      } catch { return error.reason }
    }
    #expect(Set(errors).count == 1)
    let host = ProcessPlace(position: 2, count: 4).name
    #expect(errors[0] == "\(host): images: wanted 6 of 8 x 8 as position 0 has, found 7 of 8 x 8")
  }
}
