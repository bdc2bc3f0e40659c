import Foundation

/// A number with at most so many significant digits, as `1.235e+04`.
package func significant(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)g", value) }

/// A number with so many digits behind the point, as `0.1250`.
package func decimal(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)f", value) }

/// A part of a whole in percent, as `9.9 %` below a tenth and as `10 %` from there on.
package func percent(_ part: Double) -> String { decimal(100 * part, part < 0.0995 ? 1 : 0) + " %" }

/// An integer with a comma before every three digits, as `1,234,567`.
package func grouped(_ value: Int) -> String {
  let digits = String(value.magnitude)
  let pieces = stride(from: digits.count, to: 0, by: -3).map { end in
    digits.dropLast(digits.count - end).suffix(3)
  }
  return (value < 0 ? "-" : "") + pieces.reversed().joined(separator: ",")
}
