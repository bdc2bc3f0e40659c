import Foundation
import HourglassKernels
import TestSupport
import Testing

private func gelu(_ x: [Float]) -> [Float] { output(x.count) { hg_gelu_forward(x.count, x, $0, nil) } }
private func geluBackward(_ x: [Float], _ dy: [Float]) -> [Float] {
  output(x.count) { hg_gelu_backward(x.count, x, dy, $0, nil) }
}

extension KernelTests {
  @Suite enum GELUTests {
    /// Dense near zero, and over all sizes to where F(x) is no longer a normal float: then y loses 13 of the least.
    static let arguments =
      randomValues(20_000, -13, 13) + randomValues(20_000, -2, 2, seed: 2) + [0, -0.0, 1e-20, -1e-20]

    @Test("Values are within 16 + x^2 roundoffs of x F(x), also far out on the left")
    static func forwardBound() {
      let wanted = output(arguments.count) { hg_reference_gelu_forward(arguments.count, arguments, $0) }
      withEachInstructionSet { isa in
        expectClose("\(isa)", gelu(arguments), wanted) { i in
          (16 + Double(arguments[i] * arguments[i])) * roundoff * Double(abs(wanted[i])) + 2e-37
        }
      }
      // 1/2 (1 + erf(x / sqrt 2)) to twelve digits.
      for (x, y) in [(1, 0.841344746069), (-1, -0.158655253931), (2, 1.95449973610), (-3, -0.00404969409489)] {
        #expect(abs(Double(gelu([Float(x)])[0]) - y) < 16 * roundoff * abs(y))
      }
    }

    @Test("The derivative is that of the definition, by its formula and by central differences")
    static func backwardBound() {
      let dy = randomValues(arguments.count, -2, 2, seed: 3)
      let wanted = output(arguments.count) { hg_reference_gelu_backward(arguments.count, arguments, dy, $0) }
      withEachInstructionSet { isa in
        // Both terms are at most 1.2; each carries the roundoffs above, and x^2 e^(-x^2/2) is at most 1.
        expectClose("\(isa)", geluBackward(arguments, dy), wanted) { _ in 32 * roundoff * 2 }
      }
      let h = 1e-5
      func formula(_ x: Double) -> Double { x * erfc(-x / 2.squareRoot()) / 2 }
      let x = randomValues(300, -6, 6, seed: 4)
      let slopes = x.map { Float((formula(Double($0) + h) - formula(Double($0) - h)) / (2 * h)) }
      expectClose("slope", geluBackward(x, [Float](repeating: 1, count: 300)), slopes) { _ in 32 * roundoff }
    }

    @Test("Limits: the identity above, zero below; NaN stays NaN")
    static func limits() {
      withEachInstructionSet { isa in
        #expect(gelu([20, 1e30, .infinity, -20, -1e30]) == [20, 1e30, .infinity, 0, 0], "\(isa)")
        #expect(gelu([.nan])[0].isNaN, "\(isa)")
        #expect(geluBackward([20, -20, 0], [3, 3, 3]) == [3, 0, 1.5], "\(isa)")
      }
    }

    @Test("Instruction set, division, place and writing over the input change no bit")
    static func bits() {
      let x = Array(arguments.prefix(333)), dy = randomValues(333, -1, 1, seed: 5)
      expectEqualBitsOnEachISA("forward") { gelu(x) }
      expectEqualBitsOnEachISA("backward") { geluBackward(x, dy) }
      let (y, dx) = (gelu(x), geluBackward(x, dy))
      for division in Division.all {
        var parallel = division.parallel
        #expect(output(333) { hg_gelu_forward(333, x, $0, &parallel) } == y, "\(division)")
        #expect(output(333) { hg_gelu_backward(333, x, dy, $0, &parallel) } == dx, "\(division)")
      }
      #expect(gelu(Array(x[5..<40])) == Array(y[5..<40]))
      var (over, error) = (x, dy)
      over.withUnsafeMutableBufferPointer { _ = hg_gelu_forward($0.count, $0.baseAddress, $0.baseAddress, nil) }
      error.withUnsafeMutableBufferPointer { _ = hg_gelu_backward($0.count, x, $0.baseAddress, $0.baseAddress, nil) }
      #expect(over == y && error == dx)
    }
  }
}
