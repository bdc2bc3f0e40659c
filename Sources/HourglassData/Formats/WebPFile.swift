#if WebP
  import CWebP
  import HourglassBase

  /// A reader of WebP pictures as RGB, by libwebp, turned as their Exif orientation says.
  ///
  /// Errors: libwebp refuses the file; the picture is animated.
  struct WebPFile: PictureReader {
    let header: PictureHeader
    private let file: InputFile

    init(_ file: InputFile, page: UInt64?) throws(DataError) {
      self.file = file
      var features = WebPBitstreamFeatures()
      var start = try file.bytes(at: 0, 1 << 12)
      if WebPGetFeatures(start, start.count, &features) == VP8_STATUS_NOT_ENOUGH_DATA {
        start = try file.contents()
      }
      try Self.check(WebPGetFeatures(start, start.count, &features), file.path)
      guard features.has_animation == 0 else {
        throw DataError(path: file.path, reason: "wanted a still WebP image, found a moving one; save its frames")
      }
      header = PictureHeader(
        shape: ImageShape(Int(features.height), Int(features.width), 3), hasOpacity: features.has_alpha != 0,
        orientation: try Self.orientation(file) ?? 1, isSequential: false)
    }

    /// The orientation in the chunk EXIF of the RIFF container, which may come after the pixels.
    private static func orientation(_ file: InputFile) throws(DataError) -> Int? {
      var place = 12
      for _ in 0..<1 << 10 {
        let head = try file.bytes(at: place, 8)
        guard head.count == 8 else { return nil }
        let length = head[4...].reversed().reduce(0) { $0 << 8 | Int($1) }
        if head[..<4].elementsEqual("EXIF".utf8) {
          let exif = try file.bytes(at: place + 8, min(length, 1 << 16))
          let name = Array("Exif\0\0".utf8)
          return Exif.orientation(exif.starts(with: name) ? Array(exif.dropFirst(name.count)) : exif)
        }
        place += 8 + length + length % 2
      }
      return nil
    }

    private static func check(_ status: VP8StatusCode, _ path: String) throws(DataError) {
      let reasons: [VP8StatusCode: String] = [
        VP8_STATUS_OUT_OF_MEMORY: "it has no memory", VP8_STATUS_BITSTREAM_ERROR: "it is broken",
        VP8_STATUS_UNSUPPORTED_FEATURE: "it has features that are not known",
        VP8_STATUS_NOT_ENOUGH_DATA: "it is cut short",
      ]
      guard status != VP8_STATUS_OK else { return }
      throw DataError(
        path: path, reason: "wanted a WebP image, but libwebp says: \(reasons[status] ?? "error \(status.rawValue)")")
    }

    /// The bytes of the file, of the picture with its opacity, and as many again, from which the decoder predicts.
    var scratch: Int? { checkedSum(file.size, checkedProduct([8, header.shape.height, header.shape.width])) }

    func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
      let (height, width, channels) = (header.shape.height, header.shape.width, header.storedChannels)
      let bytes = try file.contents()
      let count = height * width * channels
      let pixels = try [UInt8](room: count) { (room) throws(DataError) in
        var config = WebPDecoderConfig()
        guard WebPInitDecoderConfig(&config) != 0 else {
          throw DataError(path: file.path, reason: "wanted the libwebp that the program was built with, found another")
        }
        config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB
        config.output.is_external_memory = 1
        config.output.u.RGBA = WebPRGBABuffer(
          rgba: room.baseAddress?.assumingMemoryBound(to: UInt8.self), stride: Int32(width * channels), size: count)
        try Self.check(WebPDecode(bytes, bytes.count, &config), file.path)
        return count
      }
      try take(header.band(height, .bytes(pixels)))
    }
  }
#endif
