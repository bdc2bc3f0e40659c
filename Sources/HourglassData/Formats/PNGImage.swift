import CSpng
import Foundation

/// A grey or RGB image of 8 bits a channel, as PNG stores it.
public struct PNGImage: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// 1 (grey) or 3 (RGB).
  public let channels: Int
  /// H x W x C, row by row from the top.
  public let pixels: [UInt8]

  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition(channels == 1 || channels == 3, "a PNG image has 1 or 3 channels, not \(channels)")
    precondition(width > 0 && height > 0 && pixels.count == width * height * channels, "pixels do not fill the image")
    (self.width, self.height, self.channels, self.pixels) = (width, height, channels, pixels)
  }

  public func write(to path: String) throws(DataError) {
    try AtomicFile.write(encoded(), to: path)
  }

  public func encoded() -> Data {
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      preconditionFailure("libspng has no memory")
    }
    defer { spng_ctx_free(context) }
    var header = spng_ihdr()
    (header.width, header.height, header.bit_depth) = (UInt32(width), UInt32(height), 8)
    header.color_type = UInt8(Self.colorType(channels))
    var status = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1)
    if status == 0 { status = spng_set_ihdr(context, &header) }
    if status == 0 {
      status = spng_encode_image(
        context, pixels, pixels.count, Int32(SPNG_FMT_PNG.rawValue), Int32(SPNG_ENCODE_FINALIZE.rawValue))
    }
    var length = 0
    guard status == 0, let buffer = spng_get_png_buffer(context, &length, &status) else {
      preconditionFailure(
        "libspng refuses a \(width) x \(height) x \(channels) image: \(String(cString: spng_strerror(status)))")
    }
    return Data(bytesNoCopy: buffer, count: length, deallocator: .free)
  }

  /// Reads a PNG of any kind as grey where it is grey and as RGB otherwise; transparency is dropped.
  public static func decode(_ data: Data, path: String) throws(DataError) -> PNGImage {
    guard let context = spng_ctx_new(0) else { preconditionFailure("libspng has no memory") }
    defer { spng_ctx_free(context) }
    func check(_ status: Int32) throws(DataError) {
      guard status == 0 else {
        throw DataError(
          path: path, reason: "wanted a PNG image, but libspng says: \(String(cString: spng_strerror(status)))")
      }
    }
    let bytes = [UInt8](data)
    let holder = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    defer { holder.deallocate() }
    _ = holder.initialize(from: bytes)
    try check(spng_set_png_buffer(context, holder.baseAddress, bytes.count))
    var header = spng_ihdr()
    try check(spng_get_ihdr(context, &header))
    let channels = header.color_type == UInt8(colorType(1)) ? 1 : 3
    let format = Int32(channels == 1 ? SPNG_FMT_G8.rawValue : SPNG_FMT_RGB8.rawValue)
    // At least one bit a pixel is stored, and deflate packs at most 1032 to 1 (zlib's technical note).
    let (width, height) = (Int(header.width), Int(header.height))
    guard (width + 7) / 8 * height <= 1032 * bytes.count else {
      throw DataError(
        path: path, reason: "the header says \(width) x \(height) pixels, found only \(bytes.count) bytes")
    }
    var size = 0
    try check(spng_decoded_image_size(context, format, &size))
    var pixels = [UInt8](repeating: 0, count: size)
    try check(spng_decode_image(context, &pixels, size, format, 0))
    return PNGImage(width: width, height: height, channels: channels, pixels: pixels)
  }

  private static func colorType(_ channels: Int) -> UInt32 {
    channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE.rawValue : SPNG_COLOR_TYPE_TRUECOLOR.rawValue
  }
}
