import CTurboJPEG
import HourglassModels

/// Reading of JPEG photographs of 8 bits a channel, by libjpeg-turbo.
///
/// Baseline, progressive and arithmetic ones; grey, RGB, YCbCr, CMYK and YCCK, the latter two multiplied out to RGB
/// without a colour profile. They are turned as their Exif orientation says. Bytes after the end of the image are
/// ignored.
///
/// Errors: whatever libjpeg-turbo refuses or only warns of, such as data cut short; a header that claims more pixels
/// than the file can hold or memory is granted for.
public enum JPEGFile {
  static let magic: [UInt8] = [0xff, 0xd8, 0xff]

  /// Decodes the bytes of a file, turned upright; `path` names it in errors.
  public static func decode(_ bytes: [UInt8], path: String) throws(DataError) -> Image {
    guard let decoder = tjInitDecompress() else {
      throw DataError(path: path, reason: "libjpeg-turbo has no memory to read it")
    }
    defer { tjDestroy(decoder) }
    func check(_ status: Int32) throws(DataError) {
      guard status == 0 else {
        let sentence = tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown error"
        throw DataError(path: path, reason: "wanted a JPEG image, but libjpeg-turbo says: \(sentence)")
      }
    }
    var (width, height, subsampling, colorspace) = (Int32(0), Int32(0), Int32(0), Int32(0))
    try check(
      tjDecompressHeader3(decoder, bytes, UInt(bytes.count), &width, &height, &subsampling, &colorspace))
    let (rows, columns) = (Int(height), Int(width))
    // A block of 8 x 8 pixels takes at least one bit.
    guard (rows + 7) / 8 * ((columns + 7) / 8) <= 8 * bytes.count else {
      throw DataError(
        path: path, reason: "the header says \(columns) x \(rows) pixels, found only \(bytes.count) bytes")
    }
    let (format, channels) =
      switch TJCS(UInt32(colorspace)) {
      case TJCS_GRAY: (TJPF_GRAY, 1)
      case TJCS_CMYK, TJCS_YCCK: (TJPF_CMYK, 4)
      default: (TJPF_RGB, 3)
      }
    // A byte for each element, two for its coefficient while a progressive image comes together, one for its place
    // upright or without ink.
    return try GrantedMemory.require(
      4 * channels * rows * columns, for: path, "decode \(columns) x \(rows) pixels"
    ) { () throws(DataError) in
      var pixels = [UInt8](repeating: 0, count: rows * columns * channels)
      try check(
        tjDecompress2(
          decoder, bytes, UInt(bytes.count), &pixels, width, 0, height, format.rawValue,
          TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS))
      let markers = JPEGMarkers(bytes)
      if channels == 4 { pixels = multipliedOut(pixels, isInverted: markers.isAdobe) }
      let image = Image(shape: ImageShape(rows, columns, min(3, channels)), elements: .bytes(pixels))
      return image.turned(markers.orientation)
    }
  }

  /// Ink to light: R = (255 - C)(255 - K) / 255 and so on; Adobe's programs store 255 - C.
  private static func multipliedOut(_ ink: [UInt8], isInverted: Bool) -> [UInt8] {
    let count = ink.count / 4
    let flip: UInt32 = isInverted ? 0 : 255
    return Image.make(3 * count, ink) { x, y in
      for i in 0..<count {
        let black = flip ^ UInt32(x[4 * i + 3])
        for c in 0..<3 { y[3 * i + c] = UInt8(((flip ^ UInt32(x[4 * i + c])) * black + 127) / 255) }
      }
    }
  }
}

/// What libjpeg-turbo's simple interface does not tell of a file's markers.
///
/// Source: ITU-T T.81, annex B; TIFF 6.0 and Exif 2.3 for the orientation. What is broken here is as if absent.
struct JPEGMarkers {
  /// Whether Adobe's APP14 is there, which says that ink is stored inverted.
  private(set) var isAdobe = false
  /// 1 (upright) to 8.
  private(set) var orientation = 1

  init(_ bytes: [UInt8]) {
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xff {
      let marker = bytes[place + 1]
      // Fill bytes before a marker.
      if marker == 0xff {
        place += 1
        continue
      }
      let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
      let end = place + 2 + length
      // 0xda: the image's data begins.
      guard marker != 0xda, length >= 2, end <= bytes.count else { return }
      let content = bytes[place + 4..<end]
      if marker == 0xee, content.starts(with: Array("Adobe".utf8)) { isAdobe = true }
      if marker == 0xe1, content.starts(with: Array("Exif\0\0".utf8)) {
        orientation = Self.orientation(Array(content.dropFirst(6))) ?? 1
      }
      place = end
    }
  }

  /// Tag 0x0112 of the first directory.
  private static func orientation(_ tiff: [UInt8]) -> Int? {
    guard tiff.count >= 8, tiff[0] == tiff[1], tiff[0] == 0x49 || tiff[0] == 0x4d else { return nil }
    let isLittle = tiff[0] == 0x49
    func number(_ place: Int, _ width: Int) -> Int? {
      guard place >= 0, place + width <= tiff.count else { return nil }
      let bytes = tiff[place..<place + width]
      return (isLittle ? Array(bytes.reversed()) : Array(bytes)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let entries = number(directory, 2) else { return nil }
    for entry in 0..<entries {
      let place = directory + 2 + 12 * entry
      guard let tag = number(place, 2) else { return nil }
      guard tag == 0x0112 else { continue }
      return number(place + 8, 2).flatMap { (1...8).contains($0) ? $0 : nil }
    }
    return nil
  }
}

extension Image {
  /// The image upright, from one that is stored with an Exif orientation: 1 as it is, 3 upside down, 6 and 8 lying on
  /// its left and right side, the others mirrored too.
  func turned(_ orientation: Int) -> Image {
    let (bottom, right) = (shape.height - 1, shape.width - 1)
    let lying = ImageShape(shape.width, shape.height, shape.channels)
    switch orientation {
    case 2: return gathered(shape) { ($0, right - $1) }
    case 3: return gathered(shape) { (bottom - $0, right - $1) }
    case 4: return gathered(shape) { (bottom - $0, $1) }
    case 5: return gathered(lying) { ($1, $0) }
    case 6: return gathered(lying) { (bottom - $1, $0) }
    case 7: return gathered(lying) { (bottom - $1, right - $0) }
    case 8: return gathered(lying) { ($1, right - $0) }
    default: return self
    }
  }
}
