/// The pictures of a set, at which people look: its images or, where these are tiles, the pictures that they are cut
/// from.
extension Dataset {
  /// How many pictures the set has.
  public var pictureCount: Int { tiling?.pictures.count ?? count }

  /// The numbers of the images that are a picture: its own, or those of its tiles.
  public func images(ofPicture index: Int) -> Range<Int> { tiling?.pictures[index].tiles ?? index..<index + 1 }

  /// The name of a picture; see `name`.
  public func pictureName(_ index: Int) -> String { tiling?.pictures[index].name ?? name(index) }

  /// Whether each picture belongs to another class than the normal one.
  ///
  /// Errors: the set has no labels, or no picture of that class.
  ///
  /// - Parameter name: the name or the number of the normal class.
  public func isAnomaly(normalClass name: String) throws(DataError) -> [Bool] {
    guard let labels else { throw DataError(path: source, reason: "--normal-class: wanted labels, found none") }
    let firsts = (0..<pictureCount).map { images(ofPicture: $0).lowerBound }
    // A name may look like the number of another class.
    let named = firsts.map { className($0) == name }
    if named.contains(true) { return named.map { !$0 } }
    guard let number = Int(name), labels.contains(number) else {
      let known = Set(firsts.compactMap { className($0) }).sorted()
      throw DataError(
        path: source,
        reason: "--normal-class: wanted a class with images, one of \(known.prefix(12).joined(separator: ", "))"
          + "\(known.count > 12 ? " and \(known.count - 12) more" : ""), found \(name)")
    }
    return firsts.map { labels[$0] != number }
  }
}
