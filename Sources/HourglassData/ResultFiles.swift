/// The names of files that are made of the images of a set, one for each, below a folder and named after the images.
public struct ResultFiles: Sendable {
  /// The paths from the folder, by image.
  public let paths: [String]

  /// Chooses the files. A picture keeps its path below the set's folder and gets another ending; an image of an array
  /// becomes `array-17.png`. Two pictures that differ only in their endings keep these in front: `a.jpg.png`.
  ///
  /// Errors: a name leads out of the folder or cannot be a file's; two images would have one file; an image would have
  /// a file where another wants a folder.
  ///
  /// - Parameters:
  ///   - names: the names of the images.
  ///   - ending: the ending of the files, without its dot.
  ///   - others: other files that are written into the folder.
  ///   - source: the set, for errors.
  public init(_ names: [String], ending: String, beside others: [String] = [], source: String) throws(DataError) {
    let stems = names.map(Self.stem)
    let shared = Dictionary(stems.map { ($0, 1) }, uniquingKeysWith: +)
    paths = zip(names, stems).map { name, stem in "\(shared[stem] == 1 ? stem : name).\(ending)" }
    var owners: [String: String] = [:]
    for name in others { owners[name] = name }
    for (path, name) in zip(paths, names) {
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains(where: { ["", ".", ".."].contains($0) }) else {
        throw DataError(
          path: source, reason: "wanted names of images that stay within a folder, found \(name); rename the image")
      }
      if let long = path.split(separator: "/").first(where: { $0.utf8.count > 255 }) {
        throw DataError(
          path: source, reason: "wanted names of at most 255 bytes for files, found \(long); rename the image")
      }
      if let other = owners.updateValue(name, forKey: path) { throw Self.clash(name, other, path, source) }
    }
    for (path, name) in zip(paths, names) {
      var folder = path[...]
      while let slash = folder.lastIndex(of: "/") {
        folder = folder[..<slash]
        if let other = owners[String(folder)] { throw Self.clash(name, other, String(folder), source) }
      }
    }
  }

  private static func clash(_ one: String, _ other: String, _ path: String, _ source: String) -> DataError {
    DataError(
      path: source,
      reason: "wanted a file for each image, found \(other) and \(one), which both ask for \(path); rename one")
  }

  /// A name without its ending, with the place in an array behind a dash.
  private static func stem(_ name: String) -> String {
    guard name.hasSuffix("]"), let open = name.lastIndex(of: "["), open > name.startIndex,
      let place = Int(name[name.index(after: open)...].dropLast())
    else { return withoutEnding(name) }
    let file = String(name[..<open])
    return "\(withoutEnding(file.hasSuffix(".gz") ? String(file.dropLast(3)) : file))-\(place)"
  }

  private static func withoutEnding(_ name: String) -> String {
    let start = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
    guard let dot = name[start...].lastIndex(of: "."), dot > start else { return name }
    return String(name[..<dot])
  }
}
