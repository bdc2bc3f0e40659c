import HourglassKernels
import HourglassModels

/// One pass of one operation with its geometry, which is timed.
///
///     n32 c32 h14 w14 k64 r4 s4 u2 v2 pad1 conv backward-filter
///
/// c, h, w are channels, height and width of the named operation's input, k its output channels, r x s its kernel,
/// u x v its stride, pad its padding on both sides (pad1x0 where height and width differ). The word `winograd` before
/// conv or convt chooses that algorithm; peers convolve as they like.
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

  var operation: Operation
  var pass: Pass
  var samples: Int
  /// The input's shape of one sample, H x W x C; a dense layer reads a vector.
  var input: ImageShape
  var outputChannels: Int
  var kernel: Extent2D = 1
  var stride: Extent2D = 1
  var padding: Extent2D = 0
  /// The algorithm of a convolution or its transpose.
  var algorithm = Conv2D.Algorithm.direct

  /// The output's shape of one sample, H x W x C.
  var output: ImageShape {
    switch operation {
    case .dense: ImageShape(vector: outputChannels)
    case .conv, .pool:
      ImageShape(
        (input.height + 2 * padding.height - kernel.height) / stride.height + 1,
        (input.width + 2 * padding.width - kernel.width) / stride.width + 1, outputChannels)
    case .convt:
      ImageShape(
        (input.height - 1) * stride.height + kernel.height - 2 * padding.height,
        (input.width - 1) * stride.width + kernel.width - 2 * padding.width, outputChannels)
    }
  }

  /// The number of elements of the filter or of the weight.
  var filterCount: Int {
    operation == .pool ? 0 : kernel.height * kernel.width * input.channels * outputChannels
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
  var isThin: Bool { (operation == .conv || operation == .convt) && min(input.channels, outputChannels) <= 3 }

  /// The geometry for the kernels; a transposed convolution has its input in the place of the small image.
  func geometry(samples: Int) -> hg_geometry2d {
    let (large, small) = operation == .convt ? (output, input) : (input, output)
    return hg_geometry2d(
      size: MemoryLayout<hg_geometry2d>.size, samples: samples, large_height: large.height, large_width: large.width,
      large_channels: large.channels, small_height: small.height, small_width: small.width,
      small_channels: small.channels, filter_height: kernel.height, filter_width: kernel.width,
      stride_vertical: stride.height, stride_horizontal: stride.width, pad_top: padding.height,
      pad_left: padding.width, algorithm: algorithm.kernel, precision: 0, dilation_vertical: 0, dilation_horizontal: 0,
      groups: 0)
  }

  func dense(samples: Int) -> hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: samples, inputs: input.count, outputs: outputChannels)
  }
}

extension Problem: CustomStringConvertible {
  /// The text that `init(_:)` reads.
  var description: String {
    let sizes: String
    let window = "r\(kernel.height) s\(kernel.width) u\(stride.height) v\(stride.width) pad\(padding)"
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
