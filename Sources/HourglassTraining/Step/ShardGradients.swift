import Dispatch
import HourglassModels
import Synchronization

/// The gradients of a minibatch's shards, and their sum in the order of the shards.
///
///     buffers    shard s writes buffer s mod B
///     tickets    for each slice the shard whose turn it is to be added
///
/// With a buffer for each shard all are added in phase 2. With fewer, a worker that wants a buffer first adds what is
/// finished to a running sum, slice by slice, whoever computed it, and phase 2 adds what is left. Either way an element
/// of the sum is one chain over the shards.
struct ShardGradients: Sendable {
  /// B gradients of `stride` floats.
  let buffers: FloatBuffer
  private let stride: Int
  /// The runs that are added apart, and the next shard to be added to each; negative while a worker adds.
  private let slices: [Range<Int>]
  private let tickets: [Ticket]
  /// One more than the last shard that is finished in each buffer.
  private let finished: [Ticket]
  /// For each worker 1 where it is to be woken once there is more to add or a buffer is free, and what it sleeps on.
  private let listed: [Ticket]
  private let sleep: [DispatchSemaphore]

  private final class Ticket: Sendable {
    let number = Atomic<Int>(0)
  }

  init(buffers: FloatBuffer, count: Int, stride: Int, slices: [Range<Int>], workers: Int) {
    (self.buffers, self.stride, self.slices) = (buffers, stride, slices)
    tickets = slices.map { _ in Ticket() }
    finished = (0..<count).map { _ in Ticket() }
    listed = (0..<workers).map { _ in Ticket() }
    sleep = (0..<workers).map { _ in DispatchSemaphore(value: 0) }
  }

  /// Where the gradient of a shard lies.
  func gradient(of shard: Int) -> UnsafeMutablePointer<Float> {
    buffers.pointer + shard % finished.count * stride
  }

  /// Begins a minibatch, before the workers do.
  ///
  /// - Parameter first: the first shard that they will take.
  func reset(to first: Int = 0) {
    for ticket in tickets { ticket.number.store(first, ordering: .relaxed) }
    for ticket in finished { ticket.number.store(0, ordering: .relaxed) }
  }

  /// Waits until a run of shards has its buffers; meanwhile adds what is finished to the running `sum`, or with
  /// `accumulate` onto what is there.
  ///
  /// The first unfinished shard always has its buffer, or its worker finds everything before it finished: so nobody
  /// waits for ever where runs are taken in order, are finished, and have at most B shards.
  func reserve(_ shards: Range<Int>, worker: Int, accumulate: Bool, sum: FloatBuffer) {
    let needed = shards.upperBound - finished.count
    var isListed = false
    while needed > 0, !(tickets.allSatisfy { $0.number.load(ordering: .acquiring) >= needed }) {
      if addFinished(accumulate: accumulate, sum: sum) { continue }
      // A worker is listed before it looks for the last time, so that whatever comes later wakes it; each sleeps on its
      // own, so that no other takes its place. It may be woken for nothing.
      if isListed {
        sleep[worker].wait()
      } else {
        _ = listed[worker].number.exchange(1, ordering: .acquiringAndReleasing)
      }
      isListed.toggle()
    }
  }

  /// Says that the gradients of a run of shards, which were reserved, are complete, or that nobody will complete them.
  func finish(_ shards: Range<Int>) {
    for shard in shards { finished[shard % finished.count].number.store(shard + 1, ordering: .releasing) }
    wake()
  }

  /// Adds to a slice of the sum all of the first `end` shards that have not been added, once no worker computes.
  func addRest(ofSlice slice: Int, end: Int, accumulate: Bool, into sum: UnsafeMutablePointer<Float>) {
    add(tickets[slice].number.load(ordering: .relaxed)..<end, of: slices[slice], accumulate: accumulate, into: sum)
  }

  /// Adds what is finished to every slice that nobody else adds to, and answers whether there was anything.
  private func addFinished(accumulate: Bool, sum: FloatBuffer) -> Bool {
    var isAny = false
    for (slice, ticket) in tickets.enumerated() {
      let first = ticket.number.load(ordering: .acquiring)
      let end = first < 0 ? first : finishedEnd(from: first)
      guard first < end,
        ticket.number.compareExchange(expected: first, desired: -1, ordering: .acquiringAndReleasing).exchanged
      else { continue }
      add(first..<end, of: slices[slice], accumulate: accumulate, into: sum.pointer + slices[slice].lowerBound)
      ticket.number.store(end, ordering: .releasing)
      isAny = true
    }
    if isAny { wake() }
    return isAny
  }

  /// The first shard from `first` on that is not finished.
  private func finishedEnd(from first: Int) -> Int {
    var end = first
    while finished[end % finished.count].number.load(ordering: .acquiring) == end + 1 { end += 1 }
    return end
  }

  private func wake() {
    for (worker, isListed) in listed.enumerated()
    where isListed.number.exchange(0, ordering: .acquiringAndReleasing) == 1 {
      sleep[worker].signal()
    }
  }

  /// Adds a run of shards, which are finished, in order to the sum of a run of the flat vector. Shard 0 begins the sum
  /// unless that goes on with `accumulate`.
  private func add(
    _ shards: Range<Int>, of range: Range<Int>, accumulate: Bool, into sum: UnsafeMutablePointer<Float>
  ) {
    // The shards lie in one piece, or in two where they go on at the first buffer.
    var first = shards.lowerBound
    while first < shards.upperBound {
      let buffer = first % finished.count
      let count = min(shards.upperBound - first, finished.count - buffer)
      Kernels.sumShards(
        gradient(of: first) + range.lowerBound, shards: count, stride: stride, count: range.count,
        accumulate: accumulate || first > 0, into: sum)
      first += count
    }
  }
}
