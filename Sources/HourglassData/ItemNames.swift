/// What the images of a set are called, and the files that they are stored in.
///
/// A picture is called by its path below the set's folder, an image of an array by the array's file and its place
/// there, as `array.npy[17]`.
struct ItemNames: Sendable {
  /// Files in their order: their paths, and what they are called.
  private var files: [(path: String?, name: String)]
  /// The first image of each file; nil where each file is one image.
  private var starts: [Int]?

  /// Images that are in no file.
  init(_ name: String) { (files, starts) = ([(nil, name)], [0]) }

  /// A file each, in a folder.
  init(files names: [String], in folder: String) {
    (files, starts) = (names.map { ("\(folder)/\($0)", $0) }, nil)
  }

  /// One image in a file of its own.
  init(file path: String) { (files, starts) = ([(path, Self.last(path))], nil) }

  /// Files with several images each.
  ///
  /// - Parameter starts: the number of each file's first image, ascending from 0.
  init(arrays paths: [String], starts: [Int]) {
    (files, self.starts) = (paths.map { ($0, Self.last($0)) }, starts)
  }

  /// One file of images.
  init(array path: String) { self.init(arrays: [path], starts: [0]) }

  private static func last(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }

  private func file(_ index: Int) -> Int {
    guard let starts else { return index }
    // The last of those that begin at or before the image.
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    return low
  }

  func name(_ index: Int) -> String {
    let file = file(index)
    return starts.map { "\(files[file].name)[\(index - $0[file])]" } ?? files[file].name
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
