import Dispatch
import Synchronization

/// Decodes announced images on a Dispatch queue of its own, into memory of a fixed size.
///
/// Nobody ever waits for it: whoever wants an image that is not ready decodes it, and the queue then passes it over. So
/// where cores are idle decoding costs nobody time, where all compute it costs what it costs, and the images are the
/// same.
final class ReadAhead: Sendable {
  private let store: ImageStore
  private let decode: @Sendable (_ index: Int) throws(DataError) -> Image
  private let queue = DispatchQueue(label: "hourglass.read-ahead")
  private let state: Mutex<State>

  fileprivate enum Status {
    case waiting
    /// Being decoded by the queue.
    case inHand
    case ready(place: Int)
  }

  fileprivate struct State {
    /// Of the announced images that nobody has taken.
    var status: [Int: Status] = [:]
    /// Announced images in their order; some may be taken already. The queue has come to `next`.
    var waiting: [Int] = []
    var next = 0
    var freePlaces: [Int]
    var isRunning = false
  }

  /// - Parameter store: what is ready; the places of at least two minibatches.
  init(into store: ImageStore, decode: @escaping @Sendable (_ index: Int) throws(DataError) -> Image) {
    (self.store, self.decode) = (store, decode)
    state = Mutex(State(freePlaces: Array(0..<store.places)))
  }

  /// Says which images will be wanted soon, each once.
  func announce(_ indices: some Sequence<Int>) {
    let mayStart = state.withLock { state in
      state.waiting.removeFirst(state.next)
      state.next = 0
      for index in indices where state.status[index] == nil && state.status.count < store.places {
        state.status[index] = .waiting
        state.waiting.append(index)
      }
      return state.start()
    }
    if mayStart { queue.async { self.work() } }
  }

  /// Writes an image that is ready. Answers false where it is not; the caller then decodes it.
  func take(_ index: Int, into image: UnsafeMutablePointer<Float>) -> Bool {
    let status = state.withLock { $0.status.removeValue(forKey: index) }
    guard case .ready(let place)? = status else { return false }
    store.fill(place, into: image)
    state.withLock { $0.freePlaces.append(place) }
    return true
  }

  private func work() {
    while let (index, place) = state.withLock({ $0.begin() }) {
      // An image that cannot be read is left to whoever wants it, who tells of the step.
      let image = try? decode(index)
      if let image { store.put(image, at: place) }
      state.withLock { $0.end(index, place, isGood: image != nil) }
    }
  }
}

extension ReadAhead.State {
  mutating func start() -> Bool {
    defer { isRunning = true }
    return !isRunning
  }

  /// The next image to decode, and where to; nil ends the work.
  mutating func begin() -> (index: Int, place: Int)? {
    while next < waiting.count, let place = freePlaces.last {
      let index = waiting[next]
      next += 1
      guard case .waiting? = status[index] else { continue }
      status[index] = .inHand
      freePlaces.removeLast()
      return (index, place)
    }
    isRunning = false
    return nil
  }

  /// Somebody may have taken the image meanwhile, and even announced it again.
  mutating func end(_ index: Int, _ place: Int, isGood: Bool) {
    guard case .inHand? = status[index] else { return freePlaces.append(place) }
    status[index] = isGood ? .ready(place: place) : nil
    if !isGood { freePlaces.append(place) }
  }
}

/// A set that memory does not hold: its first images stay decoded, the others are decoded whenever they are wanted.
struct StreamedImages: PixelStore {
  private let kept: ImageStore
  /// Images in `kept`.
  private let count: Int
  private let decode: @Sendable (_ index: Int) throws(DataError) -> Image
  private let ahead: ReadAhead

  /// - Parameters:
  ///   - places: for images that are decoded ahead.
  init(
    kept: ImageStore, count: Int, places: Int,
    decode: @escaping @Sendable (_ index: Int) throws(DataError) -> Image
  ) {
    (self.kept, self.count, self.decode) = (kept, count, decode)
    ahead = ReadAhead(into: ImageStore(places, kept.shape, kept.kind), decode: decode)
  }

  var kind: Elements.Kind { kept.kind }
  var keptCount: Int? { count }

  func announce(_ indices: some Sequence<Int>) { ahead.announce(indices.lazy.filter { $0 >= count }) }

  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    if index < count {
      kept.fill(index, into: image)
    } else if !ahead.take(index, into: image) {
      try decode(index).elements.fill(0, kept.shape.count, into: image)
    }
  }
}
