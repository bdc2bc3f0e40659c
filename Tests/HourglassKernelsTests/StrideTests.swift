import HourglassKernels
import TestSupport
import Testing

/// Ways in which an image lies in memory: channels of a wider image, a crop of one or the inside of a border, and both.
private enum Layout: CaseIterable {
  case channels, rows, both

  func strides(_ height: Int, _ width: Int, _ channels: Int, _ generator: inout SplitMix64) -> hg_geometry2d.Strides {
    func gap(_ most: Int) -> Int { Int.random(in: 1...most, using: &generator) }
    switch self {
    case .channels:
      return (sample: 0, row: 0, pixel: channels + gap(20))
    case .rows:
      let row = width * channels + gap(40)
      return (sample: height * row + gap(90), row: row, pixel: 0)
    case .both:
      let pixel = channels + gap(40)
      let row = (width - 1) * pixel + channels + gap(60) - 1
      return (
        sample: (height - 1) * row + (width - 1) * pixel + channels + gap(90) - 1, row: row, pixel: pixel
      )
    }
  }
}

extension hg_geometry2d {
  fileprivate func strided(_ layout: Layout, seed: UInt64) -> hg_geometry2d {
    var (g, generator) = (self, SplitMix64(seed: seed))
    g.largeStrides = layout.strides(large_height, large_width, large_channels, &generator)
    g.smallStrides = layout.strides(small_height, small_width, small_channels, &generator)
    return g
  }
}

extension Guarded where Element == Float {
  /// These elements at their places, NaN between them.
  fileprivate func spread(_ places: [Int]) -> Floats {
    let out = Floats(count: (places.last ?? -1) + 1)
    for (i, place) in places.enumerated() { out.pointer[place] = pointer[i] }
    return out
  }

  /// The elements at their places.
  fileprivate func collected(_ places: [Int]) -> Floats { Floats(places.map { pointer[$0] }) }

  /// Whether all that lies between these places has the bits that it was made with.
  fileprivate func isUntouched(between places: [Int]) -> Bool {
    var next = 0
    for place in places {
      while next < place {
        if pointer[next].bitPattern != .max { return false }
        next += 1
      }
      next = place + 1
    }
    return true
  }
}

/// All convolutions of the tables, those that Winograd's form takes in that form once more.
private let cases: [ConvolutionCase] = {
  let direct =
    flagshipConvolutions + awkwardConvolutions + randomConvolutions(seed: 20_262, count: 60) + dilatedConvolutions
    + randomDilatedConvolutions(seed: 20_263, count: 60)
  let winograd = direct.compactMap { testCase -> ConvolutionCase? in
    var geometry = testCase.geometry
    geometry.algorithm = HG_ALGORITHM_WINOGRAD
    return hg_conv2d_check(&geometry) == nil ? ConvolutionCase("Winograd, " + testCase.name, geometry) : nil
  }
  return direct + winograd
}()

private let pools: [ConvolutionCase] = [
  .init("tiles", samples: 2, large: (8, 32), small: (4, 32), filter: 2, stride: 2),
  .init("tiles, last column unused", samples: 2, large: (7, 17), small: (3, 17), filter: 2, stride: 2),
  .init("overlapping and padded", samples: 3, large: (8, 5), small: (4, 5), filter: 3, stride: 2, padding: 1),
  .init("gaps", samples: 2, large: (9, 20), small: (3, 20), filter: 2, stride: 3),
]

extension KernelTests {
  @Suite struct StrideTests {
    private static var divisions: [Division] { [Division.openMP[0], Division.openMP[2], Division.hosts[0]] }

    @Test("with any strides the six passes give the bits of dense images and touch nothing between", arguments: cases)
    func passes(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.uniform)
      for (number, layout) in Layout.allCases.enumerated() {
        let geometry = testCase.geometry.strided(layout, seed: UInt64(number))
        let (large, small) = (geometry.largePlaces, geometry.smallPlaces)
        let spread = ConvolutionInputs(problem, geometry) { $0.spread($1 ? large : small) }
        for (activation, accumulate) in [(HG_ACTIVATION_RELU, true), (HG_ACTIVATION_SIGMOID, false)] {
          withEachInstructionSet { name in
            let wanted = convolutionKernels(
              problem, activation, bias: true, accumulate: accumulate, Division.openMP[0])
            for division in Self.divisions {
              let got = convolutionKernels(spread, activation, bias: true, accumulate: accumulate, division)
              for ((pass, strided), (_, dense)) in zip(got.all, wanted.all) {
                let places =
                  pass.hasSuffix("filter") || pass.hasSuffix("bias")
                  ? nil : pass == "forward" || pass == "transpose backward data" ? small : large
                let wrong = difference(places.map { strided.collected($0) } ?? strided, dense, bits: true)
                #expect(wrong == nil, "\(pass), \(layout), \(name), \(division): \(wrong ?? "")")
                #expect(places.map { strided.isUntouched(between: $0) } != false, "\(pass), \(layout), \(name)")
              }
            }
          }
        }
      }
    }

    @Test("the definitions take the same strides", arguments: awkwardConvolutions + dilatedConvolutions)
    func definitions(_ testCase: ConvolutionCase) {
      let problem = ConvolutionInputs(testCase.geometry, Floats.uniform)
      let geometry = testCase.geometry.strided(.both, seed: 9)
      let (large, small) = (geometry.largePlaces, geometry.smallPlaces)
      let spread = ConvolutionInputs(problem, geometry) { $0.spread($1 ? large : small) }
      let wanted = convolutionReference(problem, HG_ACTIVATION_TANH, bias: true)
      let got = convolutionReference(spread, HG_ACTIVATION_TANH, bias: true)
      #expect(difference(got.forward.collected(small), wanted.forward, bits: true) == nil)
      #expect(difference(got.transposeData.collected(small), wanted.transposeData, bits: true) == nil)
      #expect(difference(got.backwardData.collected(large), wanted.backwardData, bits: true) == nil)
      #expect(difference(got.transposeForward.collected(large), wanted.transposeForward, bits: true) == nil)
      #expect(difference(got.backwardFilter, wanted.backwardFilter, bits: true) == nil)
      #expect(difference(got.backwardBias, wanted.backwardBias, bits: true) == nil)
      #expect(difference(got.transposeFilter, wanted.transposeFilter, bits: true) == nil)
      #expect(difference(got.transposeBias, wanted.transposeBias, bits: true) == nil)
    }

    /// The output of a kernel and of its definition over images with strides, against the kernel over dense ones.
    private func compare(
      _ what: String, _ geometry: hg_geometry2d, _ layout: Layout, isLarge: Bool,
      _ call: (UnsafePointer<hg_geometry2d>, _ isStrided: Bool, Floats) -> Void,
      _ definition: ((UnsafePointer<hg_geometry2d>, Floats) -> Void)?
    ) {
      var (dense, strided) = (geometry, geometry.strided(layout, seed: 5))
      let places = isLarge ? strided.largePlaces : strided.smallPlaces
      let (wanted, got) = (Floats(count: places.count), Floats(count: (places.last ?? -1) + 1))
      call(&dense, false, wanted)
      call(&strided, true, got)
      #expect(difference(got.collected(places), wanted, bits: true) == nil, "\(what), \(layout)")
      #expect(got.isUntouched(between: places) && got.isIntact, "\(what), \(layout)")
      guard let definition else { return }
      let defined = Floats(count: got.count)
      definition(&strided, defined)
      #expect(difference(defined.collected(places), wanted) == nil, "definition of \(what), \(layout)")
    }

    @Test("with any strides pooling and unpooling give the bits of dense images", arguments: pools)
    func pooling(_ testCase: ConvolutionCase) {
      var g = testCase.geometry
      var generator = SplitMix64(seed: 11)
      let (x, dy, y) = (
        Floats.integers(g.largeCount, &generator), Floats.integers(g.smallCount, &generator),
        Floats(count: g.smallCount)
      )
      let switches = Guarded<UInt8>(count: g.smallCount)
      hg_max_pool2d_forward(&g, x.pointer, y.pointer, switches.pointer, nil)
      let s = switches.pointer
      for layout in Layout.allCases {
        let strided = g.strided(layout, seed: 5)
        let (large, small) = (strided.largePlaces, strided.smallPlaces)
        let (x2, dy2, y2) = (x.spread(large), dy.spread(small), y.spread(small))
        withEachInstructionSet { _ in
          for division in Self.divisions {
            var p = division.parallel
            let own = Guarded<UInt8>(count: g.smallCount)
            compare(
              "maxima", g, layout, isLarge: false,
              { hg_max_pool2d_forward($0, ($1 ? x2 : x).pointer, $2.pointer, own.pointer, &p) },
              { hg_reference_max_pool2d_forward($0, x2.pointer, $1.pointer, own.pointer) })
            #expect(own.array == switches.array && own.isIntact)
            compare(
              "errors of maxima", g, layout, isLarge: true,
              {
                hg_max_pool2d_backward(
                  $0, ($1 ? dy2 : dy).pointer, s, HG_ACTIVATION_RELU, ($1 ? y2 : y).pointer, $2.pointer, &p)
              }, { hg_reference_max_pool2d_backward($0, dy2.pointer, s, HG_ACTIVATION_RELU, y2.pointer, $1.pointer) })
            compare(
              "unpooling", g, layout, isLarge: true,
              { hg_max_unpool2d_forward($0, ($1 ? dy2 : dy).pointer, s, $2.pointer, &p) },
              { hg_reference_max_unpool2d_forward($0, dy2.pointer, s, $1.pointer) })
            compare(
              "errors of unpooling", g, layout, isLarge: false,
              { hg_max_unpool2d_backward($0, ($1 ? x2 : x).pointer, s, $2.pointer, &p) },
              { hg_reference_max_unpool2d_backward($0, x2.pointer, s, $1.pointer) })
          }
        }
      }
    }

    @Test("with any strides upsampling and average pooling give the bits of dense images", arguments: [1, 5, 32])
    func upsampling(_ channels: Int) {
      let g = hg_geometry2d.make(
        samples: 2, large: (6, 8, channels), small: (3, 2, channels), filter: (2, 4), stride: (2, 4))
      var generator = SplitMix64(seed: 12)
      let (x, y) = (Floats.integers(g.largeCount, &generator), Floats.integers(g.smallCount, &generator))
      for layout in Layout.allCases {
        let strided = g.strided(layout, seed: 5)
        let (x2, y2) = (x.spread(strided.largePlaces), y.spread(strided.smallPlaces))
        withEachInstructionSet { _ in
          for division in Self.divisions {
            var p = division.parallel
            compare(
              "upsampling", g, layout, isLarge: true,
              { hg_upsample2d_forward($0, ($1 ? y2 : y).pointer, $2.pointer, &p) },
              { hg_reference_upsample2d_forward($0, y2.pointer, $1.pointer) })
            compare(
              "errors of upsampling", g, layout, isLarge: false,
              { hg_upsample2d_backward($0, ($1 ? x2 : x).pointer, $2.pointer, &p) },
              { hg_reference_upsample2d_backward($0, x2.pointer, $1.pointer) })
            compare(
              "means", g, layout, isLarge: false,
              { hg_average_pool2d_forward($0, ($1 ? x2 : x).pointer, $2.pointer, &p) }, nil)
            compare(
              "errors of means", g, layout, isLarge: true,
              { hg_average_pool2d_backward($0, ($1 ? y2 : y).pointer, $2.pointer, &p) }, nil)
          }
        }
      }
    }

    /// A convolution reads the first channels of an image and writes the next ones of the same, as DenseNet grows.
    @Test("what lies between an image's pixels may be another array of the call", arguments: [3, 20])
    func concatenated(_ channels: Int) {
      var dense = hg_geometry2d.make(
        samples: 2, large: (7, 6, channels), small: (7, 6, 18), filter: (3, 3), padding: (1, 1))
      let problem = ConvolutionInputs(dense, Floats.uniform)
      let wide = channels + dense.small_channels
      var strided = dense
      strided.large_pixel_stride = wide
      strided.small_pixel_stride = wide
      let gather = Floats(count: hg_conv2d_prepared_gather_count(&dense))
      let y = Floats(count: dense.smallCount)
      let positions = 2 * 7 * 6
      let wanted = Floats(count: positions * wide)
      let image = Floats(count: positions * wide)
      for i in 0..<dense.largeCount { image.pointer[i / channels * wide + i % channels] = problem.large.pointer[i] }
      withEachInstructionSet { name in
        hg_conv2d_prepare_gather(&dense, problem.filter.pointer, gather.gatherFilter, nil)
        hg_conv2d_forward(
          &dense, problem.large.pointer, gather.gatherFilter, nil, HG_ACTIVATION_TANH, y.pointer, nil, nil)
        hg_concat_forward(
          positions, channels, dense.small_channels, problem.large.pointer, y.pointer, wanted.pointer, nil)
        hg_conv2d_forward(
          &strided, image.pointer, gather.gatherFilter, nil, HG_ACTIVATION_TANH, image.pointer + channels, nil, nil)
        #expect(difference(image, wanted, bits: true) == nil, "\(name)")
      }
    }

    @Test("strides in memory that let an image overlap itself, or lead too far, are refused")
    func refused() {
      let good = hg_geometry2d.make(samples: 2, large: (6, 4, 3), small: (3, 2, 3), filter: (2, 2), stride: (2, 2))
      func why(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = good
        change(&geometry)
        let sentence = hg_conv2d_check(&geometry)
        #expect(sentence == nil || hg_error_of(sentence) == HG_ERROR_GEOMETRY)
        #expect(text(hg_max_pool2d_check(&geometry)) == text(sentence))
        #expect(text(hg_upsample2d_check(&geometry)) == text(sentence))
        return text(sentence)
      }
      #expect(why { $0.largeStrides = (sample: 72, row: 12, pixel: 3) } == nil)
      #expect(why { $0.largeStrides = (sample: 0, row: 0, pixel: 5) } == nil)
      #expect(why { $0.largeStrides = (sample: 0, row: 18, pixel: 5) } == nil)
      #expect(why { $0.large_pixel_stride = -1 } == "a stride of the large image in memory is negative")
      #expect(why { $0.small_sample_stride = .min } == "a stride of the small image in memory is negative")
      #expect(why { $0.large_pixel_stride = 2 } == "the pixels of the large image overlap")
      #expect(why { $0.small_pixel_stride = 1 } == "the pixels of the small image overlap")
      #expect(why { $0.large_row_stride = 11 } == "the rows of the large image overlap")
      #expect(
        why { $0.largeStrides = (sample: 0, row: 17, pixel: 5) } == "the rows of the large image overlap")
      #expect(why { $0.small_row_stride = 5 } == "the rows of the small image overlap")
      #expect(why { $0.large_sample_stride = 71 } == "the samples of the large image overlap")
      #expect(why { $0.small_sample_stride = 17 } == "the samples of the small image overlap")
      #expect(why { $0.large_sample_stride = 1 << 39 } == "the large images span 2^40 elements or more")
      #expect(why { $0.large_row_stride = 1 << 38 } == "the large images span 2^40 elements or more")
      #expect(why { $0.small_pixel_stride = .max } == "the small images span 2^40 elements or more")
      #expect(why { $0.small_sample_stride = 1 << 38 } == nil)
    }
  }
}
