import HourglassModels

/// The form in which a set of images is stored.
public enum ImageForm: String, Codable, Sendable {
  case builtIn = "built-in"
  case idx = "IDX"
  case npy = "NPY"
  case npz = "NPZ"
  case records = "CIFAR-10 records"
  case pictures = "PNG and JPEG"
  case termCounts = "term counts"
  case texts = "TSV texts"
}

/// Images in files, read one at a time.
protocol ImageSource: Sendable {
  var count: Int { get }
  var names: ItemNames { get }
  /// Errors: the image is broken, by its file.
  func image(_ index: Int) throws(DataError) -> Image
}

/// All that was found at a path.
struct StoredImages: Sendable {
  var form: ImageForm
  /// Where from, for people to read.
  var source: String
  var images: any ImageSource
  var labels: [Int]?
  /// Names by label.
  var classes: [String]?
  /// Whether the form itself says what is for training and what for test, so that `images` are one of the two.
  var hasSplits = false
  /// Images that are left out although they are whole, by their numbers; the inventory tells why.
  var unfit: [Int] = []
  /// A folder of masks that belongs to the set.
  var masks: String?
  /// Files that lie there and are no images by rule, and what a person should know.
  var inventory = Inventory()
}

/// Pictures in files of their own.
struct PictureFiles: ImageSource {
  let names: ItemNames
  let count: Int
  private let paths: [String]

  /// - Parameter files: paths from the folder.
  init(_ files: [String], in folder: String) {
    (names, count) = (ItemNames(files: files, in: folder), files.count)
    paths = files.map { "\(folder)/\($0)" }
  }

  /// One picture.
  init(_ path: String) { (names, count, paths) = (ItemNames(file: path), 1, [path]) }

  func image(_ index: Int) throws(DataError) -> Image { try Self.decode(paths[index]) }

  /// A kind of file: its name and what it begins with.
  private static let kinds: [(name: String, endings: [String], magic: [UInt8])] = [
    ("PNG", ["png"], PNGImage.magic), ("JPEG", ["jpg", "jpeg"], JPEGFile.magic),
  ]
  /// What pictures' names end in. Kinds that cannot be read belong to them, so that none is passed over in silence.
  private static let endings = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "heic", "avif"]

  static func isPicture(_ name: String) -> Bool { endings.contains(ending(name)) }

  /// Whether a file without a known ending begins as a picture does.
  static func beginsAsPicture(_ path: String) throws(DataError) -> Bool {
    let file = try InputFile(path)
    let start = try [UInt8](room: 16) { (room) throws(DataError) in try file.read(into: room) }
    return kinds.contains { start.starts(with: $0.magic) }
  }

  private static func ending(_ name: String) -> String {
    name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
  }

  /// Reads a PNG or JPEG file that is what its name says.
  static func decode(_ path: String) throws(DataError) -> Image {
    let bytes = try InputFile.contents(of: path)
    guard !bytes.isEmpty else { throw DataError(path: path, reason: "wanted a PNG or JPEG image, found an empty file") }
    guard let kind = kinds.first(where: { bytes.starts(with: $0.magic) }) else {
      let start = bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw DataError(
        path: path,
        reason: "wanted a PNG or JPEG image, which begins with 89 50 4e 47 0d 0a 1a 0a or ff d8 ff, found "
          + "\(start); convert it")
    }
    guard !isPicture(path) || kind.endings.contains(ending(path)) else {
      throw DataError(
        path: path, reason: "wanted what the name says, found a \(kind.name) image; rename the file if that is right")
    }
    if kind.name == "JPEG" { return try JPEGFile.decode(bytes, path: path) }
    let picture = try PNGImage.decode(bytes, path: path)
    return Image(
      shape: ImageShape(picture.height, picture.width, picture.channels), elements: .bytes(picture.pixels))
  }
}

/// Images that lie one after the other in arrays, each of equal length.
struct StackedImages: ImageSource {
  /// Each holds whole images.
  var pieces: [Elements]
  var shape: ImageShape
  /// Whether a channel is a plane of its own, C x H x W.
  var isPlanar = false
  /// Elements between the beginnings of images, and from there to the first pixel.
  var stride: Int
  var offset = 0
  /// Images up to the beginning of each piece.
  private let starts: [Int]
  let count: Int
  let names: ItemNames

  /// - Parameter paths: the file of each piece.
  init(_ pieces: [Elements], shape: ImageShape, isPlanar: Bool = false, labelBytes: Int = 0, paths: [String]) {
    (self.pieces, self.shape, self.isPlanar) = (pieces, shape, isPlanar)
    (stride, offset) = (shape.count + labelBytes, labelBytes)
    var total = 0
    var starts: [Int] = []
    for piece in pieces {
      starts.append(total)
      total += piece.count / stride
    }
    (self.starts, count) = (starts, total)
    names = ItemNames(arrays: paths, starts: starts)
  }

  /// All elements, where they are already what a data set keeps: H x W x C one after the other, in one piece.
  var asStored: Elements? {
    let isPlain = pieces.count == 1 && offset == 0 && (!isPlanar || shape.channels == 1)
    return isPlain ? pieces[0] : nil
  }

  func image(_ index: Int) throws(DataError) -> Image {
    let piece = starts.lastIndex { $0 <= index } ?? 0
    let first = (index - starts[piece]) * stride + offset
    func cut<T>(_ values: [T]) -> [T] {
      guard isPlanar && shape.channels > 1 else { return Array(values[first..<first + shape.count]) }
      let (channels, pixels) = (shape.channels, shape.height * shape.width)
      return Image.make(shape.count, values) { x, y in
        for c in 0..<channels {
          let plane = x + first + c * pixels
          for i in 0..<pixels { y[i * channels + c] = plane[i] }
        }
      }
    }
    switch pieces[piece] {
    case .bytes(let bytes): return Image(shape: shape, elements: .bytes(cut(bytes)))
    case .words(let words): return Image(shape: shape, elements: .words(cut(words)))
    case .floats(let floats): return Image(shape: shape, elements: .floats(cut(floats)))
    }
  }
}
