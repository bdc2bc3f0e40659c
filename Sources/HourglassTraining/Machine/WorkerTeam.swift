import CThreads
import Dispatch
import HourglassBase
import HourglassModels
import Synchronization

/// Long-lived threads that run one fixed body together, phase by phase.
///
/// The caller is worker 0. The others sleep on a Dispatch semaphore between phases, each on a thread of its own, so
/// that an OpenMP team founded inside a worker stays with it (GCD's own threads change from call to call). A system
/// call that wakes a thread takes microseconds, so each worker that is awake wakes four more before it works, and the
/// last one to finish wakes the caller. A phase takes no lock and allocates nothing.
final class WorkerTeam {
  private let shared: Shared
  private let threads: [SystemThread]

  /// Starts the threads, and makes sure that the system has as many more as the workers' OpenMP teams will want.
  ///
  /// - Parameters:
  ///   - teams: how many such teams the caller will have at once; all share the caller as their first worker.
  ///   - body: called as body(worker, phase) on every worker, at the same time.
  init(
    _ parallel: ParallelPlan, teams: Int = 1, body: @escaping @Sendable (_ worker: Int, _ phase: Int) -> Void
  ) throws(ThreadError) {
    try parallel.check()
    let threads = RunEnvironment.hasOpenMP ? parallel.threads : 1
    try SystemThread.check(teams * (parallel.workers - 1) * threads + max(0, threads - ParallelPlan.threadsOfCaller))
    let shared = Shared(workers: parallel.workers, body: body)
    self.shared = shared
    self.threads = (1..<parallel.workers).compactMap { worker in
      SystemThread {
        thread_name("hourglass-\(worker)")
        shared.serve(worker)
      }
    }
    // Threads that did start end with the team.
    guard self.threads.count == parallel.workers - 1 else {
      throw SystemThread.refusal(wanted: parallel.workers - 1, found: self.threads.count)
    }
  }

  deinit {
    shared.end()
    for thread in threads { thread.join() }
  }

  /// Runs a phase on all workers, and returns when all have finished.
  func run(phase: Int) {
    shared.start(phase: phase)
    shared.body(0, phase)
    if !shared.isLast() { shared.finished.wait() }
  }

  /// The workers that a worker wakes: 0 wakes 1 to 4, which wake 5 to 8, 9 to 12, ...
  static func wakes(_ worker: Int, of workers: Int) -> Range<Int> {
    min(4 * worker + 1, workers)..<min(4 * worker + 5, workers)
  }

  private final class Shared: Sendable {
    private static let end = -1

    let body: @Sendable (Int, Int) -> Void
    /// The semaphore that wakes each worker. The caller is awake and needs none.
    private let wake: [DispatchSemaphore]
    let finished = DispatchSemaphore(value: 0)
    private let phase = Atomic<Int>(0)
    /// The workers that have not finished the phase.
    private let running = Atomic<Int>(0)

    init(workers: Int, body: @escaping @Sendable (Int, Int) -> Void) {
      self.body = body
      wake = (0..<workers).map { _ in DispatchSemaphore(value: 0) }
    }

    func start(phase: Int) {
      running.store(wake.count, ordering: .relaxed)
      self.phase.store(phase, ordering: .releasing)
      wakeOthers(0)
    }

    /// Ends all threads, also where those that would wake them did not start.
    func end() {
      phase.store(Self.end, ordering: .releasing)
      for semaphore in wake { semaphore.signal() }
    }

    private func wakeOthers(_ worker: Int) {
      for other in WorkerTeam.wakes(worker, of: wake.count) { wake[other].signal() }
    }

    /// Notes that a worker has finished; whether all have.
    func isLast() -> Bool { running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }

    func serve(_ worker: Int) {
      while true {
        wake[worker].wait()
        let phase = self.phase.load(ordering: .acquiring)
        if phase == Self.end { return }
        wakeOthers(worker)
        body(worker, phase)
        if isLast() { finished.signal() }
      }
    }
  }
}

/// A counter that hands out the numbers from 0 or another first one on to whoever asks, each once.
final class WorkCounter: Sendable {
  private let numbers: AlignedBuffer<Int>
  private let index: Int

  /// Makes a counter of one of some numbers, which processes may share.
  init(_ numbers: AlignedBuffer<Int> = AlignedBuffer(count: 1), at index: Int = 0) {
    (self.numbers, self.index) = (numbers, index)
  }

  private var next: UnsafeMutablePointer<Atomic<Int>> { numbers.atomic(index) }

  func reset(to first: Int = 0) { next.pointee.store(first, ordering: .relaxed) }

  /// The next `count` numbers, fewer at the end; nil when all below `limit` are taken.
  func take(_ count: Int = 1, below limit: Int) -> Range<Int>? {
    let first = next.pointee.add(count, ordering: .relaxed).oldValue
    return first < limit ? first..<min(first + count, limit) : nil
  }

  /// One of so many parts of the numbers that are left, of a size within the given sizes; nil when all below `limit`
  /// are taken. Whoever is slow has taken little when the others find nothing more (Polychronopoulos & Kuck, "Guided
  /// self-scheduling", 1987).
  func take(partOf parts: Int, sizes: ClosedRange<Int>, below limit: Int) -> Range<Int>? {
    var first = next.pointee.load(ordering: .relaxed)
    while first < limit {
      let part = (limit - first + parts - 1) / parts
      let end = min(first + min(max(part, sizes.lowerBound), sizes.upperBound), limit)
      let (isOurs, found) = next.pointee.compareExchange(expected: first, desired: end, ordering: .relaxed)
      if isOurs { return first..<end }
      first = found
    }
    return nil
  }
}
