import Foundation
import HourglassBase

/// Images of one shape, held in memory or read one by one, with labels where there are any.
public struct Dataset: Sendable {
  public let shape: ImageShape
  /// Images.
  public let count: Int
  /// The class of each image.
  public internal(set) var labels: [Int]?
  /// Names by label, where there are any.
  public internal(set) var classes: [String]?
  /// How many classes a relabelled set has its labels by; classes of other names are numbered behind them.
  public internal(set) var knownClasses: Int?
  /// Where the images come from, for people to read.
  public let source: String
  public private(set) var form = ImageForm.builtIn
  /// Whether this is one of two parts, for training and for test, that have no image in common.
  public internal(set) var isSplit = false
  /// Where its numbers lie: those of bytes and 16-bit numbers in [0, 1].
  public private(set) var range: ClosedRange<Float> = 0...1
  /// What was done to images in files.
  private(set) var preparation: Preparation?
  /// What a network sees in place of the images; nil for the images themselves.
  var partners: PairedImages?
  /// Of documents, what their terms are weighed by.
  public private(set) var terms: TermStatistics?
  /// What was left out because it is broken.
  public private(set) var refused: [DataError] = []
  /// What became of everything that lies where the set was opened.
  public internal(set) var inventory = Inventory()
  /// Where images have defects, where that is known.
  private(set) var masks: Masks?
  private var names: ItemNames
  /// What each image is called, where nothing else is known of where it was stored.
  private var listed: [String]?
  /// The place of each image in the set as it is stored; nil where they are all of it in its order.
  private var numbers: [Int32]?
  /// The seed of what is drawn, where each element is 1 with its value as the probability and else 0; nil where
  /// elements stay as they are.
  private var binarization: UInt64?
  private let pixels: Pixels

  /// Writes image `index`, H x W x C with values in [0, 1]; called by several threads at once.
  public typealias Reader = @Sendable (_ index: Int, _ image: UnsafeMutablePointer<Float>) throws(DataError) -> Void

  /// Images that are read when they are wanted, which may fail at any time.
  public init(count: Int, shape: ImageShape, source: String, reader: @escaping Reader) {
    (self.count, self.shape, labels, self.source, names) = (count, shape, nil, source, ItemNames(source))
    pixels = .reader(reader)
  }

  /// Elements: N x H x W x C, bytes 0 to 255, 16-bit numbers 0 to 65535 or floats.
  ///
  /// Errors: elements or labels that do not fit the shape; a float that is not finite, by image.
  public init(_ elements: Elements, shape: ImageShape, labels: [Int]? = nil, source: String) throws(DataError) {
    guard shape.count > 0, elements.count > 0, elements.count % shape.count == 0 else {
      throw DataError(
        path: source, reason: "wanted at least one image of \(shape), found \(elements.count) elements")
    }
    count = elements.count / shape.count
    (pixels, self.shape, self.labels, self.source) = (.stored(elements), shape, labels, source)
    names = ItemNames(source)
    if let labels, labels.count != count {
      throw DataError(path: source, reason: "wanted \(count) labels for \(count) images, found \(labels.count)")
    }
    if case .floats(let floats) = elements, let place = floats.firstIndex(where: { !$0.isFinite }),
      let fault = PreparedImages.fault(.floats([floats[place]]))
    {
      throw DataError(path: source, reason: "image \(place / shape.count): \(fault)")
    }
    let values = ValueMeter()
    values.add(elements)
    range = values.range
  }

  /// Numbers made of the images of a set, such as their codes, in its order and with its labels.
  ///
  /// Errors: a number that is not finite.
  ///
  /// - Parameter values: N x H x W x C, not only in [0, 1].
  public init(_ values: [Float], shape: ImageShape, of images: Dataset, source: String) throws(DataError) {
    guard values.count == checkedProduct([images.count, shape.height, shape.width, shape.channels]) else {
      throw DataError(
        path: source, reason: "wanted numbers of \(images.count) images of \(shape), found \(values.count)")
    }
    if let place = values.firstIndex(where: { !$0.isFinite }) {
      throw DataError(
        path: source, reason: "image \(place / shape.count): wanted finite numbers, found \(values[place])")
    }
    (self.shape, count, labels, self.source) = (shape, images.count, images.labels, source)
    (pixels, form, classes, isSplit) = (.stored(.floats(values)), images.form, images.classes, images.isSplit)
    (names, numbers, inventory, masks) = (images.names, images.numbers, images.inventory, images.masks)
    knownClasses = images.knownClasses
    range = (values.min() ?? 0)...(values.max() ?? 0)
  }

  /// Numbers made of images that may be gone, such as their codes, with the names and classes that a table tells.
  ///
  /// Errors: other numbers than for each image of the table; a number that is not finite.
  ///
  /// - Parameter values: N x H x W x C, not only in [0, 1].
  public init(_ values: [Float], shape: ImageShape, of table: DataTable, source: String) throws(DataError) {
    let images = table.images
    guard !images.isEmpty, values.count == checkedProduct([images.count, shape.count]),
      values.allSatisfy(\.isFinite)
    else {
      throw DataError(
        path: source, reason: "wanted finite numbers of \(images.count) images of \(shape), found \(values.count)")
    }
    (self.shape, count, self.source) = (shape, images.count, source)
    (names, listed, numbers) = (ItemNames(source), images.map(\.name), images.map { Int32(clamping: $0.index ?? 0) })
    (classes, labels) = (table.classes?.names, table.classes?.labels)
    range = (values.min() ?? 0)...(values.max() ?? 0)
    pixels = .stored(.floats(values))
  }

  /// The chosen images of a set, prepared.
  ///
  /// - Parameter split: which part of a set that holdout divides.
  init(
    _ stored: StoredImages, chosenFrom split: Split?, _ preparation: Preparation, seed: UInt64, threads: Int,
    memory: Int, path: String
  ) throws(DataError) {
    let chosen = try preparation.chosen(
      count: stored.images.count, without: Set(stored.unfit), labels: stored.labels, classes: stored.classes,
      split: split, seed: seed, path: path)
    if preparation.skipsBad != true, chosen.count == stored.images.count,
      let stacked = stored.images as? StackedImages, let elements = stacked.asStored,
      preparation.keepsImages(of: elements.kind)
    {
      try self.init(elements, shape: stacked.shape, labels: stored.labels, source: stored.source)
    } else if let images = stored.images as? DiskImages, preparation.keepsImages(of: images.kind),
      chosen.count > memory / (images.shape.count * (images.areFloats ? 4 : 1))
    {
      self.init(images, chosen, labels: stored.labels, source: stored.source)
      try check(images, chosen, path)
    } else {
      let gathered = try Gathering.gather(
        stored.images, chosen, preparation, threads: threads, memory: memory, path: path)
      // What is whole but too large is no broken image: on another machine it would not be left out.
      let refused = gathered.refused.filter { preparation.skipsBad != true || $0.lacksMemory }
      if let first = refused.first {
        let others = refused.count - 1
        let more = others == 0 ? "" : "; \(others) more \(others == 1 ? "is" : "are") refused too"
        let advice = first.lacksMemory ? "" : "; --skip-bad leaves broken images out"
        throw DataError(path: first.path, reason: first.reason + more + advice, lacksMemory: first.lacksMemory)
      }
      self.init(gathered, labels: stored.labels, source: stored.source)
    }
    (form, classes, terms) = (stored.form, stored.classes, (stored.images as? TermCounts)?.statistics)
    names = stored.images.names
    self.preparation = preparation
    (inventory.skipped, inventory.parts) = (stored.inventory.skipped, stored.inventory.parts)
    (inventory.leftOut, inventory.notes) = (stored.inventory.leftOut, inventory.notes + stored.inventory.notes)
    masks =
      if let folder = preparation.masks ?? stored.masks {
        try Masks(in: folder, of: stored.images, preparation)
      } else { nil }
    inventory.read = tiling?.pictures.count ?? count
    if !refused.isEmpty {
      inventory.leftOut.append(
        Inventory.Entry(reason: "broken or unreadable", count: refused.count, names: refused.map(\.path)))
    }
    binarization = preparation.binarizes == true ? seed : nil
  }

  /// - Parameter all: the labels of the whole set.
  private init(_ gathered: Gathering, labels all: [Int]?, source: String) {
    (shape, pixels, count, refused) = (gathered.shape, gathered.pixels, gathered.kept.count, gathered.refused)
    labels = all.map { all in gathered.kept.map { all[$0] } }
    self.source = source
    (names, range) = (ItemNames(source), gathered.range)
    numbers = gathered.kept.map { Int32($0) }
    for (remark, reason) in Image.Remarks.sentences {
      let images = gathered.remarks.filter { $0.value.contains(remark) }.keys.sorted()
      guard !images.isEmpty else { continue }
      inventory.notes.append(
        Inventory.Entry(
          reason: reason, count: images.count, names: images.prefix(Inventory.mostNamed).map(gathered.name)))
    }
  }

  private init(_ images: DiskImages, _ chosen: [Int], labels all: [Int]?, source: String) {
    (shape, pixels, count) = (images.shape, .onDisk(images, chosen.map { Int32($0) }), chosen.count)
    labels = all.map { all in chosen.map { all[$0] } }
    self.source = source
    (names, numbers) = (images.names, chosen.map { Int32($0) })
  }

  // MARK: Names

  /// What an image is called: the path of its file below the folder of the set, or the file of the array and the place
  /// there, as `array.npy[17]`; of a tile followed by its first row and column, as `photo.png[0,128]`.
  public func name(_ index: Int) -> String {
    if let listed { return listed[index] }
    let name = names.name(number(index))
    return tiling.map { $0.origin(of: index) }.map { "\(name)[\($0.top),\($0.left)]" } ?? name
  }

  /// The place of an image, of a tile that of its picture, in the set as it is stored, which does not depend on what
  /// else was chosen or left out.
  public func number(_ index: Int) -> Int { numbers.map { Int($0[index]) } ?? index }

  /// The files that the images are stored in, each once, in the order of the images; empty for images in no file.
  ///
  /// Cost: reads every byte of them, on several threads. Errors: a file that cannot be read.
  public func storedFiles() throws(DataError) -> [StoredFile] {
    let files = names.files(of: (0..<count).lazy.map(number))
    return try StoredFile.digests(of: files) + (partners?.data.storedFiles() ?? [])
  }

  /// Cost: reads all floats once.
  private mutating func check(_ images: DiskImages, _ chosen: [Int], _ path: String) throws(DataError) {
    guard images.areFloats else { return }
    let values = ValueMeter()
    for index in chosen {
      let elements = try images.image(index).elements
      if let fault = PreparedImages.fault(elements) { throw DataError(path: path, reason: "image \(index): \(fault)") }
      values.add(elements)
    }
    range = values.range
  }

  /// Whether images stay in their file because memory cannot hold them.
  public var isOnDisk: Bool { if case .onDisk = pixels { true } else { false } }

  /// At most so many of the images, spread evenly over the set, for those that belong together often lie together.
  public func spread(_ most: Int) -> Dataset {
    guard count > most else { return self }
    let (all, total) = (self, count)
    var part = Dataset(count: most, shape: shape, source: source) { index, image throws(DataError) in
      try all.fill(index * total / most, into: image)
    }
    (part.form, part.classes, part.isSplit, part.range) = (form, classes, isSplit, range)
    (part.terms, part.knownClasses) = (terms, knownClasses)
    part.labels = labels.map { labels in (0..<most).map { labels[$0 * total / most] } }
    (part.names, part.masks) = (names, masks)
    part.listed = listed.map { listed in (0..<most).map { listed[$0 * total / most] } }
    part.numbers = (0..<most).map { Int32(all.number($0 * total / most)) }
    part.partners = partners?.spread(most, of: total)
    return part
  }

  /// Says which images will be wanted soon, so that they are read meanwhile: by the system where they stay on disk, on
  /// a queue of their own where they are streamed. Where images are in memory this does nothing.
  public func announce(_ indices: some Sequence<Int32>) {
    if let partners { partners.data.announce(indices.lazy.map { partners.places[Int($0)] }) }
    switch pixels {
    case .onDisk(let images, let chosen): for index in indices { images.announce(Int(chosen[Int(index)])) }
    case .streamed(let images): images.announce(indices.lazy.map { Int($0) })
    case .stored, .kept, .tiles, .reader: break
    }
  }

  /// Images, or pictures that are cut into them, that stay decoded in memory; nil where all do, or none because they
  /// stay on disk.
  public var keptCount: Int? {
    switch pixels {
    case .streamed(let images): images.keptCount
    case .tiles(let images): images.keptCount
    default: nil
    }
  }

  /// How pictures are cut into the images of the set; nil where each is an image.
  public var tiling: Tiling? { if case .tiles(let images) = pixels { images.tiling } else { nil } }

  /// A whole picture of a set of tiles, prepared: its values, H x W x C, and its shape.
  ///
  /// Errors: no such picture; it can no longer be read.
  public func picture(_ index: Int) throws(DataError) -> (values: [Float], shape: ImageShape) {
    guard case .tiles(let images) = pixels, images.tiling.pictures.indices.contains(index) else {
      throw DataError(path: source, reason: "wanted a picture that is cut into tiles, found no number \(index)")
    }
    let image = try images.picture(index)
    try GrantedMemory.require(checkedProduct([4, image.shape.count]), for: source, "hold a picture of \(image.shape)")
    var values = [Float](repeating: 0, count: image.shape.count)
    image.elements.fill(0, image.shape.count, into: &values)
    return (values, image.shape)
  }

  /// What is said of an array that memory cannot hold.
  ///
  /// - Parameter staysOnDisk: whether images of its kind are read from disk as needed, if they are not compressed.
  static func tooLarge(
    _ path: String, _ bytes: Int, for memory: Int, isCompressed: Bool, staysOnDisk: Bool
  ) -> DataError {
    let wanted = "wanted images of at most \(memory >> 20) MiB, which memory may hold, found \(bytes >> 20) MiB; "
    let advice =
      staysOnDisk && isCompressed
      ? "files that are not compressed are read from disk as needed, unpack this one (gunzip)"
      : "NPY files of bytes or 32-bit floats are read from disk as needed, make one of it"
    return DataError(path: path, reason: wanted + advice, lacksMemory: true)
  }

  /// Writes image `index`, H x W x C: bytes divided by 255, 16-bit numbers by 65535, floats as they are.
  ///
  /// Errors: those of the reader, and of files that can no longer be read; images in memory have none.
  ///
  /// - Parameter draw: of binarized images, which of the draws: 0 but in training, where each step has its own.
  public func fill(_ index: Int, draw: Int = 0, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    guard index >= 0, index < count else {
      throw DataError(path: source, reason: "wanted one of \(count) images, from 0 on, found \(index)")
    }
    switch pixels {
    case .stored(let elements): elements.fill(index * shape.count, shape.count, into: image)
    case .kept(let images): images.fill(index, into: image)
    case .streamed(let images): try images.fill(index, into: image)
    case .tiles(let images): try images.fill(index, into: image)
    case .onDisk(let images, let chosen): try images.fill(Int(chosen[index]), into: image)
    case .reader(let read): try read(index, image)
    }
    if let binarization {
      binarize(image, RandomStream(seed: binarization, .binarization, step: draw, sample: index))
    }
  }

  /// Replaces each element by 1 where its uniform number is below it, and else by 0.
  private func binarize(_ image: UnsafeMutablePointer<Float>, _ stream: RandomStream) {
    // No more than fit on the stack.
    let most = 256
    withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { draws in
      for first in stride(from: 0, to: shape.count, by: most) {
        let count = min(most, shape.count - first)
        stream.fillUniform(draws.baseAddress, count, first: first)
        for i in 0..<count { image[first + i] = draws[i] < image[first + i] ? 1 : 0 }
      }
    }
  }

  /// The label of image `index` of a set that has labels; what 32 bits do not hold becomes the nearest that they do.
  public func label(_ index: Int) -> Int32 {
    guard let labels else { preconditionFailure("\(source) has no labels") }
    return Int32(clamping: labels[index])
  }

  /// How elements are stored.
  public var elements: Elements.Kind {
    switch pixels {
    case .stored(let elements): elements.kind
    case .reader: .float32
    case .kept(let images): images.kind
    case .streamed(let images): images.kept.kind
    case .tiles(let images): images.elements
    case .onDisk(let images, _): images.kind
    }
  }

  /// Image `index`, H x W x C, as bytes, or as little-endian 16-bit numbers or floats.
  func stored(_ index: Int) throws(DataError) -> Data {
    try GrantedMemory.require(8 * shape.count, for: source, "hold an image of \(shape)")
    var image = [Float](repeating: 0, count: shape.count)
    try fill(index, into: &image)
    // Exact, for a byte divided by 255 is nearest to itself, and a 16-bit number divided by 65535 too.
    switch elements {
    case .uint8: return Data(image.map { UInt8($0 * 255 + 0.5) })
    case .uint16: return image.map { UInt16($0 * 65_535 + 0.5) }.withUnsafeBytes { Data($0) }
    case .float32: return image.withUnsafeBytes { Data($0) }
    }
  }

  /// Image `index`, H x W x C.
  public func image(_ index: Int) throws -> [Float] { try images(index..<index + 1) }

  /// Some images one after the other, N x H x W x C. Errors: no such images, more than memory is granted for.
  public func images(_ range: Range<Int>) throws -> [Float] {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw DataError(path: source, reason: "wanted some of \(count) images, from 0 on, found \(range)")
    }
    try GrantedMemory.require(
      checkedProduct([4, range.count, shape.count]), for: source, "hold \(range.count) images of \(shape)",
      advice: "take fewer")
    return try [Float](unsafeUninitializedCapacity: range.count * shape.count) { buffer, initialized in
      for (n, index) in range.enumerated() where buffer.baseAddress != nil {
        try fill(index, into: buffer.baseAddress! + n * shape.count)
      }
      initialized = range.count * shape.count
    }
  }
}
