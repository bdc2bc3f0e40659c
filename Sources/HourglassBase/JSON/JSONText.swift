import FoundationEssentials

/// The one way in which Hourglass writes JSON: the names of an object stand in alphabetical order.
public enum JSONText {
  /// A value in one line. JSON has no number for what is not finite: it stands as the text nan, inf or -inf. A value
  /// that cannot be encoded gives an object with the error.
  public static func line(_ value: some Encodable) -> String {
    let encoder = encoder([.sortedKeys, .withoutEscapingSlashes])
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { return String(decoding: try encoder.encode(value), as: UTF8.self) } catch {
      return line(["error": "\(error)"])
    }
  }

  /// A value for people to read, each field in a line. Errors: a number that is not finite.
  public static func indented(_ value: some Encodable) throws -> String {
    String(
      decoding: try encoder([.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]).encode(value), as: UTF8.self)
  }

  /// A value in one line of the header of a binary file, with slashes escaped. Errors: a number that is not finite.
  package static func header(_ value: some Encodable) throws -> String {
    String(decoding: try encoder(.sortedKeys).encode(value), as: UTF8.self)
  }

  private static func encoder(_ formatting: JSONEncoder.OutputFormatting) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting
    return encoder
  }
}
