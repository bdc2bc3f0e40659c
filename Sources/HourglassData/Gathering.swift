import Dispatch
import HourglassModels
import Synchronization

/// Pixels of all images of a data set, one image after the other.
enum Pixels: Sendable {
  case stored(Elements)
  case bytes(AlignedBuffer<UInt8>)
  case floats(AlignedBuffer<Float>)
  /// Left on disk, and which of them.
  case mapped(MappedImages, [Int32])
  /// Read by the caller's own code.
  case reader(Dataset.Reader)
}

/// The chosen images of a set, decoded and prepared on several threads.
struct Gathering {
  private(set) var shape: ImageShape
  private(set) var pixels: Pixels
  /// The numbers of the images in the set, and what was left out.
  private(set) var kept: [Int]
  private(set) var refused: [DataError]

  /// Errors: no image is whole; two of different shapes; more of them than memory can hold.
  init(
    _ source: any ImageSource, _ chosen: [Int], _ preparation: Preparation, threads: Int, memory: Int, path: String
  ) throws(DataError) {
    let reader = Reader(source: source, preparation: preparation, path: path)
    var failures: [Int: DataError] = [:]
    var first: (place: Int, image: Image)?
    for place in chosen.indices {
      do throws(DataError) {
        first = (place, try reader.image(chosen[place]))
        break
      } catch { failures[place] = error }
    }
    guard let first else {
      let more = failures.count > 1 ? "; the \(failures.count - 1) others are refused too" : ""
      throw DataError(path: failures[0]?.path ?? path, reason: (failures[0]?.reason ?? "no image") + more)
    }
    shape = first.image.shape
    var team = Team(reader: reader, chosen: chosen, shape: shape, threads: threads, failures: failures)
    switch first.image.elements {
    case .bytes:
      let out = try Self.buffer(UInt8.self, chosen.count, shape, memory, path)
      try team.gather(from: first.place, into: out) { if case .bytes(let bytes) = $0 { bytes } else { nil } }
      pixels = .bytes(out)
    case .floats:
      let out = try Self.buffer(Float.self, chosen.count, shape, memory, path)
      try team.gather(from: first.place, into: out) { if case .floats(let floats) = $0 { floats } else { nil } }
      pixels = .floats(out)
    }
    kept = chosen.indices.filter { team.failures[$0] == nil }.map { chosen[$0] }
    refused = team.failures.sorted { $0.key < $1.key }.map(\.value)
  }

  private static func buffer<T>(
    _: T.Type, _ count: Int, _ shape: ImageShape, _ memory: Int, _ path: String
  ) throws(DataError) -> AlignedBuffer<T> {
    guard let bytes = checkedProduct([count, shape.count, MemoryLayout<T>.stride]), bytes <= memory else {
      throw Dataset.tooLarge(path)
    }
    return AlignedBuffer(count: count * shape.count)
  }

  /// What keeps elements from being pixels, if anything.
  static func fault(_ elements: Elements) -> String? {
    guard case .floats(let floats) = elements, let bad = floats.first(where: { !($0 >= 0 && $0 <= 1) }) else {
      return nil
    }
    let advice = bad.isFinite ? "scale the pixels, for example by 1/255" : "remove or repair that image"
    return "wanted pixels in [0, 1], found \(bad); \(advice)"
  }

  private struct Reader: Sendable {
    var source: any ImageSource
    var preparation: Preparation
    var path: String

    func image(_ index: Int) throws(DataError) -> Image {
      let file = source.name(index) ?? path
      let image = try source.image(index)
      if let fault = Gathering.fault(image.elements) {
        throw DataError(path: file, reason: "image \(index): \(fault)")
      }
      return try preparation.prepared(image, path: file)
    }
  }

  private struct Team {
    var reader: Reader
    var chosen: [Int]
    var shape: ImageShape
    var threads: Int
    /// By place among the chosen.
    var failures: [Int: DataError]

    /// Fills `out` with the images that can be read, from the place `start` on, without gaps.
    mutating func gather<T: BitwiseCopyable & Sendable>(
      from start: Int, into out: AlignedBuffer<T>, _ values: @escaping @Sendable (Elements) -> [T]?
    ) throws(DataError) {
      let found = Mutex<(failures: [Int: DataError], misfit: (place: Int, shape: ImageShape)?)>((failures, nil))
      let (reader, chosen, shape, size) = (reader, chosen, shape, shape.count)
      // Small pieces, so that the threads end together.
      let piece = max(1, min(32, (chosen.count - start) / (4 * threads)))
      DispatchQueue.concurrentPerform(iterations: (chosen.count - start + piece - 1) / piece) { number in
        for place in start + number * piece..<min(start + (number + 1) * piece, chosen.count) {
          do throws(DataError) {
            let image = try reader.image(chosen[place])
            if image.shape == shape, let values = values(image.elements) {
              values.withUnsafeBufferPointer {
                (out.pointer + place * size).update(from: $0.baseAddress!, count: size)
              }
            } else {
              found.withLock { if place < $0.misfit?.place ?? .max { $0.misfit = (place, image.shape) } }
            }
          } catch { found.withLock { $0.failures[place] = error } }
        }
      }
      failures = found.withLock { $0.failures }
      if let misfit = found.withLock({ $0.misfit }) { throw unlike(misfit.shape, at: misfit.place, first: start) }
      closeGaps(out)
    }

    private func unlike(_ other: ImageShape, at place: Int, first: Int) -> DataError {
      func name(_ place: Int) -> String { reader.source.name(chosen[place]) ?? "image \(chosen[place])" }
      let advice =
        other.channels == shape.channels ? "--resize WxH or --crop WxH makes" : "--rgb or --grey makes"
      return DataError(
        path: name(place), reason: "wanted \(shape) as \(name(first)) has, found \(other); \(advice) them alike")
    }

    private func closeGaps<T>(_ out: AlignedBuffer<T>) {
      guard !failures.isEmpty else { return }
      var next = 0
      for place in chosen.indices where failures[place] == nil {
        if next < place {
          (out.pointer + next * shape.count).update(from: out.pointer + place * shape.count, count: shape.count)
        }
        next += 1
      }
    }
  }
}
