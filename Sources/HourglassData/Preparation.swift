import HourglassBase

/// The choice of images at a path, and what is done to each of them: part of a recipe.
///
/// The choice takes, in this order, the split, the images with one of the labels, and `limit` of what is left, spread
/// evenly over it. Then the numbers of each image are mapped to the wanted range, it is brought to the wanted colour,
/// its middle is cut out, it is resized or fitted, and inverted. Last, its elements may be drawn as 0 or 1 whenever it
/// is read. Standardisation is left to the model's input, so that images are here in their own units.
public struct Preparation: Codable, Sendable, Equatable {
  /// The order of the axes of an array file: N samples, H height, W width, C channels, D elements of a vector, L steps
  /// of a sequence, which is an image of height 1.
  public enum Layout: String, Codable, Sendable, CaseIterable {
    case nd, nhw, nhwc, nchw, nl, nlc, ncl
  }

  /// The colour that every image is brought to.
  public enum Color: String, Codable, Sendable, CaseIterable {
    case grey, rgb
  }

  /// The axes of an array file; nil where its shape tells them.
  public var layout: Layout?
  /// The part of a set without a test split, in (0, 1), that the seed draws as its test split.
  public var holdout: Double?
  /// The names or numbers of the classes whose images are taken; nil for all images.
  public var labels: [String]?
  /// The most images that are taken; nil for all.
  public var limit: Int?
  /// The numbers that become 0 and 1; nil for the full range of bytes and 16-bit numbers, and for floats as they are.
  public var range: ValueRange?
  /// The colour that images are brought to; nil for the colour that they have.
  public var color: Color?
  /// The pixels that are cut out of the middle of each image; nil for the whole image.
  public var crop: Extent2D?
  /// The size that images are scaled to; nil for the size that they have.
  public var resize: Extent2D?
  /// The size that images are scaled to fit into, in the middle of zeros or of the background; nil for no fitting.
  public var fit: Extent2D?
  /// Whether dark becomes light.
  public var inverts: Bool?
  /// The size of the tiles that pictures are cut into once they are prepared, see `Tiling`; nil for whole pictures.
  public var tile: Extent2D?
  /// The pixels from one tile to the next; nil for the size of a tile.
  public var stride: Extent2D?
  /// The kind of elements kept in memory; nil for the stored kind, and the widest where kinds are mixed.
  public var elements: Elements.Kind?
  /// The colour that transparent pictures are put on; nil where their hidden colours are taken.
  public var background: RGBColor?
  /// Whether images that are broken are left out; otherwise they are an error.
  public var skipsBad: Bool?
  /// Whether each element is drawn as 0 or 1, with its value as the probability of 1: anew in each step of training,
  /// and everywhere else once by the seed.
  public var binarizes: Bool?
  /// The number that a network sees in the place of an element that is NaN, which is missing: such an element is no
  /// part of losses and measures. Nil where NaN is refused.
  public var missing: Float?
  /// Whether a model sees each channel less its mean and over its deviation, and both once training has found them.
  public var standardizes: Bool?
  public var standardization: Standardization?
  /// How many folders below a part make the class of a picture, their names joined by slashes; nil for one folder, or
  /// for no classes where pictures lie beside the folders.
  public var classesAt: Int?
  /// The path from the root of a file of labels, which replace the set's own; see `Dataset.open`.
  public var labelsFile: String?
  /// The path from the root of a folder of masks of the truth, for a set that has none; see `Dataset.mask`.
  public var masks: String?
  /// The vocabulary and weights of documents; nil where the training documents at the path tell them.
  public var terms: TermStatistics?

  /// The pixels along an axis that images may be cut or scaled to.
  public static let pixelRange = 1...65_536

  /// A preparation that takes all images and changes nothing.
  public init() {}

  /// The preparation for another set: it has what is done to each image, without what chooses images.
  public var forOtherImages: Preparation {
    var other = self
    (other.layout, other.holdout, other.labels, other.limit) = (nil, nil, nil, nil)
    (other.labelsFile, other.masks) = (nil, nil)
    return other
  }

  /// The part of the preparation that moves pixels.
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

  /// The prepared image; `path` names it in errors.
  ///
  /// Errors: the image cannot be prepared, or takes more memory meanwhile than is granted.
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

  /// The size at which an image of some shape is wanted, where only its colour is changed before it is resized; else
  /// nil.
  func size(of shape: ImageShape) -> Extent2D? {
    guard crop == nil, range == nil, let size = resize ?? fit, Self.pixelRange.contains(size.height),
      Self.pixelRange.contains(size.width)
    else { return nil }
    return resize ?? shape.fitted(into: size)
  }

  /// Why tiles of this size and stride cannot be; nil where they can.
  public var tilingRefusal: String? {
    guard let stride else { return nil }
    guard let tile else { return "stride: wanted a tile too, found none" }
    let isWanted = (1...max(1, tile.height)).contains(stride.height) && (1...max(1, tile.width)).contains(stride.width)
    return isWanted
      ? nil
      : "stride: wanted at most \(tile.width)x\(tile.height), the size of a tile, so that tiles cover a picture, found "
        + "\(stride.width)x\(stride.height)"
  }

  /// The most bytes that an image of some shape takes while it is prepared; nil where an `Int` does not hold them.
  ///
  /// Each step but the resizing makes floats at most; the fitting makes the floats of its result once more.
  private func bytes(for shape: ImageShape) -> Int? {
    let channels = color == .rgb ? max(3, shape.channels) : shape.channels
    return checkedSum(
      checkedProduct([8, shape.height, shape.width, channels]),
      fit.map { checkedProduct([4, $0.height, $0.width, channels]) } ?? 0,
      (resize ?? fit).map { ImageResizer.bytes(from: ImageShape(shape.height, shape.width, channels), to: $0) } ?? 0)
  }

  /// The numbers of the images that are taken of a set, ascending.
  ///
  /// - Parameters:
  ///   - split: the part to take where `holdout` makes parts; nil where the set has parts of its own.
  ///   - classes: the names of classes by label, where there are any.
  ///   - unfit: the numbers of images that are left out for another reason.
  func chosen(
    count: Int, without unfit: Set<Int> = [], labels found: [Int]?, classes: [String]?, split: Split?, seed: UInt64,
    path: String
  ) throws(DataError) -> [Int] {
    guard count <= Int(Int32.max) else {
      throw DataError(path: path, reason: "wanted at most \(Int32.max) images, found \(count)")
    }
    // Drawing the images held out takes a number, a place and a member of a set for each.
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
    // The images at the places of the smallest numbers are held out; between equal numbers the place decides.
    let draws = RandomStream(seed: seed, .holdout).bits(count)
    return (0..<count).sorted { (draws[$0], $0) < (draws[$1], $1) }.prefix(size).map(\.self)
  }

  private static func list(_ labels: Set<Int>, _ classes: [String]?) -> String {
    let names = labels.sorted().map { label in classes.map { $0[label] } ?? "\(label)" }
    return names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
  }
}
