import HourglassBase

/// The form in which a set of images is stored.
public enum ImageForm: String, Codable, Sendable {
  case builtIn = "built-in"
  case idx = "IDX"
  case npy = "NPY"
  case npz = "NPZ"
  case records = "CIFAR-10 records"
  case hdf5 = "HDF5"
  case pictures
  case table = "table of numbers"
  case termCounts = "term counts"
  case texts = "TSV texts"
}

/// Images in files, read one at a time.
protocol ImageSource: Sendable {
  var count: Int { get }
  var names: ItemNames { get }
  /// The image of a number in the set as it is stored, H x W x C.
  ///
  /// Errors: the image is broken; the error names its file.
  func image(_ index: Int) throws(DataError) -> Image
  /// The image for a preparation, possibly in the wanted colour and size already.
  ///
  /// - Parameter memory: the bytes that decoding it may take.
  func image(_ index: Int, toward preparation: Preparation, memory: Int) throws(DataError) -> Image
}

extension ImageSource {
  func image(_ index: Int, toward preparation: Preparation, memory: Int) throws(DataError) -> Image {
    try image(index)
  }
}

/// All images and facts that were found at a path.
struct StoredImages: Sendable {
  var form: ImageForm
  /// The place where the images come from, for people to read.
  var source: String
  var images: any ImageSource
  var labels: [Int]?
  /// The names of the classes by label.
  var classes: [String]?
  /// Whether the form itself says what is for training and what for test, so that `images` are one of the two.
  var hasSplits = false
  /// The numbers of images that are left out although they are whole; the inventory tells why.
  var unfit: [Int] = []
  /// A folder of masks that belongs to the set.
  var masks: String?
  /// The files at the path that are no images by rule, and what else a person should know.
  var inventory = Inventory()
}

/// Images of equal length that lie one after the other in arrays.
struct StackedImages: ImageSource {
  /// The arrays; each holds whole images.
  var pieces: [Elements]
  var shape: ImageShape
  /// Whether a channel is a plane of its own, C x H x W.
  var isPlanar = false
  /// The elements from the beginning of an image to the next, and from there to the first pixel.
  var stride: Int
  var offset = 0
  /// The number of images before each piece.
  private let starts: [Int]
  let count: Int
  let names: ItemNames

  /// - Parameters:
  ///   - paths: the file of each piece.
  ///   - names: the names of the images, where the files do not tell.
  init(
    _ pieces: [Elements], shape: ImageShape, isPlanar: Bool = false, labelBytes: Int = 0, paths: [String] = [],
    names: ItemNames? = nil
  ) {
    (self.pieces, self.shape, self.isPlanar) = (pieces, shape, isPlanar)
    (stride, offset) = (shape.count + labelBytes, labelBytes)
    var total = 0
    var starts: [Int] = []
    for piece in pieces {
      starts.append(total)
      total += piece.count / stride
    }
    (self.starts, count) = (starts, total)
    self.names = names ?? ItemNames(arrays: paths, starts: starts)
  }

  /// All elements where a data set can keep them as they are, images of H x W x C in one piece; else nil.
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
