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
  /// How far the taps of a convolution lie apart.
  var dilation: Extent2D = 1
  /// How many groups the channels of a convolution fall into, of which each meets its own alone.
  var groups = 1
  /// How a convolution of this geometry is computed.
  var algorithm = Conv2D.Algorithm.direct
  /// Whether both images are sequences, whose filters have no height in files.
  var isAlongLine = false

  /// Pixels before and behind an image along an axis; nil for the padding `same`.
  private typealias Pads = (before: Int, behind: Int)?

  /// The small image that a convolution or a pooling makes of a large one.
  ///
  /// - Parameter kernel: the extent of a window, from its first tap to its last one.
  /// - Parameter ceiling: whether a last window counts that ends behind the padding, if it begins before its end.
  static func small(
    _ large: ImageShape, channels: Int, kernel: Extent2D, stride: Extent2D, padding: Padding, ceiling: Bool = false,
    at name: String
  ) throws(ModelError) -> Window {
    try check(kernel, stride, at: name)
    let pads = padding.amounts
    let (height, top) = try small(
      large.height, kernel.height, stride.height, pads.map { ($0.top, $0.bottom) }, ceiling, "height", name)
    let (width, left) = try small(
      large.width, kernel.width, stride.width, pads.map { ($0.left, $0.right) }, ceiling, "width", name)
    return Window(
      large: large, small: ImageShape(height, width, channels), kernel: kernel, stride: stride, padTop: top,
      padLeft: left)
  }

  /// The small image that a pooling makes of a large one: each window holds a part of the image.
  static func pooled(
    _ large: ImageShape, kernel: Extent2D, stride: Extent2D, padding: Padding, ceiling: Bool, at name: String
  ) throws(ModelError) -> Window {
    try check(kernel, stride, at: name)
    let pads = padding.amounts ?? .none
    for (axis, kernel, both) in [
      ("height", kernel.height, [pads.top, pads.bottom]), ("width", kernel.width, [pads.left, pads.right]),
    ] {
      guard let wrong = both.first(where: { $0 != 0 && $0 >= kernel }) else { continue }
      throw ModelError(name, "wanted a padding of 0 to \(kernel - 1), below the kernel's \(axis), found \(wrong)")
    }
    return try small(
      large, channels: large.channels, kernel: kernel, stride: stride, padding: padding, ceiling: ceiling, at: name)
  }

  /// The large image that a transposed convolution makes of a small one.
  static func large(
    _ small: ImageShape, channels: Int, kernel: Extent2D, stride: Extent2D, padding: Padding, outputSize: Extent2D?,
    at name: String
  ) throws(ModelError) -> Window {
    try check(kernel, stride, at: name)
    let pads = padding.amounts
    let (height, top) = try large(
      small.height, kernel.height, stride.height, pads.map { ($0.top, $0.bottom) }, outputSize?.height, "height", name)
    let (width, left) = try large(
      small.width, kernel.width, stride.width, pads.map { ($0.left, $0.right) }, outputSize?.width, "width", name)
    return Window(
      large: ImageShape(height, width, channels), small: small, kernel: kernel, stride: stride, padTop: top,
      padLeft: left)
  }

  /// The extent of a window, from its first tap to its last one.
  static func extent(
    _ kernel: Extent2D, _ stride: Extent2D, _ dilation: Extent2D, at name: String
  ) throws(ModelError) -> Extent2D {
    try check(kernel, stride, dilation, at: name)
    return Extent2D((kernel.height - 1) * dilation.height + 1, (kernel.width - 1) * dilation.width + 1)
  }

  private static func check(
    _ kernel: Extent2D, _ stride: Extent2D, _ dilation: Extent2D = 1, at name: String
  ) throws(ModelError) {
    let possible = 1...Planner.mostExtent
    for (what, extent) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
      guard possible.contains(extent.height), possible.contains(extent.width) else {
        throw ModelError(name, "wanted a \(what) of 1 to \(Planner.mostExtent), found \(extent)")
      }
    }
  }

  private static func small(
    _ large: Int, _ kernel: Int, _ stride: Int, _ pads: Pads, _ ceiling: Bool, _ axis: String, _ name: String
  ) throws(ModelError) -> (extent: Int, pad: Int) {
    guard let pads else {
      let small = (large + stride - 1) / stride
      return (small, max(0, (small - 1) * stride + kernel - large) / 2)
    }
    try Planner.check(pads.before, pads.behind, at: name)
    let steps = large + pads.before + pads.behind - kernel
    guard steps >= 0 else {
      let padding =
        pads.before == pads.behind ? "\(pads.before) on both sides" : "\(pads.before) before and \(pads.behind) behind"
      throw ModelError(
        name, "the kernel's \(axis) \(kernel) exceeds the input's \(axis) \(large) with padding \(padding)")
    }
    let small = steps / stride + 1
    let goesOn = ceiling && steps % stride > 0 && small * stride < large + pads.before
    return (goesOn ? small + 1 : small, pads.before)
  }

  private static func large(
    _ small: Int, _ kernel: Int, _ stride: Int, _ pads: Pads, _ wanted: Int?, _ axis: String, _ name: String
  ) throws(ModelError) -> (extent: Int, pad: Int) {
    // The sizes that a convolution of the same geometry would map to `small`.
    let natural: Int
    let range: ClosedRange<Int>
    if let pads {
      try Planner.check(pads.before, pads.behind, at: name)
      let whole = (small - 1) * stride + kernel
      natural = whole - pads.before - pads.behind
      guard natural + stride - 1 >= 1 else {
        let padding = pads.before == pads.behind ? "\(pads.before)" : "\(pads.before) and \(pads.behind)"
        throw ModelError(name, "the padding \(padding) leaves nothing of an output \(axis) of \(whole)")
      }
      range = max(1, natural)...natural + stride - 1
    } else {
      natural = small * stride
      range = (small - 1) * stride + 1...natural
    }
    let extent = wanted ?? natural
    guard range.contains(extent) else {
      throw ModelError(
        name,
        "wanted an outputSize with a \(axis) of \(range.lowerBound) to \(range.upperBound), which mirrors an input "
          + "\(axis) of \(small), found \(extent)")
    }
    return (extent, pads?.before ?? max(0, (small - 1) * stride + kernel - extent) / 2)
  }

  /// What the kernels take, for a number of samples.
  func geometry(samples: Int) -> hg_geometry2d {
    hg_geometry2d(
      size: MemoryLayout<hg_geometry2d>.size, samples: samples, large_height: large.height, large_width: large.width,
      large_channels: large.channels, small_height: small.height, small_width: small.width,
      small_channels: small.channels, filter_height: kernel.height, filter_width: kernel.width,
      stride_vertical: stride.height, stride_horizontal: stride.width, pad_top: padTop, pad_left: padLeft,
      algorithm: algorithm.kernel, precision: 0, dilation_vertical: dilation.height,
      dilation_horizontal: dilation.width, groups: groups, large_sample_stride: 0, large_row_stride: 0,
      large_pixel_stride: 0, small_sample_stride: 0, small_row_stride: 0, small_pixel_stride: 0)
  }

  /// Refuses what the kernels refuse, with their sentence.
  func check(
    _ check: (UnsafePointer<hg_geometry2d>?) -> UnsafePointer<CChar>?, at name: String
  ) throws(ModelError) {
    var geometry = geometry(samples: 1)
    if let sentence = check(&geometry) { throw ModelError(name, String(cString: sentence)) }
  }

  /// The window of a convolution, made with the extent of its kernel, which has taps of this kernel, dilation and
  /// groups and is computed by `algorithm`; throws where the kernels refuse it.
  func convolved(
    _ kernel: Extent2D, dilation: Extent2D, groups: Int, by algorithm: Conv2D.Algorithm, at name: String
  ) throws(ModelError) -> Window {
    guard groups > 0, large.channels % groups == 0, small.channels % groups == 0 else {
      throw ModelError(
        name,
        "wanted groups that divide both \(large.channels) and \(small.channels) channels, found groups of \(groups)")
    }
    var window = Window(
      large: large, small: small, kernel: kernel, stride: stride, padTop: padTop, padLeft: padLeft,
      dilation: dilation, groups: groups)
    try window.check(hg_conv2d_check, at: name)
    window.algorithm = algorithm
    var geometry = window.geometry(samples: 1)
    if let sentence = hg_conv2d_check(&geometry) {
      let more = dilation == 1 && groups == 1 ? "" : ", a dilation of \(dilation), groups of \(groups)"
      throw ModelError(
        name, "\(String(cString: sentence)), found a kernel of \(kernel) and a stride of \(stride)\(more)")
    }
    return window
  }

  /// Channels of the large image that a channel of the small one meets.
  var largeGroup: Int { large.channels / groups }

  /// Elements of the filter, R S (C / groups) K.
  var filterCount: Int { kernel.height * kernel.width * largeGroup * small.channels }
}

extension Window {
  /// What ONNX says of a convolution or a pooling; padding in the order top, left, bottom, right.
  var attributes: [String: ONNXGraph.Attribute] {
    var attributes: [String: ONNXGraph.Attribute] = [
      "kernel_shape": .integers([kernel.height, kernel.width]), "strides": .integers([stride.height, stride.width]),
      "pads": .integers([reach.top, reach.left, reach.bottom, reach.right]),
    ]
    if dilation != 1 { attributes["dilations"] = .integers([dilation.height, dilation.width]) }
    if groups > 1 { attributes["group"] = .integer(groups) }
    return attributes
  }

  /// How far windows reach over the edge of the large image.
  var reach: Padding.Sides {
    Padding.Sides(top: padTop, left: padLeft, bottom: max(0, -excess.height), right: max(0, -excess.width))
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

  /// Whether the windows lie side by side and are the whole large image.
  var isGrid: Bool { tilesLarge && reach == .none }

  /// How far the large image reaches beyond the last window; below 0 the window reaches into padding.
  private var excess: Extent2D {
    Extent2D(
      large.height + padTop - (small.height - 1) * stride.height - (kernel.height - 1) * dilation.height - 1,
      large.width + padLeft - (small.width - 1) * stride.width - (kernel.width - 1) * dilation.width - 1)
  }
}
