import CThreads
import Foundation
import HourglassModels
import Synchronization
import TestSupport
import Testing

@testable import HourglassTraining

/// What keeps a busy neighbour from costing more than its share.
struct BusyCoreTests {
  @Test(.enabled(if: GrantedCores.affinity > 1, "one core leaves nowhere to go"))
  func aWorkerLeavesTheCoreOfAnotherAndStaysFree() async {
    let found = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let cores = WorkerCores(ParallelPlan(workers: 2, threads: 1))
        let before = Self.allowed()
        affinity_move(before[0])
        cores.keepApart(0)
        // Where the system has moved it since, it is not where the first worker was seen.
        cores.keepApart(1)
        continuation.resume(
          returning: (core: Int(affinity_core()), first: before[0], before: before, after: Self.allowed()))
      }
    }
    #expect(found.core != found.first && found.after == found.before)
  }

  @Test func boundWorkersStayWhereTheyAre() async {
    let cores = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let cores = WorkerCores(ParallelPlan(workers: 2, threads: 1, binding: .close))
        var core = GrantedCores.allowed[0]
        affinity_bind(&core, 0)
        cores.keepApart(0)
        cores.keepApart(1)
        continuation.resume(returning: Self.allowed())
      }
    }
    #expect(cores == [GrantedCores.allowed[0]])
  }

  /// The cores that the calling thread may run on.
  private static func allowed() -> [Int] {
    [Int](unsafeUninitializedCapacity: 1024) { buffer, count in
      count = affinity_cores(buffer.baseAddress, buffer.count)
    }
  }

  @Test func guidedPartsShrinkAndCoverAllOnce() {
    let counter = WorkCounter()
    var parts: [Range<Int>] = []
    while let part = counter.take(partOf: 4, sizes: 2...5, below: 23) { parts.append(part) }
    #expect(parts == [0..<5, 5..<10, 10..<14, 14..<17, 17..<19, 19..<21, 21..<23])
  }

  @Test func threadsShareGuidedPartsWithoutGapsOrOverlaps() {
    let (counter, limit) = (WorkCounter(), 100_000)
    let taken = Mutex<[Range<Int>]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      var own: [Range<Int>] = []
      while let part = counter.take(partOf: 1000, sizes: 1...50, below: limit) { own.append(part) }
      taken.withLock { [own] in $0 += own }
    }
    let parts = taken.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
    #expect(parts.first?.lowerBound == 0 && parts.last?.upperBound == limit)
    #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
  }

  @Test func guidedStepsHaveTheBitsOfOthers() throws {
    let sizes = [20, 20, 20, 7]
    let data = try TestImages.waves(batchSizes: sizes, shape: TinyModels.variational.input)
    let bits = try [(1, 0), (2, 100), (3, 100), (4, 100)].map { workers, guided in
      let step = try startedStep(
        TinyModels.variational, batchSize: 20, shards: 20, parallel: ParallelPlan(workers: workers, threads: 1),
        data: data)
      step.guidedSteps = guided
      try step.run(batchSizes: sizes)
      return step.parameters.bits
    }
    #expect(bits.allSatisfy { $0 == bits[0] })
  }
}
