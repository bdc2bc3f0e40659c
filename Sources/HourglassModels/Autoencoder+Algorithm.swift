import HourglassKernels

extension Autoencoder {
  /// The model with `algorithm` for each convolution and transposed convolution that gains by it: by Winograd's form
  /// those that it takes, between 16 channels or more, while all points of the filter stay within 4 MB. A tied layer
  /// has the algorithm of the convolution that it is tied to. Throws where no convolution gains.
  public func using(_ algorithm: Conv2D.Algorithm) throws(ModelError) -> Autoencoder {
    var gains = Set<String>()
    for case let layer as any PlannedConvolution in try planned().uses.map(\.layer) {
      if layer.window.gains(by: algorithm) { gains.insert(layer.name) }
    }
    if gains.isEmpty && algorithm != .direct {
      throw ModelError(
        name,
        "no convolution gains by \(algorithm.rawValue): wanted a kernel of 3 x 3 and a stride of 1, or 4 x 4 and 2, "
          + "between 16 channels or more, and a filter that takes no more than 4 MB in this form")
    }
    return mapped { layer, name in
      guard gains.contains(name) else { return layer }
      if var layer = layer as? Conv2D {
        layer.algorithm = algorithm
        return layer
      }
      if var layer = layer as? ConvTranspose2D {
        layer.algorithm = algorithm
        return layer
      }
      return layer
    }
  }
}

extension Window {
  /// Whether a convolution of this geometry is faster by `algorithm`, or at least not slower.
  fileprivate func gains(by algorithm: Conv2D.Algorithm) -> Bool {
    if algorithm == .direct { return true }
    guard min(large.channels, small.channels) >= 16 else { return false }
    var window = self
    window.algorithm = algorithm
    var geometry = window.geometry(samples: 1)
    return hg_conv2d_check(&geometry) == nil && hg_conv2d_prepared_gather_count(&geometry) <= 1 << 20
  }
}

extension ExecutionPlan {
  /// The time that a pass of a use takes by Winograd's form, over its time by the direct one; nil where
  /// `Autoencoder.using` changes nothing.
  ///
  ///     (a points phases tiles + b points tiles (phases / K + 1 / C) + c points phases / n) / (taps S)
  ///
  /// are multiply-adds, the transforms of tiles between C and K channels, and the points of the filter that each call
  /// for n samples reads, or whose gradient it transforms; S is the number of pixels of the small image. The factors
  /// fit 324 ratios of passes (18 geometries, 2 to 16 samples, AVX2 and AVX-512 on Zen 5) with an error of 10 % in the
  /// root mean square: `bench kernels "n8 c32 h14 w14 k64 r3 s3 u1 v1 pad1 winograd conv forward"` over that without
  /// `winograd`.
  package func winogradTime(ofUse index: Int, isFilterGradient: Bool) -> Double? {
    guard let layer = uses[index].layer as? any PlannedConvolution else { return nil }
    let window = layer.window
    guard window.algorithm == .direct, window.gains(by: .winograd) else { return nil }
    let tiles = Double((window.small.height + 3) / 4 * ((window.small.width + 3) / 4))
    let (taps, pixels) = (
      Double(window.kernel.height * window.kernel.width), Double(window.small.height * window.small.width)
    )
    let (points, phases) = window.stride.height == 1 ? (36.0, 1.0) : (25.0, 4.0)
    let (large, small) = (Double(window.large.channels), Double(window.small.channels))
    let (a, b, c) = isFilterGradient ? (1.5, 4.2, 9.6) : (1.25, 8.9, 2.2)
    let times =
      a * points * phases * tiles + b * points * tiles * (phases / small + 1 / large)
      + c * points * phases / Double(samplesPerChunk)
    return times / (taps * pixels)
  }
}
