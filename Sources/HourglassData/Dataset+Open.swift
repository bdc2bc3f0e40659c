import FoundationEssentials
import Glibc
import HourglassBase

extension Dataset {
  /// Opens images in any form: an IDX, NPY, NPZ or HDF5 file, CIFAR-10 records or a picture; or a folder of MNIST's IDX
  /// files, of CIFAR-10 records, or of pictures at any depth. Documents are opened too, each as a vector (see
  /// `TermCounts`). Values of images are in [0, 1], H x W x C each.
  ///
  /// A file is taken whole, whatever the split, unless it is an NPZ file whose arrays are named after splits. Where a
  /// test part is wanted and only a validation part is there, the validation part is taken, and the source says so.
  /// Files in folders are found by name:
  /// - IDX: `train-images-idx3-ubyte` for training, `val-images-idx3-ubyte` for validation and `t10k-images-idx3-ubyte`
  ///   or `test-images-idx3-ubyte` for test, with or without `.gz` and also with a dot before `idx3`; labels lie beside
  ///   them in `...-labels-idx1-ubyte` or are absent.
  /// - Records: `train*.bin` or `data_batch*.bin`, and `test*.bin`, plain or `.gz`, in the order of the numbers in
  ///   their names; the classes' names in `classes.txt` or `batches.meta.txt`, a line each, or absent.
  /// - Pictures: in folders `train` (or `training`), `validation` (`valid`, `val`, `dev`) and `test` (or `testing`), or
  ///   all of one set. The folders below are the classes, in alphabetical order but with 2 before 10; where a picture
  ///   lies beside them there are no classes. A folder `ground_truth` beside the parts holds masks, as in MVTec's sets.
  ///   Links are followed.
  /// - Documents: `bow-train.txt` and `bow-test.txt`, counts of terms, or else `train.tsv` and `test.tsv`, texts; plain
  ///   or `.gz`. As for single `.txt` and `.tsv` files the vocabulary lies beside them in `vocab.txt`; the classes'
  ///   names in `categories.txt` or `classes.txt`, a line each, or absent. Terms are weighed by the training documents.
  ///
  /// Labels in a file of their own (`Preparation.labelsFile`) are an IDX, NPY or NPZ file with one for each image, as
  /// numbers from 0 on, names or one-hot rows, or a CSV file, see `LabelTable`.
  ///
  /// Cost: all images are decoded here, on several threads, and stay in memory, a byte or a float for each element.
  /// Where that takes more than `memory`, images of uncompressed IDX, NPY and record files that need no preparation
  /// stay on disk: each is then read whenever it is trained on, unless the system still has it. Other images stay in
  /// memory as far as seven eighths of `memory` hold them, and the rest are decoded again whenever they are wanted,
  /// ahead of time where they are announced.
  ///
  /// Errors: nothing is there; several forms lie in one folder; a file is broken; labels do not match; pixels lie
  /// outside [0, 1]; images have different shapes; a file is larger than memory and cannot stay on disk.
  ///
  /// - Parameters:
  ///   - seed: the seed by which `holdout` draws.
  ///   - input: the shape that is wanted, from which the axes of an array follow that may be read in several ways.
  ///   - threads: how many threads decode.
  ///   - memory: the most bytes that images may take; without it `GrantedMemory.forImages`.
  public static func open(
    path: String, split: Split, preparation: Preparation = Preparation(), seed: UInt64 = 1,
    for input: ImageShape? = nil,
    threads: Int = ProcessInfo.processInfo.activeProcessorCount, memory: Int = GrantedMemory.forImages
  ) throws(DataError) -> Dataset {
    var stored = try StoredImages.find(path, split, preparation, for: input, memory: memory)
    guard preparation.holdout == nil || !stored.hasSplits else {
      throw DataError(path: path, reason: "--holdout: wanted a set without a test split, found one that has its own")
    }
    if let documents = stored.images as? TermCounts, documents.statistics == nil {
      var all = Preparation()
      all.holdout = preparation.holdout
      let training = try all.chosen(
        count: documents.count, labels: nil, classes: nil, split: .train, seed: seed, path: path)
      stored.images = documents.weighed(by: documents.statistics(of: training))
    }
    var data = try Dataset(
      stored, chosenFrom: stored.hasSplits ? nil : split, preparation, seed: seed, threads: threads, memory: memory,
      path: path)
    data.isSplit = stored.hasSplits || preparation.holdout != nil
    return data
  }

  /// The parts that a set at a path is divided into by its names; none where it is undivided, or nothing is there.
  public static func parts(at path: String) throws(DataError) -> [Split] {
    guard try InputFile.isThere(path) else { return [] }
    if try InputFile.isFolder(path) { return try ImageFolder(path).parts() }
    guard !PictureFiles.isPicture(path), try GzipFile(path).read(4).starts(with: ZipFile.magic) else { return [] }
    return NPZFile.parts(of: try ZipFile(path))
  }

  /// Whether documents, not images, lie at a path, as names tell.
  public static func areDocuments(at path: String) -> Bool { TextSet.isAt(path) }
}

extension StoredImages {
  static func find(
    _ path: String, _ split: Split, _ preparation: Preparation, for input: ImageShape? = nil, memory: Int
  ) throws(DataError) -> StoredImages {
    let layout = preparation.layout
    let array = try HDF5File.place(path)
    let isThere = try InputFile.isThere(path)
    guard array != nil || isThere else {
      throw DataError(path: path, reason: "wanted a file or folder of images, found nothing there")
    }
    var found: StoredImages
    if let array {
      found = try HDF5File.open(array, layout, for: input, memory: memory)
    } else if try InputFile.isFolder(path) {
      found = try ImageFolder(path).open(split, preparation, memory: memory)
    } else if TextFile.form(path) != nil {
      found = try TextSet.open(file: path, preparation.terms)
    } else {
      found = try file(path, split, preparation, for: input, memory: memory)
    }
    guard layout == nil || [.npy, .npz, .idx, .hdf5, .table].contains(found.form) else {
      throw DataError(
        path: path, reason: "--layout: wanted an array file, found \(found.form.rawValue), whose layout is known")
    }
    if let file = preparation.labelsFile { try found.takeLabels(from: file, split, preparation) }
    if let classes = found.classes, let largest = found.labels?.max(), largest >= classes.count {
      throw DataError(path: path, reason: "wanted the names of \(largest + 1) classes, found \(classes.count)")
    }
    return found
  }

  private static func file(
    _ path: String, _ split: Split, _ preparation: Preparation, for input: ImageShape?, memory: Int
  ) throws(DataError) -> StoredImages {
    let layout = preparation.layout
    let first = try InputFile(path).bytes(at: 0, PictureKind.startLength)
    if PictureFiles.isPicture(path) || PictureKind.of(contents: first) != nil {
      return StoredImages(form: .pictures, source: path, images: PictureFiles(path))
    }
    let start = try GzipFile(path).read(NPYHeader.magic.count)
    if start.starts(with: ZipFile.magic) {
      let file = try NPZFile.read(path, split, readsLabels: preparation.labelsFile == nil)
      var set = try array(.npz, file.images, layout, for: input, path)
      set.hasSplits = file.hasSplits
      if let labels = file.labels { try set.take(labels, from: path) }
      set.inventory.skipped += [Inventory.Entry(reason: "arrays of something else", file.unread)].compactMap(\.self)
      return set
    }
    if start == NPYHeader.magic {
      if try isTooLarge([path], for: memory) {
        return StoredImages(form: .npy, source: path, images: try NPYFile.onDisk(path, layout, for: input))
      }
      return try array(.npy, NPYFile.read(path, most: memory), layout, for: input, path)
    }
    // Records have no magic number; a file that begins like IDX is no record in all likelihood.
    if RecordFile.isRecord(path), !IDXFile.begins(start) { return try records([path], classes: nil, memory: memory) }
    if let table = try NumberTable.read(path) { return try array(.table, table, layout, path) }
    return try idx(path, layout, memory: memory)
  }

  /// Reads labels from a file of their own in place of the set's labels.
  private mutating func takeLabels(
    from path: String, _ split: Split, _ preparation: Preparation
  ) throws(DataError) {
    guard try InputFile.isThere(path) else {
      throw DataError(path: path, reason: "wanted a file of labels, found nothing there")
    }
    let start = try GzipFile(path).read(NPYHeader.magic.count)
    if let labels = try Labels(path, startingWith: start, split) {
      try take(labels, from: path)
    } else {
      try LabelTable(path).apply(to: &self, skipsBad: preparation.skipsBad == true)
    }
  }

  /// Takes labels in place of the set's own.
  ///
  /// Errors: there is not one for each image.
  mutating func take(_ found: Labels, from path: String) throws(DataError) {
    guard found.numbers.count == images.count else {
      throw DataError(
        path: path,
        reason:
          "wanted \(images.count) labels, one for each image of \(source), found \(found.numbers.count); they are "
          + "of another set or part of it")
    }
    (labels, classes) = (found.numbers, found.classes)
  }

  private static func array(
    _ form: ImageForm, _ array: NPYArray, _ layout: Preparation.Layout?, for input: ImageShape? = nil, _ path: String
  ) throws(DataError) -> StoredImages {
    let (_, shape, isPlanar) = try array.samples(layout, for: input, path: path)
    return StoredImages(
      form: form, source: path, images: StackedImages([array.elements], shape: shape, isPlanar: isPlanar, paths: [path])
    )
  }

  /// Whether files take more than some memory and may stay on disk, which compressed files may not.
  private static func isTooLarge(_ paths: [String], for memory: Int) throws(DataError) -> Bool {
    var total = 0
    for path in paths { total += try InputFile(path).size }
    guard total > memory else { return false }
    for path in paths where try GzipFile(path).isCompressed {
      throw Dataset.tooLarge(path, total, for: memory, isCompressed: true, staysOnDisk: true)
    }
    return true
  }

  static func idx(
    _ path: String, _ layout: Preparation.Layout?, memory: Int
  ) throws(DataError) -> StoredImages {
    if try isTooLarge([path], for: memory) {
      return StoredImages(form: .idx, source: path, images: try IDXFile.onDisk(path, layout, most: memory))
    }
    let file = try IDXFile.read(path, most: memory)
    guard file.shape.count > 1 else {
      throw DataError(
        path: path, reason: "wanted images, 3 or 4 dimensions, found labels, 1 dimension of \(file.shape[0])")
    }
    return try array(
      .idx, NPYArray(shape: file.shape, elements: file.elements), layout ?? IDXFile.naturalLayout(file.shape), path)
  }

  static func records(_ paths: [String], classes: [String]?, memory: Int) throws(DataError) -> StoredImages {
    let source = paths.count == 1 ? paths[0] : "\(paths[0]) and \(paths.count - 1) more"
    if try isTooLarge(paths, for: memory) {
      let images = try DiskImages(
        paths, header: 1, gap: 1, shape: RecordFile.shape, isPlanar: true, areFloats: false)
      return StoredImages(
        form: .records, source: source, images: images, labels: try images.labels(), classes: classes)
    }
    var pieces: [[UInt8]] = []
    for path in paths { pieces.append(try RecordFile.read(path)) }
    let labels = pieces.flatMap { piece in
      stride(from: 0, to: piece.count, by: RecordFile.length).map { Int(piece[$0]) }
    }
    let images = StackedImages(
      pieces.map { .bytes($0) }, shape: RecordFile.shape, isPlanar: true, labelBytes: 1, paths: paths)
    return StoredImages(
      form: .records, source: source, images: images, labels: labels, classes: classes)
  }
}
