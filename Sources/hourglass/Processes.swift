import ArgumentParser
import Foundation
import HourglassAnalysis
import HourglassBase
import HourglassData
import HourglassTraining
import Synchronization

/// The processes that a launcher such as mpirun has started together to train one model, or to look at images with it.
/// Position 0 alone writes and prints.
enum Processes {
  private static let joined = Mutex<(transport: MPITransport, ofSameCores: Int)?>(nil)

  /// Nil for a process that works alone.
  static var transport: MPITransport? { joined.withLock { $0?.transport } }
  /// Whether this process is the one that writes and prints.
  static var isFirst: Bool { transport?.place.isFirst ?? true }

  /// The cores that this process may use: its share where others of its node may use the same ones.
  static var cores: Int { max(1, GrantedCores.count / (joined.withLock { $0?.ofSameCores } ?? 1)) }

  /// The bytes that the decoded images of a set may take: processes of one node divide them.
  static var memoryForImages: Int { GrantedMemory.forImages / (transport?.place.localCount ?? 1) }

  /// Joins the other processes, where there are some and the command works with them.
  ///
  /// Errors: those of `join`, for the processes would train one by one into one folder.
  static func join(for command: any ParsableCommand) throws(ProcessError) {
    if command is Train || command is Pretrain || command is Finetune { try join() }
    guard command is Evaluate || command is Encode || command is Score else { return }
    try join()
    transport?.watch(limit: nil)
  }

  /// Joins the other processes, where there are some. Errors: they cannot be joined.
  static func join() throws(ProcessError) {
    guard let launch = Launch() else { return }
    let transport = try MPITransport(launch) { StandardError.tell("hourglass: \($0)") }
    let ofSameCores = transport.processesOfSameCores()
    joined.withLock { $0 = (transport, ofSameCores) }
    StandardOutput.isMuted.store(!transport.place.isFirst, ordering: .relaxed)
  }

  /// All processes, for `doctor`; nil for one that works alone.
  static var members: [Diagnosis.Member]? {
    transport.map { transport in
      transport.gather(JSONText.line(Diagnosis.Member(transport.place, cores: cores))).compactMap {
        try? JSONDecoder().decode(Diagnosis.Member.self, from: Data($0.utf8))
      }
    }
  }

  /// Refuses to look at images with processes that have other weights or images, or were asked for something else.
  static func requireEqual(_ loaded: LoadedRun, _ data: Dataset) throws(ProcessError) {
    try transport?.requireEqual(loaded.inference, data, arguments: Array(CommandLine.arguments.dropFirst()))
  }

  /// Does what may fail in one process alone, and fails in all of them where it does. All processes call it together.
  static func together<R>(_ body: () throws -> R) throws -> R {
    guard let transport else { return try body() }
    let result = Result { try body() }
    var mine = ""
    if case .failure(let error) = result {
      let (status, place) = (ExitStatus(of: error), transport.place)
      let name = place.isFirst ? "" : "\(place.name): "
      mine = "\(status.rawValue) \(name)\(status.sentence(for: error))"
    }
    guard let told = transport.gather(mine).first(where: { !$0.isEmpty }) else { return try result.get() }
    let parts = told.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    throw ExitStatusError(
      status: Int32(parts[0]).flatMap(ExitStatus.init(rawValue:)) ?? .failed, description: String(parts[1]))
  }

  /// The text that position 0 has. All processes call it together.
  static func fromFirst(_ text: String) -> String { transport?.gather(isFirst ? text : "")[0] ?? text }

  /// Tells an error, and answers its status. Where one process alone has failed, the others wait for it, so all end.
  static func status(reporting error: any Error) -> ExitStatus {
    guard let transport else {
      // All of them find the same, and the first one tells it.
      if error is ProcessError, Launch()?.isFirst == false { return .failed }
      return ExitStatus(reporting: error)
    }
    if error is TrainingError || error is ProcessError || error is ExitStatusError || error is AgreedError {
      return ExitStatus(reporting: error)
    }
    let status = ExitStatus(of: error)
    let sentence = status.sentence(for: error)
    transport.endAll("\(transport.place.name) ends all processes: \(sentence)", status: status.rawValue)
    return status
  }

  /// Leaves the other processes at the end, and answers what this one tells its caller: the launcher ends all of them
  /// where one fails, so only position 0 says that all did.
  static func leave(_ status: ExitStatus) -> ExitStatus {
    guard let transport else { return status }
    transport.end()
    return transport.place.isFirst ? status : .done
  }
}
