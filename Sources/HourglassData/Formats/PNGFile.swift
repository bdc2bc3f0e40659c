import CSpng
import HourglassBase

/// A reader of PNG pictures of any kind, by libspng: grey where they are stored grey, else RGB; in 16 bits where they
/// have more than 8.
///
/// Pictures are turned as their Exif orientation says; neither gamma nor a background of the file is applied. Bytes
/// after the end of the image are ignored.
///
/// Errors: libspng refuses the file anywhere up to its end; the header claims more pixels than the file can hold.
struct PNGFile: PictureReader {
  static let magic: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
  /// The bytes up to the end of the header chunk.
  private static let headerLength = 33
  /// The most bytes of one ancillary chunk, and of all of them.
  private static let largestChunk = 1 << 26

  let header: PictureHeader
  private let file: InputFile
  private let isInterlaced: Bool

  init(_ file: InputFile, page: UInt64?) throws(DataError) {
    self.file = file
    let ihdr = try file.bytes(at: 0, Self.headerLength).withUnsafeBufferPointer { (bytes) throws(DataError) in
      try PNGDecoder(bytes, path: file.path).header()
    }
    let (width, height) = (Int(ihdr.width), Int(ihdr.height))
    // Deflate packs at most 1032 to 1 (zlib's technical note).
    let bits = Int(ihdr.bit_depth) * [1, 0, 3, 1, 2, 0, 4][Int(min(ihdr.color_type, 6))]
    guard let packed = checkedProduct([(width * bits + 7) / 8, height]), packed <= 1032 * file.size else {
      throw DataError(
        path: file.path, reason: "the header says \(width) x \(height) pixels, found only \(file.size) bytes")
    }
    let hasTransparency = try Self.chunk("tRNS", in: file) != nil
    let greys = [SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA].map { UInt8($0.rawValue) }
    isInterlaced = ihdr.interlace_method != 0
    header = PictureHeader(
      shape: ImageShape(height, width, greys.contains(ihdr.color_type) ? 1 : 3),
      kind: ihdr.bit_depth == 16 ? .uint16 : .uint8,
      hasOpacity: ihdr.color_type & 4 != 0 || hasTransparency,
      orientation: try Self.chunk("eXIf", in: file).flatMap { Exif.orientation($0) } ?? 1, isSequential: !isInterlaced)
  }

  /// The contents of the first chunk of a name, as far as chunks can be followed (ISO 15948, 5.3).
  private static func chunk(_ name: String, in file: InputFile) throws(DataError) -> [UInt8]? {
    var place = magic.count
    // No sound file has more chunks; a file that was made to be slow may.
    for _ in 0..<1 << 16 {
      let head = try file.bytes(at: place, 8)
      guard head.count == 8 else { return nil }
      let length = head[..<4].reduce(0) { $0 << 8 | Int($1) }
      if head[4...].elementsEqual(name.utf8) { return try file.bytes(at: place + 8, min(length, largestExif)) }
      // The chunk that tells of transparency comes before the pixels.
      if name == "tRNS", head[4...].elementsEqual("IDAT".utf8) { return nil }
      place += 12 + length
    }
    return nil
  }

  /// The most bytes of Exif data that are read; the directory with the orientation lies at their beginning.
  private static let largestExif = 1 << 16

  /// The samples of a pixel as libspng puts them out: the picture's channels in 8 bits without opacity, else R, G, B,
  /// A.
  private var samples: Int { header.kind == .uint8 && !header.hasOpacity ? header.shape.channels : 4 }

  /// The bytes that libspng puts out: for all pixels where they are interlaced, else for a band.
  var scratch: Int? {
    let pixel = samples * header.kind.width
    return checkedSum(
      file.size,
      isInterlaced
        ? checkedProduct([pixel, header.shape.height, header.shape.width])
        : checkedProduct([pixel, header.bands[0].count, header.shape.width]))
  }

  func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
    switch header.kind {
    case .uint16: try read(as: UInt16.self, SPNG_FMT_RGBA16, { .words($0) }, take)
    default:
      let format = samples == 4 ? SPNG_FMT_RGBA8 : samples == 3 ? SPNG_FMT_RGB8 : SPNG_FMT_G8
      try read(as: UInt8.self, format, { .bytes($0) }, take)
    }
  }

  private func read<T: FixedWidthInteger & BitwiseCopyable>(
    as type: T.Type, _ format: spng_format, _ elements: ([T]) -> Elements,
    _ take: (Image) throws(DataError) -> Void
  ) throws(DataError) {
    let (bytes, width, channels) = (try file.contents(), header.shape.width, header.storedChannels)
    let color = header.shape.channels
    try bytes.withUnsafeBufferPointer { (bytes) throws(DataError) in
      let decoder = try PNGDecoder(bytes, path: file.path)
      _ = try decoder.header()
      for rows in isInterlaced ? [0..<header.shape.height] : header.bands {
        let count = rows.count * width
        let pixels = try [T](room: samples * count) { (room) throws(DataError) in
          if isInterlaced { try decoder.image(format, into: room) } else { try decoder.rows(rows, format, into: room) }
          return room.count
        }
        guard samples == 4 else {
          try take(header.band(rows.count, elements(pixels)))
          continue
        }
        let band: [T] = Image.make(count * channels, pixels) { x, y in
          for i in 0..<count {
            for c in 0..<color { y[i * channels + c] = x[4 * i + c] }
            if channels > color { y[i * channels + color] = x[4 * i + 3] }
          }
        }
        try take(header.band(rows.count, elements(band)))
      }
      try decoder.finish()
    }
  }

  /// A decoder of libspng, whose refusals are errors. The bytes must outlive it.
  private final class PNGDecoder {
    private let context: OpaquePointer
    private let path: String

    init(_ bytes: UnsafeBufferPointer<UInt8>, path: String) throws(DataError) {
      guard let context = spng_ctx_new(0) else {
        throw DataError(path: path, reason: "libspng has no memory to read it")
      }
      (self.context, self.path) = (context, path)
      try check(spng_set_png_buffer(context, bytes.baseAddress, bytes.count))
      try check(spng_set_chunk_limits(context, largestChunk, largestChunk))
    }

    deinit { spng_ctx_free(context) }

    private func check(_ status: Int32) throws(DataError) {
      guard status == 0 else {
        throw DataError(
          path: path, reason: "wanted a PNG image, but libspng says: \(String(cString: spng_strerror(status)))")
      }
    }

    func header() throws(DataError) -> spng_ihdr {
      var header = spng_ihdr()
      try check(spng_get_ihdr(context, &header))
      return header
    }

    func image(_ format: spng_format, into room: UnsafeMutableRawBufferPointer) throws(DataError) {
      try check(
        spng_decode_image(
          context, room.baseAddress, room.count, Int32(format.rawValue), Int32(SPNG_DECODE_TRNS.rawValue)))
    }

    /// Decodes the next rows of a picture that is not interlaced.
    func rows(_ rows: Range<Int>, _ format: spng_format, into room: UnsafeMutableRawBufferPointer) throws(DataError) {
      if rows.lowerBound == 0 {
        let flags = Int32(SPNG_DECODE_TRNS.rawValue) | Int32(SPNG_DECODE_PROGRESSIVE.rawValue)
        try check(spng_decode_image(context, nil, 0, Int32(format.rawValue), flags))
      }
      let length = room.count / rows.count
      for row in 0..<rows.count {
        let status = spng_decode_row(context, room.baseAddress.map { $0 + row * length }, length)
        // libspng answers SPNG_EOI for the last row.
        try check(status == Int32(SPNG_EOI.rawValue) ? 0 : status)
      }
    }

    /// Reads the rest of the file.
    func finish() throws(DataError) { try check(spng_decode_chunks(context)) }
  }
}
