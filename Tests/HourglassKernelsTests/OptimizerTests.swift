import Foundation
import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  /// Hyperparameters of a run of Adam.
  struct AdamCase: Sendable {
    var learningRate: Float = 1e-3
    var epsilon: Float = 1e-8
    var weightDecay: Float = 0
    var gradientScale: Float = 1

    func options(update: Int) -> hg_adam_options {
      let beta1: Float = 0.9, beta2: Float = 0.999
      return hg_adam_options(
        size: MemoryLayout<hg_adam_options>.size, gradient_scale: gradientScale, learning_rate: learningRate,
        beta1: beta1, beta2: beta2, epsilon: epsilon, weight_decay: weightDecay,
        correction1: Float(1 - pow(Double(beta1), Double(update))),
        correction2: Float(1 - pow(Double(beta2), Double(update))))
    }
  }

  static let adamCases = [
    AdamCase(), AdamCase(learningRate: 0.1, epsilon: 0.5), AdamCase(weightDecay: 0.1),
    AdamCase(learningRate: 0.01, weightDecay: 0.01, gradientScale: 1.0 / 128),
  ]

  /// A gradient away from zero with random signs, another one for each update.
  static func gradient(_ count: Int, update: Int) -> [Float] {
    var generator = SplitMix64(seed: UInt64(update))
    return (0..<count).map { _ in
      Float.random(in: 0.5..<1.5, using: &generator) * (Bool.random(using: &generator) ? 1 : -1)
    }
  }

  struct AdamState {
    var weights: [Float], m: [Float], v: [Float]
    init(_ count: Int) {
      weights = randomValues(count, -1, 1, seed: 40)
      m = [Float](repeating: 0, count: count)
      v = m
    }
    mutating func update(_ options: hg_adam_options, _ gradient: [Float]) {
      withUnsafePointer(to: options) { _ = hg_adam($0, gradient.count, gradient, &weights, &m, &v, nil) }
    }
  }

  /// Over T updates with 1/2 <= |g| <= 3/2 (after scaling, relative to the scale): m errs by at most 3 T roundoffs of
  /// 3/2 and v relatively by 3 T; as sqrt(v) >= 1/2 and |m| / sqrt(v) <= 3, the quotient errs by at most 16 T, the step
  /// by 8 more of its size 3. Each update rounds the weight, at most 2 in size, three times (decay included).
  @Test("Adam follows the textbook recurrence in double over twenty updates", arguments: adamCases)
  static func adamRecurrence(_ adam: AdamCase) {
    let count = 37, updates = 20
    let lr = Double(adam.learningRate), beta1 = Double(Float(0.9)), beta2 = Double(Float(0.999))
    withEachInstructionSet { isa in
      var state = AdamState(count)
      var w = state.weights.map(Double.init), m = [Double](repeating: 0, count: count), v = m
      for t in 1...updates {
        let gradient = gradient(count, update: t)
        state.update(adam.options(update: t), gradient)
        for i in 0..<count {
          let g = Double(adam.gradientScale) * Double(gradient[i])
          w[i] -= lr * Double(adam.weightDecay) * w[i]
          m[i] = beta1 * m[i] + (1 - beta1) * g
          v[i] = beta2 * v[i] + (1 - beta2) * g * g
          let mean = m[i] / (1 - pow(beta1, Double(t))), square = v[i] / (1 - pow(beta2, Double(t)))
          w[i] -= lr * mean / (square.squareRoot() + Double(adam.epsilon))
        }
      }
      let T = Double(updates)
      expectClose("\(isa)", state.weights, w.map { Float($0) }) { _ in roundoff * T * (6 + lr * (16 * T + 8) * 3) }
      expectClose("\(isa) m", state.m, m.map { Float($0) }) { _ in roundoff * 5 * T * Double(adam.gradientScale) }
      expectClose("\(isa) v", state.v, v.map { Float($0) }) { 4 * T * roundoff * v[$0] }
    }
  }

  /// One update from the same state. m and v round three times, the reference once; the quotient carries 3 of m, 2 of v
  /// under the root and 6 of its own operations and factors; the weight rounds twice, the reference once.
  @Test("One update of Adam is within bounds of the reference", arguments: adamCases)
  static func adamReference(_ adam: AdamCase) {
    let count = 200, options = adam.options(update: 7)
    withEachInstructionSet { isa in
      var state = AdamState(count)
      state.m = randomValues(count, 0.1, 1, seed: 41)
      state.v = randomValues(count, 0.1, 1, seed: 42)
      var wanted = state
      let gradient = randomValues(count, 0.1, 1, seed: 43)
      state.update(options, gradient)
      withUnsafePointer(to: options) { hg_reference_adam($0, count, gradient, &wanted.weights, &wanted.m, &wanted.v) }
      expectClose("\(isa) m", state.m, wanted.m) { 4 * roundoff * Double(wanted.m[$0]) }
      expectClose("\(isa) v", state.v, wanted.v) { 5 * roundoff * Double(wanted.v[$0]) }
      expectClose("\(isa) weights", state.weights, wanted.weights) { i in
        let step = Double(options.learning_rate) * Double(wanted.m[i]) / Double(options.correction1)
        let size = step / (Double(wanted.v[i]) / Double(options.correction2)).squareRoot()
        return roundoff * (11 * size + 3 * (1 + size))
      }
    }
  }

  @Test("The first update of Adam moves each weight by the learning rate against the sign of its gradient")
  static func firstAdamUpdate() {
    withEachInstructionSet { isa in
      var state = AdamState(20)
      state.weights = [Float](repeating: 0, count: 20)
      let gradient = gradient(20, update: 3)
      state.update(AdamCase().options(update: 1), gradient)
      // epsilon / |g| is 2e-8; some ten roundings.
      expectClose("\(isa)", state.weights, gradient.map { $0 > 0 ? -1e-3 : 1e-3 }) { _ in 1e-3 * (2e-8 + 12 * roundoff)
      }
    }
  }

  @Test("Adam leaves weights without a gradient and without moments where they are, and lets NaN through")
  static func adamZeroAndNaN() {
    withEachInstructionSet { isa in
      var state = AdamState(3)
      let before = state.weights
      state.update(AdamCase().options(update: 1), [0, .nan, .leastNonzeroMagnitude])
      #expect(firstDifference(state.weights, [before[0], .nan, before[2]]) == nil, "\(isa)")
      #expect(state.m[1].isNaN && state.v[1].isNaN && state.v[2] == 0, "\(isa)")
    }
  }

  @Test("Updates of a slice have the bits of updates of the whole, on every instruction set with FMA")
  static func updatesOfSlices() {
    let count = 83, gradient = gradient(83, update: 1)
    expectEqualBitsOnEachISA("Adam") {
      var whole = AdamState(count), slices = whole
      let options = AdamCase(weightDecay: 0.1).options(update: 1)
      whole.update(options, gradient)
      for (first, last) in [(0, 5), (5, 37), (37, 38), (38, 83)] {
        withUnsafePointer(to: options) { options in
          slices.weights.withUnsafeMutableBufferPointer { w in
            slices.m.withUnsafeMutableBufferPointer { m in
              slices.v.withUnsafeMutableBufferPointer { v in
                _ = hg_adam(
                  options, last - first, Array(gradient[first..<last]), w.baseAddress! + first, m.baseAddress! + first,
                  v.baseAddress! + first, nil)
              }
            }
          }
        }
      }
      let values = whole.weights + whole.m + whole.v
      #expect(firstDifference(values, slices.weights + slices.m + slices.v) == nil)
      return values
    }
    expectEqualBitsOnEachISA("SGD") { sgd(momentum: 0.9, decay: 0.01, updates: 3, count: count).weights }
  }

  /// `updates` of stochastic gradient descent from the same start; momentum nil leaves the moment out.
  static func sgd(momentum: Float?, decay: Float, updates: Int, count: Int) -> (weights: [Float], m: [Float]) {
    var options = hg_sgd_options(
      size: MemoryLayout<hg_sgd_options>.size, gradient_scale: 0.25, learning_rate: 0.05, momentum: momentum ?? 0,
      weight_decay: decay, nesterov: false)
    var weights = randomValues(count, -1, 1, seed: 40), m = [Float](repeating: 0, count: count)
    for t in 1...updates {
      let gradient = gradient(count, update: t)
      if momentum == nil {
        hg_sgd(&options, count, gradient, &weights, nil, nil)
      } else {
        hg_sgd(&options, count, gradient, &weights, &m, nil)
      }
    }
    return (weights, m)
  }

  /// Each update rounds the direction (below 4 in size) four times and the weight (below 3) once; momentum 0.9 carries
  /// at most ten updates' worth on.
  @Test(
    "SGD follows the textbook recurrence in double, with and without momentum", arguments: [nil, 0, 0.9] as [Float?])
  static func sgdRecurrence(_ momentum: Float?) {
    let count = 37, updates = 12
    for decay in [0, 0.01] as [Float] {
      var w = randomValues(count, -1, 1, seed: 40).map(Double.init), m = [Double](repeating: 0, count: count)
      for t in 1...updates {
        let gradient = gradient(count, update: t)
        for i in 0..<count {
          m[i] = Double(momentum ?? 0) * m[i] + 0.25 * Double(gradient[i]) + Double(decay) * w[i]
          w[i] -= Double(Float(0.05)) * m[i]
        }
      }
      withEachInstructionSet { isa in
        let got = sgd(momentum: momentum, decay: decay, updates: updates, count: count)
        expectClose("\(isa)", got.weights, w.map { Float($0) }) { _ in Double(updates) * roundoff * (3 + 0.05 * 160) }
        if momentum != nil { expectClose("\(isa) m", got.m, m.map { Float($0) }) { _ in 160 * roundoff } }
      }
    }
  }

  @Test("One update of SGD is within bounds of the reference", arguments: [false, true])
  static func sgdReference(_ nesterov: Bool) {
    var options = hg_sgd_options(
      size: MemoryLayout<hg_sgd_options>.size, gradient_scale: 0.5, learning_rate: 0.1, momentum: 0.9,
      weight_decay: 0.1,
      nesterov: nesterov)
    let count = 100, gradient = randomValues(100, -1, 1)
    var wanted = randomValues(count, -1, 1, seed: 2), wantedM = randomValues(count, -1, 1, seed: 3)
    let weights = wanted, m = wantedM
    hg_reference_sgd(&options, count, gradient, &wanted, &wantedM)
    withEachInstructionSet { isa in
      var w = weights, moment = m
      hg_sgd(&options, count, gradient, &w, &moment, nil)
      // Products of at most 0.1, 0.5 and 0.9 and their sums round five times, below 2; the weight twice.
      expectClose("\(isa) m", moment, wantedM) { _ in 6 * roundoff * 1.5 }
      expectClose("\(isa)", w, wanted) { _ in roundoff * (0.1 * (nesterov ? 24 : 9) + 2 * 1.5) }
    }
  }
}
