import HourglassBase

/// Decoded images of one shape and kind of elements in memory of a fixed size.
///
/// A thread that writes a place must be the only one to touch it meanwhile.
struct ImageStore: PixelStore {
  let shape: ImageShape
  let kind: Elements.Kind
  let places: Int
  private let memory: AlignedBuffer<UInt8>
  /// Bytes of an image.
  private var length: Int { shape.count * kind.width }

  /// Room for `places` images of a shape.
  init(_ places: Int, _ shape: ImageShape, _ kind: Elements.Kind) {
    (self.shape, self.kind, self.places) = (shape, kind, places)
    memory = AlignedBuffer(count: places * shape.count * kind.width)
  }

  private func bytes(_ place: Int) -> UnsafeMutablePointer<UInt8> { memory.pointer + place * length }

  /// Keeps an image of the shape and the kind of elements that are kept here.
  func put(_ image: Image, at place: Int) {
    precondition(image.elements.kind == kind && image.shape == shape, "an image of other elements")
    image.elements.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(start: bytes(place), count: length).copyMemory(from: $0)
    }
  }

  func move(from source: Int, to place: Int) { bytes(place).update(from: bytes(source), count: length) }

  func fill(_ place: Int, into image: UnsafeMutablePointer<Float>) {
    let count = shape.count
    switch kind {
    case .uint8: Elements.scale(bytes(place), count, into: image)
    case .uint16:
      bytes(place).withMemoryRebound(to: UInt16.self, capacity: count) { Elements.scale($0, count, into: image) }
    case .float32: UnsafeMutableRawPointer(image).copyMemory(from: bytes(place), byteCount: length)
    }
  }
}

extension Elements {
  /// Writes `count` bytes divided by 255.
  static func scale(_ bytes: UnsafePointer<UInt8>, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    for i in 0..<count { image[i] = Float(bytes[i]) / 255 }
  }

  /// Writes `count` 16-bit numbers divided by 65535.
  static func scale(_ words: UnsafePointer<UInt16>, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    for i in 0..<count { image[i] = Float(words[i]) / 65_535 }
  }

  /// The elements as they lie in memory.
  func withUnsafeBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
    switch self {
    case .bytes(let bytes): bytes.withUnsafeBytes(body)
    case .words(let words): words.withUnsafeBytes(body)
    case .floats(let floats): floats.withUnsafeBytes(body)
    }
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
