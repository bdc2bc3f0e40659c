import Glibc
import HeapProbe
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Planning fixes every byte: running allocates nothing.
///
/// Without optimisation the Swift compiler boxes values of its own accord, so debug builds compare only the blocks in
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

  @Test func winogradsFormAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      var model = TinyModels.variational
      model.encoder[0] = Conv2D(4, kernel: 4, stride: 2, activation: .relu, algorithm: .winograd)
      model.decoder[3] = ConvTranspose2D(1, kernel: 4, stride: 2, algorithm: .winograd)
      try heapStaysTheSame(model)
    }
  }

  @Test func aHundredStepsWithDropoutAndNoiseAllocateNothing() async {
    await #expect(processExitsWith: .success) { try heapStaysTheSame(TinyModels.denoising) }
  }

  @Test func normalizingAndUnpoolingAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.normalized, clipNorm: 0.01)
      try heapStaysTheSame(TinyModels.resized, batchSize: 8)
    }
  }

  @Test func aHundredStepsOfAClassifierAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(ObjectiveTests.model(.categorical), on: ObjectiveTests.data([20]))
    }
  }

  @Test func tiedWeightsAndPenaltiesAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      for name in FamilyTests.names { try heapStaysTheSame(FamilyTests.model(name)) }
    }
  }

  @Test func standardizedPairsAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      let model = TinyModels.autoencoder
      let data = try TestImages.waves(batchSizes: [20], shape: model.input)
      let standardization = Standardization(mean: [0.5, 0.4, 0.3], deviation: [2, 3, 4])
      try heapStaysTheSame(
        model, Augmentation(flips: true), on: data.paired(with: data, isWhole: true), standardization: standardization)
    }
  }

  @Test func gibbsChainsAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      for machine in BoltzmannTests.machines { try heapStaysTheSame(machine) }
    }
  }

  @Test func clippingAllocatesNothing() async {
    await #expect(processExitsWith: .success) { try heapStaysTheSame(TinyModels.variational, clipNorm: 0.01) }
  }

  @Test func averagingAndFreeBitsAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.variational, averageDecay: 0.5, freeBits: 0.1)
    }
  }

  @Test func distortingAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.autoencoder, Augmentation(flips: true, shift: 1), .gaussian(0.1))
      try heapStaysTheSame(TinyModels.variational, nil, .saltPepper(0.1))
    }
  }

  @Test func importanceSamplesAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.variational, importanceSamples: 5)
      try heapStaysTheSame(TinyModels.denoising, nil, .saltPepper(0.1), batchSize: 8, importanceSamples: 2)
    }
  }

  @Test func binarizingAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        let (path, shape) = (folder + "/images.npy", TinyModels.variational.input)
        try NPYFile.write(TestImages.waves(step: 0, samples: 20, shape: shape), shape: [20, 8, 8], to: path)
        var preparation = Preparation()
        preparation.binarizes = true
        try heapStaysTheSame(
          TinyModels.variational, on: Dataset.open(path: path, split: .train, preparation: preparation))
      }
    }
  }

  @Test func profilingAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.variational, clipNorm: 0.01, profiles: true)
      try heapStaysTheSame(TinyModels.autoencoder, batchSize: 8, profiles: true)
    }
  }

  @Test func readingFromAFileAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        let (path, shape) = (folder + "/images.npy", TinyModels.autoencoder.input)
        let waves = TestImages.waves(step: 0, samples: 20, shape: shape)
        try NPYFile.write(waves, shape: [20, shape.height, shape.width, shape.channels], to: path)
        let data = try Dataset.open(path: path, split: .train, memory: 1)
        precondition(data.isOnDisk)
        try heapStaysTheSame(TinyModels.autoencoder, on: data)
      }
    }
  }

  @Test func severalMinibatchesAStepAllocateNothing() async {
    await #expect(processExitsWith: .success) { try heapStaysTheSame(TinyModels.variational, batchSize: 8) }
  }

  @Test func aHundredStepsOfBranchesAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      for row in LayerCases.branched { try heapStaysTheSame(row.model) }
    }
  }

  @Test func aHundredStepsOfResamplingAndRearrangingAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      for row in LayerCases.shapes { try heapStaysTheSame(row.model) }
    }
  }

  /// Nothing but the messages themselves, whose memory is MPI's.
  @Test func sharingStepsAllocatesNothing() async {
    await #expect(processExitsWith: .success) {
      try heapStaysTheSame(TinyModels.autoencoder, transport: Loopback())
      try heapStaysTheSame(TinyModels.normalized, batchSize: 8, clipNorm: 0.01, transport: Loopback())
      try heapStaysTheSame(TinyModels.variational, importanceSamples: 5, transport: Loopback())
    }
  }

  @Test func theProbeCounts() async {
    await #expect(processExitsWith: .success) {
      let before = (heap_probe_allocations(), heap_probe_live())
      let buffer = FloatBuffer(count: 1 << 20)
      precondition(heap_probe_live() > before.1)
      precondition(heap_probe_allocations() > before.0)
      withExtendedLifetime(buffer) {}
    }
  }
}

/// A transport of the first of two nodes, of which the other one is at the same step and adds nothing.
private final class Loopback: Transport {
  let place = ProcessPlace(position: 0, count: 2)
  func send(_: UnsafeRawBufferPointer, to _: Int, _: inout Message) {}
  func receive(_: UnsafeMutableRawBufferPointer, from _: Int, _: inout Message) {}
  func isDone(_: inout Message) -> Bool { true }
  func gather(
    _ words: UnsafeMutablePointer<UInt32>, counts: UnsafePointer<Int32>, offsets: UnsafePointer<Int32>,
    among _: ProcessGroup
  ) {
    for word in 0..<Int(min(counts[0], counts[1])) { words[Int(offsets[1]) + word] = words[Int(offsets[0]) + word] }
  }
  func nodeMemory(bytes: Int) throws(ProcessError) -> NodeMemory {
    guard let memory = NodeMemory(bytes: bytes) else { throw ProcessError(reason: "no memory") }
    return memory
  }
  func wait(until isDone: () -> Bool) { precondition(isDone(), "nobody else comes") }
  func endAll(_ reason: String, status _: Int32) { preconditionFailure(reason) }
}

/// Throws where a hundred steps of up to 20 samples, in full and partial minibatches, allocate or change the blocks in
/// use.
private func heapStaysTheSame(
  _ model: Autoencoder, _ augmentation: Augmentation? = nil, _ corruption: Corruption? = nil, batchSize: Int = 20,
  clipNorm: Float? = nil, averageDecay: Float? = nil, freeBits: Float = 0, on images: Dataset? = nil,
  profiles: Bool = false, importanceSamples: Int? = nil, standardization: Standardization? = nil,
  transport: (any Transport)? = nil
) throws {
  struct HeapWasUsed: Error { let allocations, blocks: Int64 }
  let data = try images ?? TestImages.waves(batchSizes: [20], shape: model.input)
  let training = try startedStep(
    model, batchSize: batchSize, shards: 4, parallel: ParallelPlan(workers: 2, threads: 2), clipNorm: clipNorm,
    freeBits: freeBits, averageDecay: averageDecay, augmentation: augmentation, corruption: corruption, data: data,
    profiles: profiles, importanceSamples: importanceSamples, standardization: standardization,
    transport: transport)
  let items = (0..<Int32(20)).map { $0 }
  // In the first steps the runtimes look things up that they keep.
  for step in 0..<10 { _ = try training.run(step: step, items: items.prefix(20 - step)) }
  let (blocks, allocations) = (heap_probe_live(), heap_probe_allocations())
  for step in 10..<110 { _ = try training.run(step: step, items: items.prefix(20 - step % 7)) }
  var used = HeapWasUsed(allocations: heap_probe_allocations() - allocations, blocks: heap_probe_live() - blocks)
  // A worker that the system has stopped on its way to sleep still has what it will release, now or above, where it
  // then counts as gone. A block that a step kept would count a hundred times.
  for _ in 0..<50 where used.blocks > 0 {
    usleep(2000)
    used = HeapWasUsed(allocations: used.allocations, blocks: heap_probe_live() - blocks)
  }
  // Otherwise they would be released after their last use above, and count as blocks gone.
  withExtendedLifetime((items, training)) {}
  #if DEBUG
    let isUnused = used.blocks <= 0
  #else
    let isUnused = used.blocks <= 0 && used.allocations == 0
  #endif
  guard isUnused else { throw used }
}
