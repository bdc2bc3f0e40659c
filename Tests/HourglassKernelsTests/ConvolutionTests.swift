import HourglassKernels
import TestSupport
import Testing

private func expectEqual(_ got: ConvolutionOutputs, _ wanted: ConvolutionOutputs, bits: Bool = false, _ comment: String)
{
  for ((name, a), (_, b)) in zip(got.all, wanted.all) {
    let wrong = difference(a, b, bits: bits)
    #expect(wrong == nil, "\(name), \(comment): \(wrong ?? "")")
  }
}

private let cases =
  flagshipConvolutions + awkwardConvolutions + randomConvolutions(seed: 20_260, count: 40) + dilatedConvolutions
  + randomDilatedConvolutions(seed: 20_261, count: 60)

extension KernelTests {
  @Suite struct ConvolutionTests {
    @Test("every geometry of the table is accepted", arguments: cases)
    func accepted(_ testCase: ConvolutionCase) {
      var geometry = testCase.geometry
      #expect(text(hg_conv2d_check(&geometry)) == nil)
    }

    /// Sums of small integers are exact in float, so the reference must be met to the bit.
    @Test("small integers: every instruction set and division equals the definition", arguments: cases)
    func exact(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.integers)
      for (activation, bias) in [(HG_ACTIVATION_LINEAR, false), (HG_ACTIVATION_RELU, true)] {
        let wanted = convolutionReference(problem, activation, bias: bias, accumulate: bias)
        withEachInstructionSet { name in
          for division in Division.openMP {
            let got = convolutionKernels(problem, activation, bias: bias, accumulate: bias, division)
            expectEqual(got, wanted, "\(name), \(division), activation \(activation.rawValue)")
          }
        }
      }
    }

    @Test("random inputs: instruction sets with FMA and all divisions give the same bits", arguments: cases)
    func sameBits(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.uniform)
      for activation in [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        var first: ConvolutionOutputs?
        withEachInstructionSet(onlyFMA: true) { name in
          for division in Division.all {
            let got = convolutionKernels(problem, activation, bias: true, division)
            if let first { expectEqual(got, first, bits: true, "\(name), \(division)") } else { first = got }
          }
        }
      }
    }

    @Test("samples in two calls with accumulation give the bits of one call", arguments: cases)
    func splits(_ testCase: ConvolutionCase) {
      var geometry = testCase.geometry
      geometry.samples = 11
      if geometry.largeCount + geometry.smallCount > 200_000 { return }
      let problem = ConvolutionInputs(geometry, Floats.uniform)
      let whole = convolutionKernels(problem, HG_ACTIVATION_RELU, bias: true, Division.openMP[0])
      for first in [1, 8] {
        let forward = Floats(count: geometry.smallCount)
        let transposeForward = Floats(count: geometry.largeCount)
        let filter = Floats(count: geometry.filterCount)
        let smallBias = Floats(count: geometry.small_channels)
        let largeBias = Floats(count: geometry.large_channels)
        for (from, count) in [(0, first), (first, geometry.samples - first)] {
          var g = geometry
          g.samples = count
          let x = problem.large.pointer + from * (geometry.largeCount / geometry.samples)
          let y = problem.small.pointer + from * (geometry.smallCount / geometry.samples)
          let gather = Floats(count: hg_conv2d_prepared_gather_count(&g))
          let scatter = Floats(count: hg_conv2d_prepared_scatter_count(&g))
          let gatherScratch = Floats(count: hg_conv2d_forward_scratch(&g, nil))
          let scatterScratch = Floats(count: hg_conv2d_transpose_forward_scratch(&g, nil))
          let scratch = Floats(count: hg_conv2d_backward_filter_scratch(&g, nil))
          hg_conv2d_prepare_gather(&g, problem.filter.pointer, gather.gatherFilter, nil)
          hg_conv2d_prepare_scatter(&g, problem.filter.pointer, scatter.scatterFilter, nil)
          hg_conv2d_forward(
            &g, x, gather.gatherFilter, problem.smallBias.pointer, HG_ACTIVATION_RELU,
            forward.pointer + from * (geometry.smallCount / geometry.samples), gatherScratch.pointer, nil)
          hg_conv2d_transpose_forward(
            &g, y, scatter.scatterFilter, problem.largeBias.pointer, HG_ACTIVATION_RELU,
            transposeForward.pointer + from * (geometry.largeCount / geometry.samples), scatterScratch.pointer, nil)
          hg_conv2d_backward_filter(&g, x, y, from > 0, filter.pointer, smallBias.pointer, scratch.pointer, nil)
          hg_conv2d_transpose_backward_filter(&g, y, x, from > 0, nil, largeBias.pointer, scratch.pointer, nil)
        }
        #expect(difference(forward, whole.forward, bits: true) == nil)
        #expect(difference(transposeForward, whole.transposeForward, bits: true) == nil)
        #expect(difference(filter, whole.backwardFilter, bits: true) == nil)
        if geometry.small_channels >= 16 {
          #expect(difference(smallBias, whole.backwardBias, bits: true) == nil)
        }
        if geometry.large_channels >= 16 {
          #expect(difference(largeBias, whole.transposeBias, bits: true) == nil)
        }
      }
    }

    /// <conv(x, w), dy> = <x, data(dy, w)> = <w, filter(x, dy)>, and the same with the images' roles exchanged.
    @Test("the passes are adjoint to one another", arguments: cases)
    func adjoint(_ testCase: ConvolutionCase) {
      let g = testCase.geometry
      let p = ConvolutionInputs(g, Floats.uniform)
      let depth = max(
        g.filter_height * g.filter_width * max(g.large_channels, g.small_channels),
        g.samples * g.small_height * g.small_width)
      let absolute = ConvolutionInputs(magnitudesOf: p)
      let magnitudes = convolutionReference(absolute, HG_ACTIVATION_LINEAR, bias: false)
      let tolerance = 2 * Double(depth + 2) * 0x1p-24 * inner(magnitudes.forward, absolute.small)
      withEachInstructionSet { name in
        let out = convolutionKernels(p, HG_ACTIVATION_LINEAR, bias: false, Division.openMP[0])
        let form = inner(out.forward, p.small)
        for (pass, other) in [
          ("backward data", inner(out.backwardData, p.large)),
          ("backward filter", inner(out.backwardFilter, p.filter)),
          ("transpose forward", inner(out.transposeForward, p.large)),
          ("transpose backward data", inner(out.transposeData, p.small)),
          ("transpose backward filter", inner(out.transposeFilter, p.filter)),
        ] {
          #expect(abs(form - other) <= tolerance, "\(pass) with \(name): \(other) instead of \(form)")
        }
      }
    }

    @Test("random inputs: within the rounding bound of the definition", arguments: cases)
    func bounded(_ testCase: ConvolutionCase) {
      let g = testCase.geometry
      let p = ConvolutionInputs(g, Floats.uniform)
      let magnitudes = convolutionReference(ConvolutionInputs(magnitudesOf: p), HG_ACTIVATION_LINEAR, bias: true)
      let taps = g.filter_height * g.filter_width
      let positions = g.samples * g.small_height * g.small_width
      let largePositions = g.samples * g.large_height * g.large_width
      let depths = [
        taps * g.large_channels, taps * g.small_channels, positions, positions, taps * g.small_channels,
        taps * g.large_channels, positions, largePositions,
      ]
      for activation in [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        let wanted = convolutionReference(p, activation, bias: true)
        withEachInstructionSet { name in
          let got = convolutionKernels(p, activation, bias: true, Division.openMP[0])
          for (i, (pass, output)) in got.all.enumerated() {
            /* The slope of a sigmoid is at most 1/4, |y (1 - y)| <= 2 for gates in [-1, 1]; it and its derivative are
               rounded a few times more. */
            let sigmoid = activation == HG_ACTIVATION_SIGMOID
            let wrong = excess(
              output, wanted.all[i].1, depth: depths[i], magnitudes: magnitudes.all[i].1,
              scale: sigmoid ? 2.5 : 1, extra: sigmoid ? 0x1p-21 : 0)
            #expect(wrong == nil, "\(pass) with \(name), activation \(activation.rawValue): \(wrong ?? "")")
          }
        }
      }
    }

    /// Samples of about 100 000 floats, of which no pass takes more at a time than fit a cache.
    @Test(
      "more samples than one run equal the definition",
      arguments: [
        hg_geometry2d.make(
          samples: 7, large: (70, 70, 20), small: (18, 18, 17), filter: (3, 3), stride: (4, 4), padding: (1, 1)),
        hg_geometry2d.make(
          samples: 7, large: (180, 180, 3), small: (23, 23, 18), filter: (4, 4), stride: (8, 8), padding: (1, 1)),
      ])
    func runs(_ geometry: hg_geometry2d) {
      let problem = ConvolutionInputs(geometry, Floats.integers)
      let wanted = convolutionReference(problem, HG_ACTIVATION_RELU, bias: true)
      withEachInstructionSet { name in
        for division in Division.openMP {
          let got = convolutionKernels(problem, HG_ACTIVATION_RELU, bias: true, division)
          expectEqual(got, wanted, "\(name), \(division)")
        }
      }
    }

    @Test("no samples: data outputs are empty, gradients are zero or stay")
    func noSamples() {
      for channels in [3, 20] {
        let g = hg_geometry2d.make(
          samples: 0, large: (5, 5, channels), small: (5, 5, 20), filter: (3, 3), padding: (1, 1))
        let problem = ConvolutionInputs(g, Floats.integers)
        for division in Division.openMP {
          let fresh = convolutionKernels(problem, HG_ACTIVATION_RELU, bias: true, division)
          #expect(fresh.backwardFilter.array.allSatisfy { $0 == 0 })
          #expect(fresh.transposeFilter.array.allSatisfy { $0 == 0 })
          #expect(fresh.backwardBias.array + fresh.transposeBias.array == [Float](repeating: 0, count: 20 + channels))
          let kept = convolutionKernels(problem, HG_ACTIVATION_RELU, bias: true, accumulate: true, division)
          #expect(kept.backwardFilter.array == problem.filter.array)
          #expect(kept.transposeBias.array == problem.largeBias.array)
        }
      }
    }

    @Test("gradients that are not wanted are not computed")
    func unwanted() {
      var g = awkwardConvolutions[5].geometry
      let p = ConvolutionInputs(g, Floats.integers)
      let wanted = convolutionReference(p, HG_ACTIVATION_LINEAR, bias: false)
      let scratch = Floats(count: hg_conv2d_backward_filter_scratch(&g, nil))
      let filter = Floats(count: g.filterCount)
      let bias = Floats(count: g.small_channels)
      hg_conv2d_backward_filter(&g, p.large.pointer, p.small.pointer, false, filter.pointer, nil, scratch.pointer, nil)
      hg_conv2d_backward_filter(&g, p.large.pointer, p.small.pointer, false, nil, bias.pointer, scratch.pointer, nil)
      #expect(filter.array == wanted.backwardFilter.array)
      #expect(bias.array == wanted.backwardBias.array)
    }

    /// Stride 3 over a filter of 2 skips every third row and column of the large image.
    @Test("elements that no tap meets are never read", arguments: [2, 9, 20])
    func unmet(_ channels: Int) {
      let g = hg_geometry2d.make(
        samples: 2, large: (8, 8, channels), small: (3, 3, 18), filter: (2, 2), stride: (3, 3))
      let p = ConvolutionInputs(g, Floats.integers)
      let wanted = convolutionReference(p, HG_ACTIVATION_LINEAR, bias: true)
      for i in 0..<g.largeCount where i / channels % 8 % 3 == 2 || i / channels / 8 % 8 % 3 == 2 {
        p.large.pointer[i] = .nan
      }
      withEachInstructionSet { name in
        let got = convolutionKernels(p, HG_ACTIVATION_LINEAR, bias: true, Division.openMP[0])
        #expect(difference(got.forward, wanted.forward) == nil, "\(name)")
        #expect(difference(got.backwardFilter, wanted.backwardFilter) == nil, "\(name)")
      }
    }

    @Test("a refused geometry says why")
    func refused() {
      let good = hg_geometry2d.make(
        samples: 1, large: (8, 8, 16), small: (8, 8, 16), filter: (3, 3), padding: (1, 1))
      func why(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = good
        change(&geometry)
        return text(hg_conv2d_check(&geometry))
      }
      #expect(why { _ in } == nil)
      #expect(text(hg_conv2d_check(nil)) == "the geometry is NULL")
      #expect(why { $0.size = 8 } == "geometry.size is not sizeof(hg_geometry2d)")
      #expect(why { $0.samples = -1 } == "the number of samples is negative")
      #expect(why { $0.samples = 1 << 40 } == "there are 2^40 samples or more")
      #expect(why { $0.large_height = 0 } == "the height of the large image is below 1")
      #expect(why { $0.large_width = 0 } == "the width of the large image is below 1")
      #expect(why { $0.large_channels = 0 } == "the large image has no channels")
      #expect(why { $0.small_height = -3 } == "the height of the small image is below 1")
      #expect(why { $0.small_width = .min } == "the width of the small image is below 1")
      #expect(why { $0.small_channels = 0 } == "the small image has no channels")
      #expect(why { $0.filter_height = 0 } == "the height of the filter is below 1")
      #expect(why { $0.filter_width = 0 } == "the width of the filter is below 1")
      #expect(why { $0.stride_vertical = 0 } == "the vertical stride is below 1")
      #expect(why { $0.stride_horizontal = .max } == "the horizontal stride exceeds 2^31")
      #expect(why { $0.pad_left = -1 } == "the padding is negative")
      #expect(why { $0.pad_top = .max } == "the padding exceeds 2^31")
      #expect(
        why {
          $0.pad_top = 1 << 20
          $0.pad_left = 1 << 20
        } == "the large image with its padding has 2^40 elements or more")
      #expect(why { $0.pad_top = 3 } == nil)
      #expect(why { $0.large_height = 1 << 31 } == nil)
      #expect(
        why {
          $0.large_height = 1 << 31
          $0.large_width = 1 << 31
        } == "the large images have 2^40 elements or more")
      #expect(
        why {
          $0.small_height = 1 << 20
          $0.samples = 1 << 20
        } == "the small images have 2^40 elements or more")
      #expect(
        why {
          $0.filter_height = 1 << 31
          $0.filter_width = 1 << 31
        } == "the filter has 2^40 elements or more")
      #expect(
        why {
          $0.large_height = 1 << 31
          $0.filter_width = 1 << 20
          $0.large_channels = 1
          $0.large_width = 1
        } == "the large image with its padding has 2^40 elements or more")
      #expect(
        why {
          $0.large_channels = 1
          $0.small_height = 1 << 31
          $0.filter_height = 11
          $0.filter_width = 11
        } == "the products of the small image with all taps are 2^40 or more")
    }
  }
}
