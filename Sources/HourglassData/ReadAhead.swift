import Dispatch
import Synchronization

/// Decodes announced images on a Dispatch queue of its own, into memory of a fixed size.
///
/// Nobody ever waits for the queue: a thread that wants an image that is not ready decodes it, and the queue then
/// passes it over. So decoding costs no time where cores are idle, costs its own time where all compute, and the images
/// are equal in any case.
final class ReadAhead: Sendable {
  private let store: ImageStore
  private let decode: @Sendable (_ index: Int) throws(DataError) -> Image
  private let queue = DispatchQueue(label: "hourglass.read-ahead")
  private let state: Mutex<State>

  fileprivate enum Status {
    case waiting
    /// The queue is decoding the image.
    case inHand
    case ready(place: Int)
  }

  fileprivate struct State {
    /// The status of each announced image that nobody has taken.
    var status: [Int: Status] = [:]
    /// The announced images in their order; some may be taken already. The queue has come to `next`.
    var waiting: [Int] = []
    var next = 0
    var freePlaces: [Int]
    var isRunning = false
  }

  /// - Parameter store: the memory for decoded images, with places for at least two minibatches.
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
      // An image that cannot be read is left to the worker that wants it, whose error names the step.
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

  /// The next image to decode, and its place in the store; nil ends the work.
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

  /// Marks an image as ready, unless somebody has taken it meanwhile, and even announced it again.
  mutating func end(_ index: Int, _ place: Int, isGood: Bool) {
    guard case .inHand? = status[index] else { return freePlaces.append(place) }
    status[index] = isGood ? .ready(place: place) : nil
    if !isGood { freePlaces.append(place) }
  }
}

/// A set that memory does not hold: its first images stay decoded, the others are decoded whenever they are wanted.
struct StreamedImages: PixelStore {
  private let kept: ImageStore
  /// How many images stay decoded.
  private let count: Int
  private let decode: @Sendable (_ index: Int) throws(DataError) -> Image
  private let ahead: ReadAhead

  /// - Parameters:
  ///   - places: how many images are decoded ahead.
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
