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
