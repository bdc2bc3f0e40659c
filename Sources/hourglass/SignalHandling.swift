import FoundationEssentials
import Glibc
import Synchronization

/// The signals that ask the training loop to stop after its step: SIGINT, SIGTERM and SIGHUP, which a terminal sends
/// when it closes; a second signal ends the process at once. SIGPIPE asks too, and comes again with every line that
/// nobody reads, and SIGUSR1, which launchers of several processes pass on and may repeat.
enum SignalHandling {
  private static let received = Atomic<Int>(0)
  private static let pipeIsClosed = Atomic<Bool>(false)

  static var stopIsWanted: Bool { received.load(ordering: .relaxed) > 0 || pipeIsClosed.load(ordering: .relaxed) }

  static func install() {
    // Touches the state before a handler does, for the first access of a static is no safe thing in a handler.
    received.store(0, ordering: .relaxed)
    pipeIsClosed.store(false, ordering: .relaxed)
    // A parent may have blocked these signals in the thread that started this process, and a child inherits that.
    var all = sigset_t()
    sigemptyset(&all)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1] { sigaddset(&all, number) }
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let before = signal(number) { _ in
        if SignalHandling.received.add(1, ordering: .relaxed).oldValue > 0 { _exit(ExitStatus.interrupted.rawValue) }
      }
      // Under nohup a terminal may close.
      if number == SIGHUP, isIgnoring(before) { signal(SIGHUP, SIG_IGN) }
    }
    signal(SIGUSR1) { _ in
      _ = SignalHandling.received.compareExchange(expected: 0, desired: 1, ordering: .relaxed)
    }
    signal(SIGPIPE) { _ in SignalHandling.pipeIsClosed.store(true, ordering: .relaxed) }
    pthread_sigmask(SIG_UNBLOCK, &all, nil)
  }

  private static func isIgnoring(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
