import HourglassData
import Synchronization

/// A sample of a minibatch whose image cannot be read.
struct ReadFailure {
  var sample: Int
  var error: DataError
}

/// The failure of the lowest sample of a minibatch that any worker met. It is always the same one, whoever meets it,
/// since shards are handed out in order and a worker fills the shards it has taken in order.
final class FirstReadFailure: Sendable {
  private let first = Mutex<ReadFailure?>(nil)

  func note(_ failure: ReadFailure) {
    first.withLock { if failure.sample < $0?.sample ?? .max { $0 = failure } }
  }

  func take() -> ReadFailure? {
    first.withLock { failure in
      defer { failure = nil }
      return failure
    }
  }
}
