import HourglassBase

/// Decoded images of one shape in memory of a fixed size, a byte, two bytes or a float for each element.
///
/// Whoever writes a place must be the only one to touch it meanwhile.
struct ImageStore: Sendable {
  let shape: ImageShape
  let places: Int
  private let values: Values

  private enum Values: Sendable {
    case bytes(AlignedBuffer<UInt8>)
    case words(AlignedBuffer<UInt16>)
    case floats(AlignedBuffer<Float>)
  }

  /// Room for so many images of a shape.
  init(_ places: Int, _ shape: ImageShape, _ kind: Elements.Kind) {
    (self.shape, self.places) = (shape, places)
    switch kind {
    case .uint8: values = .bytes(AlignedBuffer(count: places * shape.count))
    case .uint16: values = .words(AlignedBuffer(count: places * shape.count))
    case .float32: values = .floats(AlignedBuffer(count: places * shape.count))
    }
  }

  var kind: Elements.Kind {
    switch values {
    case .bytes: .uint8
    case .words: .uint16
    case .floats: .float32
    }
  }

  /// Keeps an image of the shape and the kind of elements that are kept here.
  func put(_ image: Image, at place: Int) {
    let count = shape.count
    switch (values, image.elements) {
    case (.bytes(let out), .bytes(let bytes)):
      bytes.withUnsafeBufferPointer { (out.pointer + place * count).update(from: $0.baseAddress!, count: count) }
    case (.words(let out), .words(let words)):
      words.withUnsafeBufferPointer { (out.pointer + place * count).update(from: $0.baseAddress!, count: count) }
    case (.floats(let out), .floats(let floats)):
      floats.withUnsafeBufferPointer { (out.pointer + place * count).update(from: $0.baseAddress!, count: count) }
    default: preconditionFailure("an image of other elements")
    }
  }

  func move(from source: Int, to place: Int) {
    let count = shape.count
    switch values {
    case .bytes(let all): (all.pointer + place * count).update(from: all.pointer + source * count, count: count)
    case .words(let all): (all.pointer + place * count).update(from: all.pointer + source * count, count: count)
    case .floats(let all): (all.pointer + place * count).update(from: all.pointer + source * count, count: count)
    }
  }

  /// Writes the image at a place, H x W x C with values in [0, 1].
  func fill(_ place: Int, into image: UnsafeMutablePointer<Float>) {
    let count = shape.count
    switch values {
    case .bytes(let all): Elements.scale(all.pointer + place * count, count, into: image)
    case .words(let all): Elements.scale(all.pointer + place * count, count, into: image)
    case .floats(let all): image.update(from: all.pointer + place * count, count: count)
    }
  }
}

extension Elements {
  /// Bytes divided by 255.
  static func scale(_ bytes: UnsafePointer<UInt8>, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    for i in 0..<count { image[i] = Float(bytes[i]) / 255 }
  }

  /// 16-bit numbers divided by 65535.
  static func scale(_ words: UnsafePointer<UInt16>, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    for i in 0..<count { image[i] = Float(words[i]) / 65_535 }
  }

  /// Writes some elements: bytes divided by 255, 16-bit numbers by 65535, floats as they are.
  func fill(_ first: Int, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    switch self {
    case .bytes(let bytes): bytes.withUnsafeBufferPointer { Self.scale($0.baseAddress! + first, count, into: image) }
    case .words(let words): words.withUnsafeBufferPointer { Self.scale($0.baseAddress! + first, count, into: image) }
    case .floats(let floats):
      floats.withUnsafeBufferPointer { image.update(from: $0.baseAddress! + first, count: count) }
    }
  }
}
