import HourglassKernels
import TestSupport
import Testing

extension Floats {
  /// The memory as that of a prepared filter.
  var gatherFilter: UnsafeMutablePointer<hg_gather_filter> {
    UnsafeMutableRawPointer(pointer).bindMemory(to: hg_gather_filter.self, capacity: 1)
  }
  var scatterFilter: UnsafeMutablePointer<hg_scatter_filter> {
    UnsafeMutableRawPointer(pointer).bindMemory(to: hg_scatter_filter.self, capacity: 1)
  }
}

/// Inputs of all six passes over one geometry.
struct ConvolutionInputs {
  var geometry: hg_geometry2d
  let large, small, filter, largeBias, smallBias, largeGate, smallGate: Floats

  init(_ geometry: hg_geometry2d, _ fill: (Int, inout SplitMix64) -> Floats) {
    var generator = SplitMix64(seed: 1)
    self.geometry = geometry
    large = fill(geometry.largeCount, &generator)
    small = fill(geometry.smallCount, &generator)
    filter = fill(geometry.filterCount, &generator)
    largeBias = fill(geometry.large_channels, &generator)
    smallBias = fill(geometry.small_channels, &generator)
    largeGate = fill(geometry.largeCount, &generator)
    smallGate = fill(geometry.smallCount, &generator)
  }

  /// Inputs with the parameters of `p` over a run of its samples, whose images (isLarge) `cut` finds.
  init(_ p: ConvolutionInputs, _ geometry: hg_geometry2d, cut: (_ images: Floats, _ isLarge: Bool) -> Floats) {
    self.geometry = geometry
    (filter, largeBias, smallBias) = (p.filter, p.largeBias, p.smallBias)
    (large, small) = (cut(p.large, true), cut(p.small, false))
    (largeGate, smallGate) = (cut(p.largeGate, true), cut(p.smallGate, false))
  }

  init(magnitudesOf p: ConvolutionInputs) {
    geometry = p.geometry
    large = p.large.magnitudes
    small = p.small.magnitudes
    filter = p.filter.magnitudes
    largeBias = p.largeBias.magnitudes
    smallBias = p.smallBias.magnitudes
    largeGate = p.largeGate
    smallGate = p.smallGate
  }
}

/// The outputs of the six passes; parameters' gradients start from the filter and the biases where accumulated.
struct ConvolutionOutputs {
  let forward, backwardData, backwardFilter, backwardBias: Floats
  let transposeForward, transposeData, transposeFilter, transposeBias: Floats

  init(_ g: hg_geometry2d, accumulatingInto p: ConvolutionInputs?) {
    forward = Floats(count: g.smallSpan)
    transposeData = Floats(count: g.smallSpan)
    backwardData = Floats(count: g.largeSpan)
    transposeForward = Floats(count: g.largeSpan)
    backwardFilter = p.map { Floats($0.filter.array) } ?? Floats(count: g.filterCount)
    transposeFilter = p.map { Floats($0.filter.array) } ?? Floats(count: g.filterCount)
    backwardBias = p.map { Floats($0.smallBias.array) } ?? Floats(count: g.small_channels)
    transposeBias = p.map { Floats($0.largeBias.array) } ?? Floats(count: g.large_channels)
  }

  var all: [(String, Floats)] {
    [
      ("forward", forward), ("backward data", backwardData), ("backward filter", backwardFilter),
      ("backward bias", backwardBias), ("transpose forward", transposeForward),
      ("transpose backward data", transposeData), ("transpose backward filter", transposeFilter),
      ("transpose backward bias", transposeBias),
    ]
  }
}

func convolutionReference(
  _ p: ConvolutionInputs, _ activation: hg_activation, bias: Bool, accumulate: Bool = false
) -> ConvolutionOutputs {
  let out = ConvolutionOutputs(p.geometry, accumulatingInto: accumulate ? p : nil)
  withUnsafePointer(to: p.geometry) { g in
    let small = bias ? p.smallBias.pointer : nil
    let large = bias ? p.largeBias.pointer : nil
    let (x, y, w) = (p.large.pointer, p.small.pointer, p.filter.pointer)
    hg_reference_conv2d_forward(g, x, w, small, activation, out.forward.pointer)
    hg_reference_conv2d_backward_data(g, y, w, activation, p.largeGate.pointer, out.backwardData.pointer)
    hg_reference_conv2d_backward_filter(
      g, x, y, accumulate, out.backwardFilter.pointer, out.backwardBias.pointer)
    hg_reference_conv2d_transpose_forward(g, y, w, large, activation, out.transposeForward.pointer)
    hg_reference_conv2d_transpose_backward_data(
      g, x, w, activation, p.smallGate.pointer, out.transposeData.pointer)
    hg_reference_conv2d_transpose_backward_filter(
      g, y, x, accumulate, out.transposeFilter.pointer, out.transposeBias.pointer)
  }
  return out
}

/// Runs the kernels. Weights are prepared and scratch is brought in buffers of exactly the sizes asked for.
func convolutionKernels(
  _ p: ConvolutionInputs, _ activation: hg_activation, bias: Bool, accumulate: Bool = false, _ division: Division
) -> ConvolutionOutputs {
  let out = ConvolutionOutputs(p.geometry, accumulatingInto: accumulate ? p : nil)
  var parallel = division.parallel
  withUnsafePointer(to: p.geometry) { g in
    let gather = Floats(count: hg_conv2d_prepared_gather_count(g))
    let scatter = Floats(count: hg_conv2d_prepared_scatter_count(g))
    let forwardScratch = Floats(count: hg_conv2d_forward_scratch(g, &parallel))
    let dataScratch = Floats(count: hg_conv2d_backward_data_scratch(g, &parallel))
    let filterScratch = Floats(count: hg_conv2d_backward_filter_scratch(g, &parallel))
    let transposeForwardScratch = Floats(count: hg_conv2d_transpose_forward_scratch(g, &parallel))
    let transposeDataScratch = Floats(count: hg_conv2d_transpose_backward_data_scratch(g, &parallel))
    let transposeFilterScratch = Floats(count: hg_conv2d_transpose_backward_filter_scratch(g, &parallel))
    let small = bias ? p.smallBias.pointer : nil
    let large = bias ? p.largeBias.pointer : nil
    let (x, y) = (p.large.pointer, p.small.pointer)
    let answers = [
      hg_conv2d_prepare_gather(g, p.filter.pointer, gather.gatherFilter, &parallel),
      hg_conv2d_prepare_scatter(g, p.filter.pointer, scatter.scatterFilter, &parallel),
      hg_conv2d_forward(
        g, x, gather.gatherFilter, small, activation, out.forward.pointer, forwardScratch.pointer, &parallel),
      hg_conv2d_backward_data(
        g, y, scatter.scatterFilter, activation, p.largeGate.pointer, out.backwardData.pointer, dataScratch.pointer,
        &parallel),
      hg_conv2d_backward_filter(
        g, x, y, accumulate, out.backwardFilter.pointer, out.backwardBias.pointer, filterScratch.pointer,
        &parallel),
      hg_conv2d_transpose_forward(
        g, y, scatter.scatterFilter, large, activation, out.transposeForward.pointer,
        transposeForwardScratch.pointer, &parallel),
      hg_conv2d_transpose_backward_data(
        g, x, gather.gatherFilter, activation, p.smallGate.pointer, out.transposeData.pointer,
        transposeDataScratch.pointer,
        &parallel),
      hg_conv2d_transpose_backward_filter(
        g, y, x, accumulate, out.transposeFilter.pointer, out.transposeBias.pointer, transposeFilterScratch.pointer,
        &parallel),
    ]
    #expect(answers.allSatisfy { $0 == nil })
    let scratches = [
      forwardScratch, dataScratch, filterScratch, transposeForwardScratch, transposeDataScratch, transposeFilterScratch,
    ]
    for buffer in [gather, scatter] + scratches + out.all.map(\.1) {
      #expect(buffer.isIntact, "a kernel wrote before the start of a buffer")
    }
  }
  return out
}
