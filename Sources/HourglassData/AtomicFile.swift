import Foundation

/// Files that are either the old ones or the new ones, whole, whenever the machine or the process stops.
public enum AtomicFile {
  /// Replaces the file at `path`: writes a temporary file in its folder, syncs it, renames it and syncs the folder.
  ///
  /// Errors: on failure (disk full, no permission, no such folder) the temporary file is removed, the old file stays,
  /// and the error carries the system's reason. Only a process killed while writing leaves its temporary file, named
  /// `.NAME.PID.tmp`.
  public static func write(_ data: Data, to path: String) throws(DataError) {
    try write(pieces: 1, to: path) { _ in data }
  }

  /// The same for a file that is made piece by piece, so that it need not fit into memory.
  ///
  /// Errors: also those of `piece`.
  public static func write(
    pieces: Int, to path: String, _ piece: (Int) throws(DataError) -> Data
  ) throws(DataError) {
    let (folder, name) = split(path)
    let temporary = "\(folder)/.\(name).\(getpid()).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system(path, "cannot be written, no file can be made in its folder") }
    var (failure, count): (Int32, Int) = (0, 0)
    do {
      for index in 0..<pieces where failure == 0 {
        let data = try piece(index)
        failure = writeAll(data, descriptor)
        count += data.count
      }
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    if failure == 0 && fsync(descriptor) != 0 { failure = errno }
    if close(descriptor) != 0 && failure == 0 { failure = errno }
    if failure == 0 && rename(temporary, path) != 0 { failure = errno }
    guard failure == 0 else {
      unlink(temporary)
      throw .system(path, "cannot be written (\(count) bytes), what was there before is kept", failure)
    }
    try sync(folder: folder)
  }

  /// The same for text, as UTF-8.
  public static func write(_ text: String, to path: String) throws(DataError) {
    try write(Data(text.utf8), to: path)
  }

  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  /// 0, or the `errno` of the write that failed.
  private static func writeAll(_ data: Data, _ descriptor: Int32) -> Int32 {
    data.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let count = Foundation.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return errno }
        written += count
      }
      return 0
    }
  }

  /// Makes the renaming itself durable. File systems that cannot sync a folder (EINVAL) need not.
  private static func sync(folder: String) throws(DataError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(folder, "cannot be opened to sync it") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw .system(folder, "cannot be synced") }
  }
}
