import Foundation

/// A program that ran to its end.
struct Subprocess {
  let status: Int32
  /// The text that the program printed, without blanks around it.
  let text: String

  /// - Parameter command: the program, by path or found on the PATH, and its arguments.
  init(_ command: [String], quiet: Bool = false) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = output
    if quiet { process.standardError = FileHandle.nullDevice }
    try process.run()
    text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    process.waitUntilExit()
    status = process.terminationStatus
  }
}
