import FoundationEssentials
import Glibc

/// Files that are either the old ones or the new ones, whole, whenever the machine or the process stops.
public enum AtomicFile {
  /// Replaces the file at `path`: writes a temporary file in its folder, syncs it, renames it and syncs the folder.
  ///
  /// A file that is replaced keeps its mode; where the path is a symbolic link, the file that it leads to is replaced.
  /// A process that is killed while it writes leaves its temporary file, named `.NAME.tmp`, which the next one reuses.
  ///
  /// Errors: on failure (disk full, no permission, no such folder, another process writing the same file) the temporary
  /// file is removed, the old file stays, and the error carries the system's reason. What is no regular file, such as a
  /// device, is never replaced.
  public static func write(_ data: Data, to path: String) throws(DataError) {
    try write(pieces: 1, to: path) { _ in data }
  }

  /// Replaces a file by text, as UTF-8.
  public static func write(_ text: String, to path: String) throws(DataError) {
    try write(Data(text.utf8), to: path)
  }

  /// Replaces a file piece by piece, so that it need not fit into memory.
  ///
  /// Errors: see `write(_:to:)`; whatever `piece` or `ready` throws.
  ///
  /// - Parameters:
  ///   - piece: makes the bytes of a piece; called once for each, in their order.
  ///   - ready: called with the name of the temporary file once it is whole, before it is renamed.
  public static func write(
    pieces: Int, to path: String, ready: (String) throws(DataError) -> Void = { _ in },
    _ piece: (Int) throws(DataError) -> Data
  ) throws(DataError) {
    let target = try destination(of: path)
    let (folder, name) = split(target.path)
    let temporary = "\(folder)/\(temporaryName(name))"
    guard let descriptor = try FileLock.open(temporary, for: path) else {
      throw DataError(
        path: path, reason: "wanted to be the only one who writes it, found another process writing it", isOutput: true)
    }
    defer { close(descriptor) }
    do throws(DataError) {
      guard ftruncate(descriptor, 0) == 0 else { throw .unwritable(path, "cannot be written") }
      var count = 0
      for index in 0..<pieces {
        let data = try piece(index)
        try writeAll(data, descriptor, path, before: count)
        count += data.count
      }
      if let mode = target.mode, fchmod(descriptor, mode) != 0 { throw .unwritable(path, "cannot keep its mode") }
      guard sync(descriptor) == 0 else { throw .unwritable(path, "cannot be written (\(count) bytes)\(kept)") }
      try ready(temporary)
      try rename(temporary, to: target.path)
    } catch {
      unlink(systemPath(temporary))
      throw error
    }
    try sync(folder: folder)
  }

  /// Renames a file or folder, whose contents are synced, and syncs the folder that it lies in.
  public static func move(_ source: String, to path: String) throws(DataError) {
    try rename(source, to: path)
    try sync(folder: split(path).folder)
  }

  /// Makes a folder, and those above it.
  public static func makeFolder(_ path: String) throws(DataError) {
    func isFolder(_ path: String) -> Bool {
      var status = stat()
      return stat(systemPath(path), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
    let parent = split(path).folder
    guard !isFolder(path) else { return }
    if parent != path, !isFolder(parent) { try makeFolder(parent) }
    guard mkdir(systemPath(path), 0o777) == 0 || errno == EEXIST else {
      throw .unwritable(path, "cannot make the folder")
    }
    guard isFolder(path) else { throw .unwritable(path, "cannot make the folder", ENOTDIR) }
  }

  /// Gives a file a second name, in place of what had that name; a copy where a file system has no hard links.
  public static func link(_ source: String, as path: String) throws(DataError) {
    let (folder, name) = split(path)
    let temporary = "\(folder)/\(temporaryName(name))"
    unlink(systemPath(temporary))
    guard Glibc.link(systemPath(source), systemPath(temporary)) == 0 else {
      guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV].contains(errno) else {
        throw .unwritable(path, "cannot keep a second name of \(source)")
      }
      return try copy(source, to: path)
    }
    do throws(DataError) { try rename(temporary, to: path) } catch {
      unlink(systemPath(temporary))
      throw error
    }
    // Two names of one file stay two names where the one is to replace the other.
    unlink(systemPath(temporary))
  }

  /// Removes a file, or a folder with all that is in it.
  public static func remove(_ path: String) throws(DataError) {
    var status = stat()
    guard lstat(systemPath(path), &status) == 0 else { throw .unwritable(path, "cannot be removed") }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    if isFolder { for name in try InputFile.names(in: path) { try remove("\(path)/\(name)") } }
    guard (isFolder ? rmdir(systemPath(path)) : unlink(systemPath(path))) == 0 else {
      throw .unwritable(path, "cannot be removed")
    }
  }

  /// Removes the temporary files and folders of a folder that no process is writing any more.
  public static func removeAbandoned(in folder: String) throws(DataError) {
    for name in try InputFile.names(in: folder) where name.hasPrefix(".") && name.hasSuffix(".tmp") {
      let path = "\(folder)/\(name)"
      if (try? InputFile.isFolder(path)) == true {
        try? remove(path)
      } else if let descriptor = try? FileLock.open(path, for: path) {
        unlink(systemPath(path))
        close(descriptor)
      }
    }
  }

  /// The name of the temporary file or folder that becomes the one of this name.
  public static func temporaryName(_ name: String) -> String {
    ".\(String(decoding: name.utf8.prefix(200), as: UTF8.self)).tmp"
  }

  /// The folder of a path, and the name in it.
  public static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  private static let kept = ", what was there before is kept"

  /// Where a path leads, and the mode of the file there, nil where there is none.
  private static func destination(of path: String) throws(DataError) -> (path: String, mode: mode_t?) {
    var (place, status) = (path, stat())
    for _ in 0..<40 {
      guard lstat(systemPath(place), &status) == 0 else {
        guard errno == ENOENT else { throw .unwritable(path, "cannot be written") }
        return (place, nil)
      }
      guard status.st_mode & S_IFMT == S_IFLNK else { break }
      let bytes = try [UInt8](room: Int(PATH_MAX)) { (room) throws(DataError) in
        let count = room.baseAddress.map { readlink(systemPath(place), $0, room.count) } ?? -1
        guard count >= 0 else { throw .unwritable(path, "cannot be followed") }
        return count
      }
      let target = pathText(bytes)
      place = target.hasPrefix("/") ? target : "\(split(place).folder)/\(target)"
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DataError(
        path: path, reason: "wanted the name of a file to write, found a folder, a device or a pipe", isOutput: true)
    }
    guard access(systemPath(place), W_OK) == 0 else { throw .unwritable(path, "cannot be written") }
    return (place, status.st_mode & 0o7777)
  }

  /// Writes to an open file, however many calls the system takes for it.
  ///
  /// - Parameter before: bytes that were written earlier, for the sentence.
  static func writeAll(_ data: Data, _ descriptor: Int32, _ path: String, before: Int = 0) throws(DataError) {
    let failure: Int32 = data.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return errno }
        written += count
      }
      return 0
    }
    guard failure == 0 else {
      throw .unwritable(path, "cannot be written (\(before + data.count) bytes)\(kept)", failure)
    }
  }

  private static func rename(_ source: String, to path: String) throws(DataError) {
    guard Glibc.rename(systemPath(source), systemPath(path)) == 0 else {
      throw .unwritable(path, "cannot be replaced\(kept)")
    }
  }

  private static func copy(_ source: String, to path: String) throws(DataError) {
    let file = try InputFile(source)
    let piece = 1 << 20
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
    defer { buffer.deallocate() }
    try write(pieces: (file.size + piece - 1) / piece, to: path) { _ throws(DataError) in
      Data(buffer[..<(try file.read(into: buffer))])
    }
  }

  /// Makes the renaming itself durable. File systems that cannot sync a folder (EINVAL) need not.
  private static func sync(folder: String) throws(DataError) {
    let descriptor = open(systemPath(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unwritable(folder, "cannot be opened to sync it") }
    defer { close(descriptor) }
    guard sync(descriptor) == 0 || errno == EINVAL else { throw .unwritable(folder, "cannot be synced") }
  }

  /// Calls `fsync`, again where a signal interrupts it.
  private static func sync(_ descriptor: Int32) -> Int32 {
    while true {
      let result = fsync(descriptor)
      guard result != 0, errno == EINTR else { return result }
    }
  }
}
