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
}
