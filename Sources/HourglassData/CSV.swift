/// A cell of a CSV table: as it is, or between quotes where a comma, a quote, an end of a line or a space at an end
/// would be misread (RFC 4180).
public func csvCell(_ text: String) -> String {
  let isPlain =
    !text.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0.value < 0x20 }
    && text.first != " " && text.last != " "
  return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
}

extension Dataset {
  /// What each row of a table of images begins with.
  public var identityColumns: [String] { ["index", "name"] + (labels == nil ? [] : ["class"]) }

  /// The same for one image: its place in the set as it is stored, its name and, where there are labels, its class.
  public func identity(_ index: Int) -> [String] {
    ["\(number(index))", csvCell(name(index))] + (className(index).map { [csvCell($0)] } ?? [])
  }
}
