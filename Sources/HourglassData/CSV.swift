/// A cell of a CSV table: as it is, or between quotes where a comma, a quote, an end of a line or a space at an end
/// would be misread (RFC 4180).
public func csvCell(_ text: String) -> String {
  let isPlain =
    !text.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0.value < 0x20 }
    && text.first != " " && text.last != " "
  return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
}
