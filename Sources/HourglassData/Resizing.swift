import HourglassModels

extension Image {
  /// The image at another size: the mean over the area of each new pixel along an axis that shrinks, linear
  /// interpolation along an axis that grows.
  ///
  /// Both filters are separable, sum to 1 and are free of aliasing as far as a box is. Along a shrinking axis new pixel
  /// i covers [i s, (i + 1) s) of the old ones, s = old / new, and weights each by the part of it that it covers; along
  /// a growing one it lies at (i + 1/2) s - 1/2 between two old ones, the outermost ones going on beyond the edge.
  /// The proportions are those asked for. Bytes and 16-bit numbers are rounded once, at the end.
  func resized(to size: Extent2D) -> Image {
    guard size.height != shape.height || size.width != shape.width else { return self }
    let wanted = ImageShape(size.height, size.width, shape.channels)
    func rounded<T: FixedWidthInteger & UnsignedInteger>(_ numbers: [T]) -> [T] {
      let floats: [Float] = Self.make(numbers.count, numbers) { x, y in
        for i in 0..<shape.count { y[i] = Float(x[i]) }
      }
      return Self.make(wanted.count, resample(floats, to: wanted)) { x, y in
        for i in 0..<wanted.count { y[i] = T(min(max(x[i], 0), Float(T.max)) + 0.5) }
      }
    }
    switch elements {
    case .bytes(let bytes): return Image(shape: wanted, elements: .bytes(rounded(bytes)))
    case .words(let words): return Image(shape: wanted, elements: .words(rounded(words)))
    case .floats(let floats):
      let resized = resample(floats, to: wanted)
      // The weights sum to 1 but for rounding, which must not leave [0, 1], nor a range beyond it.
      let (least, most) = (min(0, floats.min() ?? 0), max(1, floats.max() ?? 1))
      return Image(
        shape: wanted,
        elements: .floats(
          Self.make(wanted.count, resized) { x, y in
            for i in 0..<wanted.count { y[i] = min(max(x[i], least), most) }
          }))
    }
  }

  private func resample(_ values: [Float], to wanted: ImageShape) -> [Float] {
    let channels = shape.channels
    let narrow = Self.along(
      values, outer: shape.height, old: shape.width, inner: channels, Filter(old: shape.width, new: wanted.width))
    return Self.along(
      narrow, outer: 1, old: shape.height, inner: wanted.width * channels,
      Filter(old: shape.height, new: wanted.height))
  }

  /// outer x old x inner -> outer x new x inner.
  private static func along(_ values: [Float], outer: Int, old: Int, inner: Int, _ filter: Filter) -> [Float] {
    make(outer * filter.taps.count * inner, values) { x, y in
      var to = y
      for block in 0..<outer {
        for taps in filter.taps {
          let from = x + (block * old + taps.first) * inner
          for i in 0..<inner {
            var sum: Float = 0
            for k in 0..<taps.weights.count { sum += taps.weights[k] * from[k * inner + i] }
            to[i] = sum
          }
          to += inner
        }
      }
    }
  }

  /// Which old pixels make each new one along an axis, and with what weights.
  private struct Filter {
    var taps: [(first: Int, weights: [Float])]

    init(old: Int, new: Int) {
      taps = (0..<new).map { old >= new ? Self.area($0, old, new) : Self.linear($0, old, new) }
    }

    /// In units of 1 / new of an old pixel all borders are integers: new pixel i covers [i old, (i + 1) old).
    private static func area(_ i: Int, _ old: Int, _ new: Int) -> (Int, [Float]) {
      let (from, to) = (i * old, (i + 1) * old)
      let first = from / new
      let weights = (first...(to - 1) / new).map { j in
        Float(min(to, (j + 1) * new) - max(from, j * new)) / Float(old)
      }
      return (first, weights)
    }

    private static func linear(_ i: Int, _ old: Int, _ new: Int) -> (Int, [Float]) {
      let place = min(max((Double(i) + 0.5) * Double(old) / Double(new) - 0.5, 0), Double(old - 1))
      let first = min(Int(clamping: place), max(0, old - 2))
      let part = Float(place - Double(first))
      return old == 1 ? (0, [1]) : (first, [1 - part, part])
    }
  }
}
