/// An array in the IDX format of the MNIST files: big-endian, plain or gzip.
///
///     00 00, element type, dimensions D, D x 32-bit extent, elements in C order
///
/// Element types 0x08 (unsigned byte) and 0x0d (32-bit float) are taken, with 1 dimension (labels), 3 (images, N x H x
/// W) or 4 (N x H x W x C, C = 1 or 3). The data must be as long as the header says: a longer file is refused as a
/// shorter one is, because one of its two statements about itself is wrong. An empty array is refused.
///
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "The IDX file format".
public struct IDXFile: Sendable, Equatable {
  /// The extents of the array, N x ....
  public let shape: [Int]
  /// The elements in C order, bytes or floats.
  public let elements: Elements

  /// Reads a file, plain or gzip.
  ///
  /// - Parameter most: the most bytes of elements that are taken.
  public static func read(_ path: String, most: Int = .max) throws(DataError) -> IDXFile {
    let file = try GzipFile(path)
    let (type, dimensions) = try readMagic(file, path)
    let shape = try readShape(file, path, dimensions)
    let width = type == byteType ? 1 : 4
    let claim = checkedProduct(shape + [width])
    let stated = "the header says \(extents(shape)) \(type == byteType ? "bytes" : "32-bit floats")"
    guard let claim else { throw DataError(path: path, reason: "\(stated), over 2^63 bytes; the header is wrong") }
    if claim > most {
      throw Dataset.tooLarge(
        path, claim, for: most, isCompressed: file.isCompressed, staysOnDisk: type == byteType && dimensions > 1)
    }
    let data = try file.read(claim)
    guard data.count == claim else {
      throw DataError(
        path: path,
        reason: "\(stated), wanted \(claim) bytes of data, found \(data.count); the file is cut short or its header is "
          + "wrong")
    }
    let excess = try file.countRemaining(upTo: countedExcess)
    guard excess == 0 else {
      let number = excess == countedExcess ? "at least \(excess)" : "\(excess)"
      throw DataError(
        path: path,
        reason: "\(stated), wanted \(claim) bytes of data, found \(number) more after them; if the header is right, "
          + "keep only the first \(headerSize(dimensions) + claim) bytes (head -c)")
    }
    if type == byteType { return IDXFile(shape: shape, elements: .bytes(data)) }
    try GrantedMemory.require(claim, for: path, "hold \(claim / 4) floats")
    return IDXFile(shape: shape, elements: .floats(bigEndianFloats(data)))
  }

  /// The images of an uncompressed file of bytes, which stay on disk.
  static func onDisk(
    _ path: String, _ layout: Preparation.Layout?, most: Int
  ) throws(DataError) -> DiskImages {
    let file = try GzipFile(path)
    let (type, dimensions) = try readMagic(file, path)
    let shape = try readShape(file, path, dimensions)
    guard type == byteType, shape.count > 1 else {
      throw Dataset.tooLarge(path, file.size, for: most, isCompressed: false, staysOnDisk: false)
    }
    let (count, image, isPlanar) = try NPYArray.samples(shape, layout ?? naturalLayout(shape), nil, path)
    return try DiskImages(
      [path], header: headerSize(dimensions), shape: image, isPlanar: isPlanar, areFloats: false, count: count)
  }

  static func naturalLayout(_ shape: [Int]) -> Preparation.Layout { shape.count == 3 ? .nhw : .nhwc }

  /// Whether a file that begins with these bytes is taken as one of images.
  static func begins(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 4 && bytes[0] == 0 && bytes[1] == 0 && [byteType, floatType].contains(bytes[2])
      && [1, 3, 4].contains(bytes[3])
  }

  private static let byteType: UInt8 = 0x08
  private static let floatType: UInt8 = 0x0d
  private static let otherTypes: [UInt8: String] = [
    0x09: "signed byte", 0x0b: "16-bit integer", 0x0c: "32-bit integer", 0x0e: "64-bit float",
  ]
  /// The most bytes of excess that are counted, so that reading ends on any file.
  private static let countedExcess = 1 << 20

  private static func headerSize(_ dimensions: Int) -> Int { 4 + 4 * dimensions }

  private static func readMagic(_ file: GzipFile, _ path: String) throws(DataError) -> (UInt8, Int) {
    let magic = try file.read(4)
    guard magic.count == 4 else {
      throw DataError(path: path, reason: "wanted an IDX header of at least 8 bytes, found \(magic.count) bytes")
    }
    let hex = magic.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    guard magic[0] == 0 && magic[1] == 0 else {
      let swapped = magic[2] == 0 && magic[3] == 0 && magic[1] >= 0x08 && magic[1] <= 0x0e
      throw DataError(
        path: path,
        reason: "wanted an IDX file, whose first bytes are 00 00, type and dimensions (00 00 08 03 for images), found "
          + "\(hex)"
          + (swapped ? ": the header is little-endian, write it big-endian" : "; is this another kind of file?"))
    }
    guard magic[2] == byteType || magic[2] == floatType else {
      let name = otherTypes[magic[2]] ?? "unknown"
      throw DataError(
        path: path,
        reason: "wanted IDX elements of type 08 (unsigned byte) or 0d (32-bit float), found type "
          + "\(hex.split(separator: " ")[2]) (\(name)); convert the file")
    }
    guard [1, 3, 4].contains(magic[3]) else {
      throw DataError(
        path: path,
        reason: "wanted 1 dimension (labels), 3 (images N x H x W) or 4 (N x H x W x C), found \(magic[3])")
    }
    return (magic[2], Int(magic[3]))
  }

  private static func readShape(_ file: GzipFile, _ path: String, _ dimensions: Int) throws(DataError) -> [Int] {
    let bytes = try file.read(4 * dimensions)
    guard bytes.count == 4 * dimensions else {
      throw DataError(
        path: path,
        reason: "wanted an IDX header of \(headerSize(dimensions)) bytes, found \(4 + bytes.count); the file is cut "
          + "short, copy or download it again")
    }
    let shape = (0..<dimensions).map { axis in bytes[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) } }
    guard shape[0] > 0 else {
      throw DataError(
        path: path, reason: "holds no \(dimensions == 1 ? "labels" : "images"): its header says 0, wanted at least 1")
    }
    if dimensions > 1 && (shape[1] == 0 || shape[2] == 0) {
      throw DataError(
        path: path,
        reason: "wanted images of at least 1 x 1 pixel, found \(shape[1]) x \(shape[2]) in the header")
    }
    if dimensions == 4 && shape[3] != 1 && shape[3] != 3 {
      throw DataError(path: path, reason: "wanted 1 or 3 channels on the last axis, found \(shape[3])")
    }
    return shape
  }

  private static func bigEndianFloats(_ data: [UInt8]) -> [Float] {
    data.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { index in
        Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
      }
    }
  }
}
