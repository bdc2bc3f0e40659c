import HourglassBase

/// What a network sees in place of the images of a set.
final class PairedImages: Sendable {
  let data: Dataset
  /// The place of each image's partner in the other set.
  let places: [Int32]

  init(_ data: Dataset, _ places: [Int32]) { (self.data, self.places) = (data, places) }

  /// The partners of the images that `Dataset.spread` takes.
  func spread(_ most: Int, of total: Int) -> PairedImages {
    PairedImages(data, (0..<most).map { places[$0 * total / most] })
  }
}

extension Dataset {
  /// The set with other images that a network sees in place of its own, matched by name: by the path below the folder
  /// of each set without its ending, or by the place in an array.
  ///
  /// Errors: an image has no partner (the first few are named); partners have another shape.
  ///
  /// - Parameter isWhole: whether the set has all images that were stored, so that each of `inputs` has a partner too.
  public func paired(with inputs: Dataset, isWhole: Bool) throws(DataError) -> Dataset {
    guard inputs.shape == shape else {
      throw DataError(
        path: inputs.source, reason: "wanted images of \(shape), as \(source) has to put out, found \(inputs.shape)")
    }
    try GrantedMemory.require(200 * (count + inputs.count), for: source, "match \(count) images by name")
    var found: [String: Int32] = [:]
    for index in 0..<inputs.count {
      let key = inputs.pairKey(index)
      guard found.updateValue(Int32(index), forKey: key) == nil else {
        throw DataError(path: inputs.source, reason: "wanted one image called \(key), found two, \(inputs.name(index))")
      }
    }
    let keys = (0..<count).map(pairKey)
    let missing = keys.indices.filter { found[keys[$0]] == nil }
    guard missing.isEmpty else {
      throw DataError(
        path: inputs.source,
        reason: "wanted a partner of each image of \(source), found none of \(Self.list(missing.map(name)))")
    }
    let own = Set(keys)
    guard own.count == count else {
      throw DataError(path: source, reason: "wanted names without their endings once each, found some twice")
    }
    if isWhole, own.count < inputs.count {
      let others = (0..<inputs.count).filter { !own.contains(inputs.pairKey($0)) }
      throw DataError(
        path: source,
        reason:
          "wanted a partner of each image of \(inputs.source), found none of \(Self.list(others.map(inputs.name)))")
    }
    var paired = self
    paired.partners = PairedImages(inputs, keys.map { found[$0] ?? 0 })
    return paired
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(Inventory.mostNamed).joined(separator: ", ")
      + (names.count > Inventory.mostNamed ? " and \(names.count - Inventory.mostNamed) more" : "")
  }

  /// The key that an image and its partner have in common.
  private func pairKey(_ index: Int) -> String {
    var (name, suffix) = (Substring(name(index)), "")
    if tiling != nil, let bracket = name.lastIndex(of: "[") {
      suffix = String(name[bracket...])
      name = name[..<bracket]
    }
    if form != .pictures, let bracket = name.lastIndex(of: "[") { return name[bracket...] + suffix }
    let file = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
    if let dot = name[file...].lastIndex(of: "."), dot > file { name = name[..<dot] }
    return name + suffix
  }

  /// Whether a network sees other images than those that it is to put out.
  public var hasInputs: Bool { partners != nil }

  /// The files of the images that a network sees in place of the set's own, in the order of the images, by their names
  /// below the folder of both; none where it sees the images themselves.
  ///
  /// Cost and errors: see `storedFiles`.
  func inputFiles() throws(DataError) -> [StoredFile] {
    guard let partners else { return [] }
    let files = try partners.data.storedFiles()
    let byName = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
    let single = partners.places.compactMap { byName[partners.data.name(Int($0))] }
    let folder = partners.data.source.split(separator: "/").last ?? ""
    return (single.isEmpty ? files : single).map {
      StoredFile(name: "\(folder)/\($0.name)", bytes: $0.bytes, digest: $0.digest)
    }
  }

  /// Writes what a network sees in place of image `index`, H x W x C; see `fill`.
  public func fillInput(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    guard let partners, index >= 0, index < count else { return try fill(index, into: image) }
    try partners.data.fill(Int(partners.places[index]), into: image)
  }

  /// What a network sees in place of some images, N x H x W x C; see `images`.
  public func inputs(_ range: Range<Int>) throws -> [Float] {
    guard let partners else { return try images(range) }
    return try range.flatMap { index in
      guard partners.places.indices.contains(index) else { return try images(index..<index + 1) }
      return try partners.data.image(Int(partners.places[index]))
    }
  }
}
