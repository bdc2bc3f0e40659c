import Foundation
import HourglassData
import Testing

/// Our reader of JSON beside Foundation's, which is an independent implementation of the same grammar.
@Suite struct JSONFileTests {
  private struct Anything: Decodable {
    init(from decoder: any Decoder) {}
  }

  private func refusal(_ json: [UInt8]) -> String? {
    do {
      _ = try JSONFile.decode(Anything.self, from: json, path: "a", what: "no JSON")
      return nil
    } catch { return error.reason }
  }

  /// Texts of the grammar and near it, and altered ones: both readers take the same.
  @Test func whatIsJSONIsWhatFoundationTakesForIt() {
    let texts = [
      "{}", "[]", "null", "true", "-0", "1e5", "-12.5E-3", "\"a\"", "{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\\n\"}",
      " [ 1 , 2 ] ",
      "{\"a\":}", "{a:1}", "01", "1.", ".5", "+1", "nul", "\"\\x\"", "[1 2]", "\"\u{1}\"",
      "\"\\ud83d\\ude00\"",
      "", "[", "\"", "{\"a\"", "[1]]",
    ]
    var chance = Chance(state: 11)
    for text in texts {
      for round in 0..<40 {
        let bytes = round == 0 || text.isEmpty ? Array(text.utf8) : chance.altered(Array(text.utf8))
        // Foundation takes a comma at the end, and refuses numbers that no type holds before anybody asks for one.
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0),
          !text.contains(/,\s*[\]}]|e\d{4}/)
        else { continue }
        let isTaken = (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
        let refusal = refusal(bytes)
        #expect((refusal == nil) == isTaken, "\(String(decoding: bytes, as: UTF8.self)): \(refusal ?? "taken")")
      }
    }
  }

  /// What is no JSON is refused by line and column.
  @Test(
    arguments: [
      ("", "no valid JSON: line 1"), ("}]{", "wanted a value"), ("{\"a\":1,\"a", "the end of a text"),
      ("[1\n,01]", "without zeros"), ("[1\n, x]", "line 2, column 3"),
      (String(repeating: "[", count: 1 << 20), "at most 64 deep"),
    ])
  func whatIsNoJSONIsRefusedByItsPlace(_ json: String, _ sentence: String) {
    #expect(refusal(Array(json.utf8))?.contains(sentence) == true)
  }

  /// A name that stands twice in one object, also where it is written in two ways.
  @Test(
    arguments: [
      ("{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":4}]}", nil), ("{\"a\":1, \"a\" : 2}", "a"),
      ("{\"b\":[{\"a\":1,\"c\":2,\"a\":3}]}", "b.0.a"), ("{\"a\":\"a\",\"b\":\"{\\\"a\\\":1,\"}", nil),
      ("{\"\\u0061\":1,\"a\":1}", "a"), ("{\"x\":{\"a\":1},\"y\":{\"a\":1},\"x\":0}", "x"),
    ] as [(String, String?)])
  func aNameThatStandsTwiceIsRefused(_ json: String, _ place: String?) {
    let wanted = place.map { "no JSON: \($0): wanted one value of this name, found two" }
    #expect(refusal(Array(json.utf8)) == wanted)
  }

  private struct Numbers: Decodable, Equatable {
    var seed: UInt64?
    var count: Int?
    var rate: Float?
    var loss: Double?
  }

  /// Values are those of Foundation, and what a type does not hold is named with its place.
  @Test func numbersAreThoseOfFoundationOrNamed() throws {
    for json in [
      "{\"seed\":18446744073709551615,\"count\":-9223372036854775808,\"rate\":0.1,\"loss\":1e-310}",
      "{\"rate\":3.4028235e38,\"loss\":0.30000000000000004,\"count\":7}", "{\"rate\":1e-45,\"seed\":0}",
    ] {
      let ours = try JSONFile.decode(Numbers.self, from: Array(json.utf8), path: "a", what: "no numbers")
      #expect(try ours == JSONDecoder().decode(Numbers.self, from: Data(json.utf8)))
    }
    for (json, fragments) in [
      ("{\"seed\":-1}", ["seed", "-1"]), ("{\"count\":9223372036854775808}", ["count", "9223372036854775808"]),
      ("{\"count\":8.5}", ["count", "8.5"]), ("{\"rate\":1e39}", ["rate", "1e39"]),
      ("{\"loss\":1e400}", ["loss", "1e400"]),
      ("{\"count\":\"a\"}", ["count", "\"a\""]),
    ] {
      let error = #expect(throws: DataError.self) {
        try JSONFile.decode(Numbers.self, from: Array(json.utf8), path: "a", what: "no numbers")
      }
      for fragment in fragments { #expect(error?.reason.contains(fragment) == true, "\(error as Any)") }
    }
  }
}
