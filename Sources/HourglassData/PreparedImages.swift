import Dispatch
import HourglassBase
import Synchronization

/// The images of a source, prepared one at a time.
struct PreparedImages: Sendable {
  var source: any ImageSource
  var preparation: Preparation
  /// The bytes that decoding one image may take, see `GrantedMemory.require`.
  var memory: Int
  /// The path that errors name for images without a file of their own.
  var path: String
  /// The range of the values of all images that were prepared so far.
  let values = ValueMeter()

  func path(_ index: Int) -> String { source.names.path(index) ?? path }

  /// A prepared image.
  ///
  /// Errors: the image is broken, has numbers that are not finite or cannot be prepared; the error names its file.
  func image(_ index: Int) throws(DataError) -> Image {
    let image = try source.image(index, toward: preparation, memory: memory)
    if let fault = Self.fault(image.elements, takesMissing: preparation.missing != nil) {
      throw DataError(path: path(index), reason: "image \(index): \(fault)")
    }
    var prepared = try preparation.prepared(image, path: path(index))
    prepared.remarks = image.remarks
    values.add(prepared.elements)
    return prepared
  }

  /// The reason why elements cannot be pixels; nil where they can.
  static func fault(_ elements: Elements, takesMissing: Bool) -> String? {
    guard case .floats(let floats) = elements,
      let bad = floats.first(where: { !$0.isFinite && !(takesMissing && $0.isNaN) })
    else { return nil }
    let advice = bad.isNaN ? ", or take NaN for missing with --missing" : ""
    return "wanted finite numbers, found \(bad); remove or repair that image\(advice)"
  }

  /// Decodes the chosen images from a place on, on several threads.
  ///
  /// - Parameter body: called by several threads with an image and its place among the chosen, at most once for each.
  /// - Returns: the reasons why images could not be decoded, by place.
  func decode(
    _ chosen: [Int], from start: Int = 0, threads: Int, _ body: @escaping @Sendable (_ place: Int, Image) -> Void
  ) -> [Int: DataError] {
    let failures = Mutex<[Int: DataError]>([:])
    // Pieces are small, so that the threads end together.
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
