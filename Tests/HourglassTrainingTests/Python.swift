import Foundation

/// The Python that HOURGLASS_PYTHON names, else `python3`, for tests that compare with its packages.
enum Python {
  static let executable = ProcessInfo.processInfo.environment["HOURGLASS_PYTHON"] ?? "python3"

  /// Whether it has all these modules: `numpy, torch`.
  static func has(_ modules: String) -> Bool { (try? run(["-c", "import \(modules)"]))?.status == 0 }

  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [executable] + arguments
    // No folder of compiled modules beside the scripts.
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
