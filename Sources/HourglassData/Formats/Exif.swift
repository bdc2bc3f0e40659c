import HourglassBase

/// The data that cameras store beside a picture; only the orientation is read.
///
/// Source: TIFF 6.0 and Exif 2.3. Broken data counts as absent.
enum Exif {
  /// The orientation, tag 0x0112 of the first directory, from 1 (upright) to 8.
  ///
  /// - Parameter tiff: the data from the byte order on.
  static func orientation(_ tiff: some Collection<UInt8>) -> Int? {
    let tiff = Array(tiff)
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
