import Foundation

/// Results. A reader sees each line at once, also through a pipe.
enum StandardOutput {
  static func write(_ line: String) {
    // Nobody is left to tell when standard output is gone.
    try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
  }

  /// Rows of cells in columns; numbers, like all that `rightAligned` names, end under each other.
  static func write(table rows: [[String]], rightAligned: Set<Int> = []) {
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
}

/// Progress, warnings and errors.
enum StandardError {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

  static func write(_ text: String, terminator: String = "\n") {
    try? FileHandle.standardError.write(contentsOf: Data((text + terminator).utf8))
  }
}

/// A number with as many decimals as people read.
func decimal(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)f", value) }
