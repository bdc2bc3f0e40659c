import Foundation

/// A number with at most four significant digits.
package func significant(_ value: Double) -> String { String(format: "%.4g", value) }

/// A whole number with its digits in groups, 1234567 as 1,234,567.
package func grouped(_ value: Int) -> String {
  let digits = String(value.magnitude)
  let pieces = stride(from: digits.count, to: 0, by: -3).map { end in
    digits.dropLast(digits.count - end).suffix(3)
  }
  return (value < 0 ? "-" : "") + pieces.reversed().joined(separator: ",")
}
