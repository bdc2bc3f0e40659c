import HourglassBase
import Synchronization

/// The two numbers of a file that become 0 and 1: x becomes (x - low) / (high - low). Bytes count from 0 to 255, 16-bit
/// numbers from 0 to 65535.
///
/// JSON and the command line write it as `LOW:HIGH`.
public struct ValueRange: TextForm, Sendable, Equatable {
  public static let wanted = "LOW:HIGH, two numbers of which the first is the lower, such as \"0:255\""

  /// The number that becomes 0.
  public let low: Double
  /// The number that becomes 1.
  public let high: Double

  /// Reads `LOW:HIGH`; nil where an end is not finite, or the low one not below the high one.
  public init?(rawValue: String) {
    let ends = rawValue.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) }
    guard ends.count == 2, let low = ends[0], let high = ends[1], low < high, (high - low).isFinite else { return nil }
    (self.low, self.high) = (low, high)
  }

  public var rawValue: String { "\(Self.text(low)):\(Self.text(high))" }

  private static func text(_ end: Double) -> String {
    end == end.rounded() && abs(end) < 1e15 ? "\(Int(clamping: end))" : "\(end)"
  }

  /// A range that takes numbers from `least` to `most` to [0, 1]: one in which numbers are usually kept, where they
  /// fill a quarter of it, or else their own.
  static func holding(_ least: Float, _ most: Float) -> ValueRange? {
    let usual = ["-1:1", "0:255", "0:1023", "0:4095", "0:65535"].compactMap { ValueRange(rawValue: $0) }
    func fits(_ range: ValueRange) -> Bool {
      Double(least) >= range.low && Double(most) <= range.high
        && Double(most) - Double(least) >= (range.high - range.low) / 4
    }
    return usual.first(where: fits) ?? ValueRange(rawValue: "\(least):\(most)")
  }

  /// The number that becomes 1 for a kind of elements without a range.
  private static func full(_ kind: Elements.Kind) -> Double? {
    switch kind {
    case .uint8: 255
    case .uint16: 65_535
    case .float32: 1
    }
  }

  /// Whether elements of a kind are mapped like this without a range.
  func isNatural(of kind: Elements.Kind) -> Bool { low == 0 && high == Self.full(kind) }

  fileprivate func map(_ x: Double) -> Float { Float((x - low) / (high - low)) }
}

extension Image {
  /// The image with its numbers mapped, as floats unless nothing changes.
  func mapped(by range: ValueRange) -> Image {
    guard !range.isNatural(of: elements.kind) else { return self }
    func floats<T>(_ values: [T], _ number: (T) -> Double) -> Elements {
      .floats(Self.make(values.count, values) { x, y in for i in 0..<values.count { y[i] = range.map(number(x[i])) } })
    }
    var image = self
    image.elements =
      switch elements {
      case .bytes(let bytes): floats(bytes) { Double($0) }
      case .words(let words): floats(words) { Double($0) }
      case .floats(let values): floats(values) { Double($0) }
      }
    return image
  }

  /// The image with dark and light exchanged: floats x become 1 - x, bytes 255 - x, 16-bit numbers 65535 - x.
  func inverted() -> Image {
    func inverse<T>(_ values: [T], _ inverse: (T) -> T) -> [T] {
      Self.make(values.count, values) { x, y in for i in 0..<values.count { y[i] = inverse(x[i]) } }
    }
    var image = self
    image.elements =
      switch elements {
      case .bytes(let bytes): .bytes(inverse(bytes) { 255 - $0 })
      case .words(let words): .words(inverse(words) { 65_535 - $0 })
      case .floats(let floats): .floats(inverse(floats) { 1 - $0 })
      }
    return image
  }

  /// The image scaled to fit inside a size with its proportions kept, in the middle of zeros or of a colour.
  func fitted(into size: Extent2D, over background: RGBColor?) -> Image {
    resized(to: shape.fitted(into: size)).padded(to: size, background)
  }

  /// The image in the middle of a larger one; the larger part of an odd margin lies at the bottom and right.
  private func padded(to size: Extent2D, _ background: RGBColor?) -> Image {
    guard size.height != shape.height || size.width != shape.width else { return self }
    let wanted = ImageShape(size.height, size.width, shape.channels)
    let row = shape.width * shape.channels
    let first = ((size.height - shape.height) / 2 * size.width + (size.width - shape.width) / 2) * shape.channels
    let margin = background?.bytes(channels: shape.channels) ?? Array(repeating: 0, count: shape.channels)
    func pad<T>(_ values: [T], _ value: (UInt8) -> T) -> [T] {
      let margin = margin.map(value)
      return Self.make(wanted.count, values) { x, y in
        for place in 0..<wanted.count { y[place] = margin[place % shape.channels] }
        for h in 0..<shape.height {
          (y + first + h * size.width * shape.channels).update(from: x + h * row, count: row)
        }
      }
    }
    let elements: Elements =
      switch elements {
      case .bytes(let bytes): .bytes(pad(bytes) { $0 })
      case .words(let words): .words(pad(words) { UInt16($0) * 257 })
      case .floats(let floats): .floats(pad(floats) { Float($0) / 255 })
      }
    return Image(shape: wanted, elements: elements)
  }
}

extension RGBColor {
  /// The colour as a pixel of `channels` channels: its luma of ITU-R BT.601 in one, itself in three; in any other
  /// number a grey fills all channels and another colour is 0.
  fileprivate func bytes(channels: Int) -> [UInt8] {
    if channels == 3 { return [red, green, blue] }
    if channels > 1 { return Array(repeating: isGrey ? red : 0, count: channels) }
    // The weights are those of `Image.grey`, in units of 2^-16.
    let luma = 19_595 * UInt32(red) + 38_470 * UInt32(green) + 7_471 * UInt32(blue)
    return [UInt8(truncatingIfNeeded: (luma + 32_768) >> 16)]
  }
}

extension ImageShape {
  /// The largest size with these proportions, up to rounding, that fits inside another.
  func fitted(into size: Extent2D) -> Extent2D {
    let scale = min(Double(size.height) / Double(height), Double(size.width) / Double(width))
    func scaled(_ old: Int, _ most: Int) -> Int { min(most, max(1, Int(clamping: (Double(old) * scale).rounded()))) }
    return Extent2D(scaled(height, size.height), scaled(width, size.width))
  }
}

/// A meter of the least and the greatest value of images that several threads read, and of how many are missing.
final class ValueMeter: Sendable {
  private struct Ends {
    var least = Float.infinity
    var most = -Float.infinity
    var missing = 0
    var count = 0
  }
  private let ends = Mutex(Ends())

  /// Takes the values of an image into account; bytes and 16-bit numbers count with all values that they can have.
  func add(_ elements: Elements) {
    var found = Ends(count: elements.count)
    if case .floats(let floats) = elements {
      floats.withUnsafeBufferPointer { floats in
        for value in floats {
          if value < found.least { found.least = value }
          if value > found.most { found.most = value }
          if value.isNaN { found.missing += 1 }
        }
      }
    } else {
      (found.least, found.most) = (0, 1)
    }
    ends.withLock {
      ($0.least, $0.most) = (min($0.least, found.least), max($0.most, found.most))
      ($0.missing, $0.count) = ($0.missing + found.missing, $0.count + found.count)
    }
  }

  var range: ClosedRange<Float> { ends.withLock { $0.least <= $0.most ? $0.least...$0.most : 0...1 } }

  /// The part of all values that is NaN.
  var missingPart: Double { ends.withLock { Double($0.missing) / Double(max(1, $0.count)) } }
}

extension Dataset {
  /// The flag that would bring the set's numbers to [0, 1]; nil where they lie there or come from no file.
  public var rangeAdvice: String? {
    guard let preparation, terms == nil, range.lowerBound < 0 || range.upperBound > 1 else { return nil }
    if preparation.range != nil { return "widen --range" }
    let (least, most) = (range.lowerBound, range.upperBound)
    let found = preparation.inverts == true ? (1 - most, 1 - least) : (least, most)
    return ValueRange.holding(found.0, found.1).map { "--range \($0.rawValue) brings them there" }
  }
}
