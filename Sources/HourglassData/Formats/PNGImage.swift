import CSpng
import Foundation

/// A grey or RGB image of 8 bits a channel, with or without transparency, as PNG stores it.
public struct PNGImage: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// 1 (grey) or 3 (RGB); 2 or 4 with opacity as the last.
  public let channels: Int
  /// H x W x C, row by row from the top.
  public let pixels: [UInt8]

  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition((1...4).contains(channels), "a PNG image has 1 to 4 channels, not \(channels)")
    precondition(
      width > 0 && height > 0 && pixels.count == checkedProduct([width, height, channels]),
      "pixels do not fill the image")
    (self.width, self.height, self.channels, self.pixels) = (width, height, channels, pixels)
  }

  /// Writes a file, whole or not at all.
  public func write(to path: String) throws(DataError) {
    try AtomicFile.write(encoded(), to: path)
  }

  /// The file's bytes. Errors: memory is not granted for them; a size that PNG files do not have.
  public func encoded() throws(DataError) -> Data {
    try Self.encoded(pixels, width: width, height: height, bits: 8, colorType: Self.colorType(channels))
  }

  /// The bytes of a grey file of 16 bits a pixel, H x W. Errors: those of `encoded()`.
  package static func encoded(_ words: [UInt16], width: Int, height: Int) throws(DataError) -> Data {
    precondition(words.count == checkedProduct([width, height]), "\(words.count) words do not fill the image")
    return try encoded(words, width: width, height: height, bits: 16, colorType: colorType(1))
  }

  private static func encoded<Element: FixedWidthInteger>(
    _ pixels: [Element], width: Int, height: Int, bits: UInt8, colorType: UInt32
  ) throws(DataError) -> Data {
    let (name, bytes) = ("a picture of \(width) x \(height) pixels", pixels.count * MemoryLayout<Element>.stride)
    // Deflate adds little to what it cannot pack.
    try GrantedMemory.require(checkedSum(bytes, bytes / 1000), for: name, "write it as PNG")
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)), let columns = UInt32(exactly: width),
      let rows = UInt32(exactly: height)
    else { throw DataError(path: name, reason: "cannot be written as PNG; take a smaller one") }
    defer { spng_ctx_free(context) }
    var header = spng_ihdr()
    (header.width, header.height, header.bit_depth) = (columns, rows, bits)
    header.color_type = UInt8(colorType)
    var status = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1)
    if status == 0 { status = spng_set_ihdr(context, &header) }
    if status == 0 {
      status = pixels.withUnsafeBytes { pixels in
        spng_encode_image(
          context, pixels.baseAddress, bytes, Int32(SPNG_FMT_PNG.rawValue), Int32(SPNG_ENCODE_FINALIZE.rawValue))
      }
    }
    var length = 0
    guard status == 0, let buffer = spng_get_png_buffer(context, &length, &status) else {
      let sentence = String(cString: spng_strerror(status))
      throw DataError(path: name, reason: "cannot be written as PNG, libspng says: \(sentence); take a smaller one")
    }
    return Data(bytesNoCopy: buffer, count: length, deallocator: .free)
  }

  /// Reads a PNG of any kind as grey where it is grey and as RGB otherwise; transparency is dropped, of 16 bits the
  /// upper 8 are taken, neither gamma nor background is applied. Bytes after the end of the image are ignored.
  public static func decode(_ bytes: some Collection<UInt8>, path: String) throws(DataError) -> PNGImage {
    let picture = try decodeRGBA(Array(bytes), path: path)
    let (count, channels) = (picture.width * picture.height, picture.isGrey ? 1 : 3)
    try GrantedMemory.require(count * channels, for: path, "hold its pixels")
    let pixels: [UInt8] = Image.make(count * channels, picture.pixels) { x, y in
      for i in 0..<count {
        for c in 0..<channels { y[i * channels + c] = x[4 * i + c] }
      }
    }
    return PNGImage(width: picture.width, height: picture.height, channels: channels, pixels: pixels)
  }

  static let magic: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// More than this of one ancillary chunk, or of all, is refused.
  private static let largestChunk = 1 << 26

  /// Reads a PNG of any kind as R, G, B, A of 8 bits, not multiplied by A.
  ///
  /// Errors: what libspng refuses, to the end of the file; a header that claims more pixels than the file can hold or
  /// memory is granted for.
  static func decodeRGBA(
    _ bytes: [UInt8], path: String
  ) throws(DataError) -> (width: Int, height: Int, isGrey: Bool, pixels: [UInt8]) {
    guard let context = spng_ctx_new(0) else { throw DataError(path: path, reason: "libspng has no memory to read it") }
    defer { spng_ctx_free(context) }
    func check(_ status: Int32) throws(DataError) {
      guard status == 0 else {
        throw DataError(
          path: path, reason: "wanted a PNG image, but libspng says: \(String(cString: spng_strerror(status)))")
      }
    }
    try GrantedMemory.require(bytes.count, for: path, "decode \(bytes.count) bytes")
    // libspng keeps the pointer from call to call.
    let holder = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    defer { holder.deallocate() }
    _ = holder.initialize(from: bytes)
    try check(spng_set_png_buffer(context, holder.baseAddress, bytes.count))
    try check(spng_set_chunk_limits(context, largestChunk, largestChunk))
    var header = spng_ihdr()
    try check(spng_get_ihdr(context, &header))
    // Deflate packs at most 1032 to 1 (zlib's technical note).
    let (width, height) = (Int(header.width), Int(header.height))
    let bits = Int(header.bit_depth) * [1, 0, 3, 1, 2, 0, 4][Int(min(header.color_type, 6))]
    guard let packed = checkedProduct([(width * bits + 7) / 8, height]), packed <= 1032 * bytes.count,
      let count = checkedProduct([width, height, 4])
    else {
      throw DataError(
        path: path, reason: "the header says \(width) x \(height) pixels, found only \(bytes.count) bytes")
    }
    let format = Int32(SPNG_FMT_RGBA8.rawValue)
    let pixels = try GrantedMemory.require(count, for: path, "decode \(width) x \(height) pixels") {
      () throws(DataError) in
      var pixels = [UInt8](repeating: 0, count: count)
      try check(spng_decode_image(context, &pixels, count, format, Int32(SPNG_DECODE_TRNS.rawValue)))
      try check(spng_decode_chunks(context))
      return pixels
    }
    let grey = [SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA].map { UInt8($0.rawValue) }
    return (width, height, grey.contains(header.color_type), pixels)
  }

  private static func colorType(_ channels: Int) -> UInt32 {
    let types = [
      SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, SPNG_COLOR_TYPE_TRUECOLOR,
      SPNG_COLOR_TYPE_TRUECOLOR_ALPHA,
    ]
    return types[channels - 1].rawValue
  }
}
