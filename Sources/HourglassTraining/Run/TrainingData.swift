import HourglassData

/// The tables of the images that a run is trained on and evaluated with, data.csv and validation.csv in its folder.
struct TrainingData {
  enum Name: String, CustomStringConvertible {
    case data, validation

    var description: String { rawValue }
  }

  /// The table of each set as it is now; nil for a set in no file.
  private let tables: [Name: DataTable]
  let images: Origin.Images
  let validation: Origin.Images?
  private var isWritten = false

  /// Reads the tables of the sets.
  ///
  /// - Parameter isKept: whether a run is to remember them; without it nothing is read.
  init(_ data: Dataset, validation: Dataset?, isKept: Bool) throws(DataError) {
    var tables: [Name: DataTable] = [:]
    if isKept {
      tables[.data] = try DataTable(data)
      if let validation { tables[.validation] = try DataTable(validation) }
    }
    self.tables = tables
    images = Origin.Images(data, tables[.data])
    self.validation = validation.map { Origin.Images($0, tables[.validation]) }
  }

  /// The changes of a set since the run's folder was written; nil where the folder does not tell.
  func changes(of name: Name, in run: RunFolder) throws(DataError) -> String? {
    guard let now = tables[name], let before = try DataTable(ifThere: Self.file(name, run)) else { return nil }
    return before.changes(to: now)
  }

  /// What has changed in each set since the run began, where nothing has been trained on yet: the data may change then,
  /// but not unseen.
  ///
  /// - Returns: a sentence for each set.
  func changes(sinceBeginningOf run: RunFolder, areAccepted: Bool) throws(DataError) -> [String] {
    var sentences: [String] = []
    for name in [Name.data, .validation] {
      guard let now = tables[name], let before = try DataTable(ifThere: Self.file(name, run)),
        before.digest != now.digest
      else { continue }
      guard areAccepted else {
        throw DataError(
          path: run.path,
          reason: "\(name): wanted the images that the run was begun with, found others: \(before.changes(to: now)); "
            + "bring them back, or go on with --accept-changed-data")
      }
      sentences.append("\(name): \(before.changes(to: now))")
    }
    return sentences
  }

  /// Writes the tables that the run's folder does not have yet.
  mutating func write(to run: RunFolder) throws(DataError) {
    guard !isWritten else { return }
    for (name, table) in tables.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let csv = table.csv
      guard try InputFile.contents(ifThere: Self.file(name, run)) != Array(csv.utf8) else { continue }
      try AtomicFile.write(csv, to: Self.file(name, run))
    }
    isWritten = true
  }

  private static func file(_ name: Name, _ run: RunFolder) -> String { run.file("\(name).csv") }
}
