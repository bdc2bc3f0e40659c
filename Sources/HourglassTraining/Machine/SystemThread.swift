import CThreads
import Dispatch
import FoundationEssentials
import Glibc
import HourglassData

/// Threads that the system does not make, or that no machine can want.
public struct ThreadError: Error, Equatable, CustomStringConvertible, LocalizedError {
  /// A sentence with what was wanted, what was found and what to do.
  public let reason: String

  public var description: String { reason }
  public var errorDescription: String? { description }
}

/// A thread of the system that runs one body and ends with it.
package struct SystemThread {
  private let thread: pthread_t

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// The bytes of a thread's stack.
  static let stack = 8 << 20

  /// Starts a thread. Answers nil where the system makes none.
  init?(stack: Int = stack, _ body: @escaping @Sendable () -> Void) {
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return nil }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stack)
    let argument = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    guard status == 0 else {
      argument.release()
      return nil
    }
    self.thread = thread
  }

  /// Waits for the end of the thread. It is to be called once.
  func join() { pthread_join(thread, nil) }

  /// Refuses so many threads where the system does not make them: it makes all of them at once, and lets them end.
  ///
  /// An OpenMP runtime ends the process where it gets no thread, and Dispatch waits for ever, so threads are asked for
  /// here first.
  ///
  /// Cost: some 20 us for each thread.
  package static func check(_ count: Int) throws(ThreadError) {
    guard count > 0 else { return }
    let stack = max(stack, OpenMPEnvironment().stack ?? 0)
    let end = DispatchSemaphore(value: 0)
    var threads: [SystemThread] = []
    for _ in 0..<count {
      guard let thread = SystemThread(stack: stack, { end.wait() }) else { break }
      threads.append(thread)
    }
    for _ in threads { end.signal() }
    for thread in threads { thread.join() }
    guard threads.count == count else { throw refusal(wanted: count, found: threads.count) }
    // The kernel counts a thread for a moment after its end.
    usleep(2000)
  }

  static func refusal(wanted: Int, found: Int) -> ThreadError {
    ThreadError(
      reason:
        "wanted \(wanted) threads beside the first, the system makes \(found); take fewer --workers or --threads, "
        + "or raise its limit (ulimit -u, pids.max of the control group, ulimit -v)")
  }
}

extension ThreadError {
  /// Refuses to begin where the system makes hardly a thread: decoding images and waiting for signals take one for each
  /// core and three more.
  public static func checkSystem() throws(ThreadError) { try SystemThread.check(GrantedCores.count + 3) }
}

extension GrantedMemory {
  /// Lets all threads of a process take memory from one place where `ulimit -v` bounds its addresses. It is to be
  /// called before there are threads.
  public static func spareAddresses() {
    if addressSpace != nil { thread_share_arena() }
  }
}
