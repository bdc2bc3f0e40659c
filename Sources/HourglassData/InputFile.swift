import Foundation

/// A regular file that is open for reading, from its beginning.
final class InputFile {
  let path: String
  /// Bytes, as the file system says.
  let size: Int
  private let descriptor: Int32

  init(_ path: String) throws(DataError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, "cannot be opened for reading") }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw DataError(path: path, reason: "wanted a file, found a folder or a device")
    }
    (self.path, self.descriptor, size) = (path, descriptor, Int(status.st_size))
  }

  deinit { close(descriptor) }

  /// Reads the next bytes and returns their number, less than asked only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = Foundation.read(descriptor, buffer.baseAddress! + filled, buffer.count - filled)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(path, "cannot be read") }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// The whole file.
  static func contents(of path: String) throws(DataError) -> [UInt8] {
    let file = try InputFile(path)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.size, alignment: 16)
    defer { buffer.deallocate() }
    let count = try file.read(into: buffer)
    return [UInt8](buffer[..<count])
  }
}
