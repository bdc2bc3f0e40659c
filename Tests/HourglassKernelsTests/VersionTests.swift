import HourglassKernels
import TestSupport
import Testing

/// The six passes by the calls that version 1.0 had, on its geometry, which ended before `algorithm` and lies at the
/// end of a page, so that a read beyond it stops the test.
private func versionOneKernels(_ p: ConvolutionInputs, isWinograd: Bool, _ activation: hg_activation)
  -> ConvolutionOutputs
{
  let out = ConvolutionOutputs(p.geometry, accumulatingInto: nil)
  let old = Guarded<Int>([VersionTests.sizeOfOne] + Array(VersionTests.words(p.geometry)))
  old.pointer.withMemoryRebound(to: hg_geometry2d.self, capacity: 1) { g in
    let winogradScratch = hg_winograd_scratch(g, nil)
    let gather = Floats(
      count: isWinograd ? hg_winograd_prepared_gather_count(g) : hg_conv2d_prepared_gather_count(g))
    let scatter = Floats(
      count: isWinograd ? hg_winograd_prepared_scatter_count(g) : hg_conv2d_prepared_scatter_count(g))
    let scratch = Floats(
      count: isWinograd
        ? winogradScratch : max(hg_conv2d_scatter_scratch(g, nil), hg_conv2d_filter_scratch(g, nil)))
    let (x, y, w, room) = (p.large.pointer, p.small.pointer, p.filter.pointer, scratch.pointer)
    let (small, large) = (p.smallBias.pointer, p.largeBias.pointer)
    let answers =
      isWinograd
      ? [
        hg_winograd_check(g), hg_winograd_prepare_gather(g, w, gather.pointer, nil),
        hg_winograd_prepare_scatter(g, w, scatter.pointer, nil),
        hg_winograd_forward(g, x, gather.pointer, small, activation, out.forward.pointer, room, nil),
        hg_winograd_backward_data(
          g, y, scatter.pointer, activation, p.largeGate.pointer, out.backwardData.pointer, room, nil),
        hg_winograd_backward_filter(
          g, x, y, false, out.backwardFilter.pointer, out.backwardBias.pointer, room, nil),
        hg_winograd_transpose_forward(
          g, y, scatter.pointer, large, activation, out.transposeForward.pointer, room, nil),
        hg_winograd_transpose_backward_data(
          g, x, gather.pointer, activation, p.smallGate.pointer, out.transposeData.pointer, room, nil),
        hg_winograd_transpose_backward_filter(
          g, y, x, false, out.transposeFilter.pointer, out.transposeBias.pointer, room, nil),
      ]
      : [
        hg_conv2d_check(g), hg_conv2d_prepare_gather(g, w, gather.pointer, nil),
        hg_conv2d_prepare_scatter(g, w, scatter.pointer, nil),
        hg_conv2d_forward(g, x, gather.pointer, small, activation, out.forward.pointer, nil),
        hg_conv2d_backward_data(
          g, y, scatter.pointer, activation, p.largeGate.pointer, out.backwardData.pointer, room, nil),
        hg_conv2d_backward_filter(
          g, x, y, false, out.backwardFilter.pointer, out.backwardBias.pointer, room, nil),
        hg_conv2d_transpose_forward(
          g, y, scatter.pointer, large, activation, out.transposeForward.pointer, room, nil),
        hg_conv2d_transpose_backward_data(
          g, x, gather.pointer, activation, p.smallGate.pointer, out.transposeData.pointer, nil),
        hg_conv2d_transpose_backward_filter(
          g, y, x, false, out.transposeFilter.pointer, out.transposeBias.pointer, room, nil),
      ]
    #expect(answers.allSatisfy { $0 == nil })
    #expect(([gather, scatter, scratch] + out.all.map(\.1)).allSatisfy { $0.isIntact })
  }
  #expect(old.isIntact)
  return out
}

typealias VersionTests = KernelTests.VersionTests

extension KernelTests {
  /// What 1.0 offered means in later versions what it meant.
  @Suite struct VersionTests {
    /// Bytes of the geometry of 1.0.
    static let sizeOfOne = MemoryLayout<hg_geometry2d>.offset(of: \.algorithm)!

    /// The extents of a geometry as 1.0 had them, without the size.
    static func words(_ geometry: hg_geometry2d) -> ArraySlice<Int> {
      withUnsafeBytes(of: geometry) { Array($0.bindMemory(to: Int.self)) }[1..<sizeOfOne / MemoryLayout<Int>.size]
    }

    @Test(
      "the smaller geometry and the calls of 1.0 give the bits of today's", arguments: [3, 4], [false, true])
    func smallerGeometry(_ filter: Int, _ isWinograd: Bool) {
      let small = filter == 3 ? (7, 6, 19) : (4, 3, 19)
      for (channels, activation) in [(2, HG_ACTIVATION_RELU), (17, HG_ACTIVATION_SIGMOID)] {
        var problem = ConvolutionInputs(
          .make(
            samples: 2, large: (7, 6, channels), small: small, filter: (filter, filter),
            stride: (filter - 2, filter - 2), padding: (1, 1)), Floats.uniform)
        let old = versionOneKernels(problem, isWinograd: isWinograd, activation)
        if isWinograd { problem.geometry.algorithm = HG_ALGORITHM_WINOGRAD }
        let new = convolutionKernels(problem, activation, bias: true, Division.openMP[0])
        for ((pass, a), (_, b)) in zip(old.all, new.all) { #expect(difference(a, b, bits: true) == nil, "\(pass)") }
      }
    }

    @Test("pooling and upsampling take the smaller geometry")
    func others() {
      var pool = hg_geometry2d.make(samples: 1, large: (4, 4, 2), small: (2, 2, 2), filter: (2, 2), stride: (2, 2))
      pool.size = Self.sizeOfOne
      #expect(text(hg_max_pool2d_check(&pool)) == nil && text(hg_upsample2d_check(&pool)) == nil)
      // Behind the smaller geometry nothing is read.
      (pool.groups, pool.algorithm) = (5, HG_ALGORITHM_WINOGRAD)
      #expect(text(hg_max_pool2d_check(&pool)) == nil && text(hg_upsample2d_check(&pool)) == nil)
    }

    @Test("other sizes, and values that no kernel has yet, are refused")
    func refused() {
      let whole = hg_geometry2d.make(samples: 1, large: (3, 3, 2), small: (3, 3, 2), filter: (3, 3), padding: (1, 1))
      func sentence(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = whole
        change(&geometry)
        return text(hg_conv2d_check(&geometry))
      }
      #expect(sentence { _ in } == nil)
      for size in [0, 8, Self.sizeOfOne - 8, Self.sizeOfOne + 8, whole.size - 1, whole.size + 8] {
        #expect(sentence { $0.size = size } == "geometry.size is not sizeof(hg_geometry2d)")
      }
      #expect(sentence { $0.algorithm = hg_algorithm(2) } == "there is no such algorithm")
      #expect(sentence { $0.precision = 1 } == "there is no such precision: it must be 0, for float")
      #expect(sentence { $0.dilation_vertical = 1 } == nil)
      #expect(sentence { $0.dilation_horizontal = -1 } == "the dilation is negative")
      #expect(sentence { $0.dilation_vertical = 1 << 32 } == "the dilation exceeds 2^31")
      #expect(sentence { $0.groups = -1 } == "the number of groups is negative")
      #expect(sentence { $0.groups = 3 } == "the groups do not divide the channels of the large image")
      #expect(
        sentence { ($0.groups, $0.small_channels) = (2, 3) }
          == "the groups do not divide the channels of the small image")
      for change: (inout hg_geometry2d) -> Void in [{ $0.dilation_vertical = 2 }, { $0.groups = 2 }] {
        var geometry = whole
        change(&geometry)
        #expect(text(hg_conv2d_check(&geometry)) == nil)
        #expect(text(hg_max_pool2d_check(&geometry)) == "pooling has neither dilation nor groups of channels")
        #expect(text(hg_upsample2d_check(&geometry)) == "upsampling has neither dilation nor groups of channels")
        geometry.algorithm = HG_ALGORITHM_WINOGRAD
        #expect(text(hg_conv2d_check(&geometry)) == "Winograd's form has neither dilation nor groups of channels")
      }
      var pool = hg_geometry2d.make(
        samples: 1, large: (5, 5, 2), small: (3, 3, 2), filter: (3, 3), algorithm: HG_ALGORITHM_WINOGRAD)
      #expect(text(hg_max_pool2d_check(&pool)) == "pooling has no other algorithm")
      #expect(text(hg_winograd_check(nil)) == "the geometry is NULL")
    }
  }
}
