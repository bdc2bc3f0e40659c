/// One named tensor of a model: what files call it, its shape there, and where its elements lie in the flat vector.
///
/// Files carry PyTorch's names and shapes (OIHW for a convolution, IOHW for a transposed one, OI for a dense layer
/// whose image axes are in C, H, W order). Memory carries what the kernels read. `axes` leads from one to the other.
public struct Parameter: Sendable {
  /// One step along a file's axis: how many, and how far apart in the flat vector.
  public struct Axis: Sendable {
    let count: Int
    let stride: Int
    init(_ count: Int, stride: Int) { (self.count, self.stride) = (count, stride) }
  }

  /// The name in files, as `encoder.0.weight`.
  public let name: String
  /// The shape in files.
  public let shape: [Int]
  /// Number of inputs that an output sums over, and of outputs that an input goes into, as PyTorch counts them; they
  /// set the range of the initial values.
  public let fanIn: Int
  public let fanOut: Int
  /// What all elements start from; nil where they are drawn.
  public private(set) var start: Float?
  /// How elements are drawn; nil where the recipe says it.
  public let initializer: Initializer?
  /// Whether it is a bias, which starts from 0 unless drawn as PyTorch does.
  public private(set) var isBias = false
  /// Whether it is a running statistic, which follows what training sees and no gradient.
  public internal(set) var isStatistic = false
  /// Place of the first element: in the flat vector, or as a layer counts it from its first parameter.
  public private(set) var offset: Int
  /// The file's elements in row-major order, outermost first; their counts multiply to `count`.
  let axes: [Axis]

  /// The number of elements.
  public var count: Int { axes.reduce(1) { $0 * $1.count } }

  /// The bias of a layer whose outputs sum over `fanIn` inputs: a vector that lies in one piece, where `axes` say
  /// nothing else.
  init(
    bias name: String, count: Int, fanIn: Int, offset: Int, axes: [Axis]? = nil, initializer: Initializer? = nil
  ) {
    self.init(
      name: name, shape: [count], fanIn: fanIn, fanOut: 1, offset: offset, axes: axes ?? [Axis(count, stride: 1)],
      initializer: initializer)
    isBias = true
  }

  /// A value for each channel of a normalisation, all starting from the same.
  init(scale name: String, count: Int, start: Float, offset: Int) {
    self.init(name: name, shape: [count], fanIn: 1, fanOut: 1, offset: offset, axes: [Axis(count, stride: 1)])
    self.start = start
  }

  /// A matrix that lies row after row, and starts from zero.
  init(zeros name: String, rows: Int, columns: Int, offset: Int) {
    self.init(
      name: name, shape: [rows, columns], fanIn: 1, fanOut: 1, offset: offset,
      axes: [Axis(rows, stride: columns), Axis(columns, stride: 1)])
    start = 0
  }

  init(
    name: String, shape: [Int], fanIn: Int, fanOut: Int, offset: Int, axes: [Axis], initializer: Initializer? = nil
  ) {
    (self.name, self.shape, self.offset, self.axes) = (name, shape, offset, axes)
    (self.fanIn, self.fanOut, self.initializer) = (fanIn, fanOut, initializer)
  }

  /// A running statistic.
  var asStatistic: Self {
    var statistic = self
    statistic.isStatistic = true
    return statistic
  }

  func moved(by distance: Int) -> Self {
    var moved = self
    moved.offset += distance
    return moved
  }

  /// The tensor as files hold it, taken from a flat vector.
  public func tensor(in flat: UnsafePointer<Float>) -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(count)
    visit { first, axis in
      for i in 0..<axis.count { values.append(flat[first + i * axis.stride]) }
    }
    return values
  }

  /// Puts a tensor as files hold it into a flat vector.
  public func store(_ values: [Float], in flat: UnsafeMutablePointer<Float>) {
    precondition(values.count == count, "\(name) has \(count) elements, not \(values.count)")
    var next = 0
    visit { first, axis in
      for i in 0..<axis.count { flat[first + i * axis.stride] = values[next + i] }
      next += axis.count
    }
  }

  /// The places of all elements in the flat vector, in the file's order: runs along the innermost axis.
  private func visit(_ body: (_ first: Int, _ axis: Axis) -> Void) {
    let inner = axes[axes.count - 1]
    for run in 0..<count / inner.count {
      var (place, rest) = (offset, run)
      for axis in axes.dropLast().reversed() {
        place += rest % axis.count * axis.stride
        rest /= axis.count
      }
      body(place, inner)
    }
  }
}

extension ImageShape {
  /// The axes C, H, W of an image that lies in memory as H, W, C with `stride` between elements.
  func channelsFirstAxes(stride: Int) -> [Parameter.Axis] {
    [
      Parameter.Axis(channels, stride: stride), Parameter.Axis(height, stride: width * channels * stride),
      Parameter.Axis(width, stride: channels * stride),
    ]
  }
}
