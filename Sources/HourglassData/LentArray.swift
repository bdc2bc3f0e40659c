import HourglassBase

/// An array in the caller's memory, which is read in place: N samples with any distance between elements along each
/// axis, as NumPy has them.
///
/// Whoever lends an array keeps it where it is, unchanged, as long as a data set of it is used. Bytes and 16-bit
/// numbers stand for numbers in [0, 1], floats for themselves.
public struct LentArray: Sendable {
  /// The type of the elements.
  public enum Element: Int32, Sendable, CaseIterable {
    case uint8 = 1
    case uint16, float32, float64

    /// The bytes of an element.
    public var width: Int {
      switch self {
      case .uint8: 1
      case .uint16: 2
      case .float32: 4
      case .float64: 8
      }
    }
  }

  /// The number of samples.
  public let count: Int
  /// The shape of each sample, H x W x C.
  public let shape: ImageShape
  /// The type of the elements.
  public let element: Element
  /// The address of the first element as a number, because pointers are not sent from thread to thread.
  private let address: UInt
  /// The bytes from one sample, row, column and channel to the next.
  private let strides: (sample: Int, row: Int, column: Int, channel: Int)

  /// An array whose axes follow from its extents and from what a model reads, as those of an NPY file do: N x D, where
  /// D may be all elements of an image, N x H x W, N x H x W x C, N x C x H x W; of sequences N x L, N x L x C,
  /// N x C x L.
  ///
  /// Errors: no samples; axes that no images have; extents or distances beyond all memory.
  ///
  /// - Parameters:
  ///   - data: the first element. No alignment is wanted.
  ///   - strides: the bytes from one element to the next along each axis, negative ones too; nil for an array without
  ///     gaps, whose last axis is the innermost.
  ///   - input: the shape that is wanted of each sample.
  ///   - source: what errors call the array.
  public init(
    _ data: UnsafeRawPointer, _ element: Element, extents: [Int], strides: [Int]? = nil, for input: ImageShape,
    source: String
  ) throws(DataError) {
    guard (2...4).contains(extents.count), strides.map({ $0.count == extents.count }) ?? true else {
      throw DataError(
        path: source, reason: "wanted 2 to 4 axes, N x H x W x C or fewer, found \(extents.count)")
    }
    guard extents.allSatisfy({ $0 >= 0 }), let size = checkedProduct(extents + [element.width]) else {
      throw DataError(path: source, reason: "wanted the extents of an array, found \(extents)")
    }
    let layout = try NPYArray.samples(extents, nil, input, source)
    let isFlat = extents.count == 2 && extents[1] == input.count
    (count, shape, self.element) = (layout.count, isFlat ? input : layout.shape, element)
    var steps = strides ?? []
    if strides == nil {
      var step = element.width
      for extent in extents.reversed() {
        steps.insert(step, at: 0)
        step *= extent
      }
    }
    // The bytes from the lowest to the highest element must be those of some memory.
    var (below, above) = (0, size > 0 ? element.width : 0)
    for (extent, step) in zip(extents, steps) {
      let (way, isTooLong) = step.multipliedReportingOverflow(by: extent - 1)
      guard !isTooLong, abs(Double(way)) < Double(Int.max / 8) else {
        throw DataError(path: source, reason: "wanted distances within memory, found \(steps) for \(extents)")
      }
      (below, above) = (below + min(way, 0), above + max(way, 0))
    }
    address = UInt(bitPattern: data)
    let (low, isBelow) = Int(bitPattern: address).addingReportingOverflow(below)
    let (_, isAbove) = Int(bitPattern: address).addingReportingOverflow(above)
    guard low > 0, !isBelow, !isAbove else {
      throw DataError(path: source, reason: "wanted distances within memory, found \(steps) for \(extents)")
    }
    let sample = steps[0]
    switch extents.count {
    case 2:
      let (column, row) = (shape.channels * steps[1], shape.width * shape.channels * steps[1])
      self.strides = (sample, row, column, steps[1])
    case 3 where layout.isPlanar: self.strides = (sample, 0, steps[2], steps[1])
    case 3 where shape == ImageShape(extents[1], extents[2], 1): self.strides = (sample, steps[1], steps[2], 0)
    case 3: self.strides = (sample, 0, steps[1], steps[2])
    case _ where layout.isPlanar: self.strides = (sample, steps[2], steps[3], steps[1])
    default: self.strides = (sample, steps[1], steps[2], steps[3])
    }
  }

  /// Whether the elements of a sample lie one after the other in the order H, W, C, at addresses of their type.
  private var isDense: Bool {
    let width = element.width
    return (shape.channels == 1 || strides.channel == width)
      && (shape.width == 1 || strides.column == width * shape.channels)
      && (shape.height == 1 || strides.row == width * shape.channels * shape.width)
      && address % UInt(width) == 0 && strides.sample % width == 0
  }

  /// The range of all numbers and the part of them that is NaN.
  ///
  /// Cost: reads all floats once. Errors: an infinity; a NaN unless elements may be missing.
  func measured(takesMissing: Bool, source: String) throws(DataError) -> ValueMeter {
    let values = ValueMeter()
    guard element == .float32 || element == .float64 else {
      values.add(.bytes([0]))
      return values
    }
    var image = [Float](repeating: 0, count: shape.count)
    for index in 0..<count {
      fill(index, into: &image)
      let elements = Elements.floats(image)
      if let fault = PreparedImages.fault(elements, takesMissing: takesMissing) {
        throw DataError(path: source, reason: "image \(index): \(fault)")
      }
      values.add(elements)
    }
    return values
  }
}

extension LentArray: PixelStore {
  /// How a file would store the elements: doubles are read as floats.
  var kind: Elements.Kind {
    switch element {
    case .uint8: .uint8
    case .uint16: .uint16
    case .float32, .float64: .float32
    }
  }

  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) {
    guard let sample = UnsafeRawPointer(bitPattern: address).map({ $0 + index * strides.sample }) else { return }
    let count = shape.count
    switch element {
    case .uint8 where isDense: Elements.scale(sample.assumingMemoryBound(to: UInt8.self), count, into: image)
    case .uint16 where isDense: Elements.scale(sample.assumingMemoryBound(to: UInt16.self), count, into: image)
    case .float32 where isDense: UnsafeMutableRawPointer(image).copyMemory(from: sample, byteCount: 4 * count)
    case .uint8: gather(sample, into: image) { Float($0.load(as: UInt8.self)) / 255 }
    case .uint16: gather(sample, into: image) { Float($0.loadUnaligned(as: UInt16.self)) / 65_535 }
    case .float32: gather(sample, into: image) { $0.loadUnaligned(as: Float.self) }
    case .float64: gather(sample, into: image) { Float($0.loadUnaligned(as: Double.self)) }
    }
  }

  @inline(__always)
  private func gather(
    _ sample: UnsafeRawPointer, into image: UnsafeMutablePointer<Float>, _ number: (UnsafeRawPointer) -> Float
  ) {
    var place = 0
    for row in 0..<shape.height {
      for column in 0..<shape.width {
        let pixel = sample + row * strides.row + column * strides.column
        for channel in 0..<shape.channels {
          image[place] = number(pixel + channel * strides.channel)
          place += 1
        }
      }
    }
  }
}
