import Foundation

/// A set of documents: one file, or a folder's files for training and for test, which have names of their own, and the
/// vocabulary and the names of the classes beside them.
struct TextSet {
  static let vocabulary = "vocab.txt"
  private static let classFiles = ["categories.txt", "classes.txt"]
  private static let endings = ["", ".gz"]

  private static func names(_ form: ImageForm, _ split: Split) -> [String] {
    endings.map { form == .texts ? "\(split.rawValue).tsv\($0)" : "bow-\(split.rawValue).txt\($0)" }
  }

  /// The form of a file that lies in a folder itself and is named as one of a set.
  static func form(ofFolderFile name: String) -> ImageForm? {
    [ImageForm.termCounts, .texts].first { form in
      Split.allCases.contains { names(form, $0).contains(name) }
    }
  }

  /// Whether documents lie at a path, as names tell.
  static func isAt(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return false }
    guard isFolder.boolValue else { return TextFile.form(path) != nil }
    let names = (try? InputFile.names(in: path)) ?? []
    return names.contains { form(ofFolderFile: $0) != nil }
  }

  /// The documents of a file, weighed where the statistics are given.
  static func open(file path: String, _ statistics: TermStatistics?) throws(DataError) -> StoredImages {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let form = TextFile.form(path) ?? .texts
    let (documents, labels) = try read(path, form, folder: folder, statistics)
    return StoredImages(
      form: form, source: path, images: documents, labels: labels, classes: try TextFile.classes(in: folder, classFiles)
    )
  }

  /// The documents of a split in a folder, weighed by the statistics that are given or else by those of the training
  /// part.
  static func open(
    folder: String, _ form: ImageForm, _ split: Split, _ statistics: TermStatistics?
  ) throws(DataError) -> StoredImages {
    func file(_ split: Split) throws(DataError) -> String? {
      try InputFile.first(of: names(form, split), in: folder)
    }
    guard let path = try file(split) else {
      throw DataError(
        path: folder,
        reason: "wanted the \(split.rawValue) documents as \(names(form, split).joined(separator: " or ")), found none")
    }
    var statistics = statistics
    if split == .test, statistics == nil, let training = try file(.train) {
      let documents = try read(training, form, folder: folder, nil).documents
      statistics = documents.statistics(of: Array(0..<documents.count))
    }
    let (documents, labels) = try read(path, form, folder: folder, statistics)
    return StoredImages(
      form: form, source: path, images: documents, labels: labels,
      classes: try TextFile.classes(in: folder, classFiles),
      hasSplits: ![try file(.train), try file(.test)].contains(nil))
  }

  private static func read(
    _ path: String, _ form: ImageForm, folder: String, _ statistics: TermStatistics?
  ) throws(DataError) -> (documents: TermCounts, labels: [Int]) {
    let place = "\(folder)/\(vocabulary)"
    let isThere = try InputFile.isThere(place)
    guard isThere || statistics != nil else {
      throw DataError(
        path: path, reason: "wanted a vocabulary, one term a line, beside it as \(vocabulary), found none")
    }
    // Numbers mean the terms of the vocabulary beside them; words mean themselves.
    let beside = isThere && (form == .termCounts || statistics == nil) ? try TextFile.vocabulary(place) : nil
    if let beside, let statistics, beside != statistics.terms {
      throw DataError(
        path: place,
        reason: "wanted the vocabulary that the run was trained with, \(statistics.terms.count) terms, found another "
          + "of \(beside.count)")
    }
    let found = try TextFile.read(path, terms: statistics?.terms ?? beside ?? [])
    return (statistics.map { found.documents.weighed(by: $0) } ?? found.documents, found.labels)
  }

}
