import Glibc

/// A set of documents: one file, or a folder's files for training and for test under fixed names, with the vocabulary
/// and the names of the classes beside them.
struct TextSet {
  static let vocabulary = "vocab.txt"
  private static let classFiles = ["categories.txt", "classes.txt"]
  /// The names of the files that belong to the documents of a folder.
  static let beside = [vocabulary] + classFiles
  private static let endings = ["", ".gz"]

  private static func names(_ form: ImageForm, _ split: Split) -> [String] {
    split.names.flatMap { part in endings.map { form == .texts ? "\(part).tsv\($0)" : "bow-\(part).txt\($0)" } }
  }

  /// The form of a file that lies in a folder itself and is named as one of a set.
  static func form(ofFolderFile name: String) -> ImageForm? {
    [ImageForm.termCounts, .texts].first { form in
      Split.allCases.contains { names(form, $0).contains(name) }
    }
  }

  /// Whether documents lie at a path, as names tell.
  static func isAt(_ path: String) -> Bool {
    guard (try? InputFile.isThere(path)) == true else { return false }
    guard (try? InputFile.isFolder(path)) == true else { return TextFile.form(path) != nil }
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

  /// The parts for which a folder has documents.
  static func parts(of folder: String, _ form: ImageForm) throws(DataError) -> [Split] {
    var parts: [Split] = []
    for split in Split.allCases where try InputFile.first(of: names(form, split), in: folder) != nil {
      parts.append(split)
    }
    return parts
  }

  /// The documents of a split in a folder, weighed by the given statistics or else by the statistics of the training
  /// part.
  static func open(
    folder: String, _ form: ImageForm, _ asked: Split, _ statistics: TermStatistics?
  ) throws(DataError) -> StoredImages {
    func file(_ split: Split) throws(DataError) -> String? {
      try InputFile.first(of: names(form, split), in: folder)
    }
    let parts = try parts(of: folder, form)
    guard let split = asked.taken(from: parts), let path = try file(split) else {
      throw DataError(
        path: folder,
        reason: "wanted the \(asked.rawValue) documents as \(names(form, asked).joined(separator: " or ")), found none")
    }
    var statistics = statistics
    if split != .train, statistics == nil, let training = try file(.train) {
      let documents = try read(training, form, folder: folder, nil).documents
      statistics = documents.statistics(of: Array(0..<documents.count))
    }
    let (documents, labels) = try read(path, form, folder: folder, statistics)
    return StoredImages(
      form: form, source: path, images: documents, labels: labels,
      classes: try TextFile.classes(in: folder, classFiles),
      hasSplits: parts.count > 1)
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
    // Numbers stand for the terms of the vocabulary beside them, so counts need it; words do not.
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
