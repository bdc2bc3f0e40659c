import Foundation
import HeapProbe
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Memory is written first by the worker that uses it, so that it lies near that worker, and begins as zeros all the
/// same.
///
/// In processes of their own, whose threads and whose heap are those of the test alone.
@Suite(.serialized, .disabled(if: isSanitized, "a sanitizer brings an allocator of its own"))
struct FirstTouchTests {
  @Test func allMemoryIsZeroAtFirstWhateverTheHeapHolds() async {
    await #expect(processExitsWith: .success) {
      let clean = try trainedBits()
      heap_probe_soil()
      #expect(FloatBuffer(unwritten: 8).array.allSatisfy { $0.isNaN }, "the heap is soiled")
      let parallel = ParallelPlan(workers: 3, threads: 1)
      for model in LayerCases.all.map(\.model) + TinyModels.all {
        let plan = try ExecutionPlan(model, batchSize: 10, shards: 3)
        let shared = SharedMemory(plan: plan, parameters: FloatBuffer(unwritten: plan.parameterCount))
        let reducers = try [true, false].map {
          try GradientReducer(plan: plan, shared: shared, optimizer: Optimizer(), workers: 3, keepsGradient: $0)
        }
        for worker in 0..<3 {
          shared.clear(plan: plan) { $0.share(worker, of: 3) }
          for reducer in reducers { reducer.clear(worker) { $0.share(worker, of: 3) } }
        }
        let replica = Replica(
          plan: plan, shared: shared, groupSamples: 4, parallel: parallel, worker: 1, cores: WorkerCores(parallel))
        replica.start()
        let buffers =
          replica.arenas
          + reducers.flatMap { $0.moments + $0.rooms + [$0.gradient, $0.shardGradients.buffers] }
          + [shared.parameters, shared.batch, shared.losses, shared.terms]
        let soiled = buffers.indices.filter { i in buffers[i].bits.contains { $0 != 0 } }
        #expect(soiled.isEmpty, "\(model.name) is not cleared")
      }
      let soiled = try trainedBits()
      #expect(soiled == clean)
    }
  }

  /// A page that a thread writes first is a fault of that thread.
  @Test func aWorkerIsTheFirstToWriteItsReplica() async {
    await #expect(processExitsWith: .success) {
      let data = try TestImages.waves(batchSizes: [16], shape: convVAE28.input)
      let parallel = ParallelPlan(workers: 2, threads: 1)
      let training = try startedStep(convVAE28, batchSize: 16, shards: 4, parallel: parallel, data: data)
      let replica = PlannedMemory(training: training.plan, parallel: parallel).perReplica
      let pages = replica / sysconf(Int32(_SC_PAGESIZE))
      #expect(pages > 100)
      let faults = try minorFaults(ofThread: "hourglass-1")
      #expect(faults > pages / 2, "\(faults) faults of a worker whose replica has \(pages) pages")
      withExtendedLifetime(training) {}
    }
  }
}

/// The weights after three steps on two workers.
private func trainedBits() throws -> [[UInt32]] {
  try TinyModels.all.map { model in
    let data = try TestImages.waves(batchSizes: [10, 10, 7], shape: model.input)
    let step = try startedStep(
      model, batchSize: 10, shards: 3, parallel: ParallelPlan(workers: 2, threads: 2), data: data)
    try step.run(batchSizes: [10, 10, 7])
    return step.parameters.bits
  }
}

/// Pages that the system gave to the thread without reading them from anywhere; see proc(5).
private func minorFaults(ofThread name: String) throws -> Int {
  struct NoSuchThread: Error {}
  let tasks = "/proc/self/task"
  for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
    let stat = try String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)
    guard stat.contains("(\(name))"), let end = stat.lastIndex(of: ")") else { continue }
    return Int(stat[end...].split(separator: " ")[8]) ?? 0
  }
  throw NoSuchThread()
}
