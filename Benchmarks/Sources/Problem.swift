import HourglassKernels
import HourglassModels

/// One pass of one operation with its geometry, which is timed.
///
///     n32 c32 h14 w14 k64 r4 s4 u2 v2 pad1 conv backward-filter
///
/// c, h, w are channels, height and width of the named operation's input, k its output channels, r x s its kernel,
/// u x v its stride, pad its padding at the top and at the left (pad1x0 where they differ), dil its dilation (likewise)
/// and g the groups of its channels, where these are not 1. Padding is the same on both sides unless p x q, the
/// output's height and width, says otherwise. The word `winograd` before conv or convt chooses that algorithm; peers
/// convolve as they like.
struct Problem: Hashable {
  enum Operation: String, CaseIterable {
    case conv, convt, dense, pool

    var passes: [Pass] {
      switch self {
      case .conv, .convt: [.forward, .backwardData, .backwardFilter]
      case .dense: [.forward, .backwardData, .backwardWeight]
      case .pool: [.forward, .backward]
      }
    }
  }

  enum Pass: String, CaseIterable {
    case forward, backward
    case backwardData = "backward-data"
    case backwardFilter = "backward-filter"
    case backwardWeight = "backward-weight"
  }

  let operation: Operation
  var pass: Pass
  let samples: Int
  /// The input's shape of one sample, H x W x C; a dense layer reads a vector.
  let input: ImageShape
  /// The output's shape of one sample, H x W x C.
  let output: ImageShape
  let kernel: Extent2D
  let stride: Extent2D
  /// The padding at the top and at the left; what lies at the bottom and at the right follows from the shapes.
  let padding: Extent2D
  /// How far the taps of a convolution or its transpose lie apart.
  let dilation: Extent2D
  /// The number of groups of their channels.
  let groups: Int
  /// The algorithm of a convolution or its transpose.
  var algorithm = Conv2D.Algorithm.direct

  /// A pass of a dense layer.
  init(dense pass: Pass, samples: Int, inputs: Int, outputs: Int) {
    (operation, self.pass, self.samples) = (.dense, pass, samples)
    (input, output) = (ImageShape(vector: inputs), ImageShape(vector: outputs))
    (kernel, stride, padding, dilation, groups) = (1, 1, 0, 1, 1)
  }

  /// A pass of an operation with windows; where `outputSize` is nil the padding is the same on both sides.
  init(
    _ operation: Operation, _ pass: Pass, samples: Int, input: ImageShape, outputChannels: Int, kernel: Extent2D,
    stride: Extent2D = 1, padding: Extent2D = 0, dilation: Extent2D = 1, groups: Int = 1, outputSize: Extent2D? = nil
  ) {
    (self.operation, self.pass, self.samples, self.input) = (operation, pass, samples, input)
    (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
    (self.dilation, self.groups) = (dilation, groups)
    let size = outputSize ?? Self.outputSize(operation, input, Self.extent(kernel, dilation), stride, padding)
    output = ImageShape(size.height, size.width, outputChannels)
  }

  /// The extent of a window, from its first tap to its last one.
  static func extent(_ kernel: Extent2D, _ dilation: Extent2D) -> Extent2D {
    Extent2D((kernel.height - 1) * dilation.height + 1, (kernel.width - 1) * dilation.width + 1)
  }

  /// The output's size where the padding is the same on both sides.
  private static func outputSize(
    _ operation: Operation, _ input: ImageShape, _ kernel: Extent2D, _ stride: Extent2D, _ padding: Extent2D
  ) -> Extent2D {
    func size(_ input: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
      operation == .convt
        ? (input - 1) * stride + kernel - 2 * padding : (input + 2 * padding - kernel + stride) / stride
    }
    return Extent2D(
      size(input.height, kernel.height, stride.height, padding.height),
      size(input.width, kernel.width, stride.width, padding.width))
  }

  /// The padding `same` at the top and at the left between a large and a small image, of which the far sides get an odd
  /// pixel.
  static func samePadding(_ large: ImageShape, _ small: ImageShape, _ kernel: Extent2D, _ stride: Extent2D) -> Extent2D
  {
    Extent2D(
      max(0, (small.height - 1) * stride.height + kernel.height - large.height) / 2,
      max(0, (small.width - 1) * stride.width + kernel.width - large.width) / 2)
  }

  /// The channels of the output.
  var outputChannels: Int { output.channels }

  /// The output's size where it tells that the padding differs from side to side, else nil.
  private var tellingSize: Extent2D? {
    let size = Extent2D(output.height, output.width)
    return operation == .dense
      || size == Self.outputSize(operation, input, Self.extent(kernel, dilation), stride, padding)
      ? nil : size
  }

  /// The number of elements of the filter or of the weight.
  var filterCount: Int {
    operation == .pool ? 0 : kernel.height * kernel.width * input.channels * outputChannels / groups
  }

  /// The flops of the pass, 2 for each multiply-add, padding counted.
  var flops: Double {
    let small = operation == .convt ? input : output
    return 2 * Double(samples) * Double(small.height * small.width) * Double(filterCount)
  }

  /// The bytes that have to be read and written at least once.
  var bytes: Double {
    let images = samples * (input.count + output.count)
    let switches = operation == .pool ? samples * output.count : 0
    let bias = operation == .pool || pass == .backwardData ? 0 : outputChannels
    return Double(4 * (images + filterCount + bias) + switches)
  }

  /// Whether the layer has one to three channels on a side, too few to fill a vector.
  var isThin: Bool {
    (operation == .conv || operation == .convt) && groups == 1 && min(input.channels, outputChannels) <= 3
  }

  /// The geometry for the kernels; a transposed convolution has its input in the place of the small image.
  func geometry(samples: Int) -> hg_geometry2d {
    let (large, small) = operation == .convt ? (output, input) : (input, output)
    return hg_geometry2d(
      size: MemoryLayout<hg_geometry2d>.size, samples: samples, large_height: large.height, large_width: large.width,
      large_channels: large.channels, small_height: small.height, small_width: small.width,
      small_channels: small.channels, filter_height: kernel.height, filter_width: kernel.width,
      stride_vertical: stride.height, stride_horizontal: stride.width, pad_top: padding.height,
      pad_left: padding.width, algorithm: algorithm.kernel, precision: 0, dilation_vertical: dilation.height,
      dilation_horizontal: dilation.width, groups: groups, large_sample_stride: 0, large_row_stride: 0,
      large_pixel_stride: 0, small_sample_stride: 0, small_row_stride: 0, small_pixel_stride: 0)
  }

  func dense(samples: Int) -> hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: samples, inputs: input.count, outputs: outputChannels)
  }
}

extension Problem: CustomStringConvertible {
  /// The text that `init(_:)` reads.
  var description: String {
    let sizes: String
    let size = tellingSize.map { " p\($0.height) q\($0.width)" } ?? ""
    let taps = (dilation == 1 ? "" : " dil\(dilation)") + (groups == 1 ? "" : " g\(groups)")
    let window = "r\(kernel.height) s\(kernel.width) u\(stride.height) v\(stride.width) pad\(padding)\(taps)\(size)"
    let image = "n\(samples) c\(input.channels) h\(input.height) w\(input.width)"
    switch operation {
    case .conv, .convt: sizes = "\(image) k\(outputChannels) \(window)"
    case .pool: sizes = "\(image) \(window)"
    case .dense: sizes = "n\(samples) i\(input.count) o\(outputChannels)"
    }
    let algorithm = algorithm == .direct ? "" : " \(algorithm.rawValue)"
    return "\(sizes)\(algorithm) \(operation.rawValue) \(pass.rawValue)"
  }
}
