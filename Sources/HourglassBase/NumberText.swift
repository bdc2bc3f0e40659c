import Foundation

/// A number with so many significant digits at most.
package func significant(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)g", value) }

/// A number with so many digits behind the point.
package func decimal(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)f", value) }

/// A part of a whole in percent: with a digit behind the point below 10 %.
package func percent(_ part: Double) -> String { decimal(100 * part, part < 0.0995 ? 1 : 0) + " %" }

/// 1234567 as 1,234,567.
package func grouped(_ value: Int) -> String {
  let digits = String(value.magnitude)
  let pieces = stride(from: digits.count, to: 0, by: -3).map { end in
    digits.dropLast(digits.count - end).suffix(3)
  }
  return (value < 0 ? "-" : "") + pieces.reversed().joined(separator: ",")
}
