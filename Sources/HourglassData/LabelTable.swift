/// Classes of images in a CSV file, by the images' names.
///
/// Rows are `name,class` (RFC 4180, or with tabs), or a first row says which columns have these names. An image goes by
/// `Dataset.name` or, where that is unique, by the name of its file alone, with or without its ending.
struct LabelTable {
  private let path: String
  private let rows: [(number: Int, name: String, className: String)]

  private static let nameColumns = ["name", "file", "filename", "file_name", "path", "image", "image_id", "id"]
  private static let classColumns = ["class", "label", "category", "target"]

  /// Reads a file. Errors: it is no text, or has no such columns.
  init(_ path: String) throws(DataError) {
    self.path = path
    let bytes = try GzipFile(path).readAll()
    guard !bytes.isEmpty, !bytes.contains(0) else {
      throw DataError(
        path: path, reason: "wanted labels as an IDX, NPY or NPZ file, or a CSV file of name,class, found none of them")
    }
    try GrantedMemory.require(checkedProduct([48, bytes.count]), for: path, "hold the labels")
    var text = Substring(printablePath(pathText(bytes)))
    if text.first == "\u{feff}" { text.removeFirst() }
    let start = text.prefix { !$0.isNewline }
    let separator: Unicode.Scalar = start.contains("\t") && !start.contains(",") ? "\t" : ","
    let table = csvRows(String(text), separator: separator).filter { $0 != [""] }
    let first = table.first?.map { $0.lowercased() } ?? []
    let named = first.firstIndex(where: Self.nameColumns.contains)
    let classed = first.firstIndex(where: Self.classColumns.contains)
    let hasTitles = named != nil && classed != nil
    guard hasTitles || first.count == 2 else {
      throw DataError(
        path: path,
        reason: "wanted rows of name,class, or a first row in which the columns name and class are called so, found "
          + "\(first.count) columns")
    }
    let (name, className) = hasTitles ? (named ?? 0, classed ?? 1) : (0, 1)
    rows = try table.enumerated().dropFirst(hasTitles ? 1 : 0).map { (number, row) throws(DataError) in
      guard row.count == first.count else {
        throw DataError(path: path, reason: "row \(number + 1): wanted \(first.count) columns, found \(row.count)")
      }
      return (number + 1, row[name], row[className])
    }
  }

  /// Gives the images of a set their classes. Images without a row are left out where `skipsBad` allows it.
  ///
  /// Errors: an image has no row, or rows of two classes; several images have one name.
  func apply(to set: inout StoredImages, skipsBad: Bool) throws(DataError) {
    let names = (0..<set.images.count).map(set.images.names.name)
    let places = Self.places(names)
    var found = [String?](repeating: nil, count: names.count)
    var unknown: [String] = []
    for (number, row) in rows.enumerated() {
      guard let known = places[row.name] else {
        // The first row may be titles.
        if number > 0 { unknown.append(row.name) }
        continue
      }
      guard let place = known else {
        throw DataError(
          path: path, reason: "row \(row.number): wanted the name of one image, found \(row.name), which several have")
      }
      guard found[place] ?? row.className == row.className else {
        throw DataError(path: path, reason: "row \(row.number): wanted one class for \(row.name), found another")
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
