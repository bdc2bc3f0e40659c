import Foundation

/// A folder that is there while the body runs.
public func withTemporaryFolder<R>(_ body: (_ path: String) throws -> R) throws -> R {
  let url = FileManager.default.temporaryDirectory.appending(path: "hourglass-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.path)
}
