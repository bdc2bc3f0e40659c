import Foundation
import HourglassModels

/// Images that lie one after the other in uncompressed files which are mapped into memory, because they do not fit: the
/// system reads pages when they are touched and forgets them when it needs room.
///
/// A file that is cut short while it is mapped ends the process (SIGBUS).
struct MappedImages: ImageSource {
  /// Of little-endian floats, or else of bytes.
  let areFloats: Bool
  let shape: ImageShape
  /// Whether a channel is a plane of its own, C x H x W.
  let isPlanar: Bool
  let count: Int
  private let pieces: [Piece]
  /// Bytes before the first image of each file.
  private let header: Int
  /// Bytes between the beginnings of images.
  private let stride: Int

  private struct Piece: Sendable {
    var data: Data
    /// Images before it.
    var first: Int
  }

  /// - Parameters:
  ///   - header: bytes before the first image of each file.
  ///   - gap: bytes before each image but the first, such as a label.
  ///
  /// Errors: a file that cannot be mapped, or holds no whole number of images.
  init(
    _ paths: [String], header: Int, gap: Int = 0, shape: ImageShape, isPlanar: Bool, areFloats: Bool, count: Int? = nil
  ) throws(DataError) {
    (self.shape, self.isPlanar, self.areFloats) = (shape, isPlanar && shape.channels > 1, areFloats)
    self.header = header
    stride = gap + shape.count * (areFloats ? 4 : 1)
    var pieces: [Piece] = []
    var total = 0
    for path in paths {
      let data: Data
      do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped) } catch {
        throw DataError(path: path, reason: "cannot be mapped into memory: \(error.localizedDescription)")
      }
      let images = (data.count - header + gap) / stride
      guard images > 0, images * stride == data.count - header + gap, images == count ?? images else {
        let wanted = count.map { "\($0) images" } ?? "a whole number of images"
        throw DataError(
          path: path,
          reason:
            "wanted \(wanted) of \(stride) bytes after \(header), found \(data.count) bytes; the file is cut short "
            + "or its header is wrong")
      }
      pieces.append(Piece(data: data, first: total))
      total += images
    }
    (self.pieces, self.count) = (pieces, total)
  }

  func name(_ index: Int) -> String? { nil }

  func image(_ index: Int) throws(DataError) -> Image {
    func elements<T: BitwiseCopyable>(_: T.Type) -> [T] {
      [T](unsafeUninitializedCapacity: shape.count) { out, initialized in
        withStored(index) { source in
          forEachElement { from, to in
            out[to] = source.loadUnaligned(fromByteOffset: from * MemoryLayout<T>.stride, as: T.self)
          }
        }
        initialized = shape.count
      }
    }
    return Image(shape: shape, elements: areFloats ? .floats(elements(Float.self)) : .bytes(elements(UInt8.self)))
  }

  /// Writes image `index`, H x W x C: bytes divided by 255, floats as they are.
  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) {
    withStored(index) { source in
      if areFloats {
        forEachElement { from, to in image[to] = source.loadUnaligned(fromByteOffset: 4 * from, as: Float.self) }
      } else {
        forEachElement { from, to in image[to] = Float(source[from]) / 255 }
      }
    }
  }

  /// The place of each element in the file's image and in an image H x W x C.
  private func forEachElement(_ body: (_ from: Int, _ to: Int) -> Void) {
    guard isPlanar else {
      for i in 0..<shape.count { body(i, i) }
      return
    }
    let pixels = shape.height * shape.width
    for c in 0..<shape.channels { for i in 0..<pixels { body(c * pixels + i, i * shape.channels + c) } }
  }

  /// Tells the system that an image will be wanted soon, so that it is read while others are computed with.
  func announce(_ index: Int) {
    withStored(index) { bytes in
      guard let base = bytes.baseAddress else { return }
      let page = UInt(getpagesize())
      let start = UInt(bitPattern: base) / page * page
      let end = UInt(bitPattern: base) + UInt(bytes.count)
      guard let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
      madvise(address, Int(end - start), MADV_WILLNEED)
    }
  }

  /// The byte before each image. Cost: reads the files once.
  func labels() -> [Int] { (0..<count).map { Int(piece(of: $0).data[start(of: $0) - 1]) } }

  /// An image as it is stored. No slice of the data is made, for that would allocate.
  private func withStored<R>(_ index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    let start = start(of: index)
    return piece(of: index).data.withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[start..<start + shape.count * (areFloats ? 4 : 1)]))
    }
  }

  private func start(of index: Int) -> Int { header + (index - piece(of: index).first) * stride }

  private func piece(of index: Int) -> Piece {
    var number = pieces.count - 1
    while pieces[number].first > index { number -= 1 }
    return pieces[number]
  }
}
