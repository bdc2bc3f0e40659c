import HourglassBase

/// The time that a session may train: numbers with the units d, h, m and s, such as `90s`, `2h` or `1h30m`.
public struct TimeLimit: TextForm, Sendable, Equatable {
  public static let wanted = "a time with units, such as \"90s\", \"2h\" or \"1h30m\""

  /// The time as it was written.
  public let rawValue: String
  /// The time in seconds, above 0.
  public let seconds: Double

  /// Answers nil for another form, for no time at all, and for more than 2^32 seconds, which is 136 years.
  public init?(rawValue: String) {
    let units: [Character: Double] = ["d": 86_400, "h": 3_600, "m": 60, "s": 1]
    var (seconds, number) = (0.0, "")
    for letter in rawValue {
      if letter.isASCII, letter.isNumber || letter == "." {
        number.append(letter)
      } else if let unit = units[letter], let count = Double(number) {
        seconds += count * unit
        number = ""
      } else {
        return nil
      }
    }
    guard number.isEmpty, seconds > 0, seconds <= 0x1p32 else { return nil }
    (self.rawValue, self.seconds) = (rawValue, seconds)
  }
}
