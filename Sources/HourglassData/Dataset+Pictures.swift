/// What people look at: the images of a set or, where these are tiles, the pictures that they are cut from.
extension Dataset {
  public var pictureCount: Int { tiling?.pictures.count ?? count }

  /// The images of a picture: itself, or its tiles.
  public func images(ofPicture index: Int) -> Range<Int> { tiling?.pictures[index].tiles ?? index..<index + 1 }

  public func pictureName(_ index: Int) -> String { tiling?.pictures[index].name ?? name(index) }

  /// Whether each picture is of another class than the normal one, which is named or numbered.
  ///
  /// Errors: no labels; no picture of that class.
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
