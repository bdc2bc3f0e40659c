import HourglassKernels

/// The geometry between a large and a small image, without the samples: what convolution, transposed convolution and
/// pooling have in common.
struct Window: Sendable {
  let large: ImageShape
  let small: ImageShape
  let kernel: Extent2D
  let stride: Extent2D
  let padTop: Int
  let padLeft: Int
  /// How a convolution of this geometry is computed.
  var algorithm = Conv2D.Algorithm.direct

  /// The small image that a convolution or a pooling makes of a large one.
  static func small(
    _ large: ImageShape, channels: Int, kernel: Extent2D, stride: Extent2D, padding: Padding, at name: String
  ) throws(ModelError) -> Window {
    try check(kernel, stride, at: name)
    let (height, top) = try small(large.height, kernel.height, stride.height, padding, \.height, "height", name)
    let (width, left) = try small(large.width, kernel.width, stride.width, padding, \.width, "width", name)
    return Window(
      large: large, small: ImageShape(height, width, channels), kernel: kernel, stride: stride, padTop: top,
      padLeft: left)
  }

  /// The large image that a transposed convolution makes of a small one.
  static func large(
    _ small: ImageShape, channels: Int, kernel: Extent2D, stride: Extent2D, padding: Padding, outputSize: Extent2D?,
    at name: String
  ) throws(ModelError) -> Window {
    try check(kernel, stride, at: name)
    let (height, top) = try large(
      small.height, kernel.height, stride.height, padding, outputSize?.height, \.height, "height", name)
    let (width, left) = try large(
      small.width, kernel.width, stride.width, padding, outputSize?.width, \.width, "width", name)
    return Window(
      large: ImageShape(height, width, channels), small: small, kernel: kernel, stride: stride, padTop: top,
      padLeft: left)
  }

  private static func check(_ kernel: Extent2D, _ stride: Extent2D, at name: String) throws(ModelError) {
    let possible = 1...Planner.mostExtent
    for (what, extent) in [("kernel", kernel), ("stride", stride)] {
      guard possible.contains(extent.height), possible.contains(extent.width) else {
        throw ModelError(name, "wanted a \(what) of 1 to \(Planner.mostExtent), found \(extent)")
      }
    }
  }

  private static func check(_ pad: Int, below kernel: Int, _ axis: String, _ name: String) throws(ModelError) {
    guard pad >= 0, pad < kernel else {
      throw ModelError(name, "wanted a padding of 0 to \(kernel - 1), below the kernel's \(axis), found \(pad)")
    }
  }

  private static func small(
    _ large: Int, _ kernel: Int, _ stride: Int, _ padding: Padding, _ side: KeyPath<Extent2D, Int>, _ axis: String,
    _ name: String
  ) throws(ModelError) -> (extent: Int, pad: Int) {
    switch padding {
    case .same:
      let small = (large + stride - 1) / stride
      return (small, max(0, (small - 1) * stride + kernel - large) / 2)
    case .amount(let amount):
      let pad = amount[keyPath: side]
      try check(pad, below: kernel, axis, name)
      guard large + 2 * pad >= kernel else {
        throw ModelError(
          name, "the kernel's \(axis) \(kernel) exceeds the input's \(axis) \(large) with padding \(pad) on both sides")
      }
      return ((large + 2 * pad - kernel) / stride + 1, pad)
    }
  }

  private static func large(
    _ small: Int, _ kernel: Int, _ stride: Int, _ padding: Padding, _ wanted: Int?, _ side: KeyPath<Extent2D, Int>,
    _ axis: String, _ name: String
  ) throws(ModelError) -> (extent: Int, pad: Int) {
    // The sizes that a convolution of the same geometry would map to `small`.
    let natural: Int
    let range: ClosedRange<Int>
    switch padding {
    case .same:
      natural = small * stride
      range = (small - 1) * stride + 1...natural
    case .amount(let amount):
      let pad = amount[keyPath: side]
      try check(pad, below: kernel, axis, name)
      natural = (small - 1) * stride + kernel - 2 * pad
      guard natural + stride - 1 >= 1 else {
        throw ModelError(
          name, "the padding \(pad) leaves nothing of an output \(axis) of \((small - 1) * stride + kernel)")
      }
      range = max(1, natural)...natural + stride - 1
    }
    let extent = wanted ?? natural
    guard range.contains(extent) else {
      throw ModelError(
        name,
        "wanted an outputSize with a \(axis) of \(range.lowerBound) to \(range.upperBound), which mirrors an input "
          + "\(axis) of \(small), found \(extent)")
    }
    let pad =
      switch padding {
      case .same: max(0, (small - 1) * stride + kernel - extent) / 2
      case .amount(let amount): amount[keyPath: side]
      }
    return (extent, pad)
  }

  /// What the kernels take, for a number of samples.
  func geometry(samples: Int) -> hg_geometry2d {
    hg_geometry2d(
      size: MemoryLayout<hg_geometry2d>.size, samples: samples, large_height: large.height, large_width: large.width,
      large_channels: large.channels, small_height: small.height, small_width: small.width,
      small_channels: small.channels, filter_height: kernel.height, filter_width: kernel.width,
      stride_vertical: stride.height, stride_horizontal: stride.width, pad_top: padTop, pad_left: padLeft,
      algorithm: algorithm.kernel, precision: 0, dilation_vertical: 0, dilation_horizontal: 0, groups: 0)
  }

  /// Refuses what the kernels refuse, with their sentence.
  func check(
    _ check: (UnsafePointer<hg_geometry2d>?) -> UnsafePointer<CChar>?, at name: String
  ) throws(ModelError) {
    var geometry = geometry(samples: 1)
    if let sentence = check(&geometry) { throw ModelError(name, String(cString: sentence)) }
  }

  /// The window of a convolution that is computed by `algorithm`; throws where the kernels refuse it.
  func convolved(by algorithm: Conv2D.Algorithm, at name: String) throws(ModelError) -> Window {
    try check(hg_conv2d_check, at: name)
    var window = self
    window.algorithm = algorithm
    var geometry = window.geometry(samples: 1)
    if let sentence = hg_conv2d_check(&geometry) {
      throw ModelError(name, "\(String(cString: sentence)), found a kernel of \(kernel) and a stride of \(stride)")
    }
    return window
  }

  /// Elements of the filter, R S C K.
  var filterCount: Int { kernel.height * kernel.width * large.channels * small.channels }
}

extension Window {
  /// What ONNX says of a convolution or a pooling; padding in the order top, left, bottom, right.
  var attributes: [String: ONNXGraph.Attribute] {
    [
      "kernel_shape": .integers([kernel.height, kernel.width]), "strides": .integers([stride.height, stride.width]),
      "pads": .integers([padTop, padLeft, max(0, -excess.height), max(0, -excess.width)]),
    ]
  }

  /// What ONNX says of a transposed convolution; a large image that ends behind the last window is padded at its
  /// output.
  var transposedAttributes: [String: ONNXGraph.Attribute] {
    let outside = [max(0, excess.height), max(0, excess.width)]
    return attributes.merging(["output_padding": .integers(outside)]) { $1 }
  }

  /// Whether each pixel of the large image and of its padding belongs to exactly one window.
  var tilesLarge: Bool {
    kernel.height == stride.height && kernel.width == stride.width && excess.height <= 0 && excess.width <= 0
  }

  /// How far the large image reaches beyond the last window; below 0 the window reaches into padding.
  private var excess: Extent2D {
    Extent2D(
      large.height + padTop - (small.height - 1) * stride.height - kernel.height,
      large.width + padLeft - (small.width - 1) * stride.width - kernel.width)
  }
}
