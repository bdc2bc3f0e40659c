import FoundationEssentials
import Glibc

/// An exclusive lock on a file, which the system releases when the process ends, however it ends.
///
/// The file is made where there is none and holds the process and the host of whoever locked it last. Where a file
/// system has no locks, nothing is locked.
public final class FileLock: Sendable {
  private let descriptor: Int32

  /// Locks the file at a path.
  ///
  /// Errors: another process, or another part of this one, holds the lock; the file cannot be made.
  ///
  /// - Parameter use: what the file stands for, for the sentence that refuses a second user.
  public init(_ path: String, use: String) throws(DataError) {
    guard let descriptor = try Self.open(path, for: path) else {
      let holder = String(decoding: (try? InputFile.contents(of: path)) ?? [], as: UTF8.self)
      throw DataError(
        path: path,
        reason: "wanted \(use) that no other process works on, found it in use by "
          + "\(holder.split(separator: "\n").first ?? "another process"); wait for its end, or stop it", isOutput: true)
    }
    do throws(DataError) {
      guard ftruncate(descriptor, 0) == 0 else { throw .unwritable(path, "cannot be written") }
      let holder = "process \(getpid()) on \(ProcessInfo.processInfo.hostName)\n"
      try AtomicFile.writeAll(Data(holder.utf8), descriptor, path)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Opens a file for writing, makes it where there is none, and locks it; nil where somebody else has locked it.
  ///
  /// Errors, which name `named`: the file cannot be made, or is a link.
  static func open(_ path: String, for named: String) throws(DataError) -> Int32? {
    while true {
      let descriptor = Glibc.open(systemPath(path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
      guard descriptor >= 0 else { throw .unwritable(named, "cannot be written, no file can be made in its folder") }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        switch errno {
        case EINTR:
          close(descriptor)
          continue
        case EWOULDBLOCK:
          close(descriptor)
          return nil
        // The file system has no locks.
        case ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL: break
        case let code:
          close(descriptor)
          throw .unwritable(named, "cannot be locked", code)
        }
      }
      // The last owner of the lock may have renamed or removed the file.
      var (ours, found) = (stat(), stat())
      let isKnown = fstat(descriptor, &ours) == 0 && lstat(systemPath(path), &found) == 0
      if isKnown, ours.st_ino == found.st_ino, ours.st_dev == found.st_dev { return descriptor }
      let reason = errno
      close(descriptor)
      if !isKnown, reason != ENOENT { throw .unwritable(named, "cannot be looked up", reason) }
    }
  }
}
