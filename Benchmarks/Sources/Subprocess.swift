import Foundation
import HourglassTraining

/// A program that ran to its end.
struct Subprocess {
  let status: Int32
  /// The text that the program printed, without blanks around it.
  let text: String

  /// The program that runs.
  static var own: String { Bundle.main.executablePath ?? "/proc/self/exe" }

  /// - Parameters:
  ///   - command: the program, by path or found on the PATH, and its arguments.
  ///   - environment: variables that the program gets beside those of this one, where this one has them not.
  init(_ command: [String], quiet: Bool = false, environment: [String: String] = [:]) throws {
    let ended = try ChildProcess.run(
      command, environment: ProcessInfo.processInfo.environment.merging(environment) { own, _ in own },
      errors: quiet ? "/dev/null" : nil)
    text = String(decoding: ended.output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    status = ended.status
  }
}

/// Processes that mpirun, which must be in PATH, starts together. The nodes are those of the environment of mpirun.
enum Launcher {
  /// Joins the processes that were started together with this one.
  static func join(_ launch: Launch) throws -> MPITransport {
    try MPITransport(launch) { FileHandle.standardError.write(Data("bench: \($0)\n".utf8)) }
  }

  static func command(_ processes: Int, _ command: [String]) -> [String] {
    ["mpirun", "-n", "\(processes)"] + command
  }

  /// What the processes print together, read as JSON.
  ///
  /// Errors: `BenchError` where mpirun is missing, a process fails or prints something else.
  static func ask<Answer: Decodable>(_ processes: Int, _ command: [String], _ answer: Answer.Type) throws -> Answer {
    let run = try Subprocess(Self.command(processes, command), environment: Launch.ofManyProcesses)
    guard run.status == 0, let answer = try? JSONDecoder().decode(Answer.self, from: Data(run.text.utf8)) else {
      throw BenchError(
        "\(Self.command(processes, command).joined(separator: " ")): wanted a line of JSON, found status \(run.status) "
          + "and \"\(run.text.prefix(80))\"")
    }
    return answer
  }
}
