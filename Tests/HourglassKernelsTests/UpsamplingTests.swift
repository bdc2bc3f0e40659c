import HourglassKernels
import TestSupport
import Testing

private let cases: [ConvolutionCase] = [
  .init("whole groups", samples: 2, large: (14, 32), small: (7, 32), filter: 2, stride: 2),
  .init("broken groups", samples: 3, large: (6, 21), small: (2, 21), filter: 3, stride: 3),
  .init("one channel", samples: 2, large: (8, 1), small: (4, 1), filter: 2, stride: 2),
  .init("by one", samples: 1, large: (5, 3), small: (5, 3), filter: 1),
  .init(
    "rectangle", .make(samples: 2, large: (6, 20, 5), small: (6, 5, 5), filter: (1, 4), stride: (1, 4))),
]

extension KernelTests {
  @Suite struct UpsamplingTests {
    @Test("every instruction set and division equals the definition", arguments: cases)
    func exact(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      var generator = SplitMix64(seed: 3)
      let (small, large) = (
        Floats.integers(g.smallCount, &generator), Floats.integers(g.largeCount, &generator)
      )
      let (wantedLarge, wantedSmall) = (Floats(count: g.largeCount), Floats(count: g.smallCount))
      hg_reference_upsample2d_forward(&g, small.pointer, wantedLarge.pointer)
      hg_reference_upsample2d_backward(&g, large.pointer, wantedSmall.pointer)
      #expect(text(hg_upsample2d_check(&g)) == nil)
      // The definitions are each other's adjoint.
      #expect(inner(wantedLarge, large) == inner(small, wantedSmall))
      withEachInstructionSet { name in
        for division in Division.all {
          var parallel = division.parallel
          let (x, y) = (Floats(count: g.largeCount), Floats(count: g.smallCount))
          hg_upsample2d_forward(&g, small.pointer, x.pointer, &parallel)
          hg_upsample2d_backward(&g, large.pointer, y.pointer, &parallel)
          #expect(difference(x, wantedLarge, bits: true) == nil, "forward, \(name), \(division)")
          #expect(difference(y, wantedSmall) == nil, "backward, \(name), \(division)")
          #expect(x.isIntact && y.isIntact)
        }
      }
    }

    /// By PyTorch's formula, and as the adjoint of each other: means of integers over 2, 4 or 8 elements are exact.
    @Test("average pooling is a mean over boxes") func averages() {
      for (u, v) in [(1, 2), (2, 2), (4, 2)] {
        var g = hg_geometry2d.make(
          samples: 2, large: (3 * u, 2 * v, 21), small: (3, 2, 21), filter: (u, v), stride: (u, v))
        var generator = SplitMix64(seed: 4)
        let (x, dy) = (Floats.integers(g.largeCount, &generator), Floats.integers(g.smallCount, &generator))
        let (y, dx) = (Floats(count: g.smallCount), Floats(count: g.largeCount))
        withEachInstructionSet { name in
          for division in Division.all {
            var parallel = division.parallel
            hg_average_pool2d_forward(&g, x.pointer, y.pointer, &parallel)
            hg_average_pool2d_backward(&g, dy.pointer, dx.pointer, &parallel)
            for i in 0..<g.smallCount {
              let (n, p, q, k) = (i / 126, i / 42 % 3, i / 21 % 2, i % 21)
              var sum: Float = 0
              for r in 0..<u {
                for s in 0..<v { sum += x.pointer[((n * 3 * u + p * u + r) * 2 * v + q * v + s) * 21 + k] }
              }
              #expect(y.pointer[i] == sum / Float(u * v), "\(name), \(division)")
            }
            #expect(inner(y, dy) == inner(x, dx))
          }
        }
      }
    }

    @Test("a refused geometry says why")
    func refused() {
      let good = hg_geometry2d.make(samples: 1, large: (8, 6, 4), small: (4, 2, 4), filter: (2, 3), stride: (2, 3))
      func why(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = good
        change(&geometry)
        return text(hg_upsample2d_check(&geometry))
      }
      #expect(why { _ in } == nil)
      #expect(why { $0.samples = -1 } == "the number of samples is negative")
      #expect(why { $0.small_channels = 5 } == "upsampling needs as many small channels as large channels")
      #expect(why { $0.filter_width = 2 } == "upsampling needs a filter of the strides' size")
      #expect(why { $0.pad_top = 1 } == "upsampling has no padding")
      #expect(why { $0.large_width = 7 } == "the large image of an upsampling is not the small one times the strides")
    }
  }
}
