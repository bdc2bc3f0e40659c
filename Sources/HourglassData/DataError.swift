import FoundationEssentials
import Glibc

/// What is wrong with a file or folder that the user named.
///
/// The reason is one sentence that says what was wanted, what was found and, where it is known, what to do.
public struct DataError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// The file or folder, as the user named it.
  public let path: String
  /// The sentence without the file's name: what was wanted, what was found, what to do.
  public let reason: String
  /// Whether a write failed, which is the fault of a disk and not of the data.
  public let isOutput: Bool
  /// Whether the file is sound, and its contents only take more memory than is granted.
  public let lacksMemory: Bool

  public init(path: String, reason: String, isOutput: Bool = false) {
    self.init(path: path, reason: reason, isOutput: isOutput, lacksMemory: false)
  }

  init(path: String, reason: String, isOutput: Bool = false, lacksMemory: Bool) {
    (self.path, self.reason, self.isOutput, self.lacksMemory) = (path, reason, isOutput, lacksMemory)
  }

  public var description: String { "\(path): \(reason)" }
  public var errorDescription: String? { description }

  /// The sentence for a failed system call: what was attempted and the text of `errno`.
  static func system(_ path: String, _ attempt: String, _ code: Int32 = errno) -> DataError {
    DataError(path: path, reason: "\(attempt): \(String(cString: strerror(code)))")
  }

  /// The sentence for a failed system call that was to write.
  public static func unwritable(_ path: String, _ attempt: String, _ code: Int32 = errno) -> DataError {
    DataError(path: path, reason: "\(attempt): \(String(cString: strerror(code)))", isOutput: true)
  }
}
