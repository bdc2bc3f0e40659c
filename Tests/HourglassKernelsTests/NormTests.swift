import HourglassKernels
import TestSupport
import Testing

/// Groups that fill lanes, several to a vector, of 16 channels and more, with broken ends; and batch normalisation.
struct NormCase: Sendable, CustomStringConvertible {
  let samples, positions, channels, groups: Int
  var description: String { "\(samples) x \(positions) x \(channels) in \(groups) groups" }

  static let all: [NormCase] = [
    (2, 9, 32, 8), (3, 5, 20, 4), (2, 7, 33, 3), (1, 6, 48, 1), (2, 1, 40, 2), (2, 4, 18, 18), (1, 50, 37, 37),
    (3, 3, 1, 1), (2, 11, 35, 5), (1, 1, 16, 1),
  ].map { NormCase(samples: $0.0, positions: $0.1, channels: $0.2, groups: $0.3) }

  func geometry(epsilon: Float = 1e-5) -> hg_group_norm {
    hg_group_norm(
      size: MemoryLayout<hg_group_norm>.size, samples: samples, positions: positions, channels: channels,
      groups: groups, epsilon: epsilon, activation: 0)
  }
  var count: Int { samples * positions * channels }
  var statistics: Int { samples * groups }
  /// Elements of a group.
  var elements: Int { positions * channels / groups }
}

extension KernelTests {
  @Suite struct NormTests {
    /// What one call each of the three gives, one after the other.
    private static func results(_ c: NormCase, accumulate: Bool, _ division: Division? = nil) -> [Floats] {
      var (g, generator) = (c.geometry(), SplitMix64(seed: 5))
      var parallel =
        division?.parallel
        ?? hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: 1, parallel_for: nil, context: nil)
      let (x, dy) = (Floats.uniform(c.count, &generator), Floats.uniform(c.count, &generator))
      let (weight, bias) = (Floats.uniform(c.channels, &generator), Floats.uniform(c.channels, &generator))
      let (dweight, dbias) = (Floats.uniform(c.channels, &generator), Floats.uniform(c.channels, &generator))
      let (y, applied, dx) = (Floats(count: c.count), Floats(count: c.count), Floats(count: c.count))
      let (mean, variance) = (Floats(count: c.statistics), Floats(count: c.statistics))
      hg_group_norm_forward(
        &g, x.pointer, weight.pointer, bias.pointer, y.pointer, mean.pointer, variance.pointer, &parallel)
      hg_group_norm_apply(
        &g, x.pointer, mean.pointer, variance.pointer, weight.pointer, bias.pointer, applied.pointer, &parallel)
      hg_group_norm_backward(
        &g, x.pointer, dy.pointer, mean.pointer, variance.pointer, weight.pointer, accumulate, dx.pointer,
        dweight.pointer, dbias.pointer, &parallel)
      #expect([y, applied, dx, mean, variance, dweight, dbias].allSatisfy { $0.isIntact })
      #expect(difference(applied, y, bits: true) == nil, "the statistics of x give the same y")
      return [y, mean, variance, dx, dweight, dbias]
    }

    private static func definition(_ c: NormCase, accumulate: Bool) -> [Floats] {
      var (g, generator) = (c.geometry(), SplitMix64(seed: 5))
      let (x, dy) = (Floats.uniform(c.count, &generator), Floats.uniform(c.count, &generator))
      let (weight, bias) = (Floats.uniform(c.channels, &generator), Floats.uniform(c.channels, &generator))
      let (dweight, dbias) = (Floats.uniform(c.channels, &generator), Floats.uniform(c.channels, &generator))
      let (y, dx) = (Floats(count: c.count), Floats(count: c.count))
      let (mean, variance) = (Floats(count: c.statistics), Floats(count: c.statistics))
      hg_reference_group_norm_forward(
        &g, x.pointer, weight.pointer, bias.pointer, y.pointer, mean.pointer, variance.pointer)
      hg_reference_group_norm_backward(
        &g, x.pointer, dy.pointer, mean.pointer, variance.pointer, weight.pointer, accumulate, dx.pointer,
        dweight.pointer, dbias.pointer)
      return [y, mean, variance, dx, dweight, dbias]
    }

    /// Values are below 1. A statistic carries at most as many roundoffs as a group has elements, and some; what is
    /// divided by a deviation is magnified by 1 / deviation, gradients twice.
    @Test("every call is close to its definition", arguments: NormCase.all.filter { $0.elements > 2 }, [false, true])
    func close(_ c: NormCase, _ accumulate: Bool) {
      let wanted = Self.definition(c, accumulate: accumulate)
      let least = (wanted[2].array.min() ?? 1).squareRoot()
      let terms = Float(c.elements + c.samples * c.positions + 32)
      withEachInstructionSet { isa in
        let got = Self.results(c, accumulate: accumulate)
        for (i, name) in ["y", "mean", "variance", "dx", "dweight", "dbias"].enumerated() {
          let magnified: Float = [1 / least, 1, 1, 1 / (least * least * least), Float(c.samples) / least, 1][i]
          let bound = terms * 0x1p-24 * max(1, magnified) * 4
          let worst = zip(got[i].array, wanted[i].array).map { abs($0 - $1) }.max() ?? 1
          #expect(worst <= bound, "\(isa), \(name): \(worst) above \(bound)")
          #expect(bound < 0.02, "the bound is not empty")
        }
      }
    }

    @Test("every instruction set and division gives the same bits", arguments: NormCase.all)
    func sameBits(_ c: NormCase) {
      var first: [Floats]?
      withEachInstructionSet(onlyFMA: true) { isa in
        for division in Division.all {
          let got = Self.results(c, accumulate: true, division)
          for (a, b) in zip(first ?? got, got) { #expect(difference(a, b, bits: true) == nil, "\(isa), \(division)") }
          first = got
        }
      }
    }

    /// x of 8, 0, -8, 0 ... around a mean per channel: variance 32 with epsilon 4 gives 1 / 6.
    @Test("small whole numbers are exact on every instruction set", arguments: [1, 3, 16, 21])
    func exact(_ channels: Int) {
      let c = NormCase(samples: 2, positions: 8, channels: channels, groups: channels)
      var g = c.geometry(epsilon: 4)
      let x = Floats((0..<c.count).map { i in Float([8, 0, -8, 0][i / channels % 4] + i % channels) })
      let weight = Floats([Float](repeating: 6, count: channels))
      withEachInstructionSet { isa in
        let (y, mean, variance) = (
          Floats(count: c.count), Floats(count: c.statistics), Floats(count: c.statistics)
        )
        hg_group_norm_forward(&g, x.pointer, weight.pointer, nil, y.pointer, mean.pointer, variance.pointer, nil)
        #expect(mean.array == (0..<c.statistics).map { Float($0 % channels) }, "\(isa)")
        #expect(variance.array.allSatisfy { $0 == 32 }, "\(isa)")
        // 1 / 6 is rounded, and six times it.
        let worst = zip(y.array, (0..<c.count).map { Float([8, 0, -8, 0][$0 / channels % 4]) }).map { abs($0 - $1) }
          .max()
        #expect((worst ?? 1) <= 8 * 0x1p-23, "\(isa)")
      }
    }

    @Test(
      "an activation is that of the plain result, and no weight is a weight of 1",
      arguments: NormCase.all.filter { $0.elements > 2 },
      [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID, HG_ACTIVATION_HARD_TANH])
    func activation(_ c: NormCase, _ activation: hg_activation) {
      var (plain, ending, generator) = (c.geometry(), c.geometry(), SplitMix64(seed: 9))
      ending.activation = Int(activation.rawValue)
      let (x, dy) = (Floats.uniform(c.count, &generator), Floats.uniform(c.count, &generator))
      let ones = Floats([Float](repeating: 1, count: c.channels))
      let (mean, variance) = (Floats(count: c.statistics), Floats(count: c.statistics))
      func forward(_ g: inout hg_group_norm, _ weight: Floats?) -> [Float] {
        output(c.count) {
          hg_group_norm_forward(&g, x.pointer, weight?.pointer, nil, $0, mean.pointer, variance.pointer, nil)
        }
      }
      withEachInstructionSet { isa in
        let sums = forward(&plain, ones)
        #expect(forward(&plain, nil) == sums, "\(isa)")
        let wanted = output(c.count) { hg_activation_forward(activation, c.count, sums, $0, nil) }
        #expect(forward(&ending, nil) == wanted, "\(isa)")
        #expect(
          output(c.count) {
            hg_group_norm_apply(&ending, x.pointer, mean.pointer, variance.pointer, nil, nil, $0, nil)
          } == wanted, "\(isa)")
        func backward(_ weight: Floats?) -> [Float] {
          output(c.count) {
            hg_group_norm_backward(
              &ending, x.pointer, dy.pointer, mean.pointer, variance.pointer, weight?.pointer, false, $0, nil, nil,
              nil)
          }
        }
        #expect(backward(nil) == backward(ones), "\(isa)")
      }
    }

    @Test("samples in one call or in two, which accumulate, give the same gradients")
    func calls() {
      let (c, channels) = (NormCase(samples: 4, positions: 6, channels: 24, groups: 6), 24)
      var generator = SplitMix64(seed: 8)
      let (x, dy) = (Floats.uniform(c.count, &generator), Floats.uniform(c.count, &generator))
      let weight = Floats.uniform(channels, &generator)
      func gradients(_ parts: [Range<Int>]) -> [Float] {
        let (dweight, dbias) = (Floats(count: channels), Floats(count: channels))
        for part in parts {
          var g = c.geometry()
          g.samples = part.count
          let at = part.lowerBound * c.positions * channels
          let y = Floats(count: part.count * c.positions * channels)
          let (mean, variance) = (Floats(count: part.count * 6), Floats(count: part.count * 6))
          hg_group_norm_forward(
            &g, x.pointer + at, weight.pointer, nil, y.pointer, mean.pointer, variance.pointer, nil)
          hg_group_norm_backward(
            &g, x.pointer + at, dy.pointer + at, mean.pointer, variance.pointer, weight.pointer, part.lowerBound > 0,
            nil, dweight.pointer, dbias.pointer, nil)
        }
        return dweight.array + dbias.array
      }
      #expect(gradients([0..<4]) == gradients([0..<1, 1..<4]))
    }

    @Test("a refused geometry says why")
    func refused() {
      let good = NormCase(samples: 2, positions: 3, channels: 12, groups: 4).geometry()
      func why(_ change: (inout hg_group_norm) -> Void) -> String? {
        var geometry = good
        change(&geometry)
        return text(hg_group_norm_check(&geometry))
      }
      #expect(why { _ in } == nil)
      #expect(why { $0.size = 3 } == "geometry.size is not sizeof(hg_group_norm)")
      #expect(why { $0.activation = 11 } == "there is no such activation")
      #expect(why { $0.samples = -1 } == "the number of samples is negative")
      #expect(why { $0.positions = 0 } == "positions, channels or groups are below 1")
      #expect(why { $0.groups = 5 } == "the groups do not divide the channels")
      #expect(why { $0.epsilon = -1 } == "epsilon is negative or no number")
      #expect(why { $0.epsilon = .nan } == "epsilon is negative or no number")
      #expect(why { $0.positions = 1 << 40 } == "there are 2^40 elements or more")
    }
  }
}
