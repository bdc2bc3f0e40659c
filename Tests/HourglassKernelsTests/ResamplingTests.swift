import HourglassKernels
import TestSupport
import Testing

/// A resampling drawn at random: up to `taps` inputs for each output, whole weights or any.
private struct DrawnResampling {
  let (inputs, outputs): ((Int, Int), (Int, Int))
  let channels: Int
  private let vertical, horizontal: (start: [Int], input: [Int], weight: [Float])

  init(
    _ inputs: (Int, Int), _ outputs: (Int, Int), channels: Int, taps: Int, whole: Bool,
    _ generator: inout SplitMix64
  ) {
    func axis(_ inputs: Int, _ outputs: Int) -> (start: [Int], input: [Int], weight: [Float]) {
      var axis = (start: [0], input: [Int](), weight: [Float]())
      for _ in 0..<outputs {
        for _ in 0..<Int.random(in: 0...taps, using: &generator) {
          axis.input.append(Int.random(in: 0..<inputs, using: &generator))
          axis.weight.append(
            whole ? Float(Int.random(in: -2...2, using: &generator)) : Float.random(in: -1...1, using: &generator))
        }
        axis.start.append(axis.input.count)
      }
      return axis
    }
    (self.inputs, self.outputs, self.channels) = (inputs, outputs, channels)
    (vertical, horizontal) = (axis(inputs.0, outputs.0), axis(inputs.1, outputs.1))
  }

  /// The geometry of two samples, while its arrays are there.
  func withGeometry(_ body: (inout hg_resampling2d) -> Void) {
    vertical.start.withUnsafeBufferPointer { v0 in
      vertical.input.withUnsafeBufferPointer { v1 in
        vertical.weight.withUnsafeBufferPointer { v2 in
          horizontal.start.withUnsafeBufferPointer { h0 in
            horizontal.input.withUnsafeBufferPointer { h1 in
              horizontal.weight.withUnsafeBufferPointer { h2 in
                var geometry = hg_resampling2d(
                  size: MemoryLayout<hg_resampling2d>.size, samples: 2, channels: channels,
                  vertical: .init(
                    size: MemoryLayout<hg_resampling_axis>.size, inputs: inputs.0, outputs: outputs.0,
                    start: v0.baseAddress, input: v1.baseAddress, weight: v2.baseAddress),
                  horizontal: .init(
                    size: MemoryLayout<hg_resampling_axis>.size, inputs: inputs.1, outputs: outputs.1,
                    start: h0.baseAddress, input: h1.baseAddress,
                    weight: h2.baseAddress))
                body(&geometry)
              }
            }
          }
        }
      }
    }
  }

  var inputCount: Int { 2 * inputs.0 * inputs.1 * channels }
  var outputCount: Int { 2 * outputs.0 * outputs.1 * channels }
}

private let channels = [1, 2, 3, 4, 5, 16, 21, 64, 150]

extension KernelTests {
  @Suite struct ResamplingTests {
    @Test("every instruction set and division equals the definition, on whole numbers", arguments: channels)
    func exact(_ channels: Int) {
      var generator = SplitMix64(seed: 8)
      let drawn = DrawnResampling((5, 4), (7, 6), channels: channels, taps: 4, whole: true, &generator)
      let (x, wanted) = (Floats.integers(drawn.inputCount, &generator), Floats(count: drawn.outputCount))
      drawn.withGeometry { g in
        #expect(text(hg_resample2d_check(&g)) == nil)
        hg_reference_resample2d(&g, x.pointer, wanted.pointer)
        withEachInstructionSet { name in
          for division in Division.all {
            var parallel = division.parallel
            let y = Floats(count: drawn.outputCount)
            hg_resample2d(&g, x.pointer, y.pointer, &parallel)
            #expect(difference(y, wanted) == nil, "\(name), \(division)")
            #expect(y.isIntact)
          }
        }
      }
    }

    /// A sum of at most 16 products of three factors: each carries 2 roundoffs, the sum 16.
    @Test("random inputs: the same bits everywhere, near the definition", arguments: channels)
    func sameBits(_ channels: Int) {
      var generator = SplitMix64(seed: 9)
      let drawn = DrawnResampling((6, 3), (4, 9), channels: channels, taps: 4, whole: false, &generator)
      let (x, wanted) = (Floats.uniform(drawn.inputCount, &generator), Floats(count: drawn.outputCount))
      drawn.withGeometry { g in
        hg_reference_resample2d(&g, x.pointer, wanted.pointer)
        var first: Floats?
        withEachInstructionSet(onlyFMA: true) { name in
          for division in Division.all {
            var parallel = division.parallel
            let y = Floats(count: drawn.outputCount)
            hg_resample2d(&g, x.pointer, y.pointer, &parallel)
            for i in 0..<y.count { #expect(abs(y.pointer[i] - wanted.pointer[i]) <= 18 * 16 * 0x1p-24) }
            if let first { #expect(difference(y, first, bits: true) == nil, "\(name), \(division)") }
            first = first ?? y
          }
        }
      }
    }

    @Test("a refused geometry says why")
    func refused() {
      var generator = SplitMix64(seed: 1)
      DrawnResampling((3, 3), (2, 2), channels: 2, taps: 2, whole: true, &generator).withGeometry { good in
        let good = good
        func why(_ change: (inout hg_resampling2d) -> Void) -> String? {
          var geometry = good
          change(&geometry)
          return text(hg_resample2d_check(&geometry))
        }
        #expect(why { _ in } == nil)
        #expect(text(hg_resample2d_check(nil)) == "the geometry is NULL")
        #expect(why { $0.size = 8 } == "geometry.size is not sizeof(hg_resampling2d)")
        #expect(why { $0.vertical.size = 8 } == "axis.size is not sizeof(hg_resampling_axis)")
        #expect(why { $0.samples = -1 } == "the number of samples is negative")
        #expect(why { $0.channels = 0 } == "the channels of a resampling are below 1")
        #expect(why { $0.horizontal.inputs = 0 } == "an axis of a resampling has an extent below 1")
        #expect(why { $0.vertical.inputs = .max } == "an axis of a resampling has an extent above 2^31")
        #expect(why { $0.vertical.weight = nil } == "the taps of an axis of a resampling are NULL")
        #expect(why { $0.channels = 1 << 40 } == "the images of a resampling have 2^40 elements or more")
        for (starts, sentence) in [
          ([-1, 0, 0], "the taps of a resampling start below 0"),
          ([0, 1, 0], "the taps of a resampling end before they start"),
        ] {
          starts.withUnsafeBufferPointer { pointer in
            #expect(why { $0.vertical.start = pointer.baseAddress } == sentence)
          }
        }
        [0, 0, 1].withUnsafeBufferPointer { start in
          for place in [-1, 3] {
            [place].withUnsafeBufferPointer { input in
              let sentence = why {
                $0.vertical.start = start.baseAddress
                $0.vertical.input = input.baseAddress
              }
              #expect(sentence == "a tap of a resampling lies outside its input")
            }
          }
        }
      }
    }
  }

  @Suite struct PermutationTests {
    /// Extents and strides; what they do not name has one element.
    private static func order(_ axes: [(count: Int, stride: Int)]) -> hg_permutation {
      let a = axes + Array(repeating: (1, 1), count: 6 - axes.count)
      return hg_permutation(
        size: MemoryLayout<hg_permutation>.size, samples: 2, rank: axes.count,
        extents: (a[0].0, a[1].0, a[2].0, a[3].0, a[4].0, a[5].0),
        strides: (a[0].1, a[1].1, a[2].1, a[3].1, a[4].1, a[5].1))
    }

    /// The identity; a matrix transposed; H, W, C to C, H, W; a pixel shuffle; axes that merge, of one element.
    private static let orders: [[(count: Int, stride: Int)]] = [
      [(24, 1)], [(1, 1)], [(4, 1), (6, 4)], [(5, 1), (3, 20), (4, 5)], [(3, 32), (2, 2), (4, 8), (2, 1), (2, 4)],
      [(2, 12), (1, 7), (3, 4), (4, 1)], [(2, 1), (3, 2), (2, 6), (2, 12), (1, 0), (2, 24)],
    ]

    @Test("every division equals the definition, and the way back leads back", arguments: orders.indices)
    func exact(_ index: Int) {
      let axes = Self.orders[index]
      var order = Self.order(axes)
      let count = 2 * axes.reduce(1) { $0 * $1.count }
      var generator = SplitMix64(seed: 3)
      let (x, wanted, back) = (Floats.uniform(count, &generator), Floats(count: count), Floats(count: count))
      #expect(text(hg_permute_check(&order)) == nil)
      hg_reference_permute_forward(&order, x.pointer, wanted.pointer)
      hg_reference_permute_backward(&order, wanted.pointer, back.pointer)
      #expect(difference(back, x, bits: true) == nil)
      for division in Division.all {
        var parallel = division.parallel
        let (y, dx) = (Floats(count: count), Floats(count: count))
        hg_permute_forward(&order, x.pointer, y.pointer, &parallel)
        hg_permute_backward(&order, y.pointer, dx.pointer, &parallel)
        #expect(difference(y, wanted, bits: true) == nil && difference(dx, x, bits: true) == nil, "\(division)")
        #expect(y.isIntact && dx.isIntact)
      }
    }

    @Test("a refused permutation says why")
    func refused() {
      func why(_ axes: [(count: Int, stride: Int)], _ change: (inout hg_permutation) -> Void = { _ in }) -> String? {
        var order = Self.order(axes)
        change(&order)
        return text(hg_permute_check(&order))
      }
      let axes = [(count: 3, stride: 2), (count: 2, stride: 1)]
      let uneven = "the strides of a permutation do not meet each element once"
      #expect(text(hg_permute_check(nil)) == "the permutation is NULL")
      #expect(why(axes) == nil)
      #expect(why(axes) { $0.size = 8 } == "permutation.size is not sizeof(hg_permutation)")
      #expect(why(axes) { $0.samples = -1 } == "the number of samples is negative")
      #expect(why(axes) { $0.rank = 7 } == "a permutation has 1 to 6 axes")
      #expect(why(axes) { $0.extents.1 = 0 } == "an axis of a permutation has an extent below 1")
      #expect(why(axes) { $0.samples = 1 << 40 } == "a permutation has 2^40 elements or more")
      #expect(why([(3, 1), (2, 1)]) == uneven)
      #expect(why([(3, 3), (2, 1)]) == uneven)
      #expect(why([(3, -1), (2, 3)]) == uneven)
    }
  }
}
