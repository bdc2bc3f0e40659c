import HourglassKernels
import TestSupport
import Testing

/// A transposed convolution is a convolution: zeros between the pixels and around them, the kernel reversed. On small
/// whole numbers, where both are exact.
extension KernelTests {
  @Suite struct DeconvolutionTests {
    /// y of 5 values, a kernel of 3: a valid convolution leaves 3, a full one with the reversed kernel, on the 3 with 2
    /// zeros at either end, makes 5 of them.
    @Test("in one dimension: 5 -> 3 -> 5")
    func oneDimension() {
      var g = hg_geometry2d.make(samples: 1, large: (1, 5, 1), small: (1, 3, 1), filter: (1, 3))
      let (signal, kernel): ([Float], [Float]) = ([1, 2, -1, 3, 2], [2, -1, 3])
      // By hand: 2 - 2 - 3, 4 + 1 + 9, -2 - 3 + 6.
      let down: [Float] = [-3, 14, 1]
      // By hand, overlaps added: -3 (2 -1 3) at 0, 14 (2 -1 3) at 1, 1 (2 -1 3) at 2.
      let up: [Float] = [-6, 3 + 28, -9 - 14 + 2, 42 - 1, 3]
      withEachInstructionSet { isa in
        #expect(Self.convolve(&g, signal, kernel) == down, "\(isa)")
        #expect(Self.transpose(&g, down, kernel) == up, "\(isa)")
        // The transposed convolution is a plain convolution of 0 0 -3 14 1 0 0 with 3 -1 2.
        var full = hg_geometry2d.make(samples: 1, large: (1, 7, 1), small: (1, 5, 1), filter: (1, 3))
        #expect(Self.convolve(&full, [0, 0] + down + [0, 0], kernel.reversed()) == up, "\(isa)")
        // Padding does what those zeros do.
        var padded = hg_geometry2d.make(
          samples: 1, large: (1, 3, 1), small: (1, 5, 1), filter: (1, 3), padding: (0, 2))
        #expect(Self.convolve(&padded, down, kernel.reversed()) == up, "\(isa)")
      }
    }

    static let geometries: [ConvolutionCase] = [
      .init("stride 1", samples: 2, large: (6, 3), small: (4, 5), filter: 3),
      .init("stride 2, overlapping", samples: 2, large: (9, 2), small: (4, 17), filter: 3, stride: 2),
      .init(
        "kernel 4, stride 2, padding 1", samples: 1, large: (8, 3), small: (4, 6), filter: 4, stride: 2, padding: 1),
      .init("stride 3, gaps", samples: 2, large: (8, 20), small: (3, 4), filter: 2, stride: 3),
      .init(
        "rectangle",
        .make(samples: 2, large: (5, 11, 4), small: (3, 5, 3), filter: (2, 4), stride: (2, 2), padding: (0, 0))),
    ]

    /// Zero-insertion (U - 1 zeros between pixels), R - 1 - padding zeros around, then a convolution of stride 1 with
    /// the kernel reversed and its channels exchanged.
    @Test("in two dimensions, on every instruction set", arguments: geometries)
    func twoDimensions(_ testCase: ConvolutionCase) {
      var (g, generator) = (testCase.geometry, SplitMix64(seed: 9))
      let y = Floats.integers(g.smallCount, &generator).array
      let filter = Floats.integers(g.filterCount, &generator).array
      let (R, S, C, K) = (g.filter_height, g.filter_width, g.large_channels, g.small_channels)
      let (U, V) = (g.stride_vertical, g.stride_horizontal)
      let (top, left) = (R - 1 - g.pad_top, S - 1 - g.pad_left)
      let (height, width) = (g.large_height + R - 1, g.large_width + S - 1)
      var spread = [Float](repeating: 0, count: g.samples * height * width * K)
      for n in 0..<g.samples {
        for p in 0..<g.small_height {
          for q in 0..<g.small_width {
            for k in 0..<K {
              let (h, w) = (top + p * U, left + q * V)
              spread[((n * height + h) * width + w) * K + k] =
                y[((n * g.small_height + p) * g.small_width + q) * K + k]
            }
          }
        }
      }
      var reversed = filter
      for r in 0..<R {
        for s in 0..<S {
          for c in 0..<C {
            for k in 0..<K {
              reversed[((r * S + s) * K + k) * C + c] = filter[(((R - 1 - r) * S + S - 1 - s) * C + c) * K + k]
            }
          }
        }
      }
      var plain = hg_geometry2d.make(
        samples: g.samples, large: (height, width, K), small: (g.large_height, g.large_width, C), filter: (R, S))
      withEachInstructionSet { isa in
        let (transposed, convolved) = (Self.transpose(&g, y, filter), Self.convolve(&plain, spread, reversed))
        #expect(transposed == convolved, "\(isa)")
        #expect(transposed.contains { $0 != 0 })
      }
    }

    private static func convolve(_ g: inout hg_geometry2d, _ x: [Float], _ filter: [Float]) -> [Float] {
      let prepared = Floats(count: hg_conv2d_prepared_gather_count(&g))
      var scratch = [Float](repeating: .nan, count: hg_conv2d_forward_scratch(&g, nil))
      hg_conv2d_prepare_gather(&g, filter, prepared.gatherFilter, nil)
      return output(g.smallCount) {
        hg_conv2d_forward(&g, x, prepared.gatherFilter, nil, HG_ACTIVATION_LINEAR, $0, &scratch, nil)
      }
    }

    private static func transpose(_ g: inout hg_geometry2d, _ y: [Float], _ filter: [Float]) -> [Float] {
      let prepared = Floats(count: hg_conv2d_prepared_scatter_count(&g))
      var scratch = [Float](repeating: .nan, count: hg_conv2d_transpose_forward_scratch(&g, nil))
      hg_conv2d_prepare_scatter(&g, filter, prepared.scatterFilter, nil)
      return output(g.largeCount) {
        hg_conv2d_transpose_forward(&g, y, prepared.scatterFilter, nil, HG_ACTIVATION_LINEAR, $0, &scratch, nil)
      }
    }
  }
}
