import HourglassKernels

/// A named geometry of the shared table that convolution and pooling tests run over.
public struct ConvolutionCase: Sendable, CustomStringConvertible {
  public let name: String
  public let geometry: hg_geometry2d

  public init(_ name: String, _ geometry: hg_geometry2d) {
    self.name = name
    self.geometry = geometry
  }

  /// Square images, filter, stride and padding.
  public init(
    _ name: String, samples: Int, large: (Int, Int), small: (Int, Int), filter: Int, stride: Int = 1,
    padding: Int = 0
  ) {
    self.init(
      name,
      .make(
        samples: samples, large: (large.0, large.0, large.1), small: (small.0, small.0, small.1),
        filter: (filter, filter), stride: (stride, stride), padding: (padding, padding)))
  }

  public var description: String {
    let g = geometry
    return "\(name): \(g.samples) x \(g.large_height) x \(g.large_width) x \(g.large_channels), "
      + "small \(g.small_height) x \(g.small_width) x \(g.small_channels), filter \(g.filter_height) x "
      + "\(g.filter_width), stride \(g.stride_vertical) \(g.stride_horizontal), padding \(g.pad_top) \(g.pad_left), "
      + "dilation \(g.dilation_vertical) \(g.dilation_horizontal), groups \(g.groups)"
  }
}

extension hg_geometry2d {
  /// Pairs are vertical, horizontal; triples height, width, channels; padding is top, left.
  public static func make(
    samples: Int, large: (Int, Int, Int), small: (Int, Int, Int), filter: (Int, Int), stride: (Int, Int) = (1, 1),
    padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (0, 0), groups: Int = 0,
    algorithm: hg_algorithm = HG_ALGORITHM_DIRECT
  ) -> hg_geometry2d {
    hg_geometry2d(
      size: MemoryLayout<hg_geometry2d>.size, samples: samples,
      large_height: large.0, large_width: large.1, large_channels: large.2,
      small_height: small.0, small_width: small.1, small_channels: small.2,
      filter_height: filter.0, filter_width: filter.1,
      stride_vertical: stride.0, stride_horizontal: stride.1, pad_top: padding.0, pad_left: padding.1,
      algorithm: algorithm, precision: 0, dilation_vertical: dilation.0, dilation_horizontal: dilation.1,
      groups: groups, large_sample_stride: 0, large_row_stride: 0, large_pixel_stride: 0, small_sample_stride: 0,
      small_row_stride: 0, small_pixel_stride: 0)
  }

  public var largeCount: Int { samples * large_height * large_width * large_channels }
  public var smallCount: Int { samples * small_height * small_width * small_channels }
  public var filterCount: Int {
    filter_height * filter_width * (large_channels / max(1, groups)) * small_channels
  }

  /// Strides of the images in memory; 0: as close as can be.
  public typealias Strides = (sample: Int, row: Int, pixel: Int)
  public var largeStrides: Strides {
    get { (large_sample_stride, large_row_stride, large_pixel_stride) }
    set { (large_sample_stride, large_row_stride, large_pixel_stride) = newValue }
  }
  public var smallStrides: Strides {
    get { (small_sample_stride, small_row_stride, small_pixel_stride) }
    set { (small_sample_stride, small_row_stride, small_pixel_stride) = newValue }
  }

  /// Where the elements of the images lie in memory, in the order of N H W C.
  public var largePlaces: [Int] { Self.places(samples, large_height, large_width, large_channels, largeStrides) }
  public var smallPlaces: [Int] { Self.places(samples, small_height, small_width, small_channels, smallStrides) }
  /// Floats from the first element of the images to the last.
  public var largeSpan: Int { (largePlaces.last ?? -1) + 1 }
  public var smallSpan: Int { (smallPlaces.last ?? -1) + 1 }

  private static func places(_ samples: Int, _ height: Int, _ width: Int, _ channels: Int, _ strides: Strides) -> [Int]
  {
    let pixel = strides.pixel == 0 ? channels : strides.pixel
    let row = strides.row == 0 ? width * pixel : strides.row
    let sample = strides.sample == 0 ? height * row : strides.sample
    return (0..<samples * height * width * channels).map { i in
      let (c, w, h) = (i % channels, i / channels % width, i / channels / width % height)
      return i / channels / width / height * sample + h * row + w * pixel + c
    }
  }
}

/// The layers of the four flagship models, each geometry once, with few samples.
public let flagshipConvolutions: [ConvolutionCase] = [
  .init("conv-ae-28 first", samples: 2, large: (28, 1), small: (28, 32), filter: 3, padding: 1),
  .init("conv-ae-28 second", samples: 2, large: (14, 32), small: (14, 64), filter: 3, padding: 1),
  .init("conv-vae-28 first and last", samples: 3, large: (28, 1), small: (14, 32), filter: 4, stride: 2, padding: 1),
  .init("conv-vae-28 second", samples: 3, large: (14, 32), small: (7, 64), filter: 4, stride: 2, padding: 1),
  .init("conv-ae-32 first", samples: 1, large: (32, 3), small: (32, 32), filter: 3, padding: 1),
  .init("conv-ae-32 second", samples: 1, large: (16, 32), small: (16, 64), filter: 3, padding: 1),
  .init("conv-ae-32 third", samples: 2, large: (8, 64), small: (8, 128), filter: 3, padding: 1),
  .init("conv-ae-32 decoder first", samples: 2, large: (8, 64), small: (4, 128), filter: 4, stride: 2, padding: 1),
  .init("conv-ae-32 decoder second", samples: 1, large: (16, 32), small: (8, 64), filter: 4, stride: 2, padding: 1),
  .init("conv-ae-32 last", samples: 1, large: (32, 3), small: (16, 32), filter: 4, stride: 2, padding: 1),
  .init("conv-vae-64 first and last", samples: 1, large: (64, 3), small: (32, 32), filter: 4, stride: 2, padding: 1),
  .init("conv-vae-64 second", samples: 1, large: (32, 32), small: (16, 64), filter: 4, stride: 2, padding: 1),
  .init("conv-vae-64 third", samples: 1, large: (16, 64), small: (8, 128), filter: 4, stride: 2, padding: 1),
  .init("conv-vae-64 fourth", samples: 1, large: (8, 128), small: (4, 256), filter: 4, stride: 2, padding: 1),
]

/// What the flagships do not show: odd channels, filters, strides, padding and positions without taps.
public let awkwardConvolutions: [ConvolutionCase] = [
  .init("one of everything", samples: 1, large: (1, 1), small: (1, 1), filter: 1),
  .init("1 x 1 filter", samples: 3, large: (5, 33), small: (5, 17), filter: 1),
  .init("odd channels 1, 3", samples: 2, large: (7, 1), small: (7, 3), filter: 3, padding: 1),
  .init("odd channels 3, 5", samples: 2, large: (7, 3), small: (6, 5), filter: 2),
  .init("odd channels 5, 17", samples: 2, large: (7, 5), small: (4, 17), filter: 3, stride: 2, padding: 1),
  .init("odd channels 17, 33", samples: 3, large: (6, 17), small: (3, 33), filter: 4, stride: 2, padding: 1),
  .init("odd channels 33, 1", samples: 2, large: (6, 33), small: (6, 1), filter: 3, padding: 1),
  .init("few small channels", samples: 2, large: (19, 40), small: (19, 2), filter: 5, padding: 2),
  .init("few small channels, strides", samples: 3, large: (29, 48), small: (10, 3), filter: 2, stride: 3, padding: 1),
  .init("few channels, long blocks", samples: 2, large: (6, 12), small: (3, 24), filter: 4, stride: 2, padding: 1),
  .init("channels 15, 16", samples: 2, large: (5, 15), small: (5, 16), filter: 3, padding: 1),
  .init("channels 80, 100", samples: 2, large: (4, 80), small: (4, 100), filter: 3, padding: 1),
  .init("filter 5, padding 4", samples: 2, large: (6, 4), small: (10, 7), filter: 5, padding: 4),
  .init("padding beyond the filter", samples: 2, large: (5, 20), small: (12, 18), filter: 3, padding: 5),
  .init("thin, padding beyond the filter", samples: 2, large: (4, 3), small: (7, 17), filter: 2, stride: 2, padding: 5),
  .init("1 x 1 filter, padding, few channels", samples: 2, large: (5, 2), small: (9, 1), filter: 1, padding: 2),
  .init("filter 7, stride 3", samples: 2, large: (13, 3), small: (5, 20), filter: 7, stride: 3, padding: 3),
  .init("filter 11, stride 4", samples: 1, large: (23, 3), small: (5, 16), filter: 11, stride: 4, padding: 2),
  .init("filter larger than the image", samples: 2, large: (3, 16), small: (3, 16), filter: 11, padding: 5),
  .init("stride 3 over filter 2", samples: 2, large: (8, 17), small: (3, 18), filter: 2, stride: 3),
  .init("stride 4 over filter 1, thin", samples: 2, large: (9, 2), small: (3, 5), filter: 1, stride: 4),
  .init("stride wider than the image", samples: 2, large: (3, 2), small: (1, 4), filter: 2, stride: 9, padding: 1),
  .init("small image beyond the large one", samples: 2, large: (3, 9), small: (6, 6), filter: 2, stride: 2, padding: 1),
  .init(
    "small image beyond a thin large one", samples: 2, large: (3, 3), small: (6, 6), filter: 2, stride: 2, padding: 1),
  .init(
    "rectangles and one-sided padding",
    .make(
      samples: 3, large: (5, 9, 6), small: (3, 9, 18), filter: (4, 3), stride: (2, 1), padding: (3, 0))),
  .init(
    "wide and flat",
    .make(
      samples: 2, large: (1, 37, 19), small: (1, 19, 21), filter: (1, 5), stride: (1, 2), padding: (0, 2))),
  .init(
    "tall and narrow",
    .make(
      samples: 2, large: (31, 2, 1), small: (11, 2, 33), filter: (5, 1), stride: (3, 1), padding: (2, 0))),
  .init("deep weights, lines in parts", samples: 2, large: (6, 150), small: (6, 40), filter: 3, padding: 1),
  .init("deep weights, whole lines", samples: 2, large: (8, 40), small: (8, 36), filter: 3, padding: 1),
  .init("1 x 1 filter of many channels", samples: 3, large: (7, 80), small: (7, 70), filter: 1),
  .init("rows of errors a power of two apart", samples: 9, large: (8, 9), small: (8, 256), filter: 3, padding: 1),
  .init("large image, in bands", samples: 1, large: (101, 16), small: (101, 16), filter: 3, padding: 1),
  .init(
    "long thin lines",
    .make(
      samples: 2, large: (9, 75, 3), small: (9, 75, 20), filter: (3, 5), stride: (1, 1), padding: (1, 2))),
  .init(
    "one long line",
    .make(
      samples: 2, large: (1, 300, 9), small: (1, 300, 20), filter: (1, 5), stride: (1, 1), padding: (0, 2))),
]

/// Geometries drawn at random; equal seeds give equal geometries, and the seed is in the name.
public func randomConvolutions(seed: UInt64, count: Int) -> [ConvolutionCase] {
  var generator = SplitMix64(seed: seed)
  let channels = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 48, 65]
  return (0..<count).map { index in
    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    let filter = (draw(1...5), draw(1...5))
    return ConvolutionCase(
      "seed \(seed), number \(index)",
      .make(
        samples: draw(1...3), large: (draw(1...9), draw(1...11), channels[draw(0...13)]),
        small: (draw(1...7), draw(1...8), channels[draw(0...13)]), filter: filter,
        stride: (draw(1...4), draw(1...4)), padding: (draw(0...filter.0), draw(0...filter.1))))
  }
}

/// Dilation and groups: strides that share a factor with the dilation or not, groups of few and of many channels, and
/// of one on either side or both, as they lie and from copies; taps that no pixel meets.
public let dilatedConvolutions: [ConvolutionCase] = [
  dilated("dilation 2", large: (11, 20), small: (11, 17), filter: 3, padding: 2, dilation: 2),
  dilated("dilation 2, stride 2", large: (11, 9), small: (6, 18), filter: 3, stride: 2, padding: 2, dilation: 2),
  dilated("dilation 3, stride 2", large: (12, 9), small: (6, 18), filter: 3, stride: 2, padding: 3, dilation: 3),
  dilated("dilation 4, stride 6", large: (13, 5), small: (2, 7), filter: 3, stride: 6, padding: 1, dilation: 4),
  dilated("dilation 2, few channels", large: (9, 1), small: (9, 3), filter: 3, padding: 2, dilation: 2),
  dilated("dilation 5 beyond the image", large: (4, 3), small: (4, 20), filter: 3, padding: 5, dilation: 5),
  dilated("deep weights, dilation 2", large: (6, 150), small: (6, 40), filter: 3, padding: 2, dilation: 2),
  dilated("groups of 4", large: (7, 16), small: (7, 16), filter: 3, padding: 1, groups: 4),
  dilated("groups of 9 and 20", large: (6, 27), small: (3, 60), filter: 4, stride: 2, padding: 1, groups: 3),
  dilated("1 x 1, groups of 40 and 33", large: (5, 80), small: (5, 66), filter: 1, groups: 2),
  dilated("depthwise", large: (9, 32), small: (9, 32), filter: 3, padding: 1, groups: 32),
  dilated("depthwise, stride 2", large: (15, 24), small: (8, 24), filter: 3, stride: 2, padding: 1, groups: 24),
  dilated("depthwise 5 x 5", large: (8, 65), small: (8, 65), filter: 5, padding: 2, groups: 65),
  dilated("depthwise 7 x 7", large: (12, 16), small: (12, 16), filter: 7, padding: 3, groups: 16),
  dilated("depthwise, stride 5", large: (16, 17), small: (4, 17), filter: 3, stride: 5, padding: 1, groups: 17),
  dilated(
    "depthwise, dilation 2 and stride 2", large: (11, 20), small: (6, 20), filter: 3, stride: 2, padding: 2,
    dilation: 2, groups: 20),
  dilated("depthwise, few channels", large: (7, 5), small: (7, 5), filter: 3, padding: 1, groups: 5),
  dilated("depthwise, three small channels each", large: (7, 9), small: (7, 27), filter: 3, padding: 1, groups: 9),
  dilated(
    "depthwise, three large channels each", large: (8, 27), small: (4, 9), filter: 4, stride: 2, padding: 1, groups: 9),
  dilated("depthwise, a large image in bands", samples: 1, large: (101, 48), small: (101, 48), filter: 3, groups: 48),
  ConvolutionCase(
    "depthwise, one long line",
    .make(
      samples: 2, large: (1, 150, 130), small: (1, 150, 130), filter: (1, 5), padding: (0, 8), dilation: (1, 4),
      groups: 130)),
]

private func dilated(
  _ name: String, samples: Int = 2, large: (Int, Int), small: (Int, Int), filter: Int, stride: Int = 1,
  padding: Int = 0, dilation: Int = 1, groups: Int = 1
) -> ConvolutionCase {
  ConvolutionCase(
    name,
    .make(
      samples: samples, large: (large.0, large.0, large.1), small: (small.0, small.0, small.1),
      filter: (filter, filter), stride: (stride, stride), padding: (padding, padding),
      dilation: (dilation, dilation), groups: groups))
}

/// Geometries with dilation and groups drawn at random, as `randomConvolutions`; every third one is depthwise.
public func randomDilatedConvolutions(seed: UInt64, count: Int) -> [ConvolutionCase] {
  var generator = SplitMix64(seed: seed)
  let channels = [1, 1, 2, 3, 4, 8, 9, 15, 17, 33]
  return (0..<count).map { index in
    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    let (filter, dilation) = ((draw(1...4), draw(1...5)), (draw(0...4), draw(0...4)))
    let isDepthwise = index % 3 == 0
    let groups = isDepthwise ? [2, 5, 16, 17, 24, 33][draw(0...5)] : draw(1...4)
    let (large, small) = (isDepthwise ? 1 : channels[draw(0...9)], isDepthwise ? draw(1...2) : channels[draw(0...9)])
    return ConvolutionCase(
      "seed \(seed), number \(index)",
      .make(
        samples: draw(1...3), large: (draw(1...9), draw(1...13), groups * large),
        small: (draw(1...7), draw(1...9), groups * small), filter: filter, stride: (draw(1...4), draw(1...4)),
        padding: (draw(0...4), draw(0...6)), dilation: dilation, groups: groups))
  }
}

/// Random numbers for tests, independent of the library's own (Steele, Lea & Flood, "Fast splittable pseudorandom
/// number generators", 2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
