import HourglassBase

/// A colour of 8 bits a channel, written `white`, `black` or `#rrggbb`.
public struct RGBColor: Codable, Sendable, Equatable {
  public var red: UInt8
  public var green: UInt8
  public var blue: UInt8

  private static let named = ["white": "#ffffff", "black": "#000000"]

  /// Reads `white`, `black` or `#rrggbb`; nil for any other text.
  public init?(_ text: String) {
    let digits = Array((Self.named[text.lowercased()] ?? text).utf8)
    guard digits.count == 7, digits[0] == UInt8(ascii: "#") else { return nil }
    let values = digits.dropFirst().compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard values.count == 6 else { return nil }
    let bytes = stride(from: 0, to: 6, by: 2).map { UInt8(16 * values[$0] + values[$0 + 1]) }
    (red, green, blue) = (bytes[0], bytes[1], bytes[2])
  }

  public init(from decoder: any Decoder) throws {
    guard let text = try? String(from: decoder), let color = RGBColor(text) else {
      throw decoder.mismatch("white, black or #rrggbb")
    }
    self = color
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  var isGrey: Bool { red == green && green == blue }
}

extension RGBColor: CustomStringConvertible {
  public var description: String {
    "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

extension Image {
  /// The colours C of an image whose last channel is the opacity a in [0, 1]. Over a background B they are a C + (1 -
  /// a) B of the values as they are stored, rounded once. Without a background they are C, hidden or not, and a remark
  /// says where something is hidden.
  ///
  /// Grey over a background of another colour becomes RGB.
  ///
  /// - Parameter isMultiplied: whether a C is stored in place of C; it then stays.
  func withoutOpacity(over background: RGBColor?, isMultiplied: Bool) -> Image {
    let channels = shape.channels - 1
    let isTinted = background.map { channels == 1 && !$0.isGrey } ?? false
    let (count, made) = (shape.height * shape.width, isTinted ? 3 : channels)
    let colors = background.map { [$0.red, $0.green, $0.blue] } ?? []
    var isTransparent = false

    func whole<T: FixedWidthInteger & UnsignedInteger>(_ values: [T]) -> [T] {
      let most = UInt64(T.max)
      let behind = colors.map { UInt64($0) * (most / 255) }
      return Self.make(count * made, values) { x, y in
        for i in 0..<count {
          let (pixel, opacity) = (x + i * (channels + 1), UInt64(x[i * (channels + 1) + channels]))
          if opacity < most { isTransparent = true }
          for c in 0..<made {
            let color = pixel[isTinted ? 0 : c]
            guard !behind.isEmpty, opacity < most else {
              y[i * made + c] = color
              continue
            }
            let sum = UInt64(color) * (isMultiplied ? most : opacity) + behind[c % 3] * (most - opacity)
            y[i * made + c] = T(min(most, (sum + most / 2) / most))
          }
        }
      }
    }
    func real(_ values: [Float]) -> [Float] {
      Self.make(count * made, values) { x, y in
        for i in 0..<count {
          let (pixel, opacity) = (x + i * (channels + 1), x[i * (channels + 1) + channels])
          if opacity < 1 { isTransparent = true }
          for c in 0..<made {
            let color = pixel[isTinted ? 0 : c]
            y[i * made + c] =
              colors.isEmpty
              ? color : color * (isMultiplied ? 1 : opacity) + Float(colors[c % 3]) / 255 * (1 - opacity)
          }
        }
      }
    }
    let elements: Elements =
      switch elements {
      case .bytes(let bytes): .bytes(whole(bytes))
      case .words(let words): .words(whole(words))
      case .floats(let floats): .floats(real(floats))
      }
    var image = Image(shape: ImageShape(shape.height, shape.width, made), elements: elements)
    if isTransparent, background == nil { image.remarks = .transparent }
    return image
  }

  /// Light from ink, RGB from CMYK: R = (1 - C)(1 - K) and so on, in units of the largest number, rounded. Adobe's
  /// programs store 1 - C in JPEG files (`isInverted`).
  static func multipliedOut<T: FixedWidthInteger & UnsignedInteger>(_ ink: [T], isInverted: Bool) -> [T] {
    let count = ink.count / 4
    let most = UInt64(T.max)
    let flip = isInverted ? 0 : most
    return make(3 * count, ink) { x, y in
      for i in 0..<count {
        let black = flip ^ UInt64(x[4 * i + 3])
        for c in 0..<3 { y[3 * i + c] = T(((flip ^ UInt64(x[4 * i + c])) * black + most / 2) / most) }
      }
    }
  }
}
