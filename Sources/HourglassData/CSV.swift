/// A text as a cell of a CSV table (RFC 4180): as it is, or between quotes where a comma, a quote, an end of a line or
/// a space at an end would be misread.
public func csvCell(_ text: String) -> String {
  let isPlain =
    !text.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0.value < 0x20 }
    && text.first != " " && text.last != " "
  return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
}

/// The cells of a CSV table, row by row (RFC 4180); what stands behind the last end of a line is a row too, unless it
/// is empty.
func csvRows(_ text: String, separator: Unicode.Scalar = ",") -> [[String]] {
  var (rows, row, cell) = ([[String]](), [String](), String.UnicodeScalarView())
  var (isQuoted, wasQuote) = (false, false)
  func end(_ cell: inout String.UnicodeScalarView) -> String {
    defer { cell = String.UnicodeScalarView() }
    return String(cell)
  }
  for scalar in text.unicodeScalars {
    if scalar == "\"" {
      // Two quotes within quotes are one.
      if !isQuoted && wasQuote { cell.append(scalar) }
      (isQuoted, wasQuote) = (!isQuoted, isQuoted)
      continue
    }
    wasQuote = false
    switch scalar {
    case separator where !isQuoted: row.append(end(&cell))
    case "\n" where !isQuoted:
      rows.append(row + [end(&cell)])
      row = []
    case "\r" where !isQuoted: break
    default: cell.append(scalar)
    }
  }
  return row.isEmpty && cell.isEmpty ? rows : rows + [row + [end(&cell)]]
}

extension Dataset {
  /// The names of the columns with which each row of a table of images begins.
  public var identityColumns: [String] { ["index", "name"] + (labels == nil ? [] : ["class"]) }

  /// The cells for one image: its place in the set as it is stored, its name and, where there are labels, its class.
  public func identity(_ index: Int) -> [String] {
    ["\(number(index))", csvCell(name(index))] + (className(index).map { [csvCell($0)] } ?? [])
  }
}
