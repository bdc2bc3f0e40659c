import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// What the program tells its caller when it ends.
enum ExitStatus: Int32 {
  case done = 0
  case failed = 1
  case wrongUsage = 2
  case badData = 3
  case diverged = 4
  /// A signal ended the session, with a checkpoint: 128 + SIGINT, as shells report it.
  case interrupted = 130

  /// The status of an error, after it was told in one sentence.
  init(reporting error: any Error) {
    self.init(of: error)
    if self == .done {
      // Help and version, which the parser throws.
      StandardOutput.write(lines: Hourglass.fullMessage(for: error))
      return
    }
    let sentence = sentence(for: error)
    if !sentence.isEmpty { StandardError.write("hourglass: \(sentence)") }
  }

  /// The status of an error.
  init(of error: any Error) {
    switch error {
    case let error as ExitStatusError: self = error.status
    case let error as DataError: self = error.isOutput ? .failed : .badData
    case let error as AgreedError: self.init(of: error.error)
    case is ModelError, TrainingError.unreadable: self = .badData
    case is TrainingError: self = .diverged
    default:
      switch Hourglass.exitCode(for: error) {
      case .success: self = .done
      case .validationFailure: self = .wrongUsage
      default: self = .failed
      }
    }
  }

  /// The sentence that tells an error of this status; empty where all is said.
  func sentence(for error: any Error) -> String {
    let text = (self == .wrongUsage ? Hourglass.message(for: error) : "\(error)")
      // The parser does not say what is wanted of a seed.
      .replacing(#/The value '(-[0-9]+)' is invalid for '(--seed) <.*>'/#) {
        "\($0.output.2): wanted a whole number of at least 0, found \($0.output.1)"
      }
    // The parser lists many possible values one a line.
    return text.replacing(#/:\n *- /#, with: ": ").replacing(#/\n *- /#, with: ", ")
  }
}

/// An end whose status does not follow from the error's type; its sentence is empty where all is said.
struct ExitStatusError: Error, CustomStringConvertible {
  var status: ExitStatus
  var description = ""
}
