import CSpng
import FoundationEssentials
import Glibc

/// A grey or RGB image of 8 bits a channel, with or without transparency, as PNG stores it.
public struct PNGImage: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// The channels: 1 (grey) or 3 (RGB); 2 or 4 with opacity as the last.
  public let channels: Int
  /// The bytes, H x W x C, row by row from the top.
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

  /// The bytes of a PNG file. Errors: memory is not granted for them; PNG files cannot have this size.
  public func encoded() throws(DataError) -> Data {
    try Self.encoded(pixels, width: width, height: height, bits: 8, colorType: Self.colorType(channels))
  }

  /// The bytes of a grey PNG file of 16 bits a pixel, H x W. Errors: see `encoded()`.
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

  private static func colorType(_ channels: Int) -> UInt32 {
    let types = [
      SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, SPNG_COLOR_TYPE_TRUECOLOR,
      SPNG_COLOR_TYPE_TRUECOLOR_ALPHA,
    ]
    return types[channels - 1].rawValue
  }
}
