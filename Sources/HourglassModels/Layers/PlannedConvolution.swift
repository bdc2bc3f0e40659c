import HourglassKernels

/// What a planned convolution and a planned transposed convolution have in common: a window between two images, a
/// filter R S (C / groups) K followed by a bias, both prepared for the gather and for the scatter form.
protocol PlannedConvolution: PlannedLayer {
  var window: Window { get }
  /// Whether the filter is its own, not that of a convolution it is tied to.
  var hasFilter: Bool { get }
  var hasBias: Bool { get }
  /// What the filter starts from; nil for what the recipe says.
  var initializer: Initializer? { get }
}

extension PlannedConvolution {
  var granularity: Granularity { .chunk }
  var multiplyAdds: Int { window.small.height * window.small.width * window.filterCount }

  /// Where the bias begins, counted from the layer's own parameters: on a 64-byte boundary.
  var biasOffset: Int { hasFilter ? Planner.aligned(window.filterCount) : 0 }
  var parameterCount: Int { hasBias ? biasOffset + output.channels : window.filterCount }

  var parameters: [Parameter] {
    let bias = Parameter(
      bias: "\(name).bias", count: output.channels, fanIn: fanIn, offset: biasOffset, initializer: initializer)
    return (hasFilter ? [filter(of: name)] : []) + (hasBias ? [bias] : [])
  }

  /// The kind of a layer with its algorithm where that is not the direct one.
  func kind(of layer: (some Layer).Type) -> String {
    window.algorithm == .direct ? layer.kind : "\(layer.kind), \(window.algorithm.rawValue)"
  }

  private var fanIn: Int { window.largeGroup * window.kernel.height * window.kernel.width }

  /// The filter as a parameter of the layer called `name`: OIHW for a convolution, IOHW for its transpose, which is the
  /// one order of axes; without the height, which is 1, for sequences.
  func filter(of name: String) -> Parameter {
    let (c, k, r, s) = (window.largeGroup, window.small.channels, window.kernel.height, window.kernel.width)
    let axes = [
      Parameter.Axis(k, stride: 1), Parameter.Axis(c, stride: k), Parameter.Axis(r, stride: s * c * k),
      Parameter.Axis(s, stride: c * k),
    ]
    return Parameter(
      name: "\(name).weight", shape: window.isAlongLine ? [k, c, s] : [k, c, r, s], fanIn: fanIn,
      fanOut: window.small.channels * r * s, offset: 0,
      axes: axes, initializer: initializer)
  }

  /// The filter in an ONNX graph as one of images.
  func withHeight(_ filter: String, in graph: inout ONNXBuilder) -> String {
    window.isAlongLine ? graph.node("Unsqueeze", [filter, graph.tensor("height", [2])]) : filter
  }

  /// The weights for the gather form lie in front, those for the scatter form behind.
  var preparedGatherCount: Int {
    var geometry = window.geometry(samples: 0)
    return Planner.aligned(hg_conv2d_prepared_gather_count(&geometry))
  }

  func gatherFilter(_ pass: Pass) -> UnsafeMutablePointer<hg_gather_filter> {
    UnsafeMutableRawPointer(pass.prepared).assumingMemoryBound(to: hg_gather_filter.self)
  }

  func scatterFilter(_ pass: Pass) -> UnsafeMutablePointer<hg_scatter_filter> {
    UnsafeMutableRawPointer(pass.prepared + preparedGatherCount).assumingMemoryBound(to: hg_scatter_filter.self)
  }

  var preparedCount: Int {
    var geometry = window.geometry(samples: 0)
    return preparedGatherCount + Planner.aligned(hg_conv2d_prepared_scatter_count(&geometry))
  }

  func scratchCount(samples: Int, threads: Int) -> Int {
    var geometry = window.geometry(samples: samples)
    var parallel = Planner.parallel(threads: threads)
    return max(
      hg_conv2d_forward_scratch(&geometry, &parallel), hg_conv2d_backward_data_scratch(&geometry, &parallel),
      hg_conv2d_backward_filter_scratch(&geometry, &parallel))
  }
}
