import HourglassBase

extension Image {
  /// The image at another size: the mean over the area of each new pixel along an axis that shrinks, linear
  /// interpolation along an axis that grows.
  ///
  /// Both filters are separable, sum to 1 and are free of aliasing as far as a box is. Along a shrinking axis new pixel
  /// i covers [i s, (i + 1) s) of the old ones, s = old / new, and weights each by the part of it that it covers; along
  /// a growing one it lies at (i + 1/2) s - 1/2 between two old ones, the outermost ones going on beyond the edge.
  /// The size decides the proportions. Bytes and 16-bit numbers are rounded once, at the end.
  func resized(to size: Extent2D) -> Image {
    guard size.height != shape.height || size.width != shape.width else { return self }
    var resizer = ImageResizer(from: shape, to: size)
    resizer.add(self)
    return resizer.image(elements.kind)
  }
}

/// Resizes an image whose rows come one band after the other, from the top; see `Image.resized`.
struct ImageResizer {
  private let shape: ImageShape
  private let wanted: ImageShape
  private let across: ResizingFilter
  private let down: ResizingFilter
  /// A row as it comes, and the same row at its new width.
  private let row: FloatBuffer
  private let resizedRow: FloatBuffer
  /// The sum for each new element so far, over old rows in their order.
  private let sums: FloatBuffer
  private var next = 0
  /// The range of the floats, which the result must not leave.
  private var (least, most): (Float, Float) = (0, 1)
  /// The first new row that further rows belong to.
  private var open = 0

  /// The bytes that resizing takes, its result included; nil where an `Int` does not hold them.
  static func bytes(from shape: ImageShape, to size: Extent2D) -> Int? {
    checkedSum(
      checkedProduct([4, shape.width + size.width, shape.channels]),
      checkedProduct([8, size.height, size.width, shape.channels]),
      // A weight for each old pixel and two for each new one, and a range of them.
      checkedSum(shape.height, shape.width, size.height, size.width).flatMap { checkedProduct([32, $0]) })
  }

  /// - Parameter shape: the shape of all rows together.
  init(from shape: ImageShape, to size: Extent2D) {
    (self.shape, wanted) = (shape, ImageShape(size.height, size.width, shape.channels))
    across = ResizingFilter(old: shape.width, new: size.width)
    down = ResizingFilter(old: shape.height, new: size.height)
    row = FloatBuffer(unwritten: shape.width * shape.channels)
    resizedRow = FloatBuffer(unwritten: size.width * shape.channels)
    sums = FloatBuffer(count: wanted.count)
  }

  mutating func add(_ band: Image) {
    precondition(band.shape.width == shape.width && band.shape.channels == shape.channels, "a band of another image")
    let count = row.count
    for first in stride(from: 0, to: band.elements.count, by: count) {
      switch band.elements {
      case .bytes(let bytes):
        bytes.withUnsafeBufferPointer { for i in 0..<count { row.pointer[i] = Float($0[first + i]) } }
      case .words(let words):
        words.withUnsafeBufferPointer { for i in 0..<count { row.pointer[i] = Float($0[first + i]) } }
      case .floats(let floats):
        floats.withUnsafeBufferPointer { floats in
          for i in 0..<count {
            row.pointer[i] = floats[first + i]
            (least, most) = (min(least, floats[first + i]), max(most, floats[first + i]))
          }
        }
      }
      across.apply(row.pointer, inner: shape.channels, resizedRow.pointer)
      addRow()
    }
  }

  /// Adds a row to all new rows that it belongs to.
  private mutating func addRow() {
    let count = resizedRow.count
    var new = open
    while new < wanted.height, down.firsts[new] <= next {
      let place = next - down.firsts[new]
      if place < down.count(new) {
        let (weight, sum) = (down.weight(new, place), sums.pointer + new * count)
        for i in 0..<count { sum[i] += weight * resizedRow.pointer[i] }
      } else if new == open {
        open += 1
      }
      new += 1
    }
    next += 1
  }

  /// The resized image, once all rows were added.
  ///
  /// - Parameter kind: the kind of elements of the rows.
  func image(_ kind: Elements.Kind) -> Image {
    precondition(next == shape.height, "\(next) rows of \(shape)")
    let count = wanted.count
    func rounded<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type) -> [T] {
      [T](unsafeUninitializedCapacity: count) { out, initialized in
        for i in 0..<count { out[i] = T(min(max(sums.pointer[i], 0), Float(T.max)) + 0.5) }
        initialized = count
      }
    }
    let elements: Elements =
      switch kind {
      case .uint8: .bytes(rounded(UInt8.self))
      case .uint16: .words(rounded(UInt16.self))
      // The weights sum to 1 but for rounding, which must not leave [0, 1], nor a range beyond it.
      case .float32: .floats((0..<count).map { min(max(sums.pointer[$0], least), most) })
      }
    return Image(shape: wanted, elements: elements)
  }
}

/// The old pixels that make each new one along an axis, and their weights.
private struct ResizingFilter {
  /// The first old pixel of each new one, ascending.
  private(set) var firsts: [Int] = []
  /// The place where the weights of each new pixel begin, and the end of the last.
  private var starts = [0]
  private var weights: [Float] = []

  init(old: Int, new: Int) {
    for i in 0..<new { if old >= new { addArea(i, old, new) } else { addLinear(i, old, new) } }
  }

  func count(_ new: Int) -> Int { starts[new + 1] - starts[new] }
  func weight(_ new: Int, _ place: Int) -> Float { weights[starts[new] + place] }

  private mutating func add(_ first: Int, _ more: some Sequence<Float>) {
    firsts.append(first)
    weights += more
    starts.append(weights.count)
  }

  /// Adds the weights of new pixel i along a shrinking axis. In units of 1 / new of an old pixel all borders are
  /// integers: the pixel covers [i old, (i + 1) old).
  private mutating func addArea(_ i: Int, _ old: Int, _ new: Int) {
    let (from, to) = (i * old, (i + 1) * old)
    let first = from / new
    add(
      first,
      (first...(to - 1) / new).lazy.map { j in Float(min(to, (j + 1) * new) - max(from, j * new)) / Float(old) })
  }

  private mutating func addLinear(_ i: Int, _ old: Int, _ new: Int) {
    let place = min(max((Double(i) + 0.5) * Double(old) / Double(new) - 0.5, 0), Double(old - 1))
    let first = min(Int(clamping: place), max(0, old - 2))
    let part = Float(place - Double(first))
    add(old == 1 ? 0 : first, old == 1 ? [1] : [1 - part, part])
  }

  /// Applies the filter to an array old x inner, which makes one of new x inner.
  func apply(_ values: UnsafePointer<Float>, inner: Int, _ out: UnsafeMutablePointer<Float>) {
    weights.withUnsafeBufferPointer { weights in
      var to = out
      for new in firsts.indices {
        let from = values + firsts[new] * inner
        let range = starts[new]..<starts[new + 1]
        for i in 0..<inner {
          var sum: Float = 0
          var place = i
          for k in range {
            sum += weights[k] * from[place]
            place += inner
          }
          to[i] = sum
        }
        to += inner
      }
    }
  }
}
