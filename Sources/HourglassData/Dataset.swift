import HourglassModels

/// Which part of a data set.
public enum Split: String, Sendable, CaseIterable, Codable {
  case train, test
}

/// Images of one shape, held in memory as they are stored or read one by one, with labels where there are any.
public struct Dataset: Sendable {
  public let shape: ImageShape
  /// Images.
  public let count: Int
  /// The class of each image.
  public let labels: [UInt8]?
  /// Where the images come from, for people to read.
  public let source: String
  private let storage: Storage

  /// Writes image `index`, H x W x C with values in [0, 1]; called by several threads at once.
  public typealias Reader = @Sendable (_ index: Int, _ image: UnsafeMutablePointer<Float>) throws(DataError) -> Void

  private enum Storage: Sendable {
    case elements(Elements)
    case reader(Reader)
  }

  /// Images that are read when they are wanted, which may fail at any time.
  public init(count: Int, shape: ImageShape, source: String, reader: @escaping Reader) {
    (self.count, self.shape, labels, self.source) = (count, shape, nil, source)
    storage = .reader(reader)
  }

  /// Elements: N x H x W x C, bytes 0 to 255 or floats in [0, 1].
  ///
  /// Errors: elements or labels that do not fit the shape; a float that is not finite or lies outside [0, 1], by image.
  public init(_ elements: Elements, shape: ImageShape, labels: [UInt8]? = nil, source: String) throws(DataError) {
    guard shape.count > 0, elements.count > 0, elements.count % shape.count == 0 else {
      throw DataError(
        path: source, reason: "wanted at least one image of \(shape), found \(elements.count) elements")
    }
    count = elements.count / shape.count
    storage = .elements(elements)
    (self.shape, self.labels, self.source) = (shape, labels, source)
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
  ///
  /// Errors: those of the reader; images in memory have none.
  public func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    precondition(index >= 0 && index < count, "image \(index) of \(count)")
    let size = shape.count
    switch storage {
    case .reader(let read): try read(index, image)
    case .elements(.bytes(let bytes)):
      bytes.withUnsafeBufferPointer { bytes in
        let source = bytes.baseAddress! + index * size
        for i in 0..<size { image[i] = Float(source[i]) / 255 }
      }
    case .elements(.floats(let floats)):
      floats.withUnsafeBufferPointer { image.update(from: $0.baseAddress! + index * size, count: size) }
    }
  }

  /// Image `index`, H x W x C.
  public func image(_ index: Int) throws -> [Float] { try images(index..<index + 1) }

  /// Some images one after the other, N x H x W x C.
  public func images(_ range: Range<Int>) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: range.count * shape.count) { buffer, initialized in
      for (n, index) in range.enumerated() where buffer.baseAddress != nil {
        try fill(index, into: buffer.baseAddress! + n * shape.count)
      }
      initialized = range.count * shape.count
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
