import Foundation
import HourglassKernels
import TestSupport
import Testing

/// An activation whose derivative is found from its input, by formulas of its own.
struct InputActivation: Sendable, CustomStringConvertible {
  let kind: hg_activation
  let description: String
  let formula: @Sendable (Double) -> Double
  /// Roundoffs of a value beside one of its own size for each unit of x^2 and of |x|, and absolutely.
  let square, absolute: Double

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// The argument of the GELU's exponential is not split, so its error grows with x^2. The hard swish loses the
  /// rounding of x / 6 + 1/2, times x.
  static let all = [
    InputActivation(
      kind: HG_ACTIVATION_GELU, description: "gelu", formula: { $0 * erfc(-$0 / 2.0.squareRoot()) / 2 }, square: 1,
      absolute: 0),
    InputActivation(
      kind: HG_ACTIVATION_SILU, description: "silu", formula: { $0 * sigmoid($0) }, square: 0, absolute: 0),
    InputActivation(
      kind: HG_ACTIVATION_MISH, description: "mish", formula: { $0 * Foundation.tanh(log1p(exp($0))) }, square: 0,
      absolute: 0),
    InputActivation(
      kind: HG_ACTIVATION_HARD_SWISH, description: "hard swish", formula: { $0 * min(max($0 / 6 + 0.5, 0), 1) },
      square: 0, absolute: 6),
  ]

  func forward(_ x: [Float], _ parallel: UnsafePointer<hg_parallel>? = nil) -> [Float] {
    output(x.count) { hg_activation_forward(kind, x.count, x, $0, parallel) }
  }
  func backward(_ x: [Float], _ dy: [Float], _ parallel: UnsafePointer<hg_parallel>? = nil) -> [Float] {
    output(x.count) { hg_activation_backward_input(kind, x.count, x, dy, $0, parallel) }
  }
}

extension KernelTests {
  @Suite enum InputActivationTests {
    /// Dense near zero, and over all sizes to where the GELU's F(x) is no longer a normal float: then y loses 13 of the
    /// least.
    static let arguments =
      randomValues(20_000, -13, 13) + randomValues(20_000, -2, 2, seed: 2) + [0, -0.0, 1e-20, -1e-20]

    @Test("Values are within 16 roundoffs of the definition, a GELU x^2 more", arguments: InputActivation.all)
    static func forwardBound(_ activation: InputActivation) {
      let x = arguments
      let wanted = output(x.count) { hg_reference_activation_forward(activation.kind, x.count, x, $0) }
      withEachInstructionSet { isa in
        expectClose("\(isa)", activation.forward(x), wanted) { i in
          let size = (16 + activation.square * Double(x[i] * x[i])) * Double(abs(wanted[i]))
          return (size + activation.absolute) * roundoff + 2e-37
        }
      }
      for x in [1, -1, 2, -3, -2.5, 0.25] {
        #expect(abs(Double(activation.forward([Float(x)])[0]) - activation.formula(x)) < 24 * roundoff * abs(x))
      }
    }

    /// Terms are at most 1.2 in size, each with the roundoffs of the values, or |x| times the rounding of 1 less a
    /// sigmoid.
    @Test(
      "The derivative is that of the definition, by its formula and by central differences",
      arguments: InputActivation.all)
    static func backwardBound(_ activation: InputActivation) {
      let (x, dy) = (arguments, randomValues(arguments.count, -2, 2, seed: 3))
      let wanted = output(x.count) { hg_reference_activation_backward_input(activation.kind, x.count, x, dy, $0) }
      withEachInstructionSet { isa in
        expectClose("\(isa)", activation.backward(x, dy), wanted) { _ in 32 * roundoff * 2 }
      }
      // Away from the corners of the hard swish.
      let (h, at) = (1e-5, randomValues(300, -6, 6, seed: 4).filter { abs(abs($0) - 3) > 1e-4 })
      let slopes = at.map { x in
        Float((activation.formula(Double(x) + h) - activation.formula(Double(x) - h)) / (2 * h))
      }
      expectClose("slope", activation.backward(at, [Float](repeating: 1, count: at.count)), slopes) { _ in
        32 * roundoff
      }
    }

    @Test("Limits: the identity above, zero below; NaN stays NaN", arguments: InputActivation.all)
    static func limits(_ activation: InputActivation) {
      withEachInstructionSet { isa in
        #expect(activation.forward([30, 1e30, .infinity, -200, -1e30]) == [30, 1e30, .infinity, 0, 0], "\(isa)")
        #expect(activation.forward([.nan])[0].isNaN && activation.backward([.nan], [1])[0].isNaN, "\(isa)")
        let slopes = activation.backward([30, -200], [3, 3])
        #expect(abs(slopes[0] - 3) < 1e-6 && slopes[1] == 0, "\(isa)")
      }
    }

    @Test("Instruction set, division, place and writing over the input change no bit", arguments: InputActivation.all)
    static func bits(_ activation: InputActivation) {
      let x = Array(arguments.prefix(333)), dy = randomValues(333, -1, 1, seed: 5)
      expectEqualBitsOnEachISA("forward") { activation.forward(x) }
      expectEqualBitsOnEachISA("backward") { activation.backward(x, dy) }
      let (y, dx) = (activation.forward(x), activation.backward(x, dy))
      for division in Division.all {
        var parallel = division.parallel
        #expect(activation.forward(x, &parallel) == y && activation.backward(x, dy, &parallel) == dx, "\(division)")
      }
      #expect(activation.forward(Array(x[5..<40])) == Array(y[5..<40]))
      var (over, error) = (x, dy)
      over.withUnsafeMutableBufferPointer {
        _ = hg_activation_forward(activation.kind, $0.count, $0.baseAddress, $0.baseAddress, nil)
      }
      error.withUnsafeMutableBufferPointer {
        _ = hg_activation_backward_input(activation.kind, $0.count, x, $0.baseAddress, $0.baseAddress, nil)
      }
      #expect(over == y && error == dx)
    }
  }
}
