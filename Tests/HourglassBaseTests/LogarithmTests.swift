import Foundation
import HourglassBase
import Testing

@Suite struct LogarithmTests {
  /// The library's is within 1 unit in the last place.
  @Test func valuesAreThoseOfTheLibraryWithinThreeUnits() {
    var values: [Double] = (1...5000).flatMap { (i: Int) -> [Double] in
      let x = Double(i)
      return [x, 1 / x, 1 + x * 1e-9, 1 - x * 1e-9]
    }
    values += [.leastNormalMagnitude, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .pi, 2.0.squareRoot()]
    for x in values {
      let wanted = log(x)
      #expect(abs(x.naturalLogarithm - wanted) <= 3 * wanted.ulp, "\(x): \(x.naturalLogarithm), \(wanted)")
    }
    #expect(1.0.naturalLogarithm == 0)
  }

  /// From the ends of its range to where it is nearly one.
  @Test func anExponentialIsNearThatOfTheSystem() {
    for i in -6920...6920 {
      let x = Double(i) / 10 + 0.0123
      let wanted = exp(x)
      #expect(abs(x.naturalExponential - wanted) <= 3 * wanted.ulp, "\(x): \(x.naturalExponential), \(wanted)")
      #expect(abs((x / 1e6).naturalExponential - exp(x / 1e6)) <= 3 * 0x1p-52)
    }
    #expect(0.0.naturalExponential == 1 && (-800.0).naturalExponential == 0 && 800.0.naturalExponential == .infinity)
    #expect(Double.nan.naturalExponential.isNaN && (-Double.infinity).naturalExponential == 0)
  }
}
