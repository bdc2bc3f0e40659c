import FoundationEssentials
import Glibc
import HourglassModels
import Synchronization

/// What processes that share a step tell each other, so that all of them come to the weights of one process.
///
///     phase 1    each process takes its run of shards
///     report     everybody gets the losses of all samples, and learns whether a process failed or wants to stop
///     operands   everybody gets what products read of all samples: inputs and output errors of dense layers
///     phase 2    sums over shards go from position to position, each of which continues them with its own shards, and
///                come back as totals; everybody updates everything
///
/// Samples and shards keep the numbers that they have in one process, and sums their order. All memory is there before
/// the first step.
final class StepExchange: Sendable {
  let transport: any Transport
  private var place: ProcessPlace { transport.place }
  private let plan: ExecutionPlan
  private let shared: SharedMemory
  /// Arrays of the minibatch's memory that everybody needs of all samples.
  private let operands: [Place]
  /// Runs of the flat vector that travel one by one, so that positions work at the same time.
  private let pieces: [Range<Int>]
  private let report: AlignedBuffer<UInt32>
  private let counts: AlignedBuffer<Int32>
  private let offsets: AlignedBuffer<Int32>
  private let messages: AlignedBuffer<Message>
  /// So many floats of the gradient's front are totals that no message reads any more.
  private let totals = Atomic<Int>(0)

  /// Longest piece in floats: 48 KB stay below the size up to which MPI sends over TCP at once.
  private static let pieceFloats = 12288
  /// Receives that are begun before their pieces come.
  private static let ahead = 16

  /// Errors: a `ModelError` where an array is too long for a message.
  init(_ transport: any Transport, plan: ExecutionPlan, shared: SharedMemory) throws(ModelError) {
    (self.transport, self.plan, self.shared) = (transport, plan, shared)
    var places = Set(plan.products.flatMap(\.terms).flatMap(\.operands))
    if let contrast = plan.contrastiveDivergence, contrast.isPersistent { places.insert(contrast.chains) }
    operands = places.sorted { $0.offset < $1.offset }
    let longest = places.reduce(0) { max($0, $1.count.timesClamping(plan.batchSize)) }
    guard longest <= Int(Int32.max) else {
      throw ModelError(
        plan.model.name,
        "wanted at most \(Int32.max) numbers of a minibatch in a layer where several processes train, found "
          + "\(longest); take a smaller --batch-size with --accumulate")
    }
    pieces = stride(from: 0, to: plan.shardedCount, by: Self.pieceFloats).map {
      $0..<min($0 + Self.pieceFloats, plan.shardedCount)
    }
    let count = transport.place.count
    report = AlignedBuffer(count: count * Header.words + plan.batchSize * (shared.sums.count + 1))
    (counts, offsets) = (AlignedBuffer(count: count), AlignedBuffer(count: count))
    messages = AlignedBuffer(count: max(1, pieces.count * Way.count))
  }

  /// The shards of a minibatch of `used` shards that this process takes.
  func shards(of used: Int) -> Range<Int> { place.shards(of: used, at: place.position) }

  /// The places of the images of a minibatch of `count` images that this process reads.
  func images(of count: Int) -> Range<Int> {
    let own = samples(of: place.position, in: count * plan.samplesPerImage)
    return own.lowerBound / plan.samplesPerImage..<own.upperBound / plan.samplesPerImage
  }

  // MARK: Report and operands

  private struct Header {
    static let words = 4
    var step: UInt32
    var samples: UInt32
    var before: UInt32
    var flags: UInt32

    static let failed: UInt32 = 1
    static let wantsStop: UInt32 = 2
  }

  /// What the processes told each other.
  struct Answer {
    var hasFailure = false
    var wantsStop = false
  }

  /// Tells the others how phase 1 of a minibatch went here, and puts what they did in place. Where a process has
  /// failed, only the losses are.
  func tell(_ now: StepWork.Current, hasFailed: Bool, wantsStop: Bool) -> Answer {
    var next = 0
    for p in 0..<place.count {
      let own = samples(of: p, in: now.count)
      var words = Header.words
      forEachColumn { _, samples in words += own.count / samples }
      (counts.pointer[p], offsets.pointer[p]) = (Int32(words), Int32(next))
      next += words
    }
    let mine = Header(
      step: UInt32(truncatingIfNeeded: now.step), samples: UInt32(truncatingIfNeeded: now.count),
      before: UInt32(truncatingIfNeeded: now.samplesBefore),
      flags: (hasFailed ? Header.failed : 0) | (wantsStop ? Header.wantsStop : 0))
    write(mine, at: Int(offsets.pointer[place.position]))
    copyColumns(of: place.position, now.count) { report, column, count in
      report.withMemoryRebound(to: Float.self, capacity: count) { $0.update(from: column, count: count) }
    }
    transport.gather(report.pointer, counts: counts.pointer, offsets: offsets.pointer)
    var answer = Answer()
    for p in 0..<place.count {
      let found = header(at: Int(offsets.pointer[p]))
      guard (found.step, found.samples, found.before) == (mine.step, mine.samples, mine.before) else {
        transport.endAll(
          "position \(p) is at step \(found.step) with \(found.samples) samples, position \(place.position) at step "
            + "\(mine.step) with \(mine.samples)", status: 1)
        return Answer(hasFailure: true)
      }
      answer.hasFailure = answer.hasFailure || found.flags & Header.failed != 0
      answer.wantsStop = answer.wantsStop || found.flags & Header.wantsStop != 0
      guard p != place.position else { continue }
      copyColumns(of: p, now.count) { report, column, count in
        report.withMemoryRebound(to: Float.self, capacity: count) { column.update(from: $0, count: count) }
      }
    }
    if !answer.hasFailure { for operand in operands { gather(operand, count: now.count) } }
    return answer
  }

  private func gather(_ operand: Place, count: Int) {
    for p in 0..<place.count {
      let own = samples(of: p, in: count)
      counts.pointer[p] = Int32(own.count * operand.count)
      offsets.pointer[p] = Int32(own.lowerBound * operand.count)
    }
    let start = shared.batch.pointer + operand.offset * plan.batchSize
    start.withMemoryRebound(to: UInt32.self, capacity: plan.batchSize * operand.count) {
      transport.gather($0, counts: counts.pointer, offsets: offsets.pointer)
    }
  }

  private func samples(of position: Int, in count: Int) -> Range<Int> {
    let used = (count + plan.samplesPerShard - 1) / plan.samplesPerShard
    return plan.samples(of: place.shards(of: used, at: position), in: count)
  }

  /// Calls with every array of losses, and how many samples have one number in it.
  private func forEachColumn(_ body: (_ column: UnsafeMutablePointer<Float>, _ samples: Int) -> Void) {
    body(shared.losses.pointer, 1)
    for term in 0..<shared.sums.count - 2 { body(shared.terms.pointer + term * plan.batchSize, 1) }
    guard let weights = shared.importanceWeights else { return }
    body(weights.pointer, 1)
    body(shared.bounds.pointer, plan.samplesPerImage)
  }

  /// Calls with every array's run of a position, in the report and in its place.
  private func copyColumns(
    of position: Int, _ count: Int,
    _ copy: (_ report: UnsafeMutablePointer<UInt32>, _ column: UnsafeMutablePointer<Float>, _ count: Int) -> Void
  ) {
    let own = samples(of: position, in: count)
    var next = report.pointer + Int(offsets.pointer[position]) + Header.words
    forEachColumn { column, samples in
      let count = own.count / samples
      copy(next, column + own.lowerBound / samples, count)
      next += count
    }
  }

  private func write(_ header: Header, at offset: Int) {
    let words = report.pointer + offset
    (words[0], words[1], words[2], words[3]) = (header.step, header.samples, header.before, header.flags)
  }

  private func header(at offset: Int) -> Header {
    let words = report.pointer + offset
    return Header(step: words[0], samples: words[1], before: words[2], flags: words[3])
  }

  // MARK: Sums

  /// The messages of a piece.
  private enum Way: Int {
    case partialIn, partialOut, totalIn, totalOut
    static let count = 4
  }

  /// Forgets the totals of the phase before. To be called before the workers begin.
  func reset() { totals.store(0, ordering: .relaxed) }

  /// Waits until the front of the gradient is totals up to a place.
  func wait(upTo end: Int) { while totals.load(ordering: .acquiring) < end { sched_yield() } }

  /// Makes the front of the gradient totals over the shards of all processes, in the order of the shards.
  ///
  /// - Parameters:
  ///   - gradient: the front, which at position 0 may hold a sum that goes on.
  ///   - add: adds this process's shards to a run of it.
  ///   - meanwhile: does a piece of other work; false where there is none.
  func sum(
    _ gradient: UnsafeMutablePointer<Float>, add: (Range<Int>) -> Void, meanwhile: () -> Bool
  ) {
    let (me, last, end) = (place.position, place.count - 1, pieces.count)
    // How many pieces have come so far, counted from the front.
    var (posted, received, added, sent) = (0, me == 0 ? end : 0, 0, 0)
    var (awaited, returned, ready) = (0, 0, 0)
    while ready < end {
      var isIdle = true
      if me > 0 {
        while posted < min(end, received + Self.ahead) {
          receive(posted, gradient, from: me - 1, .partialIn)
          posted += 1
        }
        while received < posted, isDone(received, .partialIn) { received += 1 }
      }
      if added < received {
        add(pieces[added])
        if me < last { send(added, gradient, to: me + 1, .partialOut) }
        if me == last, me > 0 { send(added, gradient, to: me - 1, .totalOut) }
        added += 1
        isIdle = false
      }
      if me < last {
        while sent < added, isDone(sent, .partialOut) { sent += 1 }
        // A total comes into the place of the partial sum, which must have left.
        while awaited < min(sent, returned + Self.ahead) {
          receive(awaited, gradient, from: me + 1, .totalIn)
          awaited += 1
        }
        while returned < awaited, isDone(returned, .totalIn) {
          if me > 0 { send(returned, gradient, to: me - 1, .totalOut) }
          returned += 1
          isIdle = false
        }
      } else {
        returned = added
      }
      while ready < returned, me == 0 || isDone(ready, .totalOut) {
        totals.store(pieces[ready].upperBound, ordering: .releasing)
        ready += 1
        isIdle = false
      }
      if isIdle, !meanwhile() { sched_yield() }
    }
  }

  private func send(_ piece: Int, _ gradient: UnsafeMutablePointer<Float>, to position: Int, _ way: Way) {
    let run = UnsafeBufferPointer(start: gradient + pieces[piece].lowerBound, count: pieces[piece].count)
    transport.send(UnsafeRawBufferPointer(run), to: position, &messages.pointer[piece * Way.count + way.rawValue])
  }

  private func receive(_ piece: Int, _ gradient: UnsafeMutablePointer<Float>, from position: Int, _ way: Way) {
    let run = UnsafeMutableBufferPointer(start: gradient + pieces[piece].lowerBound, count: pieces[piece].count)
    transport.receive(
      UnsafeMutableRawBufferPointer(run), from: position, &messages.pointer[piece * Way.count + way.rawValue])
  }

  private func isDone(_ piece: Int, _ way: Way) -> Bool {
    transport.isDone(&messages.pointer[piece * Way.count + way.rawValue])
  }
}
