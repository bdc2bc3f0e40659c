import Foundation

/// Rows under a heading: the first column to the left, all others to the right.
struct Table {
  let widths: [Int]

  /// Prints the heading; a column is as wide as its title, or wider by leading blanks in it.
  init(_ titles: [String], first: Int) {
    widths = [first] + titles.dropFirst().map(\.count)
    row(titles.map { $0.trimmingCharacters(in: .whitespaces) })
  }

  func row(_ cells: [String]) { say(Self.line(cells, widths: widths)) }

  static func line(_ cells: [String], widths: [Int]) -> String {
    let padded = zip(cells, widths).enumerated().map { index, column in
      let blanks = String(repeating: " ", count: max(0, column.1 - column.0.count))
      return index == 0 ? column.0 + blanks : blanks + column.0
    }
    return padded.joined(separator: "  ")
  }
}

/// Writes a line of standard output at once, because a measurement takes long enough.
func say(_ line: String) {
  print(line)
  fflush(nil)
}

/// A number with a fixed count of digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// A positive number with three significant digits, more where it has more before the point.
func significant(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return fixed(value, 0) }
  return fixed(value, max(0, 2 - Int(floor(log10(abs(value))))))
}

/// A share as percent.
func percent(_ share: Double?) -> String { share.map { "\(fixed($0 * 100, 0)) %" } ?? "-" }

/// An object of JSON on one line.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
