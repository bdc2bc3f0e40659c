import Foundation
import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  static let smooth = [
    HG_ACTIVATION_SIGMOID, HG_ACTIVATION_TANH, HG_ACTIVATION_SOFTPLUS, HG_ACTIVATION_ELU, HG_ACTIVATION_SELU,
  ]
  static let exact = [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU, HG_ACTIVATION_RELU6, HG_ACTIVATION_HARD_TANH]
  static let activations =
    exact + [HG_ACTIVATION_LEAKY_RELU, leaky(0.2), leaky(0.0001), leaky(1), HG_ACTIVATION_HARD_SIGMOID] + smooth

  /// HG_LEAKY_RELU of the header, which Swift does not see.
  static func leaky(_ slope: Double) -> hg_activation {
    hg_activation(HG_ACTIVATION_LEAKY_RELU.rawValue | UInt32((slope * 10_000).rounded()) << 8)
  }

  static func activation(_ activation: hg_activation, _ x: [Float]) -> [Float] {
    output(x.count) { hg_activation_forward(activation, x.count, x, $0, nil) }
  }

  static func activationBackward(_ activation: hg_activation, _ y: [Float], _ dy: [Float]) -> [Float] {
    output(y.count) { hg_activation_backward(activation, y.count, y, dy, $0, nil) }
  }

  static let awkward: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1, -1, .greatestFiniteMagnitude]

  @Test("Linear, ReLU and those cut off are the definition to the bit, infinities and NaN included")
  static func exactActivations() {
    let x = randomValues(1000, -3, 3) + awkward
    withEachInstructionSet { isa in
      for kind in exact {
        let wanted = output(x.count) { hg_reference_activation_forward(kind, x.count, x, $0) }
        #expect(firstDifference(activation(kind, x), wanted) == nil, "\(isa) \(kind)")
      }
      #expect(activation(HG_ACTIVATION_RELU, [-0.0, .leastNonzeroMagnitude]).map(\.bitPattern) == [0, 0], "\(isa)")
    }
  }

  /// Sigmoid: exp within 2 ulp (4 roundoffs), one sum and one quotient. The others: the bounds in ulp that stand beside
  /// their definitions, 2 roundoffs each; a slope, or a factor of the SELU, and its product round once each. All: one
  /// more roundoff for the stored reference.
  @Test(
    "An activation is within its bound of the definition wherever its value is normal",
    arguments: [
      (HG_ACTIVATION_SIGMOID, 7), (HG_ACTIVATION_TANH, 7), (HG_ACTIVATION_SOFTPLUS, 5), (HG_ACTIVATION_ELU, 3),
      (HG_ACTIVATION_LEAKY_RELU, 3), (leaky(0.2), 3), (leaky(0.3), 3), (HG_ACTIVATION_SELU, 5),
    ] as [(hg_activation, Double)])
  static func activationBound(_ kind: hg_activation, _ roundoffs: Double) {
    let powers: [Float] = (-118...6).flatMap { e in
      [1.37, -1.37].map { Float($0) * Float(sign: .plus, exponent: e, significand: 1) }
    }
    let x =
      (0..<60_000).map { Float($0 - 30_000) * (87.0 / 30_000) } + randomValues(5000, -1, 1)
      + powers.filter { abs($0) < 87 }
    let wanted = output(x.count) { hg_reference_activation_forward(kind, x.count, x, $0) }
    withEachInstructionSet { isa in
      expectClose("\(isa) \(kind)", activation(kind, x), wanted) { roundoffs * roundoff * Double(abs(wanted[$0])) }
    }
  }

  @Test("A hard sigmoid is within two roundoffs of 1 of its definition, 0 and 1 beyond 3, and NaN for NaN")
  static func hardSigmoid() {
    let x = randomValues(2000, -4, 4) + [-3, 3, -1e30, 1e30, .infinity, -.infinity]
    let wanted = output(x.count) { hg_reference_activation_forward(HG_ACTIVATION_HARD_SIGMOID, x.count, x, $0) }
    withEachInstructionSet { isa in
      let y = activation(HG_ACTIVATION_HARD_SIGMOID, x)
      expectClose("\(isa)", y, wanted) { _ in 2 * roundoff }
      #expect(y.suffix(4) == [0, 1, 1, 0] && activation(HG_ACTIVATION_HARD_SIGMOID, [.nan])[0].isNaN, "\(isa)")
    }
  }

  @Test("A slope that is no leaky ReLU's, and an activation whose derivative wants the input, are refused")
  static func refusedActivations() {
    let (x, out) = ([Float](repeating: 1, count: 4), Floats(count: 4))
    func forward(_ kind: UInt32) -> String? {
      text(hg_activation_forward(hg_activation(kind), 4, x, out.pointer, nil))
    }
    func backward(_ kind: UInt32) -> String? {
      text(hg_activation_backward(hg_activation(kind), 4, x, x, out.pointer, nil))
    }
    let none = "there is no such activation"
    for kind: UInt32 in [11, 15, 20, 200, 1 << 8 | 1, 10_001 << 8 | 6, 0x8000_0006, UInt32(Int32.max)] {
      #expect(forward(kind) == none && backward(kind) == none, "\(kind)")
    }
    for kind in [HG_ACTIVATION_GELU, HG_ACTIVATION_SILU, HG_ACTIVATION_MISH, HG_ACTIVATION_HARD_SWISH] {
      let wanted = "the derivative of this activation is found from its input, which this call has not"
      #expect(forward(kind.rawValue) == nil && backward(kind.rawValue) == wanted)
      #expect(hg_activation_backward_input(kind, 4, x, x, out.pointer, nil) == nil)
      #expect(text(hg_join_forward(kind, 4, x, x, out.pointer, nil)) == wanted)
    }
    #expect(
      text(hg_activation_backward_input(HG_ACTIVATION_RELU, 4, x, x, out.pointer, nil))
        == "the derivative of this activation is found from its output")
  }

  @Test("Sigmoid of any size of argument stays in [0, 1]; NaN stays NaN")
  static func sigmoidLimits() {
    let x: [Float] = [0, 100, -100, 1e30, -1e30, .infinity, -.infinity, -88, -89, -103, -105]
    withEachInstructionSet { isa in
      #expect(activation(HG_ACTIVATION_SIGMOID, x) == [0.5, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0], "\(isa)")
      #expect(activation(HG_ACTIVATION_SIGMOID, [.nan])[0].isNaN, "\(isa)")
    }
  }

  @Test("For any size of argument the others end at their limits; NaN stays NaN")
  static func limits() {
    let x: [Float] = [0, 100, -100, 1e30, -1e30, .infinity, -.infinity]
    withEachInstructionSet { isa in
      #expect(activation(HG_ACTIVATION_TANH, x) == [0, 1, -1, 1, -1, 1, -1], "\(isa)")
      #expect(activation(HG_ACTIVATION_ELU, x) == [0, 100, -1, 1e30, -1, .infinity, -1], "\(isa)")
      #expect(activation(HG_ACTIVATION_SOFTPLUS, Array(x[1...])) == [100, 0, 1e30, 0, .infinity, 0], "\(isa)")
      for kind in activations { #expect(activation(kind, [.nan])[0].isNaN, "\(isa) \(kind)") }
    }
  }

  /// At most four roundings (the derivative of a softplus is within 1 ulp), and one for the stored reference. The
  /// factor 1.76 of the SELU, to which y is added, is rounded.
  @Test("The backward pass is within five roundoffs of the definition; linear, ReLU and those cut off to the bit")
  static func backwardBound() {
    let s = randomValues(1000, -4, 4), dy = randomValues(1000, -4, 4, seed: 2)
    withEachInstructionSet { isa in
      for kind in activations {
        let y = activation(kind, s)
        let wanted = output(y.count) { hg_reference_activation_backward(kind, y.count, y, dy, $0) }
        let got = activationBackward(kind, y, dy)
        let roundings: Double = exact.contains(kind) ? 0 : 5
        let added: Float = kind == HG_ACTIVATION_SELU ? 2 : 0
        expectClose("\(isa) \(kind)", got, wanted) {
          roundings * roundoff * Double(abs(wanted[$0]) + added * abs(dy[$0]))
        }
      }
    }
  }

  @Test("A ReLU passes the error where its output is positive and zero elsewhere, whatever the error is")
  static func closedGate() {
    let y: [Float] = [1, 1, 1, 0, 0, -0.0, .nan, .infinity]
    let dy: [Float] = [2, .infinity, .nan, .nan, .infinity, 3, 4, 5]
    withEachInstructionSet { isa in
      let wanted: [Float] = [2, .infinity, .nan, 0, 0, 0, 0, 5]
      #expect(firstDifference(activationBackward(HG_ACTIVATION_RELU, y, dy), wanted) == nil, "\(isa)")
    }
  }

  @Test("The derivative of a smooth activation agrees with central differences of the definition", arguments: smooth)
  static func derivative(_ kind: hg_activation) {
    let s = randomValues(200, -8, 8), h = 1e-5
    func formula(_ s: Double) -> Double {
      switch kind {
      case HG_ACTIVATION_SIGMOID: 1 / (1 + exp(-s))
      case HG_ACTIVATION_TANH: (exp(2 * s) - 1) / (exp(2 * s) + 1)
      case HG_ACTIVATION_SOFTPLUS: log(1 + exp(s))
      case HG_ACTIVATION_SELU: 1.0507009873554805 * (s > 0 ? s : 1.6732632423543772 * (exp(s) - 1))
      default: s > 0 ? s : exp(s) - 1
      }
    }
    let got = activationBackward(kind, activation(kind, s), [Float](repeating: 1, count: s.count))
    let wanted = s.map { Float((formula(Double($0) + h) - formula(Double($0) - h)) / (2 * h)) }
    // y carries at most 7 roundoffs, twice of which reach (1 - y) (1 + y), and four more follow; the difference
    // quotient is good to about 1e-10.
    expectClose("\(kind)", got, wanted) { _ in 18 * roundoff }
  }

  @Test("The place of an element in an array changes no bit, nor does writing over the input")
  static func place() {
    let x = randomValues(70, -9, 9), dy = randomValues(70, -1, 1, seed: 3)
    withEachInstructionSet { isa in
      for kind in activations {
        let y = activation(kind, x), dx = activationBackward(kind, y, dy)
        for first in 0..<20 {
          for count in [0, 1, 7, 15, 16, 17, 33, 50] {
            let range = first..<first + count
            #expect(firstDifference(activation(kind, Array(x[range])), Array(y[range])) == nil, "\(isa) \(kind)")
            #expect(
              firstDifference(activationBackward(kind, Array(y[range]), Array(dy[range])), Array(dx[range])) == nil,
              "\(isa) \(kind)")
          }
        }
        var over = x
        over.withUnsafeMutableBufferPointer {
          _ = hg_activation_forward(kind, $0.count, $0.baseAddress, $0.baseAddress, nil)
        }
        #expect(firstDifference(over, y) == nil, "\(isa) \(kind)")
        over = dy
        over.withUnsafeMutableBufferPointer {
          _ = hg_activation_backward(kind, $0.count, y, $0.baseAddress, $0.baseAddress, nil)
        }
        #expect(firstDifference(over, dx) == nil, "\(isa) \(kind)")
      }
    }
  }

  @Test("The division among threads changes no bit and leaves no element out")
  static func divisionOfActivations() {
    for division in Division.all {
      var parallel = division.parallel
      for count in [0, 1, 16, 40, 333] {
        let x = randomValues(count, -9, 9), dy = randomValues(count, -1, 1, seed: 4)
        for kind in activations {
          let y = output(count) { hg_activation_forward(kind, count, x, $0, &parallel) }
          #expect(firstDifference(y, activation(kind, x)) == nil, "\(division), \(count) elements")
          let dx = output(count) { hg_activation_backward(kind, count, y, dy, $0, &parallel) }
          #expect(firstDifference(dx, activationBackward(kind, y, dy)) == nil, "\(division), \(count) elements")
        }
      }
    }
  }

  @Test("Tails read and write nothing beyond their array")
  static func guardedTails() {
    withEachInstructionSet { isa in
      for count in 1...40 {
        var generator = SplitMix64(seed: UInt64(count))
        let x = Floats.uniform(count, &generator), y = Floats(count: count), dx = Floats(count: count)
        hg_activation_forward(HG_ACTIVATION_SIGMOID, count, x.pointer, y.pointer, nil)
        hg_activation_backward(HG_ACTIVATION_RELU, count, y.pointer, x.pointer, dx.pointer, nil)
        #expect(y.isIntact && dx.isIntact && dx.array == x.array, "\(isa), \(count) elements")
      }
    }
  }

  @Test("Activations have equal bits on every instruction set with FMA")
  static func activationBits() {
    let x = randomValues(3000, -100, 100) + awkward
    for kind in activations {
      expectEqualBitsOnEachISA("forward \(kind)") { activation(kind, x) }
      expectEqualBitsOnEachISA("backward \(kind)") { activationBackward(kind, x, x.reversed()) }
    }
  }

  @Test("A call leaves the caller's treatment of denormals as it was")
  static func denormalsOfTheCaller() {
    let least = Float.leastNonzeroMagnitude
    _ = activation(HG_ACTIVATION_SIGMOID, [1])
    #expect([least].map { $0 + $0 } == [2 * least] && least + least > 0)
  }
}
