import CTurboJPEG
import HourglassBase

/// A reader of JPEG photographs of 8 bits a channel, by libjpeg-turbo.
///
/// It takes baseline, progressive and arithmetic files in grey, RGB, YCbCr, CMYK and YCCK; the last two are multiplied
/// out to RGB without a colour profile. Pictures are turned as their Exif orientation says. Bytes after the end of the
/// image are ignored. Where much smaller pictures are wanted they are decoded to a smaller size, by M/8 along each
/// axis.
///
/// Errors: libjpeg-turbo refuses the file or only warns of it, such as data cut short; the header claims more pixels
/// than the file can hold.
struct JPEGFile: PictureReader {
  static let magic: [UInt8] = [0xff, 0xd8, 0xff]

  private(set) var header: PictureHeader
  private let file: InputFile
  private let format: TJPF
  private let (isAdobe, hasScans): (Bool, Bool)
  /// Width and height of the picture as it is stored, before it is turned.
  private let extent: Extent2D

  init(_ file: InputFile, page: UInt64?) throws(DataError) {
    self.file = file
    var start = try file.bytes(at: 0, 1 << 16)
    var markers = JPEGMarkers(start)
    if !markers.reachData, start.count < file.size {
      start = try file.contents()
      markers = JPEGMarkers(start)
    }
    let decoder = try JPEGDecoder(file.path)
    let (width, height, colorspace) = try decoder.header(start)
    // A block of 8 x 8 pixels takes at least one bit.
    guard (height + 7) / 8 * ((width + 7) / 8) <= 8 * file.size else {
      throw DataError(
        path: file.path, reason: "the header says \(width) x \(height) pixels, found only \(file.size) bytes")
    }
    let channels: Int
    (format, channels) =
      switch colorspace {
      case TJCS_GRAY: (TJPF_GRAY, 1)
      case TJCS_CMYK, TJCS_YCCK: (TJPF_CMYK, 3)
      default: (TJPF_RGB, 3)
      }
    (isAdobe, hasScans, extent) = (markers.isAdobe, markers.hasScans, Extent2D(height, width))
    header = PictureHeader(
      shape: ImageShape(height, width, channels), orientation: markers.orientation, isSequential: false)
  }

  /// The bytes of the file, of ink before it becomes light, and two for each coefficient of an image of several scans.
  var scratch: Int? {
    checkedSum(
      file.size, format == TJPF_CMYK ? checkedProduct([4, header.shape.height, header.shape.width]) : 0,
      hasScans ? checkedProduct([2, format == TJPF_CMYK ? 4 : header.shape.channels, extent.height, extent.width]) : 0)
  }

  func shrunk(toAtLeast least: Extent2D) -> JPEGFile {
    var smaller = self
    for eighths in 1..<8 {
      let (height, width) = ((extent.height * eighths + 7) / 8, (extent.width * eighths + 7) / 8)
      guard height >= least.height, width >= least.width else { continue }
      smaller.header.shape = ImageShape(height, width, header.shape.channels)
      break
    }
    return smaller
  }

  func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
    var pixels = try JPEGDecoder(file.path).pixels(try file.contents(), header.shape, format)
    if format == TJPF_CMYK { pixels = Image.multipliedOut(pixels, isInverted: isAdobe) }
    try take(header.band(header.shape.height, .bytes(pixels)))
  }
}

/// A decoder of libjpeg-turbo, whose refusals are errors.
private final class JPEGDecoder {
  private let handle: tjhandle
  private let path: String

  init(_ path: String) throws(DataError) {
    guard let handle = tjInitDecompress() else {
      throw DataError(path: path, reason: "libjpeg-turbo has no memory to read it")
    }
    (self.handle, self.path) = (handle, path)
  }

  deinit { tjDestroy(handle) }

  private func check(_ status: Int32) throws(DataError) {
    guard status == 0 else {
      let sentence = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown error"
      throw DataError(path: path, reason: "wanted a JPEG image, but libjpeg-turbo says: \(sentence)")
    }
  }

  func header(_ bytes: [UInt8]) throws(DataError) -> (width: Int, height: Int, colorspace: TJCS) {
    var (width, height, subsampling, colorspace) = (Int32(0), Int32(0), Int32(0), Int32(0))
    try check(
      tjDecompressHeader3(handle, bytes, UInt(bytes.count), &width, &height, &subsampling, &colorspace))
    return (Int(width), Int(height), TJCS(UInt32(bitPattern: colorspace)))
  }

  /// The pixels of the picture at its own size, or at a size that libjpeg-turbo decodes to.
  func pixels(_ bytes: [UInt8], _ shape: ImageShape, _ format: TJPF) throws(DataError) -> [UInt8] {
    let count = shape.height * shape.width * (format == TJPF_CMYK ? 4 : shape.channels)
    return try [UInt8](room: count) { (room) throws(DataError) in
      try check(
        tjDecompress2(
          handle, bytes, UInt(bytes.count), room.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(shape.width),
          0, Int32(shape.height), format.rawValue, TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS))
      return count
    }
  }
}

/// The markers of a file that libjpeg-turbo's simple interface does not tell.
///
/// Source: ITU-T T.81, annex B. A broken marker counts as absent.
struct JPEGMarkers {
  /// Whether the file has Adobe's marker APP14, which says that ink is stored inverted.
  private(set) var isAdobe = false
  /// The Exif orientation, 1 (upright) to 8.
  private(set) var orientation = 1
  /// Whether the image may come in several scans, which all must be read before the first pixel is known.
  private(set) var hasScans = true
  /// Whether all markers before the image's data were found.
  private(set) var reachData = false

  init(_ bytes: [UInt8]) {
    var place = 2
    var (isProgressive, components): (Bool, UInt8) = (true, 0)
    while place + 4 <= bytes.count, bytes[place] == 0xff {
      let marker = bytes[place + 1]
      // Fill bytes may stand before a marker.
      if marker == 0xff {
        place += 1
        continue
      }
      let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
      let end = place + 2 + length
      guard length >= 2, end <= bytes.count else { return }
      let content = bytes[place + 4..<end]
      switch marker {
      case 0xc0, 0xc1, 0xc2, 0xc9, 0xca:
        isProgressive = marker & 3 == 2
        components = content.dropFirst(5).first ?? 0
      case 0xda:
        hasScans = isProgressive || content.first != components
        reachData = true
        return
      case 0xee where content.starts(with: Array("Adobe".utf8)): isAdobe = true
      case 0xe1 where content.starts(with: Array("Exif\0\0".utf8)):
        orientation = Exif.orientation(content.dropFirst(6)) ?? 1
      default: break
      }
      place = end
    }
  }
}
