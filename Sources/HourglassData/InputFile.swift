import Glibc

/// A regular file that is open for reading.
///
/// A pipe, a socket, a device or a folder is refused without waiting for it.
public final class InputFile: Sendable {
  let path: String
  /// The bytes in the file when it was opened.
  let size: Int
  private let descriptor: Int32

  /// Opens a file. Errors: nothing is there, permission is missing, or it is no regular file.
  init(_ path: String) throws(DataError) {
    // O_NONBLOCK does not wait for the other end of a pipe.
    let descriptor = open(systemPath(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    // Sockets cannot be opened.
    guard descriptor >= 0 || errno == ENXIO else { throw .system(path, "cannot be opened for reading") }
    var status = stat()
    if descriptor >= 0, fstat(descriptor, &status) != 0 {
      defer { close(descriptor) }
      throw .system(path, "cannot be looked up")
    }
    guard descriptor >= 0, status.st_mode & S_IFMT == S_IFREG else {
      if descriptor >= 0 { close(descriptor) }
      throw DataError(path: path, reason: "wanted a file, found \(Self.kind(status.st_mode))")
    }
    (self.path, self.descriptor, size) = (path, descriptor, Int(status.st_size))
  }

  deinit { close(descriptor) }

  /// The word for a name that is no regular file.
  private static func kind(_ mode: mode_t) -> String {
    switch mode & S_IFMT {
    case S_IFDIR: "a folder"
    case S_IFIFO: "a pipe; write what comes out of it to a file"
    case S_IFBLK, S_IFCHR: "a device"
    default: "a socket"
    }
  }

  /// Reads the next bytes and returns their number, less than asked only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    try fill(buffer) { Glibc.read(descriptor, $0, $1) }
  }

  /// Reads bytes from a place on, for several threads at once; less than asked only at the end of the file.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    var place = offset
    return try fill(buffer) {
      let count = pread(descriptor, $0, $1, place)
      place += max(0, count)
      return count
    }
  }

  /// The bytes from a place on; fewer than asked only at the end of the file.
  func bytes(at offset: Int, _ count: Int) throws(DataError) -> [UInt8] {
    try [UInt8](room: count) { (room) throws(DataError) in try read(at: offset, into: room) }
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, _ next: (UnsafeMutableRawPointer, Int) -> Int
  ) throws(DataError) -> Int {
    var filled = 0
    while filled < buffer.count, let base = buffer.baseAddress {
      let count = next(base + filled, buffer.count - filled)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(path, "cannot be read") }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Tells the system that some bytes will be wanted soon.
  func announce(_ range: Range<Int>) {
    posix_fadvise(descriptor, range.lowerBound, range.count, POSIX_FADV_WILLNEED)
  }

  /// The bytes of the whole file.
  ///
  /// Errors: it cannot be opened, takes more memory than is granted, or is written meanwhile.
  public static func contents(of path: String) throws(DataError) -> [UInt8] { try InputFile(path).contents() }

  /// The bytes of the whole file. Errors: they take more memory than is granted, or the file is written meanwhile.
  func contents() throws(DataError) -> [UInt8] {
    try GrantedMemory.require(size, for: path, "read the file")
    // One byte more than the size is read, to see whether the file grows.
    let bytes = try bytes(at: 0, size + 1)
    guard bytes.count == size else {
      throw DataError(
        path: path,
        reason: "wanted the \(size) bytes that it had when it was opened, found "
          + (bytes.count < size ? "\(bytes.count)" : "more") + "; it is being written, read it when it is whole")
    }
    return bytes
  }

  /// The bytes of a file that need not be there; nil where it is not. Any other reason why it cannot be read is an
  /// error.
  public static func contents(ifThere path: String) throws(DataError) -> [UInt8]? {
    try isThere(path) ? try contents(of: path) : nil
  }

  /// Whether a path names anything. Errors: the system cannot tell.
  ///
  /// - Parameter orLink: whether a symbolic link that leads nowhere counts too.
  public static func isThere(_ path: String, orLink: Bool = false) throws(DataError) -> Bool {
    var status = stat()
    if orLink, lstat(systemPath(path), &status) == 0 { return true }
    return try Self.status(path) != nil
  }

  /// The names in a folder, in no order. It exists because Foundation keeps silent where it reads only a part of them.
  ///
  /// Errors: the folder cannot be read, with the system's reason.
  public static func names(in folder: String) throws(DataError) -> [String] {
    guard let stream = opendir(systemPath(folder)) else { throw .system(folder, "cannot be listed") }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { pathText($0.prefix { $0 != 0 }) }
      if name != ".", name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw .system(folder, "cannot be listed") }
    return names
  }

  /// The path of the first of some names that a folder has; nil where it has none.
  static func first(of names: [String], in folder: String) throws(DataError) -> String? {
    for name in names where try isThere("\(folder)/\(name)") { return "\(folder)/\(name)" }
    return nil
  }

  /// Whether a path names a folder.
  public static func isFolder(_ path: String) throws(DataError) -> Bool {
    try status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
  }

  /// The status of what a path names, links followed; nil for nothing.
  static func status(_ path: String) throws(DataError) -> stat? {
    var status = stat()
    if stat(systemPath(path), &status) == 0 { return status }
    guard errno == ENOENT || errno == ENOTDIR else { throw .system(path, "cannot be looked up") }
    return nil
  }
}
