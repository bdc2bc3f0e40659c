import HourglassBase

/// Images that lie one after the other in uncompressed files and stay there, because they do not fit into memory: each
/// is read whenever it is wanted, unless the system still has it.
struct DiskImages: ImageSource {
  /// Whether the files hold little-endian floats; otherwise they hold bytes.
  let areFloats: Bool
  var kind: Elements.Kind { areFloats ? .float32 : .uint8 }
  let shape: ImageShape
  /// Whether a channel is a plane of its own, C x H x W.
  let isPlanar: Bool
  let count: Int
  let names: ItemNames
  private let pieces: [Piece]
  /// Bytes before the first image of each file.
  private let header: Int
  /// The bytes of an image, and the bytes from the beginning of one to the next.
  private let length: Int
  private let stride: Int

  private struct Piece: Sendable {
    var file: InputFile
    /// The number of images in the files before this one.
    var first: Int
  }

  /// - Parameters:
  ///   - header: bytes before the first image of each file.
  ///   - gap: bytes before each image but the first, such as a label.
  ///
  /// Errors: a file that cannot be opened, or holds no whole number of images.
  init(
    _ paths: [String], header: Int, gap: Int = 0, shape: ImageShape, isPlanar: Bool, areFloats: Bool, count: Int? = nil
  ) throws(DataError) {
    (self.shape, self.isPlanar, self.areFloats) = (shape, isPlanar && shape.channels > 1, areFloats)
    self.header = header
    length = shape.count * (areFloats ? 4 : 1)
    stride = gap + length
    var pieces: [Piece] = []
    var total = 0
    for path in paths {
      let file = try InputFile(path)
      let images = (file.size - header + gap) / stride
      guard images > 0, images * stride == file.size - header + gap, images == count ?? images else {
        let wanted = count.map { "\($0) images" } ?? "a whole number of images"
        throw DataError(
          path: path,
          reason:
            "wanted \(wanted) of \(stride) bytes after \(header), found \(file.size) bytes; the file is cut short "
            + "or its header is wrong")
      }
      pieces.append(Piece(file: file, first: total))
      total += images
    }
    (self.pieces, self.count) = (pieces, total)
    names = ItemNames(arrays: paths, starts: pieces.map(\.first))
  }

  /// Reads an image.
  ///
  /// Errors: it cannot be read, or the file was cut short since it was opened.
  func image(_ index: Int) throws(DataError) -> Image {
    let purpose = "hold image \(index)"
    try GrantedMemory.require(length, for: piece(of: index).file.path, purpose)
    if areFloats {
      let floats = try [Float](room: shape.count) { (room) throws(DataError) in
        try fill(index, into: room.baseAddress!.assumingMemoryBound(to: Float.self))
        return length
      }
      return Image(shape: shape, elements: .floats(floats))
    }
    let stored = try [UInt8](room: length) { (room) throws(DataError) in
      try read(index, from: 0, into: room)
      return length
    }
    return try StackedImages([.bytes(stored)], shape: shape, isPlanar: isPlanar, paths: [piece(of: index).file.path])
      .image(0)
  }

  /// Writes image `index`, H x W x C: bytes divided by 255, floats as they are. Nothing is allocated.
  ///
  /// Errors: the image cannot be read, or the file was cut short since it was opened.
  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    if isPlanar { return try interleave(index, into: image) }
    let room = UnsafeMutableRawBufferPointer(start: image, count: 4 * shape.count)
    if areFloats { return try read(index, from: 0, into: room) }
    // Bytes wait in the last quarter: as each becomes four, from the first on, none is overwritten before its turn.
    let bytes = UnsafeMutableRawBufferPointer(rebasing: room[(3 * shape.count)...])
    try read(index, from: 0, into: bytes)
    for i in 0..<shape.count { image[i] = Float(bytes[i]) / 255 }
  }

  /// Writes an image that is stored plane by plane, through a buffer that fits on the stack.
  private func interleave(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    let (channels, pixels) = (shape.channels, shape.height * shape.width)
    var buffer = InlineArray<1024, UInt32>(repeating: 0)
    let most = areFloats ? buffer.count : 4 * buffer.count
    // The element's place in a pixel, and the pixel.
    var (c, i) = (0, 0)
    for first in Swift.stride(from: 0, to: shape.count, by: most) {
      let count = min(most, shape.count - first)
      try withUnsafeMutableBytes(of: &buffer) { (all) throws(DataError) in
        let part = UnsafeMutableRawBufferPointer(rebasing: all[..<(areFloats ? 4 * count : count)])
        try read(index, from: areFloats ? 4 * first : first, into: part)
        for n in 0..<count {
          image[i * channels + c] =
            areFloats ? part.loadUnaligned(fromByteOffset: 4 * n, as: Float.self) : Float(part[n]) / 255
          i += 1
          if i == pixels { (c, i) = (c + 1, 0) }
        }
      }
    }
  }

  /// Tells the system that an image will be wanted soon, so that it is read while others are computed with.
  func announce(_ index: Int) {
    let start = start(of: index)
    piece(of: index).file.announce(start..<start + length)
  }

  /// The labels, the byte before each image. Cost: reads the files once.
  func labels() throws(DataError) -> [Int] {
    try GrantedMemory.require(8 * count, for: pieces[0].file.path, "hold the labels of \(count) images")
    return try (0..<count).map { (index) throws(DataError) in
      var label: UInt8 = 0
      try withUnsafeMutableBytes(of: &label) { (room) throws(DataError) in
        try read(index, from: -1, into: room)
      }
      return Int(label)
    }
  }

  /// Reads bytes of an image as it is stored, from a place within it on.
  private func read(
    _ index: Int, from place: Int, into room: UnsafeMutableRawBufferPointer
  ) throws(DataError) {
    let file = piece(of: index).file
    let found = try file.read(at: start(of: index) + place, into: room)
    guard found == room.count else {
      throw DataError(
        path: file.path,
        reason: "image \(index): wanted \(file.size) bytes as when the file was opened, found it cut short; copy or "
          + "download it again")
    }
  }

  private func start(of index: Int) -> Int { header + (index - piece(of: index).first) * stride }

  private func piece(of index: Int) -> Piece {
    var number = pieces.count - 1
    while pieces[number].first > index { number -= 1 }
    return pieces[number]
  }
}
