import Dispatch
import HourglassBase
import Synchronization

/// The images of a source, prepared one at a time.
struct PreparedImages: Sendable {
  var source: any ImageSource
  var preparation: Preparation
  /// Bytes that decoding one of them may take, see `GrantedMemory.require`.
  var memory: Int
  /// Names in errors what has no file of its own.
  var path: String
  /// Where the numbers of all images lie that were prepared so far.
  let values = ValueMeter()

  func path(_ index: Int) -> String { source.names.path(index) ?? path }

  /// Errors: an image that is broken, has numbers that are not finite or cannot be prepared, by its file.
  func image(_ index: Int) throws(DataError) -> Image {
    let image = try source.image(index, toward: preparation, memory: memory)
    if let fault = Self.fault(image.elements) {
      throw DataError(path: path(index), reason: "image \(index): \(fault)")
    }
    var prepared = try preparation.prepared(image, path: path(index))
    prepared.remarks = image.remarks
    values.add(prepared.elements)
    return prepared
  }

  /// What keeps elements from being pixels, if anything.
  static func fault(_ elements: Elements) -> String? {
    guard case .floats(let floats) = elements, let bad = floats.first(where: { !$0.isFinite }) else { return nil }
    return "wanted finite numbers, found \(bad); remove or repair that image"
  }

  /// Decodes chosen images on several threads, from one of them on.
  ///
  /// - Parameter body: called by several threads with an image and its place among the chosen, more than once for none.
  /// - Returns: why images could not be decoded, by place.
  func decode(
    _ chosen: [Int], from start: Int = 0, threads: Int, _ body: @escaping @Sendable (_ place: Int, Image) -> Void
  ) -> [Int: DataError] {
    let failures = Mutex<[Int: DataError]>([:])
    // Small pieces, so that the threads end together.
    let piece = max(1, min(32, (chosen.count - start) / (4 * max(1, min(threads, 1 << 20)))))
    @Sendable func decode(_ place: Int) {
      do throws(DataError) { body(place, try image(chosen[place])) } catch {
        failures.withLock { $0[place] = error }
      }
    }
    DispatchQueue.concurrentPerform(iterations: (chosen.count - start + piece - 1) / piece) { number in
      for place in start + number * piece..<min(start + (number + 1) * piece, chosen.count) { decode(place) }
    }
    // Whether memory suffices must not depend on what other threads held.
    for place in failures.withLock({ $0.filter { $0.value.lacksMemory }.keys.sorted() }) {
      failures.withLock { $0[place] = nil }
      decode(place)
    }
    return failures.withLock { $0 }
  }
}
