import Dispatch
import Synchronization

/// A file that images are stored in.
public struct StoredFile: Codable, Sendable, Equatable {
  /// The name of the file in its set.
  public var name: String
  /// The size of the file in bytes.
  public var bytes: Int
  /// The SHA-256 of the file's bytes, in 64 hexadecimal digits.
  public var digest: String

  public init(name: String, bytes: Int, digest: String) {
    (self.name, self.bytes, self.digest) = (name, bytes, digest)
  }

  /// The sizes and digests of files, which are read several at once. Errors: the first file that cannot be read.
  static func digests(of files: [(path: String, name: String)]) throws(DataError) -> [StoredFile] {
    let results = Mutex([Result<StoredFile, DataError>?](repeating: nil, count: files.count))
    DispatchQueue.concurrentPerform(iterations: files.count) { index in
      let result = Result { () throws(DataError) in try StoredFile(files[index].path, name: files[index].name) }
      results.withLock { $0[index] = result }
    }
    var found: [StoredFile] = []
    for result in results.withLock({ $0 }) { if let result { found.append(try result.get()) } }
    return found
  }

  private init(_ path: String, name: String) throws(DataError) {
    let file = try InputFile(path)
    var hash = SHA256()
    var length = 0
    while true {
      let part = try [UInt8](room: 1 << 20) { (room) throws(DataError) in try file.read(into: room) }
      part.withUnsafeBytes { hash.update($0) }
      length += part.count
      if part.count < 1 << 20 { break }
    }
    self.init(name: name, bytes: length, digest: hash.hexDigits())
  }
}
