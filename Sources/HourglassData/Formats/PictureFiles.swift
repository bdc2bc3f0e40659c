import HourglassBase

/// Pictures in files, one in each, or several in a TIFF file.
struct PictureFiles: ImageSource {
  let names: ItemNames
  /// The number of the file of each picture.
  let files: [Int]
  private let paths: [String]
  /// The place in its file where each picture begins; nil for the first of a file.
  private let pages: [UInt64?]

  var count: Int { files.count }

  /// The pictures of files in a folder.
  ///
  /// - Parameter files: the paths from the folder.
  init(_ files: [String], in folder: String) {
    paths = files.map { "\(folder)/\($0)" }
    let found = Self.pages(paths)
    (self.files, pages) = found
    names = ItemNames(files: files, in: folder, of: found.files)
  }

  /// The pictures of one file.
  init(_ path: String) {
    paths = [path]
    let found = Self.pages(paths)
    (files, pages) = found
    names = ItemNames(file: path, of: found.files)
  }

  /// The pictures of all files. A file that cannot be looked into counts as one, so that its error is that picture's.
  private static func pages(_ paths: [String]) -> (files: [Int], pages: [UInt64?]) {
    var (files, pages): ([Int], [UInt64?]) = ([], [])
    for (number, path) in paths.enumerated() {
      let found = (try? Self.pages(path)) ?? [nil]
      files += found.map { _ in number }
      pages += found
    }
    return (files, pages)
  }

  private static func pages(_ path: String) throws(DataError) -> [UInt64?] {
    #if TIFF
      guard PictureKind.of(name: path)?.name == "TIFF" else { return [nil] }
      let file = try InputFile(path)
      guard try PictureKind.of(file).kind.name == "TIFF" else { return [nil] }
      return try TIFFFile.pages(of: file)
    #else
      return [nil]
    #endif
  }

  /// Whether a name ends as the names of pictures do, kinds that are not read included.
  static func isPicture(_ name: String) -> Bool { PictureKind.of(name: name) != nil }

  /// Whether a file begins as a picture of any kind does, whatever its name is.
  static func beginsAsPicture(_ path: String) throws(DataError) -> Bool {
    PictureKind.of(contents: try InputFile(path).bytes(at: 0, PictureKind.startLength)) != nil
  }

  func image(_ index: Int) throws(DataError) -> Image {
    try image(index, toward: Preparation(), memory: .max)
  }

  func image(_ index: Int, toward preparation: Preparation, memory: Int) throws(DataError) -> Image {
    try Self.decode(paths[files[index]], page: pages[index], toward: preparation, memory: memory)
  }

  /// The shape of a picture as its header tells it, upright and before anything is done to it.
  ///
  /// Errors: the file has no header of a picture.
  func shape(_ index: Int) throws(DataError) -> ImageShape {
    try Self.open(paths[files[index]], page: pages[index]).reader.header.upright
  }

  private static func open(
    _ path: String, page: UInt64?
  ) throws(DataError) -> (kind: PictureKind, reader: any PictureReader) {
    let file = try InputFile(path)
    let (kind, reader) = try PictureKind.of(file)
    return (kind, try reader.init(file, page: page))
  }

  /// Reads a picture of the kind that its contents tell; see `PictureReader.image`.
  static func decode(
    _ path: String, page: UInt64? = nil, toward preparation: Preparation = Preparation(), memory: Int = .max
  ) throws(DataError) -> Image {
    let (kind, reader) = try open(path, page: page)
    var image = try reader.image(toward: preparation, memory: memory, path: path)
    if let named = PictureKind.of(name: path), named.name != kind.name { image.remarks.insert(.misnamed) }
    return image
  }
}
