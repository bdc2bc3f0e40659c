import HourglassBase

/// A reader of portable bitmaps, greymaps and pixmaps, P1 to P6.
///
/// Bits are black where they are 1. Values are scaled so that the largest, which the header says, is white: to 8 bits
/// where it is at most 255, else to 16, rounded. Bytes after the first image are ignored.
///
/// Source: the Netpbm manual, pages pbm, pgm and ppm. Errors: the header claims more than the file holds; a number is
/// none, or above the largest.
struct PNMFile: PictureReader {
  let header: PictureHeader
  private let file: InputFile
  /// The digit after P.
  private let variant: UInt8
  private let largest: Int
  /// The byte at which the pixels begin.
  private let start: Int

  /// The most bytes of a header with its comments.
  private static let longestHeader = 1 << 16

  static func begins(_ bytes: [UInt8]) -> Bool {
    bytes.count > 2 && bytes[0] == UInt8(ascii: "P") && (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(bytes[1])
      && (isSpace(bytes[2]) || bytes[2] == UInt8(ascii: "#"))
      // A text may begin with P and a digit too, but goes on with letters.
      && bytes.dropFirst(2).first { !isSpace($0) }.map { $0 == UInt8(ascii: "#") || (48...57).contains($0) } ?? false
  }

  init(_ file: InputFile, page: UInt64?) throws(DataError) {
    self.file = file
    var text = PNMText(bytes: try file.bytes(at: 0, Self.longestHeader), place: 2, path: file.path)
    variant = text.bytes[1] - UInt8(ascii: "0")
    let (width, height) = (try text.number("a width"), try text.number("a height"))
    largest = variant % 3 == 1 ? 1 : try text.number("the value of white")
    guard (1...1 << 30).contains(width), (1...1 << 30).contains(height), (1...65_535).contains(largest) else {
      throw DataError(
        path: file.path,
        reason: "wanted a width, a height and a value of white of 1 to 65535, found \(width), \(height) and \(largest)")
    }
    // One white space of any kind stands before the pixels.
    start = text.place + 1
    let kind = largest > 255 ? Elements.Kind.uint16 : .uint8
    header = PictureHeader(shape: ImageShape(height, width, variant % 3 == 0 ? 3 : 1), kind: kind)
    // Plain bits need a digit each, plain numbers a digit and a space but for the last.
    let least =
      variant > 3
      ? checkedProduct([rowLength, height]) : checkedProduct([width, height, header.shape.channels])
    guard let least, least <= file.size - start else {
      throw DataError(
        path: file.path,
        reason: "the header says \(width) x \(height) pixels, found only \(max(0, file.size - start)) bytes after it; "
          + "the file is cut short or its header is wrong")
    }
  }

  /// The bytes of a row that is not plain text.
  private var rowLength: Int {
    variant == 4
      ? (header.shape.width + 7) / 8 : header.shape.width * header.shape.channels * header.kind.width
  }

  var scratch: Int? { variant > 3 ? 0 : file.size }

  func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
    var text = PNMText(bytes: variant > 3 ? [] : try file.contents(), place: start - 1, path: file.path)
    for rows in header.bands {
      let count = rows.count * header.shape.width * header.shape.channels
      let values =
        variant > 3
        ? try stored(rows, count) : try text.values(count, areBits: variant == 1, largest: largest)
      try take(header.band(rows.count, scaled(values)))
    }
  }

  /// The values of rows that are not plain text.
  private func stored(_ rows: Range<Int>, _ count: Int) throws(DataError) -> [UInt16] {
    let bytes = try file.bytes(at: start + rows.lowerBound * rowLength, rows.count * rowLength)
    guard bytes.count == rows.count * rowLength else {
      throw DataError(
        path: file.path, reason: "wanted \(file.size) bytes as when the file was opened, found it cut short")
    }
    let width = header.shape.width
    let values: [UInt16] = Image.make(count, bytes) { x, y in
      for i in 0..<count {
        if variant == 4 {
          let column = i % width
          y[i] = UInt16(x[i / width * rowLength + column / 8] >> (7 - UInt8(column % 8)) & 1)
        } else if header.kind == .uint16 {
          y[i] = UInt16(x[2 * i]) << 8 | UInt16(x[2 * i + 1])
        } else {
          y[i] = UInt16(x[i])
        }
      }
    }
    guard let bad = values.first(where: { $0 > largest }) else { return values }
    throw DataError(path: file.path, reason: "wanted values of at most \(largest), as the header says, found \(bad)")
  }

  private func scaled(_ values: [UInt16]) -> Elements {
    let isBitmap = variant % 3 == 1
    func scaled<T: FixedWidthInteger & UnsignedInteger>(to type: T.Type) -> [T] {
      let (white, largest) = (UInt32(T.max), UInt32(largest))
      return Image.make(values.count, values) { x, y in
        for i in 0..<values.count {
          let value = isBitmap ? 1 - UInt32(x[i]) : UInt32(x[i])
          y[i] = T((value * white + largest / 2) / largest)
        }
      }
    }
    return header.kind == .uint16 ? .words(scaled(to: UInt16.self)) : .bytes(scaled(to: UInt8.self))
  }

  fileprivate static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}

/// A reader of the numbers in a portable map, which may have comments from # to the end of a line between them.
private struct PNMText {
  let bytes: [UInt8]
  var place: Int
  let path: String

  private mutating func skip() {
    while place < bytes.count {
      if bytes[place] == UInt8(ascii: "#") {
        while place < bytes.count, bytes[place] != 10, bytes[place] != 13 { place += 1 }
      } else if PNMFile.isSpace(bytes[place]) {
        place += 1
      } else {
        return
      }
    }
  }

  private func digit(_ byte: UInt8) -> Int? {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte - UInt8(ascii: "0")) : nil
  }

  mutating func number(_ what: String) throws(DataError) -> Int {
    skip()
    let first = place
    var number = 0
    while place < bytes.count, let digit = digit(bytes[place]), number < 1 << 40 {
      number = 10 * number + digit
      place += 1
    }
    guard place > first else {
      let found = place < bytes.count ? "the byte \(bytes[place])" : "the end of the header or file"
      throw DataError(path: path, reason: "wanted \(what) in a portable map at byte \(place), found \(found)")
    }
    return number
  }

  mutating func values(_ count: Int, areBits: Bool, largest: Int) throws(DataError) -> [UInt16] {
    var values: [UInt16] = []
    values.reserveCapacity(count)
    for _ in 0..<count {
      var value = 0
      if areBits {
        skip()
        // Bits need no space between them.
        value = place < bytes.count ? digit(bytes[place]) ?? 2 : 2
        place += 1
      } else {
        value = try number("a value")
      }
      guard value <= largest else {
        throw DataError(
          path: path,
          reason: "wanted values of at most \(largest), found another before byte \(place); the file is broken")
      }
      values.append(UInt16(value))
    }
    return values
  }
}
