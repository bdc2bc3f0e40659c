import Foundation

/// What lies in a folder: files of one form in which images are stored.
struct ImageFolder {
  let path: String
  /// Paths from the folder, in alphabetical order, by form.
  private var files: [ImageForm: [String]] = [:]

  init(_ path: String) throws(DataError) {
    self.path = path
    for name in try Self.walk(path) {
      if let form = Self.form(name) { files[form, default: []].append(name) }
    }
    // Counts are those of the texts beside them.
    if files[.termCounts] != nil { files[.texts] = nil }
  }

  func open(_ split: Split, _ preparation: Preparation, memory: Int) throws(DataError) -> StoredImages {
    guard files.count <= 1 else {
      let list = files.sorted { $0.key.rawValue < $1.key.rawValue }
        .map { "\($0.key.rawValue) (\($0.value.count), first \($0.value[0]))" }
      throw DataError(
        path: path,
        reason: "wanted images of one form, found \(list.joined(separator: ", ")); name a file or folder in it"
      )
    }
    guard let (form, names) = files.first else {
      throw DataError(
        path: path,
        reason: "wanted IDX files, CIFAR-10 records (.bin), PNG or JPEG images at any depth, or documents as "
          + "bow-train.txt or train.tsv, found none")
    }
    switch form {
    case .idx: return try openIDX(split, preparation.layout, memory)
    case .records: return try openRecords(names, split, memory)
    case .pictures: return try openPictures(names, split)
    case .termCounts, .texts: return try TextSet.open(folder: path, form, split, preparation.terms)
    default:
      throw DataError(
        path: path, reason: "wanted the name of a file, found a folder with \(names.joined(separator: ", "))")
    }
  }

  private static func form(_ path: String) -> ImageForm? {
    if let form = TextSet.form(ofFolderFile: path) { return form }
    let name = (path.split(separator: "/").last ?? "").lowercased()
    if PictureFiles.isPicture(name) { return .pictures }
    let bare = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    if bare.hasSuffix(".bin") { return .records }
    if bare.hasSuffix(".npy") { return .npy }
    if name.hasSuffix(".npz") { return .npz }
    return bare.hasSuffix("idx3-ubyte") || bare.hasSuffix("idx4-ubyte") ? .idx : nil
  }

  /// All files at any depth, in the order of their paths; nothing hidden, no folders that are links.
  private static func walk(_ root: String) throws(DataError) -> [String] {
    var files: [String] = []
    var folders = [""]
    while let folder = folders.popLast() {
      for name in try InputFile.names(in: "\(root)/\(folder)") where !name.hasPrefix(".") {
        let place = folder + name
        var status = stat()
        guard lstat("\(root)/\(place)", &status) == 0 else {
          throw .system("\(root)/\(place)", "cannot be looked up")
        }
        if status.st_mode & S_IFMT == S_IFDIR { folders.append(place + "/") } else { files.append(place) }
      }
    }
    return files.sorted()
  }

  // MARK: IDX

  private func openIDX(
    _ split: Split, _ layout: Preparation.Layout?, _ memory: Int
  ) throws(DataError) -> StoredImages {
    guard let imagesPath = try findIDX("images", "idx3", split) else {
      throw DataError(
        path: path,
        reason:
          "wanted the \(split.rawValue) images as one of "
          + "\(Self.names("images", "idx3", split).joined(separator: ", ")), found none of them")
    }
    var set = try StoredImages.idx(imagesPath, layout, memory: memory)
    set.hasSplits = ![try findIDX("images", "idx3", .train), try findIDX("images", "idx3", .test)].contains(nil)
    guard let labelsPath = try findIDX("labels", "idx1", split) else { return set }
    let file = try IDXFile.read(labelsPath)
    guard case .bytes(let labels) = file.elements, file.shape.count == 1 else {
      throw DataError(
        path: labelsPath, reason: "wanted labels, one dimension of bytes, found the shape \(extents(file.shape))")
    }
    guard labels.count == set.images.count else {
      throw DataError(
        path: labelsPath,
        reason: "wanted \(set.images.count) labels, one for each image of \(imagesPath), found \(labels.count); one of "
          + "the two files is of another set")
    }
    set.labels = labels.map(Int.init)
    return set
  }

  private func findIDX(_ kind: String, _ format: String, _ split: Split) throws(DataError) -> String? {
    try InputFile.first(of: Self.names(kind, format, split), in: path)
  }

  private static func names(_ kind: String, _ format: String, _ split: Split) -> [String] {
    (split == .train ? ["train"] : ["t10k", "test"]).flatMap { prefix in
      ["-", "."].flatMap { separator in
        ["", ".gz"].map { "\(prefix)-\(kind)\(separator)\(format)-ubyte\($0)" }
      }
    }
  }

  // MARK: Records

  private func openRecords(_ names: [String], _ split: Split, _ memory: Int) throws(DataError) -> StoredImages {
    func files(of split: Split) -> [String] {
      let prefixes = split == .train ? ["train", "data_batch"] : ["test"]
      return names.filter { name in prefixes.contains { name.lowercased().hasPrefix($0) } }
        .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
    }
    let wanted = files(of: split)
    guard !wanted.isEmpty else {
      let patterns = split == .train ? "train*.bin or data_batch*.bin" : "test*.bin"
      throw DataError(
        path: path,
        reason: "wanted the \(split.rawValue) records as \(patterns), plain or .gz, found "
          + names.prefix(8).joined(separator: ", "))
    }
    var set = try StoredImages.records(
      wanted.map { "\(path)/\($0)" }, classes: try TextFile.classes(in: path, ["classes.txt", "batches.meta.txt"]),
      memory: memory)
    set.hasSplits = Split.allCases.allSatisfy { !files(of: $0).isEmpty }
    return set
  }

  // MARK: Pictures

  private static let folders: [Split: [String]] = [.train: ["train", "training"], .test: ["test", "testing"]]

  private func openPictures(_ names: [String], _ split: Split) throws(DataError) -> StoredImages {
    let parts = names.map { $0.split(separator: "/").map(String.init) }
    let tops = Set(parts.map { $0[0].lowercased() })
    let hasSplits = Self.folders.values.contains { !tops.isDisjoint(with: $0) }
    // The folders of classes of both splits, so that a class has one number in both.
    let below = hasSplits ? parts.filter { $0.count > 1 }.map { Array($0.dropFirst()) } : parts
    let areClasses = below.allSatisfy { $0.count > 1 }
    let classes = areClasses ? Set(below.map { $0[0] }).sorted() : nil
    let wanted = names.indices.filter {
      !hasSplits || Self.folders[split, default: []].contains(parts[$0][0].lowercased())
    }
    guard !wanted.isEmpty else {
      throw DataError(
        path: path,
        reason: "wanted the \(split.rawValue) images in a folder "
          + "\(Self.folders[split, default: []].joined(separator: " or ")), found "
          + tops.sorted().joined(separator: ", "))
    }
    let numbers = classes.map { Dictionary(uniqueKeysWithValues: zip($0, $0.indices)) }
    let depth = hasSplits ? 1 : 0
    return StoredImages(
      form: .pictures, source: hasSplits ? "\(path), \(split.rawValue)" : path,
      images: PictureFiles(wanted.map { names[$0] }, in: path),
      labels: numbers.map { numbers in wanted.map { numbers[parts[$0][depth]] ?? 0 } }, classes: classes,
      hasSplits: hasSplits)
  }
}
