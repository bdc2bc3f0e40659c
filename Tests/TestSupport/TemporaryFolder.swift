import Foundation

/// A folder that is there while the body runs.
public func withTemporaryFolder<R>(_ body: (_ path: String) throws -> R) throws -> R {
  let path = try makeTemporaryFolder()
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

public func withTemporaryFolder<R>(_ body: (_ path: String) async throws -> R) async throws -> R {
  let path = try makeTemporaryFolder()
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(path)
}

private func makeTemporaryFolder() throws -> String {
  let url = FileManager.default.temporaryDirectory.appending(path: "hourglass-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  return url.path
}
