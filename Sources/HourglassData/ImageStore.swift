import HourglassModels

/// Decoded images of one shape in memory of a fixed size, a byte or a float for each element.
///
/// Whoever writes a place must be the only one to touch it meanwhile.
struct ImageStore: Sendable {
  let shape: ImageShape
  let places: Int
  private let values: Values

  private enum Values: Sendable {
    case bytes(AlignedBuffer<UInt8>)
    case floats(AlignedBuffer<Float>)
  }

  /// Room for so many images like this one.
  init(_ places: Int, like image: Image) {
    (shape, self.places) = (image.shape, places)
    switch image.elements {
    case .bytes: values = .bytes(AlignedBuffer(count: places * shape.count))
    case .floats: values = .floats(AlignedBuffer(count: places * shape.count))
    }
  }

  /// Bytes that an image takes.
  static func bytes(of image: Image) -> Int {
    if case .bytes = image.elements { image.shape.count } else { image.shape.count * MemoryLayout<Float>.size }
  }

  var areBytes: Bool { if case .bytes = values { true } else { false } }

  /// Whether an image has the shape and the kind of elements that are kept here.
  func takes(_ image: Image) -> Bool {
    guard image.shape == shape else { return false }
    if case .bytes = image.elements { return areBytes } else { return !areBytes }
  }

  /// Keeps an image that it takes.
  func put(_ image: Image, at place: Int) {
    let count = shape.count
    switch (values, image.elements) {
    case (.bytes(let out), .bytes(let bytes)):
      bytes.withUnsafeBufferPointer { (out.pointer + place * count).update(from: $0.baseAddress!, count: count) }
    case (.floats(let out), .floats(let floats)):
      floats.withUnsafeBufferPointer { (out.pointer + place * count).update(from: $0.baseAddress!, count: count) }
    default: preconditionFailure("an image of other elements")
    }
  }

  func move(from source: Int, to place: Int) {
    let count = shape.count
    switch values {
    case .bytes(let all): (all.pointer + place * count).update(from: all.pointer + source * count, count: count)
    case .floats(let all): (all.pointer + place * count).update(from: all.pointer + source * count, count: count)
    }
  }

  /// Writes the image at a place, H x W x C with values in [0, 1].
  func fill(_ place: Int, into image: UnsafeMutablePointer<Float>) {
    let count = shape.count
    switch values {
    case .bytes(let all): Elements.scale(all.pointer + place * count, count, into: image)
    case .floats(let all): image.update(from: all.pointer + place * count, count: count)
    }
  }
}

extension Elements {
  /// Bytes divided by 255.
  static func scale(_ bytes: UnsafePointer<UInt8>, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    for i in 0..<count { image[i] = Float(bytes[i]) / 255 }
  }

  /// Writes some elements: bytes divided by 255, floats as they are.
  func fill(_ first: Int, _ count: Int, into image: UnsafeMutablePointer<Float>) {
    switch self {
    case .bytes(let bytes): bytes.withUnsafeBufferPointer { Self.scale($0.baseAddress! + first, count, into: image) }
    case .floats(let floats):
      floats.withUnsafeBufferPointer { image.update(from: $0.baseAddress! + first, count: count) }
    }
  }
}
