/// The names of the images of a set, and the files that they are stored in.
///
/// The name of a picture is its path below the set's folder; the name of an image of an array is the array's file and
/// the place there, as `array.npy[17]`.
struct ItemNames: Sendable {
  /// The files in their order: their paths and names.
  private var files: [(path: String?, name: String)]
  /// The first image of each file; nil where each file is one image.
  private var starts: [Int]?
  /// The number of images in all files, where the only image of a file has the file's name.
  private var count: Int?

  /// Names for images that are in no file.
  init(_ name: String) { (files, starts) = ([(nil, name)], [0]) }

  /// Names for pictures in the files of a folder.
  ///
  /// - Parameter numbers: the number of each picture's file, ascending; each file has at least one picture.
  init(files names: [String], in folder: String, of numbers: [Int]) {
    self.init(names.map { ("\(folder)/\($0)", printablePath($0)) }, of: numbers)
  }

  /// Names for the pictures of one file.
  init(file path: String, of numbers: [Int]) { self.init([(path, Self.last(path))], of: numbers) }

  private init(_ files: [(String?, String)], of numbers: [Int]) {
    self.files = files
    guard numbers.count > files.count else { return }
    starts = numbers.indices.filter { $0 == 0 || numbers[$0] != numbers[$0 - 1] }
    count = numbers.count
  }

  /// Names for files with several images each.
  ///
  /// - Parameter starts: the number of each file's first image, ascending from 0.
  init(arrays paths: [String], starts: [Int]) {
    (files, self.starts) = (paths.map { ($0, Self.last($0)) }, starts)
  }

  /// Names for the images of one array in a file of several, by its path there, which begins with a slash.
  init(file path: String, array: String) { (files, starts) = ([(path, "\(Self.last(path)):\(array)")], [0]) }

  /// Names for the images of one file.
  init(array path: String) { self.init(arrays: [path], starts: [0]) }

  private static func last(_ path: String) -> String { printablePath(AtomicFile.split(path).name) }

  private func file(_ index: Int) -> Int {
    guard let starts else { return index }
    // The file is the last of those that begin at or before the image.
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    return low
  }

  func name(_ index: Int) -> String {
    let file = file(index)
    guard let starts else { return files[file].name }
    if let count, (file + 1 < starts.count ? starts[file + 1] : count) == starts[file] + 1 { return files[file].name }
    return "\(files[file].name)[\(index - starts[file])]"
  }

  /// The file of an image, as it can be opened; nil for one in no file.
  func path(_ index: Int) -> String? { files[file(index)].path }

  /// The files behind some images, each once, in the order of the images.
  func files(of images: some Sequence<Int>) -> [(path: String, name: String)] {
    var last = -1
    var seen: Set<Int> = []
    return images.compactMap { image in
      let file = file(image)
      guard file != last, seen.insert(file).inserted, let path = files[file].path else { return nil }
      last = file
      return (path, files[file].name)
    }
  }
}
