import HourglassBase
import Synchronization

/// The chosen images of a set, decoded and prepared on several threads.
struct Gathering {
  let shape: ImageShape
  let pixels: any PixelStore
  /// The numbers of the gathered images in the set, and the errors of those left out.
  let kept: [Int]
  let refused: [DataError]
  /// The remarks on images, by their numbers.
  let remarks: [Int: Image.Remarks]
  /// The range of the images' values.
  let range: ClosedRange<Float>
  /// The part of their values that is missing.
  let missingPart: Double
  private let names: ItemNames

  /// Decodes all images, so that all are known to be whole; where they take more than `memory`, the first ones stay.
  ///
  /// Errors: no image is whole; two have different shapes.
  init(
    _ source: any ImageSource, _ chosen: [Int], _ preparation: Preparation, threads: Int, memory: Int, path: String
  ) throws(DataError) {
    let reader = PreparedImages(source: source, preparation: preparation, memory: memory, path: path)
    names = source.names
    var failures: [Int: DataError] = [:]
    var first: (place: Int, image: Image)?
    for place in chosen.indices {
      do throws(DataError) {
        first = (place, try reader.image(chosen[place]))
        break
      } catch { failures[place] = error }
    }
    guard let first else { throw Self.nothingWhole(failures, path: path) }
    shape = first.image.shape
    var kind = first.image.elements.kind
    var gathered: (store: ImageStore, team: Team, room: (kept: Int, ahead: Int))
    // Where a later image has wider elements, all images are decoded anew with those.
    repeat {
      let room = Self.room(for: chosen.count, bytes: shape.count * kind.width, memory: memory)
      try GrantedMemory.require(
        checkedProduct([room.kept + room.ahead, shape.count * kind.width]), for: path,
        "hold \(room.kept + room.ahead) images of \(shape)",
        advice: room.kept > 0
          ? "with a lower --memory-limit fewer stay in memory, and the rest is decoded when wanted" : nil)
      gathered = (
        ImageStore(room.kept, shape, kind), Team(reader: reader, chosen: chosen, threads: threads, failures: failures),
        room
      )
      kind = try gathered.team.gather(from: first, into: gathered.store)
    } while kind != gathered.store.kind
    let (store, team, room) = gathered
    let kept = chosen.indices.filter { team.failures[$0] == nil }
    (self.kept, refused) = (kept.map { chosen[$0] }, team.failures.sorted { $0.key < $1.key }.map(\.value))
    (remarks, range, missingPart) = (team.remarks, reader.values.range, reader.values.missingPart)
    let inStore = kept.prefix { $0 < store.places }
    for (place, found) in inStore.enumerated() where place < found { store.move(from: found, to: place) }
    guard room.ahead > 0 else {
      pixels = store
      return
    }
    let numbers = self.kept
    pixels = StreamedImages(kept: store, count: inStore.count, places: room.ahead) { index throws(DataError) in
      let image = try reader.image(numbers[index])
      guard image.shape == store.shape, image.elements.kind <= store.kind else {
        throw DataError(
          path: reader.path(numbers[index]),
          reason: "wanted \(store.shape) of \(store.kind.rawValue) as when the set was opened, found \(image.shape) "
            + "of \(image.elements.kind.rawValue); the file was altered")
      }
      return image.converted(to: store.kind)
    }
  }

  /// The chosen images of a set, or the tiles of its pictures.
  static func gather(
    _ source: any ImageSource, _ chosen: [Int], _ preparation: Preparation, threads: Int, memory: Int, path: String
  ) throws(DataError) -> Gathering {
    guard let tile = preparation.tile else {
      return try Gathering(source, chosen, preparation, threads: threads, memory: memory, path: path)
    }
    return try Gathering(
      tilesOf: source, chosen, preparation, tile: tile, threads: threads, memory: memory, path: path)
  }

  init(
    shape: ImageShape, pixels: any PixelStore, kept: [Int], refused: [DataError], remarks: [Int: Image.Remarks],
    range: ClosedRange<Float>, missingPart: Double, names: ItemNames
  ) {
    (self.shape, self.pixels, self.kept, self.refused) = (shape, pixels, kept, refused)
    (self.remarks, self.range, self.missingPart, self.names) = (remarks, range, missingPart, names)
  }

  /// The error where no image could be decoded.
  ///
  /// - Parameter failures: the reasons by place, from 0 on.
  static func nothingWhole(_ failures: [Int: DataError], path: String) -> DataError {
    let more = failures.count > 1 ? "; the \(failures.count - 1) others are refused too" : ""
    return DataError(
      path: failures[0]?.path ?? path, reason: (failures[0]?.reason ?? "no image") + more,
      lacksMemory: failures[0]?.lacksMemory ?? false)
  }

  /// The name of an image, by its number.
  func name(_ number: Int) -> String { names.name(number) }

  /// How many images stay in memory and, where not all can, how many are decoded ahead: as many as an eighth of the
  /// memory holds, but no more than anybody asks for.
  ///
  /// - Parameter bytes: the bytes of an image.
  private static func room(for count: Int, bytes: Int, memory: Int) -> (kept: Int, ahead: Int) {
    let images = memory / bytes
    guard images < count else { return (count, 0) }
    let ahead = min(count, mostAhead, max(1, images / 8))
    return (max(0, images - ahead), ahead)
  }

  /// The most images that are decoded ahead: two steps of a thousand.
  private static let mostAhead = 2048

  private struct Team {
    var reader: PreparedImages
    var chosen: [Int]
    var threads: Int
    /// The reasons why images could not be decoded, by place among the chosen.
    var failures: [Int: DataError]
    /// The remarks on images, by number.
    var remarks: [Int: Image.Remarks] = [:]

    private struct Found {
      var remarks: [Int: Image.Remarks] = [:]
      var misfit: (place: Int, shape: ImageShape)?
      /// The widest kind of elements of all images.
      var kind: Elements.Kind
    }

    /// Decodes the images from the place of the first one on, and puts those for which there is room into `store`.
    ///
    /// - Returns: the widest kind of elements that was found; where `store` has a narrower one, its contents are of no
    ///   use.
    mutating func gather(
      from first: (place: Int, image: Image), into store: ImageStore
    ) throws(DataError) -> Elements.Kind {
      let found = Mutex(Found(kind: store.kind))
      let chosen = chosen
      let failed = reader.decode(chosen, from: first.place, threads: threads) { place, image in
        if !image.remarks.isEmpty { found.withLock { $0.remarks[chosen[place]] = image.remarks } }
        if image.shape != store.shape {
          found.withLock { if place < $0.misfit?.place ?? .max { $0.misfit = (place, image.shape) } }
        } else if image.elements.kind > store.kind {
          found.withLock { $0.kind = max($0.kind, image.elements.kind) }
        } else if place < store.places {
          store.put(image.converted(to: store.kind), at: place)
        }
      }
      failures.merge(failed) { $1 }
      remarks = found.withLock { $0.remarks }
      if let misfit = found.withLock({ $0.misfit }) {
        throw unlike(misfit.shape, at: misfit.place, first: first.place, first.image.shape)
      }
      return found.withLock { $0.kind }
    }

    private func unlike(_ other: ImageShape, at place: Int, first: Int, _ shape: ImageShape) -> DataError {
      func name(_ place: Int) -> String {
        reader.source.names.path(chosen[place]) ?? reader.source.names.name(chosen[place])
      }
      return DataError(
        path: name(place), reason: "wanted \(shape) as \(name(first)) has, found \(other)" + Self.advice(other, shape))
    }

    /// The flags that give an image the rows, columns and colours of the first, as advice in an error.
    private static func advice(_ other: ImageShape, _ shape: ImageShape) -> String {
      guard other.channels == shape.channels || Set([other.channels, shape.channels]) == [1, 3] else { return "" }
      var flags: [String] = []
      if (other.height, other.width) != (shape.height, shape.width) {
        let stretch = Double(other.height * shape.width) / Double(other.width * shape.height)
        flags.append("\((0.8...1.25).contains(stretch) ? "--resize" : "--fit") \(shape.width)x\(shape.height)")
      }
      if other.channels != shape.channels { flags.append("--rgb") }
      return "; \(flags.joined(separator: " ")) makes them alike"
    }
  }
}
