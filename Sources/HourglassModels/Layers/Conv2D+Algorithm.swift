import HourglassKernels

extension Conv2D {
  /// How the sums of a convolution or its transpose are computed: part of a model, because it decides their rounding.
  public enum Algorithm: String, Codable, Sendable, CaseIterable {
    /// Every product of the definition.
    case direct
    /// Kernels of 3 x 3 with stride 1 and of 4 x 4 with stride 2 by Winograd's F(4 x 4, 3 x 3) and F(4 x 4, 2 x 2): a
    /// quarter and 1 / 2.56 of the multiply-adds, faster where channels are many and images are not tiny, with 1.5 to 5
    /// times the rounding error. The same bits for any workers, threads and instruction set with FMA.
    ///
    /// Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
    case winograd
  }
}

extension KeyedEncodingContainer {
  /// What the encoding of layers calls: a file says nothing of the direct algorithm.
  mutating func encode(_ algorithm: Conv2D.Algorithm, forKey key: Key) throws {
    if algorithm != .direct { try encode(algorithm.rawValue, forKey: key) }
  }
}

/// The calls of `hourglass_kernels.h`, `hg_conv2d_*` or `hg_winograd_*`, which differ in nothing but that Winograd's
/// form always wants scratch. What is answered is nil or why the call was refused.
extension Conv2D.Algorithm {
  public typealias Refusal = UnsafePointer<CChar>
  public typealias Geometry = UnsafePointer<hg_geometry2d>
  public typealias Parallel = UnsafePointer<hg_parallel>
  public typealias Input = UnsafePointer<Float>
  public typealias Output = UnsafeMutablePointer<Float>

  public func check(_ geometry: Geometry?) -> Refusal? {
    self == .direct ? hg_conv2d_check(geometry) : hg_winograd_check(geometry)
  }

  public func preparedGatherCount(_ geometry: Geometry) -> Int {
    self == .direct ? hg_conv2d_prepared_gather_count(geometry) : hg_winograd_prepared_gather_count(geometry)
  }

  public func preparedScatterCount(_ geometry: Geometry) -> Int {
    self == .direct ? hg_conv2d_prepared_scatter_count(geometry) : hg_winograd_prepared_scatter_count(geometry)
  }

  public func scratchCount(_ geometry: Geometry, _ parallel: Parallel) -> Int {
    self == .direct
      ? max(hg_conv2d_scatter_scratch(geometry, parallel), hg_conv2d_filter_scratch(geometry, parallel))
      : hg_winograd_scratch(geometry, parallel)
  }

  @discardableResult
  public func prepareGather(_ geometry: Geometry, _ filter: Input, _ prepared: Output, _ parallel: Parallel) -> Refusal?
  {
    (self == .direct ? hg_conv2d_prepare_gather : hg_winograd_prepare_gather)(geometry, filter, prepared, parallel)
  }

  @discardableResult
  public func prepareScatter(_ geometry: Geometry, _ filter: Input, _ prepared: Output, _ parallel: Parallel)
    -> Refusal?
  {
    (self == .direct ? hg_conv2d_prepare_scatter : hg_winograd_prepare_scatter)(geometry, filter, prepared, parallel)
  }

  @discardableResult
  public func forward(
    _ geometry: Geometry, _ x: Input, _ gatherFilter: Input, bias: Input?, _ activation: hg_activation, _ y: Output,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    self == .direct
      ? hg_conv2d_forward(geometry, x, gatherFilter, bias, activation, y, parallel)
      : hg_winograd_forward(geometry, x, gatherFilter, bias, activation, y, scratch, parallel)
  }

  @discardableResult
  public func backwardData(
    _ geometry: Geometry, _ dy: Input, _ scatterFilter: Input, _ activation: hg_activation, gate: Input?, _ dx: Output,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    (self == .direct ? hg_conv2d_backward_data : hg_winograd_backward_data)(
      geometry, dy, scatterFilter, activation, gate, dx, scratch, parallel)
  }

  @discardableResult
  public func backwardFilter(
    _ geometry: Geometry, _ x: Input, _ dy: Input, accumulate: Bool, _ filterGradient: Output, bias: Output?,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    (self == .direct ? hg_conv2d_backward_filter : hg_winograd_backward_filter)(
      geometry, x, dy, accumulate, filterGradient, bias, scratch, parallel)
  }

  @discardableResult
  public func transposeForward(
    _ geometry: Geometry, _ y: Input, _ scatterFilter: Input, bias: Input?, _ activation: hg_activation, _ x: Output,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    (self == .direct ? hg_conv2d_transpose_forward : hg_winograd_transpose_forward)(
      geometry, y, scatterFilter, bias, activation, x, scratch, parallel)
  }

  @discardableResult
  public func transposeBackwardData(
    _ geometry: Geometry, _ dx: Input, _ gatherFilter: Input, _ activation: hg_activation, gate: Input?, _ dy: Output,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    self == .direct
      ? hg_conv2d_transpose_backward_data(geometry, dx, gatherFilter, activation, gate, dy, parallel)
      : hg_winograd_transpose_backward_data(geometry, dx, gatherFilter, activation, gate, dy, scratch, parallel)
  }

  @discardableResult
  public func transposeBackwardFilter(
    _ geometry: Geometry, _ y: Input, _ dx: Input, accumulate: Bool, _ filterGradient: Output, bias: Output?,
    _ scratch: Output, _ parallel: Parallel
  ) -> Refusal? {
    (self == .direct ? hg_conv2d_transpose_backward_filter : hg_winograd_transpose_backward_filter)(
      geometry, y, dx, accumulate, filterGradient, bias, scratch, parallel)
  }
}

extension Autoencoder {
  /// The model with `algorithm` for each convolution and transposed convolution that gains by it: by Winograd's form
  /// those that it takes, between 16 channels or more, while all points of the filter stay within 4 MB.
  public func using(_ algorithm: Conv2D.Algorithm) throws(ModelError) -> Autoencoder {
    var gains = Set<String>()
    for case let layer as any PlannedConvolution in try planned().uses.map(\.layer) {
      var geometry = layer.window.geometry(samples: 1)
      let channels = min(layer.window.large.channels, layer.window.small.channels)
      if algorithm == .direct
        || (algorithm.check(&geometry) == nil && channels >= 16
          && algorithm.preparedGatherCount(&geometry) <= 1 << 20)
      {
        gains.insert(layer.name)
      }
    }
    func changed(_ layer: any Layer, _ name: String) -> any Layer {
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
    var model = self
    model.encoder = encoder.enumerated().map { changed($1, "encoder.\($0)") }
    model.latent = changed(latent, Planner.latentName)
    model.decoder = decoder.enumerated().map { changed($1, "decoder.\($0)") }
    return model
  }
}
