/// A value of JSON as a text has it; numbers keep their digits.
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(String)
  case text(String)
  case list([JSONValue])
  /// The fields of an object in the text's order, each name once.
  case object([(name: String, value: JSONValue)])
}

/// A name or a place in a list, on the way to a value.
package struct JSONKey: CodingKey {
  package let stringValue: String
  package let intValue: Int?

  package init(stringValue: String) { (self.stringValue, intValue) = (stringValue, nil) }
  package init(intValue: Int) { (stringValue, self.intValue) = ("\(intValue)", intValue) }
}

/// A reader of the grammar of RFC 8259 that refuses an object with a name twice, and texts nested deeper than any file
/// of Hourglass.
package struct JSONParser {
  private let bytes: [UInt8]
  private var place = 0
  private var path: [any CodingKey] = []

  private static let mostDepth = 64
  private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

  /// Parses a text. Errors: `DecodingError.dataCorrupted` with the path of the value and a sentence.
  package static func parse(_ bytes: [UInt8]) throws -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.place = 3 }
    let value = try parser.value()
    if parser.next != nil { throw parser.error("the end of the text") }
    return value
  }

  /// The value of a type that a text of JSON holds. Errors: `DecodingError`, each with a path and a sentence.
  package static func decode<Value: Decodable>(_: Value.Type, from bytes: [UInt8]) throws -> Value {
    try Value(from: JSONTreeDecoder(parse(bytes)))
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func refusal(_ sentence: String) -> DecodingError {
    .dataCorrupted(.init(codingPath: path, debugDescription: sentence))
  }

  private func error(_ wanted: String) -> DecodingError {
    let before = bytes[..<min(place, bytes.count)]
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let column = before.count - (before.lastIndex(of: UInt8(ascii: "\n")) ?? -1)
    let found =
      place < bytes.count
      ? "\"\(String(decoding: bytes[place..<min(place + 12, bytes.count)], as: UTF8.self))\"" : "the end of the text"
    return .dataCorrupted(
      .init(
        codingPath: [],
        debugDescription: "no valid JSON: line \(line), column \(column): wanted \(wanted), found \(found)"))
  }

  /// The next byte that is no space.
  private var next: UInt8? {
    mutating get {
      while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
      return place < bytes.count ? bytes[place] : nil
    }
  }

  private mutating func take(_ character: Character) -> Bool {
    guard next == character.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func value() throws -> JSONValue {
    guard path.count <= Self.mostDepth else {
      path = Array(path.prefix(3))
      throw refusal("wanted objects and lists at most \(Self.mostDepth) deep, found more")
    }
    switch next {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try list()
    case UInt8(ascii: "\""): return .text(try text())
    case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return .number(try number())
    default: break
    }
    for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)] {
      guard bytes[place...].starts(with: word.utf8) else { continue }
      place += word.utf8.count
      return value
    }
    throw error("a value")
  }

  private mutating func object() throws -> JSONValue {
    var (fields, names): ([(name: String, value: JSONValue)], Set<String>) = ([], [])
    place += 1
    if take("}") { return .object(fields) }
    repeat {
      guard next == UInt8(ascii: "\"") else { throw error("a name in quotation marks") }
      let name = try text()
      path.append(JSONKey(stringValue: name))
      guard names.insert(name).inserted else { throw refusal("wanted one value of this name, found two") }
      guard take(":") else { throw error("a colon behind a name") }
      fields.append((name, try value()))
      path.removeLast()
    } while take(",")
    guard take("}") else { throw error("a comma or the end of an object") }
    return .object(fields)
  }

  private mutating func list() throws -> JSONValue {
    var values: [JSONValue] = []
    place += 1
    if take("]") { return .list(values) }
    repeat {
      path.append(JSONKey(intValue: values.count))
      values.append(try value())
      path.removeLast()
    } while take(",")
    guard take("]") else { throw error("a comma or the end of a list") }
    return .list(values)
  }

  private mutating func number() throws -> String {
    let start = place
    func isDigit(_ place: Int) -> Bool { place < bytes.count && Self.digits.contains(bytes[place]) }
    func isOne(of characters: String) -> Bool { place < bytes.count && characters.utf8.contains(bytes[place]) }
    func digits() throws {
      guard isDigit(place) else { throw error("a digit") }
      while isDigit(place) { place += 1 }
    }
    if isOne(of: "-") { place += 1 }
    let isZero = isOne(of: "0")
    try digits()
    if isZero, bytes[start..<place].count > (bytes[start] == UInt8(ascii: "-") ? 2 : 1) {
      throw refusal("wanted a number without zeros in front, found one with them")
    }
    if isOne(of: ".") {
      place += 1
      try digits()
    }
    if isOne(of: "eE") {
      place += 1
      if isOne(of: "+-") { place += 1 }
      try digits()
    }
    return String(decoding: bytes[start..<place], as: UTF8.self)
  }

  private mutating func text() throws -> String {
    place += 1
    var units: [UInt8] = []
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      guard bytes[place] >= 0x20 else { throw error("a text without control characters") }
      if bytes[place] == UInt8(ascii: "\\") {
        place += 1
        units += String(try escaped()).utf8
      } else {
        units.append(bytes[place])
        place += 1
      }
    }
    guard place < bytes.count else { throw error("the end of a text") }
    place += 1
    guard let text = String(validating: units, as: UTF8.self) else {
      throw refusal("wanted a text in UTF-8, found none")
    }
    return text
  }

  /// The character behind a backslash.
  private mutating func escaped() throws -> Character {
    guard place < bytes.count else { throw error("an escaped character") }
    let simple: [UInt8: Character] = [
      UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
      UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]
    if let character = simple[bytes[place]] {
      place += 1
      return character
    }
    guard bytes[place] == UInt8(ascii: "u") else { throw error("an escaped character") }
    var unit = try hexadecimal()
    if (0xD800..<0xDC00).contains(unit), bytes[place...].starts(with: #"\u"#.utf8) {
      place += 1
      let low = try hexadecimal()
      if (0xDC00..<0xE000).contains(low) { unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00) }
    }
    guard let scalar = Unicode.Scalar(unit) else { throw error("no half of a character") }
    return Character(scalar)
  }

  /// The number behind `u`, four hexadecimal digits.
  private mutating func hexadecimal() throws -> UInt32 {
    let digits = bytes[place...].dropFirst().prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits") }
    place += 5
    return value
  }
}
