import Foundation
import Synchronization

/// SIGINT and SIGTERM: the first asks the training loop to stop after its step, the second ends the process at once.
enum SignalHandling {
  private static let received = Atomic<Int>(0)

  static var stopIsWanted: Bool { received.load(ordering: .relaxed) > 0 }

  static func install() {
    // Touches the counter before a handler does, for the first access of a static is no safe thing in a handler.
    received.store(0, ordering: .relaxed)
    // A parent may have had them blocked in the thread that started this process, and a child inherits that.
    var both = sigset_t()
    sigemptyset(&both)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&both, number)
      signal(number) { _ in
        if SignalHandling.received.add(1, ordering: .relaxed).oldValue > 0 { _exit(ExitStatus.interrupted.rawValue) }
      }
    }
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
  }
}
