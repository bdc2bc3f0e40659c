import HeapProbe
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Planning fixes every byte: running allocates nothing.
///
/// Without optimisation the Swift compiler boxes values of its own accord, so debug builds compare only the bytes in
/// use; `make check` runs this suite in release mode, where every call counts.
/// In processes of their own, so that no other test allocates meanwhile.
@Suite(.serialized, .disabled(if: isSanitized, "a sanitizer brings an allocator of its own"))
struct AllocationTests {
  @Test func aHundredStepsOfAnAutoencoderAllocateNothing() async {
    await #expect(processExitsWith: .success) { try heapStaysTheSame(TinyModels.autoencoder) }
  }

  @Test func aHundredStepsOfAVariationalAutoencoderAllocateNothing() async {
    await #expect(processExitsWith: .success) { try heapStaysTheSame(TinyModels.variational) }
  }

  @Test func theProbeCounts() async {
    await #expect(processExitsWith: .success) {
      let before = (heap_probe_allocations(), heap_probe_bytes())
      let buffer = FloatBuffer(count: 1 << 20)
      precondition(heap_probe_bytes() > before.1)
      precondition(heap_probe_allocations() > before.0)
      withExtendedLifetime(buffer) {}
    }
  }
}

/// Throws where a hundred steps, of full and partial batches, allocate or change the bytes in use.
private func heapStaysTheSame(_ model: Autoencoder) throws {
  struct HeapWasUsed: Error { let allocations: Int64, bytesBefore, bytesAfter: Int }
  let data = try TestImages.waves(batchSizes: [20], shape: model.input)
  let training = try startedStep(
    model, batchSize: 20, shards: 5, parallel: ParallelPlan(workers: 2, threads: 2), data: data)
  let items = (0..<Int32(20)).map { $0 }
  // The first steps found the OpenMP teams and what the runtimes keep for each thread.
  for step in 0..<10 { _ = try training.run(step: step, items: items.prefix(20 - step)) }
  let (bytes, allocations) = (heap_probe_bytes(), heap_probe_allocations())
  for step in 10..<110 { _ = try training.run(step: step, items: items.prefix(20 - step % 7)) }
  let used = HeapWasUsed(
    allocations: heap_probe_allocations() - allocations, bytesBefore: bytes, bytesAfter: heap_probe_bytes())
  #if DEBUG
    let isUnused = used.bytesBefore == used.bytesAfter
  #else
    let isUnused = used.bytesBefore == used.bytesAfter && used.allocations == 0
  #endif
  guard isUnused else { throw used }
}
