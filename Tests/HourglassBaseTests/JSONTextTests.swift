import Foundation
import HourglassBase
import Testing

@Suite struct NumberTextTests {
  @Test func numbersStandAsPeopleReadThem() {
    #expect(
      [0, 7, 999, 1000, -1_234_567, .min].map(grouped) == [
        "0", "7", "999", "1,000", "-1,234,567", "-9,223,372,036,854,775,808",
      ])
    #expect([0, 0.5, 12345.6, 1e-9, -.infinity].map { significant($0) } == ["0", "0.5", "1.235e+04", "1e-09", "-inf"])
    #expect([decimal(1.5), decimal(-0.005, 2), decimal(.nan, 1)] == ["1.5000", "-0.01", "nan"])
    #expect([0, 0.0994, 0.0995, 1.5].map(percent) == ["0.0 %", "9.9 %", "10 %", "150 %"])
  }
}

@Suite struct JSONTextTests {
  private struct Row: Codable, Equatable {
    var path = "a/b"
    var loss: Double
  }

  @Test func namesAreSortedAndLinesHaveNoSpace() throws {
    #expect(JSONText.line(Row(loss: 0.5)) == #"{"loss":0.5,"path":"a/b"}"#)
    #expect(try JSONText.header(Row(loss: 0.5)) == #"{"loss":0.5,"path":"a\/b"}"#)
    #expect(try JSONText.indented(Row(loss: 0.5)) == "{\n  \"loss\" : 0.5,\n  \"path\" : \"a/b\"\n}")
  }

  /// A line tells of what is not finite; a file that is read again must not hold it.
  @Test func whatIsNotFiniteIsATextOfALineOnly() {
    #expect(JSONText.line([Double.nan, .infinity, -.infinity]) == #"["nan","inf","-inf"]"#)
    #expect(throws: EncodingError.self) { try JSONText.indented(Row(loss: .nan)) }
    #expect(throws: EncodingError.self) { try JSONText.header(Row(loss: .infinity)) }
  }

  @Test func whatIsWrittenIsRead() throws {
    let row = Row(path: "\u{1} \"\\é😀/", loss: -0.1)
    for text in [JSONText.line(row), try JSONText.header(row), try JSONText.indented(row)] {
      #expect(try JSONParser.decode(Row.self, from: Array(text.utf8)) == row)
    }
  }
}
