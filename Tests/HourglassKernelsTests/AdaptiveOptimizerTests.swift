import HourglassKernels
import Testing

extension KernelTests {
  /// An update of weights and two moments, of which it may leave the second as it is.
  struct UpdateRule: Sendable, CustomTestStringConvertible {
    typealias Update =
      @Sendable (
        Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
      ) -> Void
    let testDescription: String
    let kernel, reference: Update
  }

  private static let rmsprop = hg_rmsprop_options(
    size: MemoryLayout<hg_rmsprop_options>.size, gradient_scale: 0.5, learning_rate: 0.1, alpha: 0.99, epsilon: 1e-8,
    momentum: 0.9)
  private static let adagrad = hg_adagrad_options(
    size: MemoryLayout<hg_adagrad_options>.size, gradient_scale: 0.5, learning_rate: 0.1, epsilon: 1e-10)
  private static let adadelta = hg_adadelta_options(
    size: MemoryLayout<hg_adadelta_options>.size, gradient_scale: 0.5, learning_rate: 1, rho: 0.9, epsilon: 1e-6)

  static let rules: [UpdateRule] = [
    UpdateRule(
      testDescription: "rmsprop",
      kernel: { count, g, w, v, m in withUnsafePointer(to: rmsprop) { _ = hg_rmsprop($0, count, g, w, v, m, nil) } },
      reference: { count, g, w, v, m in withUnsafePointer(to: rmsprop) { hg_reference_rmsprop($0, count, g, w, v, m) } }
    ),
    UpdateRule(
      testDescription: "adagrad",
      kernel: { count, g, w, v, _ in withUnsafePointer(to: adagrad) { _ = hg_adagrad($0, count, g, w, v, nil) } },
      reference: { count, g, w, v, _ in withUnsafePointer(to: adagrad) { hg_reference_adagrad($0, count, g, w, v) } }),
    UpdateRule(
      testDescription: "adadelta",
      kernel: { count, g, w, v, u in withUnsafePointer(to: adadelta) { _ = hg_adadelta($0, count, g, w, v, u, nil) } },
      reference: { count, g, w, v, u in
        withUnsafePointer(to: adadelta) { hg_reference_adadelta($0, count, g, w, v, u) }
      }),
  ]

  struct UpdateState {
    var weights, v, m: [Float]
    init(_ count: Int) {
      weights = randomValues(count, -1, 1, seed: 40)
      v = randomValues(count, 0.1, 1, seed: 41)
      m = randomValues(count, 0.1, 1, seed: 42)
    }
    mutating func run(_ update: UpdateRule.Update, _ range: Range<Int>, _ gradient: [Float]) {
      weights.withUnsafeMutableBufferPointer { w in
        v.withUnsafeMutableBufferPointer { v in
          m.withUnsafeMutableBufferPointer { m in
            gradient.withUnsafeBufferPointer { g in
              let at = range.lowerBound
              update(
                range.count, g.baseAddress! + at, w.baseAddress! + at, v.baseAddress! + at, m.baseAddress! + at)
            }
          }
        }
      }
    }
  }

  /// Gradients, squares and moments lie in 0.05 ... 1, so steps are below 4 and each carries some ten roundings.
  @Test("One update of RMSprop, AdaGrad and AdaDelta is within bounds of the reference", arguments: rules)
  static func adaptiveReference(_ rule: UpdateRule) {
    let count = 83, gradient = randomValues(83, 0.1, 1, seed: 43)
    var wanted = UpdateState(count)
    wanted.run(rule.reference, 0..<count, gradient)
    withEachInstructionSet { isa in
      var state = UpdateState(count)
      state.run(rule.kernel, 0..<count, gradient)
      expectClose("\(isa) v", state.v, wanted.v) { 8 * roundoff * Double(wanted.v[$0]) }
      expectClose("\(isa) m", state.m, wanted.m) { _ in 16 * roundoff * 4 }
      expectClose("\(isa) weights", state.weights, wanted.weights) { _ in 16 * roundoff * 4 }
      #expect(state.weights != UpdateState(count).weights)
    }
    expectEqualBitsOnEachISA("\(rule)") {
      var whole = UpdateState(count), slices = whole
      whole.run(rule.kernel, 0..<count, gradient)
      for (first, last) in [(0, 5), (5, 37), (37, 38), (38, 83)] { slices.run(rule.kernel, first..<last, gradient) }
      let values = whole.weights + whole.v + whole.m
      #expect(firstDifference(values, slices.weights + slices.v + slices.m) == nil)
      return values
    }
  }

  @Test("A penalty adds l2 w and l1 with the sign of w, and nothing for a weight of 0")
  static func penalties() {
    let weights: [Float] = [2, -2, 0, -0.0, .nan] + randomValues(40, -1, 1), gradient = randomValues(45, -1, 1, seed: 2)
    var wanted = gradient
    hg_reference_penalize(45, 0.5, 0.25, 0.125, weights, &wanted)
    #expect(wanted[0] == 0.5 * gradient[0] + 0.625 && wanted[1] == 0.5 * gradient[1] - 0.625)
    expectEqualBitsOnEachISA("penalize") {
      var got = gradient
      hg_penalize(45, 0.5, 0.25, 0.125, weights, &got, nil)
      #expect(got[2] == 0.5 * gradient[2] && got[3] == 0.5 * gradient[3] && got[4].isNaN)
      expectClose("gradient", Array(got[5...]), Array(wanted[5...])) { _ in 3 * roundoff }
      return got
    }
  }

  @Test("Clipping holds each element within the limit, and lets NaN be")
  static func clipping() {
    let gradient: [Float] = [4, -4, 1, -1, 2, .nan, .infinity, -0.0] + randomValues(37, -4, 4, seed: 3)
    var wanted = gradient
    hg_reference_clip(45, 0.5, 1, &wanted)
    expectEqualBitsOnEachISA("clip") {
      var got = gradient
      hg_clip(45, 0.5, 1, &got, nil)
      #expect(Array(got[..<5]) == [1, -1, 0.5, -0.5, 1] && got[5].isNaN && Array(got[6...]) == Array(wanted[6...]))
      return got
    }
    #expect(wanted.contains(1) && wanted.contains(-1))
  }

  @Test("Updates refuse options of another size and arrays that are missing")
  static func adaptiveRefusals() {
    var (rms, ada, delta) = (hg_rmsprop_options(), hg_adagrad_options(), hg_adadelta_options())
    #expect(hg_rmsprop(&rms, 0, nil, nil, nil, nil, nil) != nil && hg_adagrad(&ada, 0, nil, nil, nil, nil) != nil)
    #expect(
      hg_adadelta(&delta, 0, nil, nil, nil, nil, nil) != nil && hg_rmsprop(nil, 0, nil, nil, nil, nil, nil) != nil)
    (rms, ada, delta) = (rmsprop, adagrad, adadelta)
    var (a, b): ([Float], [Float]) = ([1], [0.5])
    #expect(hg_rmsprop(&rms, 1, [1], &a, &b, nil, nil) != nil, "momentum wants its moment")
    rms.momentum = 0
    #expect(hg_rmsprop(&rms, 1, [1], &a, &b, nil, nil) == nil)
    #expect(hg_adagrad(&ada, 1, [1], &a, nil, nil) != nil)
    #expect(hg_adadelta(&delta, 1, [1], &a, &b, nil, nil) != nil)
    #expect(hg_penalize(1, 1, 0, 0, nil, &a, nil) != nil && hg_penalize(-1, 1, 0, 0, a, nil, nil) != nil)
    #expect(hg_penalize(0, 1, 0, 0, nil, nil, nil) == nil)
    #expect(hg_clip(1, 1, 1, nil, nil) != nil && hg_clip(-1, 1, 1, &a, nil) != nil && hg_clip(0, 1, 1, nil, nil) == nil)
    #expect(hg_clip(1, 1, 0, &a, nil) != nil && hg_clip(1, 1, .nan, &a, nil) != nil)
  }
}
