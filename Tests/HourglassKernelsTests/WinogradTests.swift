import HourglassKernels
import TestSupport
import Testing

/// What the three passes put out; the filter's and the bias's gradient start from filter and bias where accumulated.
private struct WinogradOutputs {
  let forward, backwardData, backwardFilter, backwardBias: Floats

  init(_ p: ConvolutionInputs, _ activation: hg_activation, accumulate: Bool = false, _ division: Division) {
    let g = p.geometry
    forward = Floats(count: g.smallCount)
    backwardData = Floats(count: g.largeCount)
    backwardFilter = accumulate ? Floats(p.filter.array) : Floats(count: g.filterCount)
    backwardBias = accumulate ? Floats(p.smallBias.array) : Floats(count: g.small_channels)
    var parallel = division.parallel
    withUnsafePointer(to: g) { g in
      let gather = Floats(count: hg_winograd_prepared_gather_count(g))
      let scatter = Floats(count: hg_winograd_prepared_scatter_count(g))
      let scratch = Floats(count: hg_winograd_scratch(g, &parallel))
      let (x, dy) = (p.large.pointer, p.small.pointer)
      let answers = [
        hg_winograd_prepare_gather(g, p.filter.pointer, gather.pointer, &parallel),
        hg_winograd_prepare_scatter(g, p.filter.pointer, scatter.pointer, &parallel),
        hg_winograd_forward(
          g, x, gather.pointer, p.smallBias.pointer, activation, forward.pointer, scratch.pointer, &parallel),
        hg_winograd_backward_data(
          g, dy, scatter.pointer, activation, p.largeGate.pointer, backwardData.pointer, scratch.pointer, &parallel),
        hg_winograd_backward_filter(
          g, x, dy, accumulate, backwardFilter.pointer, backwardBias.pointer, scratch.pointer, &parallel),
      ]
      #expect(answers.allSatisfy { $0 == nil })
      #expect(gather.isIntact && scatter.isIntact && scratch.isIntact)
    }
    #expect(forward.isIntact && backwardData.isIntact && backwardFilter.isIntact && backwardBias.isIntact)
  }

  var all: [(String, Floats)] {
    [
      ("forward", forward), ("backward data", backwardData), ("backward filter", backwardFilter),
      ("backward bias", backwardBias),
    ]
  }
}

/// The form itself in double, and with `isMagnitude` that of the magnitudes of all matrices, which bounds its errors.
/// Matrices of Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016, section 4.3.
private struct WinogradForm {
  typealias Matrix = [[Double]]
  static let input: Matrix = [
    [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ]
  static let filter: Matrix = [
    [1.0 / 4, 0, 0], [-1.0 / 6, -1.0 / 6, -1.0 / 6], [-1.0 / 6, 1.0 / 6, -1.0 / 6], [1.0 / 24, 1.0 / 12, 1.0 / 6],
    [1.0 / 24, -1.0 / 12, 1.0 / 6], [0, 0, 1],
  ]
  static let output: Matrix = [
    [1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1],
  ]
  let isMagnitude: Bool

  /// m t m^T.
  func transform(_ m: Matrix, _ t: Matrix) -> Matrix {
    let m = isMagnitude ? m.map { $0.map(abs) } : m
    func times(_ a: Matrix, _ b: Matrix) -> Matrix {
      a.map { row in b[0].indices.map { j in row.indices.reduce(0) { $0 + row[$1] * b[$1][j] } } }
    }
    return times(times(m, t), Self.transposed(m))
  }

  static func transposed(_ m: Matrix) -> Matrix { m[0].indices.map { j in m.map { $0[j] } } }

  /// A `size` x `size` window of an image N H W C, zeros outside.
  private func window(_ image: Floats, _ shape: (Int, Int, Int), n: Int, top: Int, left: Int, c: Int, size: Int)
    -> Matrix
  {
    (0..<size).map { i in
      (0..<size).map { j in
        guard (0..<shape.0).contains(top + i), (0..<shape.1).contains(left + j) else { return 0 }
        let value = Double(image.pointer[((n * shape.0 + top + i) * shape.1 + left + j) * shape.2 + c])
        return isMagnitude ? abs(value) : value
      }
    }
  }

  /// y = the gather of x, C channels to K, with w[r][s] at (c, k); x and y N H W C.
  func gather(
    _ x: Floats, _ from: (Int, Int, Int), to: (Int, Int, Int), samples: Int, padding: (Int, Int),
    bias: (Int) -> Double, tap: (Int, Int, Int, Int) -> Double
  ) -> Floats {
    let y = Floats(count: samples * to.0 * to.1 * to.2)
    let points = (0..<from.2).map { c in
      (0..<to.2).map { k in
        transform(
          Self.filter, (0..<3).map { r in (0..<3).map { isMagnitude ? abs(tap(r, $0, c, k)) : tap(r, $0, c, k) } })
      }
    }
    for n in 0..<samples {
      for top in stride(from: 0, to: to.0, by: 4) {
        for left in stride(from: 0, to: to.1, by: 4) {
          let inputs = (0..<from.2).map { c in
            transform(
              Self.input, window(x, from, n: n, top: top - padding.0, left: left - padding.1, c: c, size: 6))
          }
          for k in 0..<to.2 {
            let sums = (0..<6).map { i in
              (0..<6).map { j in (0..<from.2).reduce(0) { $0 + points[$1][k][i][j] * inputs[$1][i][j] } }
            }
            let tile = transform(Self.output, sums)
            for i in 0..<min(4, to.0 - top) {
              for j in 0..<min(4, to.1 - left) {
                y.pointer[((n * to.0 + top + i) * to.1 + left + j) * to.2 + k] = Float(tile[i][j] + bias(k))
              }
            }
          }
        }
      }
    }
    return y
  }

  func forward(_ p: ConvolutionInputs) -> Floats {
    let g = p.geometry
    let (C, K) = (g.large_channels, g.small_channels)
    return gather(
      p.large, (g.large_height, g.large_width, C), to: (g.small_height, g.small_width, K), samples: g.samples,
      padding: (g.pad_top, g.pad_left),
      bias: { isMagnitude ? abs(Double(p.smallBias.pointer[$0])) : Double(p.smallBias.pointer[$0]) }
    ) { r, s, c, k in Double(p.filter.pointer[((r * 3 + s) * C + c) * K + k]) }
  }

  func backwardData(_ p: ConvolutionInputs) -> Floats {
    let g = p.geometry
    let (C, K) = (g.large_channels, g.small_channels)
    return gather(
      p.small, (g.small_height, g.small_width, K), to: (g.large_height, g.large_width, C), samples: g.samples,
      padding: (2 - g.pad_top, 2 - g.pad_left), bias: { _ in 0 }
    ) { r, s, k, c in Double(p.filter.pointer[(((2 - r) * 3 + 2 - s) * C + c) * K + k]) }
  }

  func backwardFilter(_ p: ConvolutionInputs) -> Floats {
    let g = p.geometry
    let (C, K) = (g.large_channels, g.small_channels)
    var sums = [Matrix](repeating: Matrix(repeating: [Double](repeating: 0, count: 6), count: 6), count: C * K)
    for n in 0..<g.samples {
      for top in stride(from: 0, to: g.small_height, by: 4) {
        for left in stride(from: 0, to: g.small_width, by: 4) {
          let inputs = (0..<C).map {
            transform(
              Self.input,
              window(
                p.large, (g.large_height, g.large_width, C), n: n, top: top - g.pad_top, left: left - g.pad_left, c: $0,
                size: 6))
          }
          let errors = (0..<K).map {
            transform(
              Self.transposed(Self.output),
              window(p.small, (g.small_height, g.small_width, K), n: n, top: top, left: left, c: $0, size: 4))
          }
          for c in 0..<C {
            for k in 0..<K {
              for i in 0..<6 { for j in 0..<6 { sums[c * K + k][i][j] += inputs[c][i][j] * errors[k][i][j] } }
            }
          }
        }
      }
    }
    let gradient = Floats(count: g.filterCount)
    for c in 0..<C {
      for k in 0..<K {
        let taps = transform(Self.transposed(Self.filter), sums[c * K + k])
        for r in 0..<3 { for s in 0..<3 { gradient.pointer[((r * 3 + s) * C + c) * K + k] = Float(taps[r][s]) } }
      }
    }
    return gradient
  }
}

extension KernelTests {
  @Suite struct WinogradTests {
    /// All of the tables that the form takes, and geometries drawn at random.
    private static let cases: [ConvolutionCase] =
      (flagshipConvolutions + awkwardConvolutions).filter { testCase in
        withUnsafePointer(to: testCase.geometry) { hg_winograd_check($0) == nil }
      } + random(seed: 20_261, count: 30)

    private static func random(seed: UInt64, count: Int) -> [ConvolutionCase] {
      var generator = SplitMix64(seed: seed)
      func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
      return (0..<count).map { index in
        ConvolutionCase(
          "seed \(seed), number \(index)",
          .make(
            samples: draw(1...4), large: (draw(1...13), draw(1...13), draw(1...35)),
            small: (draw(1...13), draw(1...13), draw(1...35)), filter: (3, 3), padding: (draw(0...2), draw(0...2))))
      }
    }

    @Test("what the form takes is in the tables")
    func thereAreCases() { #expect(Self.cases.count == 39) }

    /// With taps that are multiples of 24 x 24 all 36 points are whole numbers, and small ones stay exact.
    @Test("whole numbers: output and input errors equal the definition to the bit", arguments: cases)
    func exact(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry) { count, generator in
        Floats((0..<count).map { _ in Float(Int(generator.next() % 3) - 1) })
      }
      // Beyond this depth sums of points might leave the whole numbers that float has.
      if max(testCase.geometry.large_channels, testCase.geometry.small_channels) > 24 { return }
      for i in 0..<problem.filter.count { problem.filter.pointer[i] *= 576 }
      let wanted = convolutionReference(problem, HG_ACTIVATION_RELU, bias: true)
      withEachInstructionSet(onlyFMA: true) { name in
        let got = WinogradOutputs(problem, HG_ACTIVATION_RELU, Division.openMP[0])
        #expect(difference(got.forward, wanted.forward) == nil, "\(name)")
        #expect(difference(got.backwardData, wanted.backwardData) == nil, "\(name)")
      }
    }

    @Test("random inputs: instruction sets with FMA and all divisions give the same bits", arguments: cases)
    func sameBits(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.uniform)
      for activation in [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        var first: WinogradOutputs?
        withEachInstructionSet(onlyFMA: true) { name in
          for division in Division.all {
            let got = WinogradOutputs(problem, activation, accumulate: activation == HG_ACTIVATION_RELU, division)
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
      let (form, magnitudes) = (WinogradForm(isMagnitude: false), WinogradForm(isMagnitude: true))
      // The matrices are the convolution: in double the form meets the definition.
      #expect(excess(form.forward(problem), wanted.forward, depth: 4, magnitudes: magnitudes.forward(problem)) == nil)
      let tiles = g.samples * ((g.small_height + 3) / 4) * ((g.small_width + 3) / 4)
      let bounds: [(String, Floats, Floats, Int)] = [
        ("forward", wanted.forward, magnitudes.forward(problem), g.large_channels),
        ("backward data", wanted.backwardData, magnitudes.backwardData(problem), g.small_channels),
        ("backward filter", wanted.backwardFilter, magnitudes.backwardFilter(problem), tiles),
      ]
      withEachInstructionSet { name in
        let got = WinogradOutputs(problem, HG_ACTIVATION_LINEAR, Division.openMP[0])
        for ((pass, wanted, magnitudes, terms), (_, values)) in zip(bounds, got.all) {
          let wrong = excess(values, wanted, depth: terms + 38, magnitudes: magnitudes)
          #expect(wrong == nil, "\(pass) with \(name): \(wrong ?? "")")
        }
      }
    }

    @Test(
      "the root mean square error is 3 to 5 times that of the direct form, as the header says", arguments: [16, 32, 64])
    func typicalError(_ channels: Int) {
      let geometry = hg_geometry2d.make(
        samples: 2, large: (14, 14, channels), small: (14, 14, channels), filter: (3, 3), padding: (1, 1))
      let problem = ConvolutionInputs(geometry, Floats.uniform)
      let wanted = convolutionReference(problem, HG_ACTIVATION_LINEAR, bias: true)
      let direct = convolutionKernels(problem, HG_ACTIVATION_LINEAR, bias: true, Division.openMP[0])
      let got = WinogradOutputs(problem, HG_ACTIVATION_LINEAR, Division.openMP[0])
      func error(_ values: Floats, _ wanted: Floats) -> Double {
        let squares = zip(values.array, wanted.array).map { (Double($0) - Double($1)) * (Double($0) - Double($1)) }
        return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
      }
      for (pass, winograd, plain, wanted) in [
        ("forward", got.forward, direct.forward, wanted.forward),
        ("backward data", got.backwardData, direct.backwardData, wanted.backwardData),
        ("backward filter", got.backwardFilter, direct.backwardFilter, wanted.backwardFilter),
      ] {
        let ratio = error(winograd, wanted) / error(plain, wanted)
        #expect((2.5..<5.5).contains(ratio), "\(pass): \(ratio)")
      }
    }

    @Test("calls over runs of samples: outputs keep their bits, gradients are the sums of the calls'")
    func splits() {
      let geometry = hg_geometry2d.make(
        samples: 7, large: (9, 6, 5), small: (9, 6, 18), filter: (3, 3), padding: (1, 1))
      let problem = ConvolutionInputs(geometry, Floats.uniform)
      let whole = WinogradOutputs(problem, HG_ACTIVATION_RELU, Division.openMP[0])
      func part(_ samples: Range<Int>) -> WinogradOutputs {
        var g = geometry
        g.samples = samples.count
        let (large, small) = (geometry.largeCount / 7, geometry.smallCount / 7)
        func cut(_ all: Floats, _ each: Int) -> Floats {
          Floats(Array(all.array[samples.lowerBound * each..<samples.upperBound * each]))
        }
        return WinogradOutputs(
          ConvolutionInputs(problem, g) { cut($0, $1 ? large : small) }, HG_ACTIVATION_RELU, Division.openMP[0])
      }
      let (first, second) = (part(0..<3), part(3..<7))
      #expect(first.forward.array + second.forward.array == whole.forward.array)
      #expect(first.backwardData.array + second.backwardData.array == whole.backwardData.array)
      let start = WinogradOutputs(problem, HG_ACTIVATION_RELU, accumulate: true, Division.openMP[0])
      for i in 0..<whole.backwardFilter.count {
        #expect(start.backwardFilter.pointer[i] == problem.filter.pointer[i] + whole.backwardFilter.pointer[i])
      }
    }

    @Test("other filters and strides are refused, no samples are an empty sum")
    func edges() {
      var five = hg_geometry2d.make(samples: 1, large: (9, 9, 4), small: (5, 5, 4), filter: (5, 5))
      #expect(text(hg_winograd_check(&five)) == "Winograd's form wants a filter of 3 x 3")
      var wide = hg_geometry2d.make(samples: 1, large: (9, 9, 1024), small: (7, 7, 1024), filter: (3, 3))
      #expect(text(hg_winograd_check(&wide)) == nil)
      var two = hg_geometry2d.make(samples: 1, large: (9, 9, 4), small: (4, 4, 4), filter: (3, 3), stride: (2, 1))
      #expect(text(hg_winograd_check(&two)) == "Winograd's form wants strides of 1")
      #expect(hg_winograd_prepared_gather_count(&two) == -1 && hg_winograd_prepared_scatter_count(&two) == -1)
      #expect(hg_winograd_scratch(&two, nil) == -1)
      let a = Floats([1, 2, 3, 4])
      #expect(
        text(hg_winograd_forward(&two, a.pointer, a.pointer, nil, HG_ACTIVATION_LINEAR, a.pointer, a.pointer, nil))
          == "Winograd's form wants strides of 1")
      let none = ConvolutionInputs(
        .make(samples: 0, large: (4, 4, 2), small: (4, 4, 3), filter: (3, 3), padding: (1, 1)), Floats.uniform)
      let fresh = WinogradOutputs(none, HG_ACTIVATION_RELU, Division.openMP[0])
      #expect(fresh.backwardFilter.array.allSatisfy { $0 == 0 } && fresh.backwardBias.array.allSatisfy { $0 == 0 })
      let kept = WinogradOutputs(none, HG_ACTIVATION_RELU, accumulate: true, Division.openMP[0])
      #expect(kept.backwardFilter.array == none.filter.array && kept.backwardBias.array == none.smallBias.array)
      #expect(a.array == [1, 2, 3, 4])
    }
  }
}
