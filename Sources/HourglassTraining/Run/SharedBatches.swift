import HourglassData
import HourglassModels

/// The images of a data set, `Inference.batchSize` at a time, with the numbers that somebody makes of each batch.
///
/// Processes that share the work make the numbers of one batch each at a time, and all of them get the numbers of all
/// batches in order: a sum over them has the bits of one process, whatever their number. A process reads the images of
/// its own batches alone.
public struct SharedBatches<Number: BitwiseCopyable> {
  /// A batch.
  public struct Batch: Sendable {
    /// The place among the batches, from 0.
    public let number: Int
    /// The places of the images in the set.
    public let images: Range<Int>
    /// The images that this process reads next.
    public let following: Range<Int>
  }

  private let data: Dataset
  private let range: Range<Int>
  private let transport: (any Transport)?
  private let make: (Batch) throws -> [Number]
  /// Batches whose numbers are made, and how many of them somebody has taken.
  private var made: [(batch: Batch, numbers: [Number])] = []
  private var taken = 0
  /// The batches of the rounds so far.
  private var count = 0

  /// - Parameters:
  ///   - range: which images; nil for all.
  ///   - transport: of the processes that share the work, all of which take all batches; nil for one process.
  ///   - make: the numbers of a batch, at least one.
  public init(
    _ data: Dataset, _ range: Range<Int>? = nil, sharedBy transport: (any Transport)?,
    make: @escaping (Batch) throws -> [Number]
  ) {
    (self.data, self.range, self.transport, self.make) = (data, range ?? 0..<data.count, transport, make)
  }

  /// The next batch and its numbers; nil behind the last.
  ///
  /// Errors: those of `make`; in all of several processes an `AgreedError` with that of the lowest position that has
  /// one.
  public mutating func next() throws -> (batch: Batch, numbers: [Number])? {
    if taken == made.count { try makeRound() }
    guard taken < made.count else { return nil }
    defer { taken += 1 }
    return made[taken]
  }

  /// Makes a batch in each process.
  private mutating func makeRound() throws {
    let (position, processes) = (transport?.place.position ?? 0, transport?.place.count ?? 1)
    let all = (range.count + Inference.batchSize - 1) / Inference.batchSize
    let round = (count..<min(count + processes, all)).map { batch($0, of: processes) }
    (made, taken, count) = ([], 0, count + round.count)
    guard !round.isEmpty else { return }
    guard let transport else {
      made = [(round[0], try make(round[0]))]
      return
    }
    var (numbers, failure): ([Number], DataError?) = ([], nil)
    if position < round.count {
      do { numbers = try make(round[position]) } catch {
        failure = error as? DataError ?? DataError(path: data.source, reason: "\(error)")
      }
    }
    let told = try transport.gather(numbers, of: data)
    if zip(round, told).contains(where: { $1.isEmpty }), let failure = transport.agreed(failure) {
      throw AgreedError(failure)
    }
    made = Array(zip(round, told))
  }

  private func batch(_ number: Int, of processes: Int) -> Batch {
    func images(_ number: Int) -> Range<Int> {
      let start = min(range.lowerBound + number * Inference.batchSize, range.upperBound)
      return start..<min(start + Inference.batchSize, range.upperBound)
    }
    return Batch(number: number, images: images(number), following: images(number + processes))
  }
}

extension Dataset {
  /// The images that the network sees in a batch of single images. Those of the next batch are read meanwhile.
  ///
  /// Errors: an image cannot be read.
  public func images<Number>(_ batch: SharedBatches<Number>.Batch) throws -> [Float] {
    let floats = try images(batch.images)
    announce(batch.following.lazy.map { Int32($0) })
    return floats
  }
}

/// The failure of one of several processes, which all of them throw.
public struct AgreedError: Error, CustomStringConvertible {
  /// The failure, with the position and the host of the process.
  public let error: DataError
  init(_ error: DataError) { self.error = error }
  public var description: String { error.description }
}

extension Transport {
  /// The numbers of all processes, in the order of their positions. All processes call it together.
  ///
  /// Errors, in all of them: more numbers than a message can have.
  fileprivate func gather<Number: BitwiseCopyable>(
    _ numbers: [Number], of data: Dataset
  ) throws(AgreedError) -> [[Number]] {
    let width = MemoryLayout<Number>.stride / MemoryLayout<UInt32>.stride
    let lengths = AlignedBuffer<UInt32>(count: place.count)
    lengths[place.position] = UInt32(clamping: numbers.count * width)
    gather(
      lengths.pointer, counts: Array(repeating: 1, count: place.count), offsets: (0..<place.count).map { Int32($0) },
      among: .processes)
    let counts = lengths.elements.map { Int($0) }
    let total = counts.reduce(0, +)
    guard total <= Int(Int32.max) else {
      throw AgreedError(
        DataError(
          path: data.source,
          reason: "wanted at most \(Int32.max) numbers of \(place.count) batches of \(Inference.batchSize) images, "
            + "found \(total); take fewer processes"))
    }
    let starts = counts.indices.map { counts[..<$0].reduce(0, +) }
    let words = AlignedBuffer<UInt32>(count: max(1, total))
    numbers.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(start: words.pointer + starts[place.position], count: $0.count).copyMemory(from: $0)
    }
    gather(
      words.pointer, counts: counts.map { Int32($0) }, offsets: starts.map { Int32($0) }, among: .processes)
    return zip(starts, counts).map { start, count in
      Array(unsafeUninitializedCapacity: count / width) { room, initialized in
        UnsafeMutableRawBufferPointer(room).copyMemory(
          from: UnsafeRawBufferPointer(start: words.pointer + start, count: 4 * count))
        initialized = count / width
      }
    }
  }

  /// Refuses to look at a set together with processes that have other weights or images, or were asked for something
  /// else. All processes call it together.
  ///
  /// Errors: see `requireEqual`.
  ///
  /// - Parameter arguments: what the program was called with.
  public func requireEqual(_ inference: Inference, _ data: Dataset, arguments: [String]) throws(ProcessError) {
    var facts = RunEnvironment.sharedFacts
    facts["arguments"] = arguments.joined(separator: " ")
    facts["images"] = "\(data.count) of \(data.shape)"
    facts["weights"] = WeightsHash.of(inference.parameters, plan: inference.plan)
    try requireEqual(facts)
  }
}
