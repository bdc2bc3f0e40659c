import FoundationEssentials
import Glibc
import HourglassData

extension RunFolder {
  /// The checkpoints that a run keeps: of its last step, of its best epoch, and the one before the last.
  public enum Kept: String, CaseIterable, Sendable { case last, best, previous }

  /// The path of a checkpoint.
  public func checkpoint(_ kept: Kept) -> String { "\(checkpoints)/\(kept.rawValue).safetensors" }

  private var checkpoints: String { file("checkpoints") }

  /// Whether the run has come to its first checkpoint.
  ///
  /// Errors: it had one, and its checkpoints are gone or cannot be looked up.
  public func hasCheckpoint() throws(DataError) -> Bool {
    guard try InputFile.isThere(checkpoints, orLink: true) else { return false }
    for kept in Kept.allCases where try InputFile.isThere(checkpoint(kept)) { return true }
    throw DataError(
      path: checkpoints,
      reason: "wanted the checkpoints that the run had, found none; mount the disk that holds them, or begin a new run")
  }

  /// Writes a checkpoint as the last one. The one before stays as `previous`, so at no moment is there no whole
  /// checkpoint. With `isBest` it is kept as `best` too.
  ///
  /// Errors: a file cannot be written.
  public func write(_ checkpoint: Checkpoint, isBest: Bool) throws(DataError) {
    guard try !InputFile.isThere(checkpoints, orLink: true) else {
      return try checkpoint.write(to: self.checkpoint(.last)) { (whole) throws(DataError) in
        if try InputFile.isThere(self.checkpoint(.last)) {
          try AtomicFile.link(self.checkpoint(.last), as: self.checkpoint(.previous))
        }
        // Where the process ends here, training comes to this best checkpoint once more.
        if isBest { try AtomicFile.link(whole, as: self.checkpoint(.best)) }
      }
    }
    let first = RunFolder(file(AtomicFile.temporaryName("checkpoints")))
    let last = first.file("last.safetensors")
    do throws(DataError) {
      try AtomicFile.makeFolder(first.path)
      try checkpoint.write(to: last)
      if isBest { try AtomicFile.link(last, as: first.file("best.safetensors")) }
      try AtomicFile.move(first.path, to: checkpoints)
    } catch {
      try? FileManager.default.removeItem(atPath: first.path)
      throw error
    }
  }

  /// Reads a checkpoint.
  ///
  /// Errors: those of `Checkpoint.init(reading:)`. A refusal of the last checkpoint names the one before it.
  public func read(_ kept: Kept) throws(DataError) -> Checkpoint {
    guard try hasCheckpoint() else {
      throw DataError(path: path, reason: "wanted a run with a checkpoint, found none yet")
    }
    do { return try Checkpoint(reading: checkpoint(kept)) } catch {
      let others = Kept.allCases.filter { $0 != kept }.map(checkpoint)
        .filter { (try? Checkpoint(reading: $0)) != nil }
      let advice =
        kept == .last && others.contains(checkpoint(.previous))
        ? "the one before it is whole: copy \(checkpoint(.previous)) over it to go on from there"
        : others.isEmpty ? "no other checkpoint of this run is whole" : "whole are: \(others.joined(separator: ", "))"
      throw DataError(path: error.path, reason: "\(error.reason); \(advice)")
    }
  }
}
