import FoundationEssentials
import Glibc
import HourglassData
import HourglassTraining
import Synchronization

/// The stream of results. A reader sees each line at once, also through a pipe.
enum StandardOutput {
  /// Whether nothing is written, to this stream and to that of errors.
  static let isMuted = Atomic<Bool>(false)
  /// The `errno` of the last write that failed; 0 as long as none has.
  private static let failure = Atomic<Int32>(0)

  /// Why results are missing, if they are.
  static var refusal: String? {
    let code = failure.load(ordering: .relaxed)
    return code == 0 ? nil : "standard output: results could not be written: \(String(cString: strerror(code)))"
  }

  /// Writes one line, `escaped`.
  static func write(_ line: String) {
    let code = write(raw: escaped(line) + "\n", to: STDOUT_FILENO)
    if code != 0 { failure.store(code, ordering: .relaxed) }
  }

  /// Writes an object as one line of JSON; bytes in its texts that are not UTF-8 stand as \xE9.
  static func write(json object: some Encodable) {
    write(printablePath(JSONText.line(object), mark: #"\\x"#))
  }

  /// Writes several lines, each `escaped`.
  static func write(lines text: String) { text.split(separator: "\n", omittingEmptySubsequences: false).forEach(write) }

  private static func write(_ line: Substring) { write(String(line)) }

  /// Writes rows of cells in columns; the columns that `rightAligned` names end under each other.
  static func write(table rows: [[String]], rightAligned: Set<Int> = []) {
    let rows = rows.map { $0.map(escaped) }
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
    for row in rows {
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return rightAligned.contains(column) ? padding + cell : cell + padding
      }
      write(cells.joined(separator: "  ").replacing(/\s+$/, with: ""))
    }
  }

  /// Writes text as it is, and returns 0 or the `errno` of the write that failed.
  fileprivate static func write(raw text: String, to stream: Int32) -> Int32 {
    if isMuted.load(ordering: .relaxed) { return 0 }
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)[...]
      while !rest.isEmpty {
        let count = Glibc.write(stream, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count >= 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          // The caller gave a pipe that does not wait.
          var room = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
          poll(&room, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }
}

/// The stream of progress, warnings and errors. A failure to write them is told to nobody.
enum StandardError {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

  /// Writes one line, `escaped`.
  static func write(_ line: String) { draw(escaped(line) + "\n") }

  /// Writes one line, `escaped`, also where this process writes nothing else.
  static func tell(_ line: String) {
    let isMuted = StandardOutput.isMuted.exchange(false, ordering: .relaxed)
    write(line)
    StandardOutput.isMuted.store(isMuted, ordering: .relaxed)
  }

  /// Writes text as it is, with the codes that a terminal obeys.
  static func draw(_ text: String) { _ = StandardOutput.write(raw: text, to: STDERR_FILENO) }
}

/// A text from outside, such as the name of a file or a model, made safe to stand in a line: control characters, ends
/// of lines and marks of writing direction become \u001b and the like, which JSON reads as the original characters,
/// and bytes that are not UTF-8 become \xE9.
func escaped(_ text: String) -> String {
  func isSafe(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7f }
    let properties = scalar.properties
    return ![.control, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
      && !properties.isBidiControl
  }
  let text = printablePath(text)
  guard !text.unicodeScalars.allSatisfy(isSafe) else { return text }
  return text.unicodeScalars.map { isSafe($0) ? String($0) : "\\u" + padded(String($0.value, radix: 16), to: 4, "0") }
    .joined()
}
