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
