import Glibc

/// A number with at most so many significant digits, as `1.235e+04`.
package func significant(_ value: Double, _ digits: Int = 4) -> String { text("%.*g", digits, value) }

/// A number with so many digits behind the point, as `0.1250`.
package func decimal(_ value: Double, _ digits: Int = 4) -> String { text("%.*f", digits, value) }

/// A part of a whole in percent, as `9.9 %` below a tenth and as `10 %` from there on.
package func percent(_ part: Double) -> String { decimal(100 * part, part < 0.0995 ? 1 : 0) + " %" }

/// An integer with a comma before every three digits, as `1,234,567`.
package func grouped(_ value: Int) -> String {
  let digits = String(value.magnitude)
  let pieces = stride(from: digits.count, to: 0, by: -3).map { end in
    digits.dropLast(digits.count - end).suffix(3)
  }
  return (value < 0 ? "-" : "") + pieces.reversed().joined(separator: ",")
}

/// A text with fill before it, so that it has so many characters or more, as `07`.
package func padded(_ text: String, to count: Int, _ fill: Character = " ") -> String {
  String(repeating: fill, count: max(0, count - text.count)) + text
}

/// A number by a format of C that takes its digits first.
private func text(_ format: String, _ digits: Int, _ value: Double) -> String {
  // The largest number has 309 digits before its point.
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { room in
    withVaList([Int32(clamping: min(digits, 64)), value]) { _ = vsnprintf(room.baseAddress, room.count, format, $0) }
    return room.baseAddress.map { String(cString: $0) } ?? ""
  }
}

extension StringProtocol {
  /// The text without spaces at its ends, or without what else is named.
  package func trimmed(_ isOutside: (Character) -> Bool = { $0.isWhitespace && !$0.isNewline }) -> String {
    guard let first = firstIndex(where: { !isOutside($0) }), let last = lastIndex(where: { !isOutside($0) }) else {
      return ""
    }
    return String(self[first...last])
  }
}
