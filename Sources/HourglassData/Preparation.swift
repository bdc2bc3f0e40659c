import HourglassBase

/// What is taken of the images at a path, and what is done to each: part of a recipe.
///
/// Taken are, in this order, the split, those with one of the labels, and `limit` of what is left, spread evenly over
/// it. The numbers of each image are mapped to the wanted range, then it is brought to the wanted colour, then its
/// middle is cut out, then it is resized or fitted, and inverted. Last, its elements may be drawn as 0 or 1 whenever it
/// is read. Who trains on standardised images does that by himself, so that images are here in their own units.
public struct Preparation: Codable, Sendable, Equatable {
  /// Of the axes of an array file: N samples, H height, W width, C channels, D elements of a vector.
  public enum Layout: String, Codable, Sendable, CaseIterable {
    case nd, nhw, nhwc, nchw
  }

  public enum Color: String, Codable, Sendable, CaseIterable {
    case grey, rgb
  }

  /// Nil where the shape tells.
  public var layout: Layout?
  /// The part of a set without a test split that is its test split, in (0, 1), drawn by the seed.
  public var holdout: Double?
  /// Names or numbers of classes; nil for all images.
  public var labels: [String]?
  /// At most so many images.
  public var limit: Int?
  /// What becomes 0 and 1; nil for the full range of bytes and 16-bit numbers, and for floats as they are.
  public var range: ValueRange?
  public var color: Color?
  public var crop: Extent2D?
  public var resize: Extent2D?
  /// The size that images are scaled to fit into, in the middle of zeros.
  public var fit: Extent2D?
  /// Whether dark becomes light.
  public var inverts: Bool?
  /// The size of the tiles that pictures are cut into once they are prepared, see `Tiling`; nil for whole pictures.
  public var tile: Extent2D?
  /// From one tile to the next; nil for the size of a tile.
  public var stride: Extent2D?
  /// How elements are kept in memory; nil for as they are stored, and the widest where kinds are mixed.
  public var elements: Elements.Kind?
  /// What transparent pictures are put on; nil where their hidden colours are taken.
  public var background: RGBColor?
  /// Whether images that are broken are left out; otherwise they are an error.
  public var skipsBad: Bool?
  /// Whether each element is drawn as 0 or 1, with its value as the probability of 1: anew in each step of training, in
  /// all else once by the seed.
  public var binarizes: Bool?
  /// Whether a model sees each channel less its mean and over its deviation, and by what, once training has found it.
  public var standardizes: Bool?
  public var standardization: Standardization?
  /// Folders below that of a part, whose names with slashes are the class of a picture; nil for one, or none where
  /// pictures lie beside those folders.
  public var classesAt: Int?
  /// A file of labels, from the root, that take the place of those of the set; see `Dataset.open`.
  public var labelsFile: String?
  /// A folder of masks of the truth, from the root, for a set that has none; see `Dataset.mask`.
  public var masks: String?
  /// The vocabulary and weights of documents; nil where the training documents at the path tell.
  public var terms: TermStatistics?

  /// Pixels along an axis that images may be cut or scaled to.
  public static let pixelRange = 1...65_536

  public init() {}

  /// The same for another set: what is done to each image, without what chooses images.
  public var forOtherImages: Preparation {
    var other = self
    (other.layout, other.holdout, other.labels, other.limit) = (nil, nil, nil, nil)
    (other.labelsFile, other.masks) = (nil, nil)
    return other
  }

  /// What moves pixels, and nothing else.
  var geometry: Preparation {
    var geometry = Preparation()
    (geometry.crop, geometry.resize, geometry.fit) = (crop, resize, fit)
    return geometry
  }

  /// Whether images stay as they are stored, with elements of some kind.
  func keepsImages(of kind: Elements.Kind) -> Bool {
    range?.isNatural(of: kind) ?? true && color == nil && crop == nil && resize == nil && fit == nil && inverts != true
      && tile == nil && elements ?? kind == kind
  }

  /// Does to an image what is wanted of each; `path` names it in errors.
  ///
  /// Errors: an image that cannot be prepared, or takes more memory meanwhile than is granted.
  func prepared(_ image: Image, path: String) throws(DataError) -> Image {
    if keepsImages(of: image.elements.kind) { return image }
    for (flag, size) in [("--crop", crop), ("--resize", resize), ("--fit", fit)] {
      guard let size, !Self.pixelRange.contains(size.height) || !Self.pixelRange.contains(size.width) else { continue }
      throw DataError(
        path: path,
        reason: "\(flag): wanted a width and a height of \(Self.pixelRange.lowerBound) to "
          + "\(Self.pixelRange.upperBound), found \(size.width)x\(size.height)")
    }
    return try GrantedMemory.require(bytes(for: image.shape), for: path, "prepare an image of \(image.shape)") {
      () throws(DataError) in
      var image = try colored(range.map(image.mapped) ?? image, path: path)
      if let crop { image = try image.cropped(to: crop, path: path) }
      if let resize { image = image.resized(to: resize) }
      if let fit { image = image.fitted(into: fit, over: background) }
      if inverts == true { image = image.inverted() }
      return elements.map(image.converted) ?? image
    }
  }

  /// An image, or some of its rows, in the wanted colour.
  func colored(_ image: Image, path: String) throws(DataError) -> Image {
    switch color {
    case .grey: try image.grey(path: path)
    case .rgb: try image.rgb(path: path)
    case nil: image
    }
  }

  /// The size at which an image of some shape is wanted, where nothing but its colour matters before it is resized.
  func size(of shape: ImageShape) -> Extent2D? {
    guard crop == nil, range == nil, let size = resize ?? fit, Self.pixelRange.contains(size.height),
      Self.pixelRange.contains(size.width)
    else { return nil }
    return resize ?? shape.fitted(into: size)
  }

  /// Why tiles cannot lie like this, if they cannot.
  public var tilingRefusal: String? {
    guard let stride else { return nil }
    guard let tile else { return "stride: wanted a tile too, found none" }
    let isWanted = (1...max(1, tile.height)).contains(stride.height) && (1...max(1, tile.width)).contains(stride.width)
    return isWanted
      ? nil
      : "stride: wanted at most \(tile.width)x\(tile.height), the size of a tile, so that tiles cover a picture, found "
        + "\(stride.width)x\(stride.height)"
  }

  /// What an image of some shape takes while it is prepared, at most; nil where that is more than an `Int` holds.
  ///
  /// Each step but the resizing makes floats at most, and the fitting those of its result once more.
  private func bytes(for shape: ImageShape) -> Int? {
    let channels = color == .rgb ? max(3, shape.channels) : shape.channels
    return checkedSum(
      checkedProduct([8, shape.height, shape.width, channels]),
      fit.map { checkedProduct([4, $0.height, $0.width, channels]) } ?? 0,
      (resize ?? fit).map { ImageResizer.bytes(from: ImageShape(shape.height, shape.width, channels), to: $0) } ?? 0)
  }

  /// What of a set is taken: the numbers of the images, ascending.
  ///
  /// - Parameters:
  ///   - split: which part, where `holdout` makes parts; nil where the set has parts of its own.
  ///   - classes: names by label, where there are any.
  ///   - unfit: what is left out for another reason.
  func chosen(
    count: Int, without unfit: Set<Int> = [], labels found: [Int]?, classes: [String]?, split: Split?, seed: UInt64,
    path: String
  ) throws(DataError) -> [Int] {
    guard count <= Int(Int32.max) else {
      throw DataError(path: path, reason: "wanted at most \(Int32.max) images, found \(count)")
    }
    // Where the held out are drawn, a number, a place and a member of a set for each.
    try GrantedMemory.require((holdout == nil ? 16 : 80) * count, for: path, "choose among \(count) images")
    var chosen = Array(0..<count)
    if let split, let holdout {
      let held = Set(try heldOut(holdout, of: count, seed: seed, path: path))
      chosen.removeAll { held.contains($0) != (split != .train) }
    }
    if !unfit.isEmpty { chosen.removeAll(where: unfit.contains) }
    if let labels {
      guard let found else { throw DataError(path: path, reason: "--label-filter: wanted labels, found none") }
      let known = Set(found)
      var wanted: Set<Int> = []
      for name in labels {
        guard let label = classes?.firstIndex(of: name) ?? Int(name), known.contains(label) else {
          throw DataError(
            path: path,
            reason: "--label-filter: wanted some of \(Self.list(known, classes)), found \(name)")
        }
        wanted.insert(label)
      }
      chosen.removeAll { !wanted.contains(found[$0]) }
    }
    guard !chosen.isEmpty else { throw DataError(path: path, reason: "no image is left of \(count)") }
    if let limit, limit < 1 {
      throw DataError(path: path, reason: "--limit: wanted at least 1 image, found \(limit)")
    }
    if let limit, limit < chosen.count { chosen = (0..<limit).map { chosen[$0 * chosen.count / limit] } }
    return chosen
  }

  private func heldOut(_ part: Double, of count: Int, seed: UInt64, path: String) throws(DataError) -> [Int] {
    let size = Int(clamping: (part * Double(count)).rounded())
    guard size > 0, size < count else {
      throw DataError(
        path: path, reason: "--holdout \(part): wanted images in both parts, found \(size) of \(count) held out")
    }
    // Places of the smallest numbers; the place decides between equal ones.
    let draws = RandomStream(seed: seed, .holdout).bits(count)
    return (0..<count).sorted { (draws[$0], $0) < (draws[$1], $1) }.prefix(size).map(\.self)
  }

  private static func list(_ labels: Set<Int>, _ classes: [String]?) -> String {
    let names = labels.sorted().map { label in classes.map { $0[label] } ?? "\(label)" }
    return names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
  }
}
