import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  /// Scratch of a call's passes by so many threads.
  private static func scratches(_ g: hg_geometry2d, threads: Int) -> [Int] {
    var g = g
    var p = hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil)
    return [
      hg_conv2d_gather_scratch(&g, &p), hg_conv2d_scatter_scratch(&g, &p), hg_conv2d_filter_scratch(&g, &p),
    ]
  }

  @Test("Scratch is bounded by the arrays of a call, however many threads it has")
  static func boundedScratch() {
    var generator = SplitMix64(seed: 1)
    func drawn(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    var cases: [hg_geometry2d] = [
      .make(samples: 1, large: (2048, 2048, 3), small: (2048, 2048, 16), filter: (3, 3), padding: (1, 1))
    ]
    for _ in 0..<300 {
      let (stride, taps) = (drawn(1...3), drawn(1...5))
      let small = (drawn(1...40), drawn(1...40), drawn(1...80))
      var g = hg_geometry2d.make(
        samples: drawn(1...9), large: (small.0 * stride, small.1 * stride, drawn(1...80)), small: small,
        filter: (taps, taps), stride: (stride, stride), padding: (taps / 2, taps / 2))
      switch drawn(0...3) {
      case 0:
        g.groups = drawn(1...20)
        (g.large_channels, g.small_channels) = (g.groups * drawn(1...3), g.groups)
      case 1: (g.algorithm, g.filter_height, g.filter_width) = (HG_ALGORITHM_WINOGRAD, 2 + stride, 2 + stride)
      default: break
      }
      if hg_conv2d_check(&g) == nil { cases.append(g) }
    }
    #expect(cases.count > 200)
    for g in cases {
      let images =
        g.samples * (g.large_height * g.large_width * g.large_channels)
        + g.samples * (g.small_height * g.small_width * g.small_channels)
      let filter = g.filter_height * g.filter_width * g.large_channels / max(1, g.groups) * g.small_channels
      let four = scratches(g, threads: 4)
      for threads in [5, 64, 65536] {
        for (many, few) in zip(scratches(g, threads: threads), four) {
          #expect(many <= few + 4 * (images + filter), "\(threads) threads, \(g)")
        }
      }
    }
    // A ring of rows, where all of them would be 130 million floats.
    #expect(scratches(cases[0], threads: 1)[1] < 5_000_000)

    var dense = hg_dense(size: MemoryLayout<hg_dense>.size, samples: 128, inputs: 20, outputs: 4000)
    var many = hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: 65536, parallel_for: nil, context: nil)
    #expect(hg_dense_backward_data_scratch(&dense, &many) <= 4 * (128 * 4020 + 20 * 4000))
  }
}
