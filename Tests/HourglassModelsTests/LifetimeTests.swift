import TestSupport
import Testing

@testable import HourglassModels

/// Memory: no array is written over while somebody is to read it.
@Suite struct LifetimeTests {
  static let models = ExecutionPlanTests.models

  @Test(arguments: models.indices, [true, false])
  func arraysThatLiveTogetherDoNotOverlap(_ index: Int, _ isTraining: Bool) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 24, shards: 2, isTraining: isTraining)
    let floats = [Place.Memory.batch: plan.batchFloats, .group: plan.groupFloats, .chunk: plan.chunkFloats]
    let all = plan.lifetimes.all
    #expect(all.count >= plan.uses.count { $0.layer.kind != "Fork" })
    for (i, array) in all.enumerated() {
      let (memory, alive) = plan.lifetimes.memory(of: array)
      #expect(array.place.memory == memory && array.place.offset % 16 == 0 && array.place.offset >= 0)
      #expect(array.place.offset + array.place.count <= floats[memory] ?? 0)
      for other in all[..<i] where other.place.memory == memory {
        guard plan.lifetimes.memory(of: other).alive.overlaps(alive) else { continue }
        let (a, b) = (array.place, other.place)
        #expect(a.offset + a.count <= b.offset || b.offset + b.count <= a.offset, "\(array.array), \(other.array)")
      }
    }
  }

  /// The walk of a group through the plan, with a tag for each float in the place of its value: what a layer reads must
  /// be what its writer left there for the same sample, however the samples are cut into chunks.
  @Test(arguments: models.indices, [true, false])
  func everyReadFindsWhatWasWritten(_ index: Int, _ isTraining: Bool) throws {
    let plan = try ExecutionPlan(Self.models[index], batchSize: 10, shards: 2, isTraining: isTraining)
    var walk = Walk(plan)
    walk.write(.values(0), 0..<5)
    if isTraining { walk.train(0..<5) } else { walk.infer(0..<5) }
    if isTraining {
      walk.write(.values(0), 5..<10)
      walk.train(5..<10)
      let sources = ExecutionPlan.products(of: plan.uses, tangible: ExecutionPlan.tangible(plan.uses))
      for source in sources.flatMap(\.terms).flatMap(\.operands) { walk.read(source, 0..<10) }
    }
    #expect(walk.faults.isEmpty, "\(walk.faults.prefix(3))")
  }

  /// A walk that reads what nobody has written is found out.
  @Test func theWalkFindsFaults() throws {
    var walk = Walk(try ExecutionPlan(convVAE28, batchSize: 10, shards: 2))
    walk.train(0..<5)
    #expect(!walk.faults.isEmpty)
  }

  private struct Walk {
    let plan: ExecutionPlan
    /// Samples of a chunk, fewer than the plan's, so that there are several.
    let chunk = 2
    let group = 5
    var memories: [Place.Memory: [Int32]]
    var shared: [Read.Source: Read.Source] = [:]
    var numbers: [Read.Source: Int32] = [:]
    var faults: [String] = []
    var groupStart = 0
    var what = ""

    init(_ plan: ExecutionPlan) {
      self.plan = plan
      memories = [
        .batch: Array(repeating: -1, count: plan.batchFloats * plan.batchSize),
        .group: Array(repeating: -1, count: plan.groupFloats * group),
        .chunk: Array(repeating: -1, count: plan.chunkFloats * chunk),
      ]
      for use in plan.uses {
        for (array, other) in use.layer.inPlace(use) {
          shared[array] = other
          if let array = array.ofTangents, let other = other.ofTangents { shared[array] = other }
        }
      }
    }

    private mutating func tag(_ source: Read.Source, _ sample: Int) -> Int32 {
      var source = source
      while let other = shared[source] { source = other }
      let number = numbers[source] ?? Int32(numbers.count)
      numbers[source] = number
      return number * 1000 + Int32(sample)
    }

    private func range(_ place: Place, _ sample: Int, first: Int) -> Range<Int> {
      let at =
        switch place.memory {
        case .batch: place.offset * plan.batchSize + sample * place.count
        case .group: place.offset * group + (sample - groupStart) * place.count
        case .chunk: place.offset * chunk + (sample - first) * place.count
        }
      return at..<at + place.count
    }

    mutating func write(_ source: Read.Source, _ samples: Range<Int>) {
      if case .values(0) = source { groupStart = samples.lowerBound }
      guard let place = plan.lifetimes.place(of: source) else { return }
      for sample in samples {
        let tag = tag(source, sample)
        let range = range(place, sample, first: samples.lowerBound)
        memories[place.memory]?.withUnsafeMutableBufferPointer { $0[range].update(repeating: tag) }
      }
    }

    mutating func read(_ source: Read.Source, _ samples: Range<Int>) {
      if case .weight = source { return }
      guard let place = plan.lifetimes.place(of: source) else { return }
      for sample in samples {
        let tag = tag(source, sample)
        let range = range(place, sample, first: samples.lowerBound)
        guard let floats = memories[place.memory]?[range], floats.first == tag, floats.last == tag,
          !floats.contains(where: { $0 != tag })
        else {
          faults.append("\(what) reads \(source) of sample \(sample)")
          return
        }
      }
    }

    private func pieces(of segment: Range<Int>, _ samples: Range<Int>) -> [Range<Int>] {
      guard plan.uses[segment.lowerBound].layer.granularity == .chunk else { return [samples] }
      return stride(from: samples.lowerBound, to: samples.upperBound, by: chunk).map {
        $0..<min($0 + chunk, samples.upperBound)
      }
    }

    private mutating func forward(_ uses: Range<Int>, _ piece: Range<Int>) {
      for use in plan.uses[uses] {
        what = "\(use.layer.name) forward"
        for read in use.layer.reads(use) where read.moments.contains(.forward) { self.read(read.source, piece) }
        if uses.lowerBound == 0, use.output == plan.uses[0].output { write(.tangent(0), piece) }
        for value in use.inputs { read(.tangent(value), piece) }
        if use.layer.kind != "Fork" {
          for value in use.outputs {
            write(.values(value), piece)
            write(.tangent(value), piece)
          }
        }
        write(.state(use.output), piece)
      }
    }

    private mutating func backward(_ uses: Range<Int>, _ piece: Range<Int>) {
      for use in plan.uses[uses].reversed() {
        what = "\(use.layer.name) backward"
        for read in use.layer.reads(use) where read.moments.contains(.backward) { self.read(read.source, piece) }
        read(.state(use.output), piece)
        for value in use.outputs where plan.tangents.contains(plan.uses.firstIndex { $0.output == use.output } ?? -1) {
          read(.tangentError(value), piece)
        }
        for value in use.inputs {
          write(.error(value), piece)
          write(.tangentError(value), piece)
        }
      }
    }

    /// As `Replica.train` goes.
    mutating func train(_ samples: Range<Int>) {
      guard let last = plan.segments.last else { return }
      for segment in plan.segments.dropLast() {
        for piece in pieces(of: segment, samples) { forward(segment, piece) }
      }
      for piece in pieces(of: last, samples) {
        forward(last, piece)
        what = "likelihood"
        read(.values(0), piece)
        read(.values(plan.output), piece)
        write(.error(plan.output), piece)
        backward(last, piece)
      }
      for segment in plan.segments.dropLast().reversed() {
        for piece in pieces(of: segment, samples) { backward(segment, piece) }
      }
    }

    /// As inference goes: an image to its code and on, and the last layer of the encoder and the decoder again and
    /// again for new draws of the code.
    mutating func infer(_ samples: Range<Int>) {
      run(plan.uses.indices, samples)
      for _ in 0..<2 {
        run(plan.encoder.upperBound - (plan.model.isVariational ? 1 : 0)..<plan.uses.count, samples)
        what = "inference"
        for value in [0, plan.posterior, plan.code, plan.output] { read(.values(value), samples) }
        read(.state(plan.code), samples)
      }
    }

    private mutating func run(_ uses: Range<Int>, _ samples: Range<Int>) {
      for segment in plan.segments where segment.overlaps(uses) {
        for piece in pieces(of: segment, samples) { forward(segment.clamped(to: uses), piece) }
      }
    }
  }
}
