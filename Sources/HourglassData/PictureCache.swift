import HourglassBase
import Synchronization

/// The pictures that were wanted last: as many as some memory holds, but at least one.
final class PictureCache: Sendable {
  private let memory: Int
  /// The pictures in the order in which they were wanted.
  private let pictures = Mutex<[(index: Int, image: Image)]>([])

  /// - Parameter memory: the bytes that pictures may take.
  init(memory: Int) { self.memory = memory }

  /// A picture, decoded where it is not kept. Errors: whatever `decode` throws.
  func image(_ index: Int, decode: () throws(DataError) -> Image) throws(DataError) -> Image {
    let found = pictures.withLock { pictures -> Image? in
      guard let place = pictures.firstIndex(where: { $0.index == index }) else { return nil }
      pictures.append(pictures.remove(at: place))
      return pictures.last?.image
    }
    if let found { return found }
    let image = try decode()
    pictures.withLock { pictures in
      pictures.append((index, image))
      var bytes = pictures.reduce(0) { $0 + $1.image.bytes }
      while bytes > memory, pictures.count > 1 { bytes -= pictures.removeFirst().image.bytes }
    }
    return image
  }
}

/// The results of decoding by several threads: the shape of each picture, and the pictures that some memory holds.
final class CollectedPictures: Sendable {
  private struct State {
    var shapes: [ImageShape?]
    var images: [Image?]
    var remarks: [Int: Image.Remarks] = [:]
    var kind = Elements.Kind.uint8
    var bytes = 0
  }

  private let state: Mutex<State>
  private let memory: Int

  /// - Parameter memory: the bytes that pictures may take.
  init(count: Int, memory: Int) {
    self.memory = memory
    state = Mutex(State(shapes: Array(repeating: nil, count: count), images: Array(repeating: nil, count: count)))
  }

  var kind: Elements.Kind { state.withLock { $0.kind } }

  func add(_ place: Int, _ image: Image) {
    state.withLock { state in
      state.shapes[place] = image.shape
      state.kind = max(state.kind, image.elements.kind)
      if !image.remarks.isEmpty { state.remarks[place] = image.remarks }
      guard image.bytes <= memory - state.bytes else { return }
      state.images[place] = image
      state.bytes += image.bytes
    }
  }

  /// The shape of a picture, and the picture where memory holds it; nil where it could not be decoded.
  subscript(_ place: Int) -> (shape: ImageShape, image: Image?)? {
    state.withLock { state in state.shapes[place].map { ($0, state.images[place]) } }
  }

  /// The remarks on pictures, by their numbers.
  func remarks(_ chosen: [Int]) -> [Int: Image.Remarks] {
    state.withLock { $0.remarks.reduce(into: [:]) { $0[chosen[$1.key]] = $1.value } }
  }
}

extension Image {
  /// The bytes of the image's elements.
  fileprivate var bytes: Int { shape.count * elements.kind.width }
}
