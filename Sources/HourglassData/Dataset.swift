import HourglassModels

/// Which part of a data set.
public enum Split: String, Sendable, CaseIterable, Codable {
  case train, test
}

/// Images of one shape, held in memory as they are stored, with labels where there are any.
public struct Dataset: Sendable {
  public let shape: ImageShape
  /// Images.
  public let count: Int
  /// The class of each image.
  public let labels: [UInt8]?
  /// Where the images come from, for people to read.
  public let source: String
  private let elements: Elements

  /// Elements: N x H x W x C, bytes 0 to 255 or floats in [0, 1].
  ///
  /// Errors: elements or labels that do not fit the shape; a float that is not finite or lies outside [0, 1], by image.
  public init(_ elements: Elements, shape: ImageShape, labels: [UInt8]? = nil, source: String) throws(DataError) {
    guard shape.count > 0, elements.count > 0, elements.count % shape.count == 0 else {
      throw DataError(
        path: source, reason: "wanted at least one image of \(shape), found \(elements.count) elements")
    }
    count = elements.count / shape.count
    (self.elements, self.shape, self.labels, self.source) = (elements, shape, labels, source)
    if let labels, labels.count != count {
      throw DataError(path: source, reason: "wanted \(count) labels for \(count) images, found \(labels.count)")
    }
    if case .floats(let floats) = elements, let place = floats.firstIndex(where: { !($0 >= 0 && $0 <= 1) }) {
      let advice = floats[place].isFinite ? "scale the pixels, for example by 1/255" : "remove or repair that image"
      throw DataError(
        path: source,
        reason: "image \(place / shape.count): wanted pixels in [0, 1], found \(floats[place]); \(advice)")
    }
  }

  /// Writes image `index`, H x W x C: bytes divided by 255, floats as they are.
  public func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) {
    precondition(index >= 0 && index < count, "image \(index) of \(count)")
    let size = shape.count
    switch elements {
    case .bytes(let bytes):
      bytes.withUnsafeBufferPointer { bytes in
        let source = bytes.baseAddress! + index * size
        for i in 0..<size { image[i] = Float(source[i]) / 255 }
      }
    case .floats(let floats):
      floats.withUnsafeBufferPointer { image.update(from: $0.baseAddress! + index * size, count: size) }
    }
  }

  /// Image `index`, H x W x C.
  public func image(_ index: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: shape.count) { buffer, initialized in
      fill(index, into: buffer.baseAddress!)
      initialized = shape.count
    }
  }

  /// The built-in images (see `SyntheticImages`), labelled with their class. Without `count`, 16,384 for training and
  /// 2,048 for test.
  public static func synthetic(shape: ImageShape, count: Int? = nil, seed: UInt64, split: Split) throws(DataError)
    -> Dataset
  {
    let images = try SyntheticImages(shape: shape, seed: seed, split: split)
    let count = count ?? (split == .train ? 16_384 : 2_048)
    let (bytes, labels) = images.make(count: count)
    return try Dataset(
      .bytes(bytes), shape: shape, labels: labels, source: "built-in images \(shape), seed \(seed), \(split.rawValue)")
  }
}
