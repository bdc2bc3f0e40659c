/// A folder as a set of images: files of one form, found by their names.
struct ImageFolder {
  let path: String
  /// The paths from the folder, in alphabetical order, by form.
  private var files: [ImageForm: [String]] = [:]
  /// The paths that are no images.
  private var others: [String] = []
  private let contents: FolderContents

  init(_ path: String) throws(DataError) {
    self.path = path
    contents = try FolderContents(of: path)
    // A name that is no regular file is refused when it is read.
    for name in (contents.files + contents.others + contents.unreachable).sorted() {
      if let form = Self.form(name) { files[form, default: []].append(name) } else { others.append(name) }
    }
    // Counts of terms stand for the texts beside them.
    if files[.termCounts] != nil { files[.texts] = nil }
    if files.isEmpty || files.keys.elementsEqual([.pictures]) { sniff() }
  }

  /// Finds pictures among files whose names do not tell, and files that cannot be read and may be pictures.
  private mutating func sniff() {
    let strange = Set(contents.others)
    var (rest, found): ([String], [String]) = ([], [])
    for name in others {
      let isPicture = try? PictureFiles.beginsAsPicture("\(path)/\(name)")
      if isPicture == true || strange.contains(name) || (isPicture == nil && !AtomicFile.split(name).name.contains("."))
      {
        found.append(name)
      } else {
        rest.append(name)
      }
    }
    guard !found.isEmpty else { return }
    others = rest
    files[.pictures] = (files[.pictures, default: []] + found).sorted()
  }

  /// The parts that the set is divided into; none where it is undivided.
  func parts() throws(DataError) -> [Split] {
    guard files.count == 1, let (form, names) = files.first else { return [] }
    switch form {
    case .idx:
      var parts: [Split] = []
      for split in Split.allCases where try findIDX("images", "idx3", split) != nil { parts.append(split) }
      return parts
    case .records: return Split.allCases.filter { !Self.records(names, of: $0).isEmpty }
    case .pictures: return PictureTree(names).parts
    case .termCounts, .texts: return try TextSet.parts(of: path, form)
    default: return []
    }
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
          + "bow-train.txt or train.tsv, found "
          + (others.isEmpty ? "none" : "\(others.count) other files, such as \(others[0])"))
    }
    var set: StoredImages
    switch form {
    case .idx: set = try openIDX(split, preparation.layout, memory)
    case .records: set = try openRecords(names, split, memory)
    case .pictures: set = try openPictures(names, split, preparation)
    case .termCounts, .texts: set = try TextSet.open(folder: path, form, split, preparation.terms)
    default:
      throw DataError(
        path: path, reason: "wanted the name of a file, found a folder with \(names.joined(separator: ", "))")
    }
    let belongs = others.filter { Self.beside[form, default: []].contains($0) || Self.isLabels($0) }
    set.inventory.skipped += [
      ("hidden", contents.hidden), ("of the system", contents.system),
      ("no images", others.filter { !belongs.contains($0) }),
    ].compactMap { Inventory.Entry(reason: $0, $1) }
    return set
  }

  /// Files that belong to a set and are no images.
  private static let beside: [ImageForm: [String]] = [
    .records: classFiles, .termCounts: TextSet.beside, .texts: TextSet.beside,
  ]
  private static let classFiles = ["classes.txt", "batches.meta.txt"]

  private static func isLabels(_ name: String) -> Bool { name.contains("idx1-ubyte") }

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

  // MARK: IDX

  private func openIDX(
    _ asked: Split, _ layout: Preparation.Layout?, _ memory: Int
  ) throws(DataError) -> StoredImages {
    let parts = try parts()
    guard let split = asked.taken(from: parts), let imagesPath = try findIDX("images", "idx3", split) else {
      throw DataError(
        path: path,
        reason:
          "wanted the \(asked.rawValue) images as one of "
          + "\(Self.names("images", "idx3", asked).joined(separator: ", ")), found none of them")
    }
    var set = try StoredImages.idx(imagesPath, layout, memory: memory)
    set.hasSplits = parts.count > 1
    guard let labelsPath = try findIDX("labels", "idx1", split) else { return set }
    try set.take(Labels(idx: labelsPath), from: labelsPath)
    return set
  }

  private func findIDX(_ kind: String, _ format: String, _ split: Split) throws(DataError) -> String? {
    try InputFile.first(of: Self.names(kind, format, split), in: path)
  }

  private static func names(_ kind: String, _ format: String, _ split: Split) -> [String] {
    ((split == .test ? ["t10k"] : []) + split.names).flatMap { prefix in
      ["-", "."].flatMap { separator in
        ["", ".gz"].map { "\(prefix)-\(kind)\(separator)\(format)-ubyte\($0)" }
      }
    }
  }

  // MARK: Records

  private static func records(_ names: [String], of split: Split) -> [String] {
    let prefixes = split == .train ? ["train", "data_batch"] : split.names
    return names.filter { name in prefixes.contains { name.lowercased().hasPrefix($0) } }.sorted(by: isNaturallyBefore)
  }

  private func openRecords(_ names: [String], _ asked: Split, _ memory: Int) throws(DataError) -> StoredImages {
    let parts = try parts()
    guard let split = asked.taken(from: parts) else {
      let patterns = asked == .train ? "train*.bin or data_batch*.bin" : "\(asked.rawValue)*.bin"
      throw DataError(
        path: path,
        reason: "wanted the \(asked.rawValue) records as \(patterns), plain or .gz, found "
          + names.prefix(8).joined(separator: ", "))
    }
    var set = try StoredImages.records(
      Self.records(names, of: split).map { "\(path)/\($0)" }, classes: try TextFile.classes(in: path, Self.classFiles),
      memory: memory)
    set.hasSplits = parts.count > 1
    return set
  }

  // MARK: Pictures

  private func openPictures(
    _ names: [String], _ asked: Split, _ preparation: Preparation
  ) throws(DataError) -> StoredImages {
    let tree = PictureTree(names)
    guard tree.parts.isEmpty || asked.taken(from: tree.parts) != nil else {
      throw DataError(
        path: path,
        reason: "wanted the \(asked.rawValue) images in a folder \(asked.folders.joined(separator: " or ")), found "
          + tree.folders.joined(separator: ", "))
    }
    let split = tree.parts.isEmpty ? nil : asked.taken(from: tree.parts)
    let wanted = names.indices.filter { tree.part[$0] == split && !tree.isBeside($0) }
    let pictures = PictureFiles(wanted.map { names[$0] }, in: path)
    var set = StoredImages(
      form: .pictures, source: split.map { "\(path), \(asked.described(taken: $0))" } ?? path, images: pictures,
      hasSplits: split != nil)
    set.masks = tree.masks.map { "\(path)/\($0)" }
    set.inventory = tree.inventory(but: split)
    // The number of each picture's file; a file may have several pictures.
    let files = pictures.files.map { wanted[$0] }
    try setClasses(of: &set, tree, files, at: preparation.classesAt, skipsBad: preparation.skipsBad == true)
    return set
  }

  /// Sets the classes of all parts, so that a class has one number in every part.
  private func setClasses(
    of set: inout StoredImages, _ tree: PictureTree, _ wanted: [Int], at depth: Int?, skipsBad: Bool
  ) throws(DataError) {
    let all = tree.names.indices.filter { !tree.isBeside($0) }
    let shallow = all.filter { tree.folders(of: $0).count < depth ?? 1 }
    if depth == nil, !shallow.isEmpty {
      guard shallow.count < all.count else { return }
      let reason = "beside folders, so that the set has no classes (--classes-at 1 --skip-bad leaves them out)"
      set.inventory.notes += [Inventory.Entry(reason: reason, shallow.map { tree.names[$0] })].compactMap(\.self)
      return
    }
    let depth = depth ?? 1
    let unfit = wanted.indices.filter { tree.folders(of: wanted[$0]).count < depth }
    if let first = unfit.first, !skipsBad {
      throw DataError(
        path: "\(path)/\(tree.names[wanted[first]])",
        reason: "--classes-at \(depth): wanted each picture in \(depth) folders "
          + "\(set.hasSplits ? "below that of its part" : "of the set"), found \(unfit.count) in fewer, this first; "
          + "--skip-bad leaves them out")
    }
    set.unfit = unfit
    let reason = "not in \(depth) folders"
    set.inventory.leftOut += [Inventory.Entry(reason: reason, unfit.map { tree.names[wanted[$0]] })].compactMap(\.self)
    func name(_ index: Int) -> String { tree.folders(of: index).prefix(depth).joined(separator: "/") }
    let classes = Set(all.filter { tree.folders(of: $0).count >= depth }.map(name)).sorted(by: isNaturallyBefore)
    let numbers = Dictionary(uniqueKeysWithValues: zip(classes, classes.indices))
    set.labels = wanted.map { numbers[name($0)] ?? 0 }
    set.classes = classes.map { printablePath($0) }
  }
}
