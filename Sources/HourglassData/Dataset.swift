import FoundationEssentials
import HourglassBase

/// Images of one shape, held in memory or read one by one, with labels where there are any.
public struct Dataset: Sendable {
  /// The shape of every image, H x W x C.
  public let shape: ImageShape
  /// How many images the set has.
  public let count: Int
  /// The label of each image, the number of its class; nil without labels.
  public internal(set) var labels: [Int]?
  /// The names of the classes by label; nil where classes have no names.
  public internal(set) var classes: [String]?
  /// How many classes a relabelled set has its labels by; classes of other names are numbered behind them.
  public internal(set) var knownClasses: Int?
  /// The place where the images come from, for people to read.
  public let source: String
  /// The form in which the images are stored.
  public private(set) var form = ImageForm.builtIn
  /// Whether this is one of two parts, for training and for test, that have no image in common.
  public internal(set) var isSplit = false
  /// The range of the images' values; bytes and 16-bit numbers lie in [0, 1].
  public private(set) var range: ClosedRange<Float> = 0...1
  /// The part of the elements that is missing, as far as images were read when the set was opened.
  public private(set) var missingPart = 0.0
  /// What was done to images in files.
  private(set) var preparation: Preparation?
  /// What a network sees in place of the images; nil for the images themselves.
  var partners: PairedImages?
  /// The statistics that weigh the terms of documents; nil for images.
  public private(set) var terms: TermStatistics?
  /// The errors of broken images that were left out.
  public private(set) var refused: [DataError] = []
  /// What became of everything that lies where the set was opened.
  public internal(set) var inventory = Inventory()
  /// The masks of the images' defects; nil without any.
  private(set) var masks: Masks?
  private var names: ItemNames
  /// The name of each image, where nothing else is known of its file.
  private var listed: [String]?
  /// The place of each image in the set as it is stored; nil where the set is whole and in its order.
  private var numbers: [Int32]?
  /// The seed by which each element is drawn as 1, with its value as the probability, or 0; nil where elements stay as
  /// they are.
  private var binarization: UInt64?
  private let pixels: any PixelStore

  /// Writes image `index`, H x W x C with values in [0, 1]; called by several threads at once.
  public typealias Reader = @Sendable (_ index: Int, _ image: UnsafeMutablePointer<Float>) throws(DataError) -> Void

  /// A set of images that the reader makes whenever they are wanted, which may fail at any time.
  public init(count: Int, shape: ImageShape, source: String, reader: @escaping Reader) {
    (self.count, self.shape, labels, self.source, names) = (count, shape, nil, source, ItemNames(source))
    pixels = ReadPixels(read: reader)
  }

  /// A set of images in memory.
  ///
  /// Errors: elements or labels that do not fit the shape; a float that is not finite, by image.
  ///
  /// - Parameters:
  ///   - preparation: what was done to the images, which says whether NaN stands for a missing element.
  ///   - elements: N x H x W x C, bytes 0 to 255, 16-bit numbers 0 to 65535 or floats.
  ///   - labels: one for each image, from 0 on.
  public init(
    _ elements: Elements, shape: ImageShape, labels: [Int]? = nil, source: String,
    preparation: Preparation = Preparation()
  ) throws(DataError) {
    guard shape.count > 0, elements.count > 0, elements.count % shape.count == 0 else {
      throw DataError(
        path: source, reason: "wanted at least one image of \(shape), found \(elements.count) elements")
    }
    count = elements.count / shape.count
    pixels = StackedPixels(elements: elements, length: shape.count)
    (self.shape, self.labels, self.source) = (shape, labels, source)
    names = ItemNames(source)
    if let labels, labels.count != count {
      throw DataError(path: source, reason: "wanted \(count) labels for \(count) images, found \(labels.count)")
    }
    let takesMissing = preparation.missing != nil
    if let fault = PreparedImages.fault(elements, takesMissing: takesMissing), case .floats(let floats) = elements {
      let place = floats.firstIndex { !$0.isFinite && !(takesMissing && $0.isNaN) } ?? 0
      throw DataError(path: source, reason: "image \(place / shape.count): \(fault)")
    }
    let values = ValueMeter()
    values.add(elements)
    (range, missingPart) = (values.range, values.missingPart)
  }

  /// A set of images in memory that the caller lends.
  ///
  /// Cost: reads all floats once, copies nothing. Errors: labels of another number; a number that is not finite, but
  /// for elements that may be missing.
  ///
  /// - Parameters:
  ///   - labels: one for each image, from 0 on.
  ///   - takesMissing: whether NaN stands for a missing element.
  public init(
    _ array: LentArray, labels: [Int]? = nil, takesMissing: Bool = false, source: String
  ) throws(DataError) {
    (shape, count, self.labels, self.source) = (array.shape, array.count, labels, source)
    (pixels, names) = (array, ItemNames(source))
    if let labels, labels.count != count {
      throw DataError(path: source, reason: "wanted \(count) labels for \(count) images, found \(labels.count)")
    }
    let values = try array.measured(takesMissing: takesMissing, source: source)
    (range, missingPart) = (values.range, values.missingPart)
  }

  /// A set of numbers made of the images of another one, such as their codes, in its order and with its labels.
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
    pixels = StackedPixels(elements: .floats(values), length: shape.count)
    (form, classes, isSplit) = (images.form, images.classes, images.isSplit)
    (names, numbers, inventory, masks) = (images.names, images.numbers, images.inventory, images.masks)
    knownClasses = images.knownClasses
    range = (values.min() ?? 0)...(values.max() ?? 0)
  }

  /// A set of numbers made of images that may be gone, such as their codes, with the names and classes of a table.
  ///
  /// Errors: the numbers are not as many as the images of the table; a number is not finite.
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
    pixels = StackedPixels(elements: .floats(values), length: shape.count)
  }

  /// The chosen images of a set, prepared.
  ///
  /// - Parameter split: the part that is taken of a set that holdout divides.
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
      try self.init(
        elements, shape: stacked.shape, labels: stored.labels, source: stored.source, preparation: preparation)
    } else if let images = stored.images as? DiskImages, preparation.keepsImages(of: images.kind),
      chosen.count > memory / (images.shape.count * (images.areFloats ? 4 : 1))
    {
      self.init(images, chosen, labels: stored.labels, source: stored.source)
      try check(images, chosen, preparation, path)
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
    (names, range, missingPart) = (ItemNames(source), gathered.range, gathered.missingPart)
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
    numbers = chosen.map { Int32($0) }
    (shape, pixels, count) = (images.shape, DiskPixels(images: images, chosen: numbers ?? []), chosen.count)
    labels = all.map { all in chosen.map { all[$0] } }
    self.source = source
    names = images.names
  }

  // MARK: Names

  /// The name of an image: the path of its file below the folder of the set, or the file of the array and the place
  /// there, as `array.npy[17]`; a tile's first row and column follow, as `photo.png[0,128]`.
  public func name(_ index: Int) -> String {
    if let listed { return listed[index] }
    let name = names.name(number(index))
    return tiling.map { $0.origin(of: index) }.map { "\(name)[\($0.top),\($0.left)]" } ?? name
  }

  /// The place of an image, or of a tile's picture, in the set as it is stored. The place does not depend on what else
  /// was chosen or left out.
  public func number(_ index: Int) -> Int { numbers.map { Int($0[index]) } ?? index }

  /// The files that the images are stored in, each once, in the order of the images; empty for images in no file.
  ///
  /// Cost: reads every byte of the files, on several threads. Errors: a file cannot be read.
  public func storedFiles() throws(DataError) -> [StoredFile] {
    let files = names.files(of: (0..<count).lazy.map(number))
    return try StoredFile.digests(of: files) + (partners?.data.storedFiles() ?? [])
  }

  /// Finds the range of floats on disk and refuses those that are not finite. Cost: reads all of them once.
  private mutating func check(
    _ images: DiskImages, _ chosen: [Int], _ preparation: Preparation, _ path: String
  ) throws(DataError) {
    guard images.areFloats else { return }
    let values = ValueMeter()
    for index in chosen {
      let elements = try images.image(index).elements
      if let fault = PreparedImages.fault(elements, takesMissing: preparation.missing != nil) {
        throw DataError(path: path, reason: "image \(index): \(fault)")
      }
      values.add(elements)
    }
    (range, missingPart) = (values.range, values.missingPart)
  }

  /// Whether images stay in their file because memory cannot hold them.
  public var isOnDisk: Bool { pixels is DiskPixels }

  /// At most `most` of the images, spread evenly over the set, because images that belong together often lie together.
  public func spread(_ most: Int) -> Dataset {
    guard count > most else { return self }
    let (all, total) = (self, count)
    var part = Dataset(count: most, shape: shape, source: source) { index, image throws(DataError) in
      try all.fill(index * total / most, into: image)
    }
    (part.form, part.classes, part.isSplit, part.range) = (form, classes, isSplit, range)
    part.missingPart = missingPart
    (part.terms, part.knownClasses) = (terms, knownClasses)
    part.labels = labels.map { labels in (0..<most).map { labels[$0 * total / most] } }
    (part.names, part.masks) = (names, masks)
    part.listed = listed.map { listed in (0..<most).map { listed[$0 * total / most] } }
    part.numbers = (0..<most).map { Int32(all.number($0 * total / most)) }
    part.partners = partners?.spread(most, of: total)
    return part
  }

  /// Says which images will be wanted soon, so that they are read meanwhile: by the system where images stay on disk,
  /// on a queue where they are streamed. Nothing happens where images are in memory.
  public func announce(_ indices: some Sequence<Int32>) {
    if let partners { partners.data.announce(indices.lazy.map { partners.places[Int($0)] }) }
    pixels.announce(indices.lazy.map { Int($0) })
  }

  /// How many images, or pictures that are cut into tiles, stay decoded in memory; nil where all do, or where they stay
  /// on disk.
  public var keptCount: Int? { pixels.keptCount }

  /// How pictures are cut into the images of the set; nil where each is an image.
  public var tiling: Tiling? { (pixels as? TiledImages)?.tiling }

  /// A whole picture of a set of tiles, prepared: its values, H x W x C, and its shape.
  ///
  /// Errors: no such picture; it can no longer be read.
  public func picture(_ index: Int) throws(DataError) -> (values: [Float], shape: ImageShape) {
    guard let images = pixels as? TiledImages, images.tiling.pictures.indices.contains(index) else {
      throw DataError(path: source, reason: "wanted a picture that is cut into tiles, found no number \(index)")
    }
    let image = try images.picture(index)
    try GrantedMemory.require(checkedProduct([4, image.shape.count]), for: source, "hold a picture of \(image.shape)")
    var values = [Float](repeating: 0, count: image.shape.count)
    image.elements.fill(0, image.shape.count, into: &values)
    return (values, image.shape)
  }

  /// The error for an array that memory cannot hold.
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
  /// Errors: the reader throws, or a file can no longer be read; images in memory cause none.
  ///
  /// - Parameter draw: the number of the draw of binarized images: 0 outside of training, where each step has its own.
  public func fill(_ index: Int, draw: Int = 0, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    guard index >= 0, index < count else {
      throw DataError(path: source, reason: "wanted one of \(count) images, from 0 on, found \(index)")
    }
    try pixels.fill(index, into: image)
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

  /// The label of image `index` of a set that has labels; a label beyond 32 bits becomes the nearest that they hold.
  public func label(_ index: Int) -> Int32 {
    guard let labels else { preconditionFailure("\(source) has no labels") }
    return Int32(clamping: labels[index])
  }

  /// The kind of elements in which the images are kept.
  public var elements: Elements.Kind { pixels.kind }

  /// Image `index`, H x W x C, as bytes, or as little-endian 16-bit numbers or floats.
  func stored(_ index: Int) throws(DataError) -> Data {
    try GrantedMemory.require(8 * shape.count, for: source, "hold an image of \(shape)")
    var image = [Float](repeating: 0, count: shape.count)
    try fill(index, into: &image)
    // The way back is exact: a byte divided by 255 is nearest to itself, and a 16-bit number divided by 65535 too.
    switch elements {
    case .uint8: return Data(image.map { UInt8($0 * 255 + 0.5) })
    case .uint16: return image.map { UInt16($0 * 65_535 + 0.5) }.withUnsafeBytes { Data($0) }
    case .float32: return image.withUnsafeBytes { Data($0) }
    }
  }

  /// Image `index`, H x W x C, with the values of `fill`.
  public func image(_ index: Int) throws -> [Float] { try images(index..<index + 1) }

  /// Images one after the other, N x H x W x C, with the values of `fill`.
  ///
  /// Errors: there are no such images; they take more memory than is granted.
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
