import HourglassBase

/// A reader of Windows bitmaps: palettes of 1, 4 and 8 bits; 16, 24 and 32 bits, with masks or without; rows from the
/// bottom or from the top.
///
/// A palette of greys alone makes a grey picture. Only a picture with a mask for opacity has opacity.
///
/// Source: Microsoft, "Bitmap Storage" (BITMAPCOREHEADER to BITMAPV5HEADER). Errors: rows are packed (RLE, JPEG, PNG);
/// the header claims more than the file holds.
struct BMPFile: PictureReader {
  /// Whether bytes begin a bitmap: with its two letters, and with the four bytes of 0 behind the file's length.
  static func begins(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: Array("BM".utf8)) && bytes.count >= 16 && bytes[6..<10].allSatisfy { $0 == 0 }
  }

  let header: PictureHeader
  private let file: InputFile
  private let bits: Int
  private let isTopDown: Bool
  private let start: Int
  private let rowLength: Int
  /// The blue, green and red of each colour.
  private let palette: [UInt8]
  /// The bits of red, green, blue and opacity in a pixel of 16 or 32 bits.
  private let masks: [UInt32]

  init(_ file: InputFile, page: UInt64?) throws(DataError) {
    self.file = file
    // These bytes hold the longest header and the largest palette.
    let bytes = try file.bytes(at: 0, 14 + 124 + 12 + 4 * 256)
    func number(_ place: Int, _ width: Int) -> Int {
      place + width > bytes.count ? 0 : bytes[place..<place + width].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    let (length, path) = (number(14, 4), file.path)
    let isCore = length == 12
    guard isCore || (40...124).contains(length), bytes.count >= 14 + length else {
      throw DataError(
        path: path, reason: "wanted a BMP header of 12 or of 40 to 124 bytes, found \(length) in \(file.size) bytes")
    }
    let width = isCore ? number(18, 2) : Int(Int32(truncatingIfNeeded: number(18, 4)))
    let rows = isCore ? number(20, 2) : Int(Int32(truncatingIfNeeded: number(22, 4)))
    (bits, isTopDown) = (number(isCore ? 24 : 28, 2), rows < 0)
    let height = abs(rows)
    let compression = isCore ? 0 : number(30, 4)
    guard [0, 3, 6].contains(compression), compression == 0 || bits == 16 || bits == 32 else {
      throw DataError(
        path: path,
        reason: "wanted a BMP image whose rows are not packed, found compression \(compression) of \(bits) bits; "
          + "save it without, or as PNG")
    }
    guard width > 0, height > 0, [1, 4, 8, 16, 24, 32].contains(bits) else {
      throw DataError(
        path: path,
        reason: "wanted a BMP image of 1, 4, 8, 16, 24 or 32 bits, found \(width) x \(height) pixels of \(bits) bits")
    }
    // Masks belong to long headers, and follow the others.
    let masked = (0..<4).map { (c: Int) -> UInt32 in
      c == 3 && length < 56 && compression != 6 ? 0 : UInt32(number(54 + 4 * c, 4))
    }
    masks =
      compression != 0
      ? masked : bits == 16 ? [0x7c00, 0x03e0, 0x001f, 0] : [0xff0000, 0xff00, 0xff, 0]
    let colors = bits > 8 ? 0 : isCore || number(46, 4) == 0 ? 1 << bits : min(number(46, 4), 1 << bits)
    let afterHeader = 14 + length + (length == 40 && compression != 0 ? (compression == 6 ? 16 : 12) : 0)
    let entry = isCore ? 3 : 4
    guard afterHeader + entry * colors <= bytes.count else {
      throw DataError(path: path, reason: "wanted \(colors) colours after the BMP header, found the end of the file")
    }
    var palette: [UInt8] = []
    for color in 0..<colors { palette += bytes[(afterHeader + entry * color)...].prefix(3) }
    (start, rowLength) = (number(10, 4), (width * bits + 31) / 32 * 4)
    guard let size = checkedSum(checkedProduct([rowLength, height]), start), size <= file.size else {
      throw DataError(
        path: path,
        reason: "the header says \(width) x \(height) pixels of \(bits) bits, found only \(file.size) bytes; the file "
          + "is cut short or its header is wrong")
    }
    var isGrey = bits <= 8
    for place in stride(from: 0, to: palette.count, by: 3) where isGrey {
      isGrey = palette[place] == palette[place + 1] && palette[place] == palette[place + 2]
    }
    self.palette = palette
    header = PictureHeader(
      shape: ImageShape(height, width, isGrey ? 1 : 3), hasOpacity: [16, 32].contains(bits) && masks[3] != 0)
  }

  var scratch: Int? { 2 * rowLength }

  func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
    let (height, width, channels) = (header.shape.height, header.shape.width, header.storedChannels)
    for rows in header.bands {
      var band: [UInt8] = []
      band.reserveCapacity(rows.count * width * channels)
      for row in rows {
        let place = isTopDown ? row : height - 1 - row
        let bytes = try file.bytes(at: start + place * rowLength, rowLength)
        guard bytes.count == rowLength else {
          throw DataError(
            path: file.path, reason: "wanted \(file.size) bytes as when the file was opened, found it cut short")
        }
        if bits <= 8 { try indexed(bytes, into: &band) } else { direct(bytes, into: &band) }
      }
      try take(header.band(rows.count, .bytes(band)))
    }
  }

  private func indexed(_ bytes: [UInt8], into band: inout [UInt8]) throws(DataError) {
    let each = 8 / bits
    for column in 0..<header.shape.width {
      let index = Int(bytes[column / each] >> UInt8(8 - bits - column % each * bits)) & ((1 << bits) - 1)
      guard 3 * index < palette.count else {
        throw DataError(
          path: file.path, reason: "wanted colours of the \(palette.count / 3) in the palette, found number \(index)")
      }
      if header.shape.channels == 3 { band += [palette[3 * index + 2], palette[3 * index + 1]] }
      band.append(palette[3 * index])
    }
  }

  private func direct(_ bytes: [UInt8], into band: inout [UInt8]) {
    let width = bits / 8
    for column in 0..<header.shape.width {
      var pixel: UInt32 = 0
      for k in 0..<width { pixel |= UInt32(bytes[column * width + k]) << UInt32(8 * k) }
      for c in 0..<header.storedChannels {
        let mask = masks[c]
        // A field of fewer bits than 8 is scaled so that its largest number is 255, rounded.
        let most = UInt64(mask >> UInt32(min(31, mask.trailingZeroBitCount)))
        let value = UInt64((pixel & mask) >> UInt32(min(31, mask.trailingZeroBitCount)))
        band.append(most == 0 ? 0 : UInt8((value * 255 + most / 2) / most))
      }
    }
  }
}
