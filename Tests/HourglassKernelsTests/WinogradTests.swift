import HourglassKernels
import TestSupport
import Testing

/// Runs the six passes in Winograd's form, with biases.
private func winogradKernels(
  _ p: ConvolutionInputs, _ activation: hg_activation, accumulate: Bool = false, _ division: Division
) -> ConvolutionOutputs {
  var p = p
  p.geometry.algorithm = HG_ALGORITHM_WINOGRAD
  return convolutionKernels(p, activation, bias: true, accumulate: accumulate, division)
}

extension KernelTests {
  @Suite struct WinogradTests {
    /// All of the tables that the form takes, and geometries drawn at random.
    private static let cases: [ConvolutionCase] =
      (flagshipConvolutions + awkwardConvolutions).filter { testCase in
        var geometry = testCase.geometry
        geometry.algorithm = HG_ALGORITHM_WINOGRAD
        return hg_conv2d_check(&geometry) == nil
      } + random(seed: 20_261, count: 48)

    private static func random(seed: UInt64, count: Int) -> [ConvolutionCase] {
      var generator = SplitMix64(seed: seed)
      func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
      return (0..<count).map { index in
        let (size, stride) = index % 2 == 0 ? (3, 1) : (4, 2)
        return ConvolutionCase(
          "seed \(seed), number \(index)",
          .make(
            samples: draw(1...4), large: (draw(1...13), draw(1...13), draw(1...35)),
            small: (draw(1...13), draw(1...13), draw(1...35)), filter: (size, size), stride: (stride, stride),
            padding: (draw(0...size - 1), draw(0...size - 1))))
      }
    }

    @Test("what the form takes is in the tables")
    func thereAreCases() {
      #expect(Self.cases.count { $0.geometry.filter_height == 3 } == 38)
      #expect(Self.cases.count { $0.geometry.filter_height == 4 } == 35)
    }

    /// With taps that are multiples of 24 x 24 (and so of 6 x 6) all points are whole numbers; small ones stay exact.
    @Test("whole numbers: outputs and input errors equal the definition to the bit", arguments: cases)
    func exact(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry) { count, generator in
        Floats((0..<count).map { _ in Float(Int(generator.next() % 3) - 1) })
      }
      // Beyond this depth sums of points might leave the whole numbers that float has.
      if max(testCase.geometry.large_channels, testCase.geometry.small_channels) > 24 { return }
      for i in 0..<problem.filter.count { problem.filter.pointer[i] *= 576 }
      let wanted = convolutionReference(problem, HG_ACTIVATION_RELU, bias: true)
      withEachInstructionSet(onlyFMA: true) { name in
        let got = winogradKernels(problem, HG_ACTIVATION_RELU, Division.openMP[0])
        #expect(difference(got.forward, wanted.forward) == nil, "\(name)")
        #expect(difference(got.backwardData, wanted.backwardData) == nil, "\(name)")
        #expect(difference(got.transposeForward, wanted.transposeForward) == nil, "\(name)")
        #expect(difference(got.transposeData, wanted.transposeData) == nil, "\(name)")
      }
    }

    @Test("whole numbers: bias gradients equal the definition to the bit", arguments: cases)
    func biases(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.integers)
      let (small, large) = (Floats(count: problem.smallBias.count), Floats(count: problem.largeBias.count))
      withUnsafePointer(to: problem.geometry) { g in
        let (x, y) = (problem.large.pointer, problem.small.pointer)
        hg_reference_conv2d_backward_filter(g, x, y, false, nil, small.pointer)
        hg_reference_conv2d_transpose_backward_filter(g, y, x, false, nil, large.pointer)
      }
      let got = winogradKernels(problem, HG_ACTIVATION_LINEAR, Division.openMP[0])
      #expect(difference(got.backwardBias, small) == nil && difference(got.transposeBias, large) == nil)
    }

    @Test("random inputs: instruction sets with FMA and all divisions give the same bits", arguments: cases)
    func sameBits(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.uniform)
      for activation in [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        var first: ConvolutionOutputs?
        withEachInstructionSet(onlyFMA: true) { name in
          for division in Division.all {
            let got = winogradKernels(problem, activation, accumulate: activation == HG_ACTIVATION_RELU, division)
            for ((pass, a), (_, b)) in zip(got.all, (first ?? got).all) {
              #expect(difference(a, b, bits: true) == nil, "\(pass), \(name), \(division)")
            }
            first = first ?? got
          }
        }
      }
    }

    @Test("errors stay within the bound that the header states", arguments: cases)
    func bound(_ testCase: ConvolutionCase) {
      let g = testCase.geometry
      if g.largeCount * g.small_channels > 50_000 { return }
      let problem = ConvolutionInputs(g, Floats.uniform)
      let wanted = convolutionReference(problem, HG_ACTIVATION_LINEAR, bias: true)
      let form = WinogradForm(g, isMagnitude: false)
      let magnitudes = WinogradForm(g, isMagnitude: true)
      // The matrices are the convolution: in double the form meets the definition.
      let gathered = magnitudes.gather(problem, bias: problem.smallBias)
      let scattered = magnitudes.scatter(problem, bias: problem.largeBias)
      #expect(
        excess(form.gather(problem, bias: problem.smallBias), wanted.forward, depth: 4, magnitudes: gathered) == nil)
      #expect(
        excess(
          form.scatter(problem, bias: problem.largeBias), wanted.transposeForward, depth: 4, magnitudes: scattered)
          == nil)
      let tiles = g.samples * ((g.small_height + 3) / 4) * ((g.small_width + 3) / 4)
      let (depth, filter) = (
        g.stride_vertical * g.stride_vertical * g.large_channels, magnitudes.filterGradient(problem)
      )
      let bounds = [
        "forward": (gathered, depth), "backward data": (magnitudes.scatter(problem, bias: nil), g.small_channels),
        "backward filter": (filter, tiles), "transpose forward": (scattered, g.small_channels),
        "transpose backward data": (magnitudes.gather(problem, bias: nil), depth),
        "transpose backward filter": (filter, tiles),
      ]
      withEachInstructionSet { name in
        let got = winogradKernels(problem, HG_ACTIVATION_LINEAR, Division.openMP[0])
        var compared = 0
        for ((pass, values), (_, wanted)) in zip(got.all, wanted.all) {
          guard let (magnitudes, terms) = bounds[pass] else { continue }
          compared += 1
          let wrong = excess(values, wanted, depth: terms + 38, magnitudes: magnitudes)
          #expect(wrong == nil, "\(pass) with \(name): \(wrong ?? "")")
        }
        #expect(compared == 6)
      }
    }

    @Test(
      "the root mean square error is 1.5 to 5 times that of the direct form, as the header says",
      arguments: [3, 4], [16, 32, 64])
    func typicalError(_ filter: Int, _ channels: Int) {
      let small = filter == 3 ? 16 : 8
      let geometry = hg_geometry2d.make(
        samples: 2, large: (16, 16, channels), small: (small, small, channels), filter: (filter, filter),
        stride: (filter - 2, filter - 2), padding: (1, 1))
      let problem = ConvolutionInputs(geometry, Floats.uniform)
      let wanted = convolutionReference(problem, HG_ACTIVATION_LINEAR, bias: true)
      let direct = convolutionKernels(problem, HG_ACTIVATION_LINEAR, bias: true, Division.openMP[0])
      let got = winogradKernels(problem, HG_ACTIVATION_LINEAR, Division.openMP[0])
      func error(_ values: Floats, _ wanted: Floats) -> Double {
        let squares = zip(values.array, wanted.array).map { (Double($0) - Double($1)) * (Double($0) - Double($1)) }
        return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
      }
      for (i, (pass, wanted)) in wanted.all.enumerated() where !pass.hasSuffix("bias") {
        let ratio = error(got.all[i].1, wanted) / error(direct.all[i].1, wanted)
        #expect((1.4..<5.5).contains(ratio), "\(pass): \(ratio)")
      }
    }

    @Test(
      "calls over runs of samples: outputs keep their bits, gradients are the sums of the calls'", arguments: [3, 4])
    func splits(_ filter: Int) {
      let small = filter == 3 ? (9, 6, 18) : (4, 3, 18)
      let geometry = hg_geometry2d.make(
        samples: 7, large: (9, 6, 5), small: small, filter: (filter, filter), stride: (filter - 2, filter - 2),
        padding: (1, 1))
      let problem = ConvolutionInputs(geometry, Floats.uniform)
      let whole = winogradKernels(problem, HG_ACTIVATION_RELU, Division.openMP[0])
      func part(_ samples: Range<Int>) -> ConvolutionOutputs {
        var g = geometry
        g.samples = samples.count
        let (large, small) = (geometry.largeCount / 7, geometry.smallCount / 7)
        func cut(_ all: Floats, _ each: Int) -> Floats {
          Floats(Array(all.array[samples.lowerBound * each..<samples.upperBound * each]))
        }
        return winogradKernels(
          ConvolutionInputs(problem, g) { cut($0, $1 ? large : small) }, HG_ACTIVATION_RELU, Division.openMP[0])
      }
      let (first, second) = (part(0..<3), part(3..<7))
      #expect(first.forward.array + second.forward.array == whole.forward.array)
      #expect(first.backwardData.array + second.backwardData.array == whole.backwardData.array)
      #expect(first.transposeForward.array + second.transposeForward.array == whole.transposeForward.array)
      #expect(first.transposeData.array + second.transposeData.array == whole.transposeData.array)
      let start = winogradKernels(problem, HG_ACTIVATION_RELU, accumulate: true, Division.openMP[0])
      for i in 0..<whole.backwardFilter.count {
        #expect(start.backwardFilter.pointer[i] == problem.filter.pointer[i] + whole.backwardFilter.pointer[i])
        #expect(start.transposeFilter.pointer[i] == problem.filter.pointer[i] + whole.transposeFilter.pointer[i])
      }
    }

    @Test("other filters and strides are refused, no samples are an empty sum")
    func edges() {
      let sentence = "Winograd's form wants a filter of 3 x 3 and strides of 1, or of 4 x 4 and strides of 2"
      func window(_ extent: Int, _ small: Int, _ channels: Int, filter: (Int, Int), stride: (Int, Int)) -> hg_geometry2d
      {
        .make(
          samples: 1, large: (extent, extent, channels), small: (small, small, channels), filter: filter,
          stride: stride, algorithm: HG_ALGORITHM_WINOGRAD)
      }
      var taken = window(9, 7, 1024, filter: (3, 3), stride: (1, 1))
      #expect(text(hg_conv2d_check(&taken)) == nil)
      let a = Floats([1, 2, 3, 4])
      #expect(
        text(hg_conv2d_forward(&taken, a.pointer, a.gatherFilter, nil, HG_ACTIVATION_LINEAR, a.pointer, nil, nil))
          == "an input, output or scratch that the call needs is NULL")
      for var refused in [
        window(9, 5, 4, filter: (5, 5), stride: (1, 1)), window(9, 6, 4, filter: (4, 4), stride: (1, 1)),
        window(9, 4, 4, filter: (4, 3), stride: (2, 1)), window(9, 4, 4, filter: (3, 3), stride: (2, 1)),
      ] {
        #expect(text(hg_conv2d_check(&refused)) == sentence)
        #expect(hg_conv2d_prepared_gather_count(&refused) == -1 && hg_conv2d_prepared_scatter_count(&refused) == -1)
        #expect(hg_conv2d_forward_scratch(&refused, nil) == -1 && hg_conv2d_backward_data_scratch(&refused, nil) == -1)
        #expect(hg_conv2d_backward_filter_scratch(&refused, nil) == -1)
        #expect(
          text(
            hg_conv2d_forward(
              &refused, a.pointer, a.gatherFilter, nil, HG_ACTIVATION_LINEAR, a.pointer, a.pointer, nil)) == sentence)
      }
      let none = ConvolutionInputs(
        .make(
          samples: 0, large: (4, 4, 2), small: (2, 2, 3), filter: (4, 4), stride: (2, 2), padding: (1, 1)),
        Floats.uniform)
      let fresh = winogradKernels(none, HG_ACTIVATION_RELU, Division.openMP[0])
      #expect(fresh.backwardFilter.array.allSatisfy { $0 == 0 } && fresh.backwardBias.array.allSatisfy { $0 == 0 })
      let kept = winogradKernels(none, HG_ACTIVATION_RELU, accumulate: true, Division.openMP[0])
      #expect(kept.backwardFilter.array == none.filter.array && kept.backwardBias.array == none.smallBias.array)
      #expect(kept.transposeFilter.array == none.filter.array && kept.transposeBias.array == none.largeBias.array)
      #expect(a.array == [1, 2, 3, 4])
    }
  }
}
