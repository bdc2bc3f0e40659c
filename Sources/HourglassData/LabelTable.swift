/// Classes of images in a CSV file, by the images' names.
///
/// Rows are `name,class` (RFC 4180, or with tabs), or a first row says which columns are so called. A name is that of
/// `Dataset.name`, or where it is unique the name of the file alone, with or without its ending.
struct LabelTable {
  private let path: String
  private let rows: [(line: Int, name: String, className: String)]

  private static let nameColumns = ["name", "file", "filename", "file_name", "path", "image", "image_id", "id"]
  private static let classColumns = ["class", "label", "category", "target"]

  /// Errors: no text, no such columns, a quote that is not closed.
  init(_ path: String) throws(DataError) {
    self.path = path
    let bytes = try GzipFile(path).readAll()
    guard !bytes.isEmpty, !bytes.contains(0) else {
      throw DataError(
        path: path, reason: "wanted labels as an IDX, NPY or NPZ file, or a CSV file of name,class, found none of them")
    }
    try GrantedMemory.require(checkedProduct([48, bytes.count]), for: path, "hold the labels")
    let cells = try Self.cells(printablePath(pathText(bytes)), path)
    let first = cells.first?.cells.map { $0.lowercased() } ?? []
    let (named, classed) = (
      first.firstIndex(where: Self.nameColumns.contains), first.firstIndex(where: Self.classColumns.contains)
    )
    let hasHeader = named != nil && classed != nil
    guard hasHeader || first.count == 2 else {
      throw DataError(
        path: path,
        reason: "wanted rows of name,class, or a first row in which the columns name and class are called so, found "
          + "\(first.count) columns")
    }
    let (name, className) = hasHeader ? (named ?? 0, classed ?? 1) : (0, 1)
    rows = try cells.dropFirst(hasHeader ? 1 : 0).map { (row) throws(DataError) in
      guard row.cells.count == first.count else {
        throw DataError(
          path: path, reason: "line \(row.line): wanted \(first.count) columns, found \(row.cells.count)")
      }
      return (row.line, row.cells[name], row.cells[className])
    }
  }

  /// Rows with their lines, but for empty ones.
  private static func cells(_ text: String, _ path: String) throws(DataError) -> [(line: Int, cells: [String])] {
    var rows: [(line: Int, cells: [String])] = []
    var (row, cell, line, first) = ([String](), String.UnicodeScalarView(), 1, 1)
    var (isQuoted, wasQuoted) = (false, false)
    let scalars = text.unicodeScalars.drop { $0 == "\u{feff}" }
    let start = scalars.prefix { $0 != "\n" }
    let separator: Unicode.Scalar = start.contains("\t") && !start.contains(",") ? "\t" : ","
    func endCell() {
      row.append(String(cell))
      (cell, wasQuoted) = (String.UnicodeScalarView(), false)
    }
    func endRow() {
      if cell.last == "\r" { cell.removeLast() }
      if !row.isEmpty || !cell.isEmpty || wasQuoted {
        endCell()
        rows.append((first, row))
      }
      (row, first) = ([], line)
    }
    for scalar in scalars {
      if scalar == "\n" { line += 1 }
      switch scalar {
      case "\"" where isQuoted: isQuoted = false
      case "\"" where cell.isEmpty && !wasQuoted: (isQuoted, wasQuoted) = (true, true)
      // The second of two quotes in a row is one of the text.
      case "\"" where wasQuoted:
        isQuoted = true
        cell.append(scalar)
      case separator where !isQuoted: endCell()
      case "\n" where !isQuoted: endRow()
      default: cell.append(scalar)
      }
    }
    guard !isQuoted else { throw DataError(path: path, reason: "line \(first): a quote is not closed") }
    endRow()
    return rows
  }

  /// Gives the images of a set their classes. Those without a row are left out where that is allowed.
  ///
  /// Errors: an image without a row, or with rows of two classes; a name that several images have.
  func apply(to set: inout StoredImages, skipsBad: Bool) throws(DataError) {
    let names = (0..<set.images.count).map(set.images.names.name)
    let places = Self.places(names)
    var found = [String?](repeating: nil, count: names.count)
    var unknown: [String] = []
    for (number, row) in rows.enumerated() {
      guard let known = places[row.name] else {
        // Whatever a first row calls its columns.
        if number > 0 { unknown.append(row.name) }
        continue
      }
      guard let place = known else {
        throw DataError(
          path: path, reason: "line \(row.line): wanted the name of one image, found \(row.name), which several have")
      }
      guard found[place] ?? row.className == row.className else {
        throw DataError(path: path, reason: "line \(row.line): wanted one class for \(row.name), found another")
      }
      found[place] = row.className
    }
    let missing = found.indices.filter { found[$0] == nil }
    if let first = missing.first, !skipsBad || missing.count == names.count {
      throw DataError(
        path: path,
        reason: "wanted a row for each image, found none for \(names[first])"
          + (missing.count > 1 ? " and \(missing.count - 1) more" : "")
          + (missing.count == names.count ? "" : "; --skip-bad leaves them out"))
    }
    let file = printablePath(AtomicFile.split(path).name)
    set.unfit += missing
    set.inventory.leftOut += [Inventory.Entry(reason: "without a row in \(file)", missing.map { names[$0] })]
      .compactMap(\.self)
    set.inventory.notes += [Inventory.Entry(reason: "names in \(file) of no image", unknown)].compactMap(\.self)
    // Classes of images elsewhere count too, so that a class has one number in all parts of the set.
    let isHeader = rows.first.map { places[$0.name] == nil } ?? false
    let all = Labels(names: rows.dropFirst(isHeader ? 1 : 0).map(\.className))
    let numbers = Dictionary(uniqueKeysWithValues: zip(all.classes ?? [], 0...))
    (set.labels, set.classes) = (found.map { $0.flatMap { numbers[$0] } ?? 0 }, all.classes)
  }

  /// The image of each name; nil where several have it.
  private static func places(_ names: [String]) -> [String: Int?] {
    var places: [String: Int?] = [:]
    func add(_ name: String, _ place: Int) {
      places[name] = .some(places[name].map { $0 == place ? $0 : nil } ?? place)
    }
    for (place, name) in names.enumerated() {
      let file = AtomicFile.split(name).name
      add(file, place)
      if PictureFiles.isPicture(file), let end = file.lastIndex(of: ".") { add(String(file[..<end]), place) }
    }
    for (place, name) in names.enumerated() { places[name] = .some(place) }
    return places
  }
}
