import HourglassBase

/// The images that a run was trained on: a row for each, and the digests of the files that they are stored in.
///
/// The table's file has the columns index, name, class, bytes, sha256. Where a file is one image, its size and digest
/// stand in the image's row; a file of several images has a row of its own, without an index, before all images, and so
/// has a file of what the network sees in place of an image.
public struct DataTable: Sendable, Equatable {
  /// An image, or a file of several images.
  public struct Row: Sendable, Equatable {
    /// The number of the image in the set as it is stored; nil for a file of several images.
    public var index: Int?
    public var name: String
    /// The name of the image's class; nil without labels.
    public var className: String?
    /// The image's file; nil for an image among others in its file.
    public var file: StoredFile?
  }

  /// The rows: files of several images first, then the images in their order.
  public let rows: [Row]

  private static let columns = ["index", "name", "class", "bytes", "sha256"]

  /// The table of a set in files; nil for a set in no file, which cannot change.
  ///
  /// Cost: reads every byte of the files. Errors: one of them cannot be read; more rows than memory is granted for.
  public init?(_ data: Dataset) throws(DataError) {
    let files = try data.storedFiles()
    guard !files.isEmpty else { return nil }
    try GrantedMemory.require(
      (data.count + files.count).timesClamping(512), for: data.source, "list \(data.count) images")
    let byName = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
    let images = (0..<data.count).map { index in
      let name = data.name(index)
      return Row(index: data.number(index), name: name, className: data.className(index), file: byName[name])
    }
    let single = Set(images.compactMap(\.file?.name))
    let others = try data.inputFiles() + files.filter { !single.contains($0.name) }
    rows = others.map { Row(name: $0.name, file: $0) } + images
  }

  /// Reads the table in a file; nil where there is no file, or it holds no such table.
  public init?(ifThere path: String) throws(DataError) {
    guard let bytes = try InputFile.contents(ifThere: path) else { return nil }
    let lines = csvRows(String(decoding: bytes, as: UTF8.self))
    guard lines.first == Self.columns, lines.allSatisfy({ $0.count == Self.columns.count }) else { return nil }
    rows = lines.dropFirst().map { cells in
      let file = Int(cells[3]).map { StoredFile(name: cells[1], bytes: $0, digest: cells[4]) }
      return Row(index: Int(cells[0]), name: cells[1], className: cells[2].isEmpty ? nil : cells[2], file: file)
    }
  }

  /// The rows that are images.
  public var images: [Row] { rows.filter { $0.index != nil } }

  /// The label of each image, and the names of classes by label, nil where all names are numbers; nil without labels.
  var classes: (names: [String]?, labels: [Int])? {
    let found = images.map(\.className)
    let known = found.compactMap(\.self)
    guard known.count == found.count else { return nil }
    let numbers = known.compactMap { name in Int(name).flatMap { "\($0)" == name ? $0 : nil } }
    if numbers.count == known.count { return (nil, numbers) }
    var (names, labels) = ([String](), [String: Int]())
    for name in known where labels[name] == nil {
      labels[name] = names.count
      names.append(name)
    }
    return (names, known.map { labels[$0] ?? 0 })
  }

  /// The table as the text of a CSV file.
  public var csv: String {
    let lines = rows.map { row in
      [
        row.index.map { "\($0)" }, csvCell(row.name), row.className.map(csvCell), row.file.map { "\($0.bytes)" },
        row.file?.digest,
      ].map { $0 ?? "" }
    }
    return ([Self.columns] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
  }

  /// The SHA-256, in 64 digits, of all that training depends on, in order: the digests of the files, the images taken
  /// of each, and their classes. Names are no part of it.
  public var digest: String {
    var hash = SHA256()
    for row in rows {
      let image = row.file?.digest ?? row.index.map { "[\($0)]" } ?? ""
      Array("\(image) \(row.className ?? "")\n".utf8).withUnsafeBytes { hash.update($0) }
    }
    return hash.hexDigits()
  }

  /// The changes from this table to another, for people to read: how many images are new, are gone, have other bytes or
  /// another class, with the first names of each.
  public func changes(to now: DataTable) -> String {
    let before = Dictionary(rows.map { ($0.name, $0) }) { first, _ in first }
    let after = Dictionary(now.rows.map { ($0.name, $0) }) { first, _ in first }
    let common = now.rows.compactMap { row in before[row.name].map { (row, $0) } }
    let kinds = [
      ("new", now.rows.filter { before[$0.name] == nil }), ("gone", rows.filter { after[$0.name] == nil }),
      ("with other bytes", common.filter { $0.file?.digest != $1.file?.digest }.map(\.0)),
      ("of another class", common.filter { $0.className != $1.className }.map(\.0)),
    ]
    let parts = kinds.filter { !$0.1.isEmpty }.map { what, rows in
      let names = rows.prefix(Inventory.mostNamed).map(\.name).joined(separator: ", ")
      return "\(rows.count) \(what) (\(names)\(rows.count > Inventory.mostNamed ? ", ..." : ""))"
    }
    return parts.isEmpty ? "in another order" : parts.joined(separator: ", ")
  }
}
