import HourglassKernels
import TestSupport
import Testing

/// Windows that tile the image, overlap, are padded, leave gaps; whole and broken groups of 16 channels.
private let cases: [ConvolutionCase] = [
  .init("conv-ae-28 first", samples: 2, large: (28, 32), small: (14, 32), filter: 2, stride: 2),
  .init("conv-ae-28 second", samples: 2, large: (14, 64), small: (7, 64), filter: 2, stride: 2),
  .init("conv-ae-32 third", samples: 2, large: (8, 128), small: (4, 128), filter: 2, stride: 2),
  .init("odd image, last column unused", samples: 2, large: (7, 17), small: (3, 17), filter: 2, stride: 2),
  .init("overlapping", samples: 2, large: (9, 33), small: (4, 33), filter: 3, stride: 2),
  .init("overlapping and padded", samples: 3, large: (8, 5), small: (4, 5), filter: 3, stride: 2, padding: 1),
  .init("stride 1", samples: 1, large: (6, 16), small: (6, 16), filter: 3, padding: 1),
  .init("gaps", samples: 2, large: (9, 20), small: (3, 20), filter: 2, stride: 3),
  .init("one element", samples: 2, large: (3, 1), small: (3, 1), filter: 1),
  .init("broken at the end", samples: 2, large: (5, 3), small: (3, 3), filter: 2, stride: 2),
  .init(
    "rectangle",
    .make(
      samples: 2, large: (7, 11, 40), small: (3, 4, 40), filter: (3, 4), stride: (2, 3), padding: (0, 1))),
  .init("255 elements", .make(samples: 1, large: (15, 17, 2), small: (1, 1, 2), filter: (15, 17))),
]

private typealias Switches = Guarded<UInt8>

/// Uniform inputs, what pooling makes of them, and an error of the output.
private func pooled(_ geometry: hg_geometry2d, seed: UInt64) -> (x: Floats, y: Floats, dy: Floats, switches: Switches) {
  var (g, generator) = (geometry, SplitMix64(seed: seed))
  let (x, dy) = (Floats.uniform(g.largeCount, &generator), Floats.uniform(g.smallCount, &generator))
  let (y, switches) = (Floats(count: g.smallCount), Switches(count: g.smallCount))
  hg_max_pool2d_forward(&g, x.pointer, y.pointer, switches.pointer, nil)
  return (x, y, dy, switches)
}

extension KernelTests {
  @Suite struct PoolingTests {
    @Test("every instruction set and division equals the definition", arguments: cases)
    func exact(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      var generator = SplitMix64(seed: 3)
      /* Integers from -3 to 3: most windows have equal maxima. */
      let x = Floats.integers(g.largeCount, &generator)
      let dy = Floats.integers(g.smallCount, &generator)
      let gate = Floats.integers(g.smallCount, &generator)
      for i in stride(from: 0, to: x.count, by: 13) { x.pointer[i] = [.nan, .infinity, -.infinity][i % 3] }
      let y = Floats(count: g.smallCount)
      let switches = Switches(count: g.smallCount)
      hg_reference_max_pool2d_forward(&g, x.pointer, y.pointer, switches.pointer)
      #expect(text(hg_max_pool2d_check(&g)) == nil)
      for activation in [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU] {
        let dx = Floats(count: g.largeCount)
        hg_reference_max_pool2d_backward(&g, dy.pointer, switches.pointer, activation, gate.pointer, dx.pointer)
        withEachInstructionSet { name in
          for division in Division.all {
            var parallel = division.parallel
            let gotY = Floats(count: g.smallCount)
            let onlyY = Floats(count: g.smallCount)
            let gotSwitches = Switches(count: g.smallCount)
            let gotDx = Floats(count: g.largeCount)
            hg_max_pool2d_forward(&g, x.pointer, gotY.pointer, gotSwitches.pointer, &parallel)
            hg_max_pool2d_forward(&g, x.pointer, onlyY.pointer, nil, &parallel)
            hg_max_pool2d_backward(
              &g, dy.pointer, gotSwitches.pointer, activation, gate.pointer, gotDx.pointer, &parallel)
            #expect(difference(gotY, y, bits: true) == nil, "maxima, \(name), \(division)")
            #expect(difference(onlyY, y, bits: true) == nil, "maxima without switches, \(name), \(division)")
            #expect(gotSwitches.array == switches.array, "switches, \(name), \(division)")
            #expect(difference(gotDx, dx) == nil, "backward, \(name), \(division)")
            #expect(gotY.isIntact && onlyY.isIntact && gotDx.isIntact && gotSwitches.isIntact)
          }
        }
      }
    }

    @Test("random inputs: every instruction set and division gives the same bits", arguments: cases)
    func sameBits(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      let (_, y, dy, switches) = pooled(g, seed: 4)
      for activation in [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        var first: Floats?
        withEachInstructionSet(onlyFMA: activation == HG_ACTIVATION_SIGMOID) { name in
          for division in Division.all {
            var parallel = division.parallel
            let dx = Floats(count: g.largeCount)
            hg_max_pool2d_backward(&g, dy.pointer, switches.pointer, activation, y.pointer, dx.pointer, &parallel)
            if let first {
              #expect(difference(dx, first, bits: true) == nil, "\(name), \(division)")
            } else {
              first = dx
            }
          }
        }
      }
    }

    @Test("the derivative at the maximum is the derivative at the input it came from", arguments: cases)
    func gatedByMaxima(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      let (x, y, dy, switches) = pooled(g, seed: 5)
      let (gated, wanted) = (Floats(count: g.largeCount), Floats(count: g.largeCount))
      hg_max_pool2d_backward(&g, dy.pointer, switches.pointer, HG_ACTIVATION_RELU, y.pointer, gated.pointer, nil)
      hg_max_pool2d_backward(&g, dy.pointer, switches.pointer, HG_ACTIVATION_LINEAR, nil, wanted.pointer, nil)
      hg_activation_backward(HG_ACTIVATION_RELU, g.largeCount, x.pointer, wanted.pointer, wanted.pointer, nil)
      #expect(difference(gated, wanted) == nil)
    }

    @Test("unpooling and its gradient equal their definitions, whatever the switches say", arguments: cases)
    func unpooled(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      let own = pooled(g, seed: 6).switches
      var generator = SplitMix64(seed: 7)
      let small = Floats.integers(g.smallCount, &generator)  // whose sums are exact
      let large = Floats.uniform(g.largeCount, &generator)
      let wild = Switches((0..<g.smallCount).map { _ in UInt8.random(in: 0...255, using: &generator) })
      for switches in [own, wild] {
        let (wantedX, wantedDy) = (Floats(count: g.largeCount), Floats(count: g.smallCount))
        hg_reference_max_unpool2d_forward(&g, small.pointer, switches.pointer, wantedX.pointer)
        hg_reference_max_unpool2d_backward(&g, large.pointer, switches.pointer, wantedDy.pointer)
        withEachInstructionSet { name in
          for division in Division.all {
            var parallel = division.parallel
            let (x, dy) = (Floats(count: g.largeCount), Floats(count: g.smallCount))
            hg_max_unpool2d_forward(&g, small.pointer, switches.pointer, x.pointer, &parallel)
            hg_max_unpool2d_backward(&g, large.pointer, switches.pointer, dy.pointer, &parallel)
            #expect(difference(x, wantedX) == nil, "forward, \(name), \(division)")
            #expect(difference(dy, wantedDy, bits: true) == nil, "backward, \(name), \(division)")
            #expect(x.isIntact && dy.isIntact)
          }
        }
      }
    }

    @Test("of equal maxima the first wins, and NaN wins over all")
    func order() {
      var g = hg_geometry2d.make(samples: 1, large: (1, 4, 1), small: (1, 1, 1), filter: (1, 4))
      for (window, winner) in [
        ([1, 3, 3, 2], 1), ([-1, -1, -1, -1], 0), ([5, .nan, 9, .nan], 1), ([.nan, .infinity, 0, 0], 0),
        ([-.infinity, -.infinity, -4, 0], 3), ([-0.0, 0.0, -1, -1], 0),
      ] as [([Float], UInt8)] {
        let x = Floats(window)
        let y = Floats(count: 1)
        let switches = Switches(count: 1)
        withEachInstructionSet { name in
          hg_max_pool2d_forward(&g, x.pointer, y.pointer, switches.pointer, nil)
          #expect(switches.array == [winner], "\(window) with \(name)")
          #expect(y.pointer[0].bitPattern == window[Int(winner)].bitPattern, "\(window) with \(name)")
        }
      }
    }

    @Test("a refused geometry says why")
    func refused() {
      let good = hg_geometry2d.make(samples: 1, large: (8, 8, 4), small: (4, 4, 4), filter: (2, 2), stride: (2, 2))
      func why(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = good
        change(&geometry)
        return text(hg_max_pool2d_check(&geometry))
      }
      #expect(why { _ in } == nil)
      #expect(why { $0.samples = -1 } == "the number of samples is negative")
      #expect(why { $0.small_channels = 5 } == "pooling needs as many small channels as large channels")
      #expect(
        why {
          $0.filter_height = 16
          $0.filter_width = 16
        } == "a pooling window has more than 255 elements")
      #expect(why { $0.pad_top = 2 } == "the padding at the top is not below the filter's height")
      #expect(why { $0.pad_left = 2 } == "the padding at the left is not below the filter's width")
      #expect(why { $0.small_height = 5 } == "the last pooling window lies wholly below the large image")
      #expect(why { $0.small_width = 5 } == "the last pooling window lies wholly to the right of the large image")
    }
  }
}
