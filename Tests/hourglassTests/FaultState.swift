import Foundation
@testable import HourglassData
import HourglassTraining

/// All files below a folder, each as the part of it that depends neither on time nor on how often a run was stopped.
struct FolderState: Equatable {
  enum Content: Equatable {
    case folder
    case bytes(Data)
    /// Differs between runs with the same result.
    case anything
  }

  private(set) var contents: [String: Content] = [:]
  /// The sessions that each environment.json tells of.
  private(set) var sessions: [String: [Data]] = [:]
  /// What has its final name and is not whole, with the reason.
  private(set) var damaged: [String: String] = [:]

  static func == (a: FolderState, b: FolderState) -> Bool { a.contents == b.contents }

  /// - Parameter whole: a state whose files are whole; what is equal to one of them is not looked into.
  init(_ folder: String, whole: FolderState? = nil) {
    for path in FileManager.default.enumerator(atPath: folder)?.compactMap({ $0 as? String }) ?? [] {
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: "\(folder)/\(path)", isDirectory: &isFolder), isFolder.boolValue {
        contents[path] = .folder
        continue
      }
      let data = FileManager.default.contents(atPath: "\(folder)/\(path)") ?? Data()
      // What a session measures of itself goes with it when it is killed.
      let content = Self.content(path, data, of: folder)
      if !path.hasSuffix("/profile.json") { contents[Self.name(path)] = content }
      guard !Self.isTemporary(path) else { continue }
      if content == .anything || content != whole?.contents[path], let reason = Self.damage(path, data, of: folder) {
        damaged[path] = reason
      }
      if path.hasSuffix("environment.json") {
        let sessions = (try? JSONSerialization.jsonObject(with: data)) as? [NSObject] ?? []
        self.sessions[path] = sessions.map {
          (try? JSONSerialization.data(withJSONObject: $0, options: .sortedKeys)) ?? Data()
        }
      }
    }
  }

  /// What differs from another state, by path.
  func differences(from other: FolderState) -> [String] {
    Set(contents.keys).union(other.contents.keys).sorted().compactMap { path in
      switch (contents[path], other.contents[path]) {
      case (nil, _): return "\(path) is missing"
      case (_, nil): return "\(path) is too much"
      case (let a, let b): return a == b ? nil : "\(path) differs"
      }
    }
  }

  /// Below a name that no finished file has.
  static func isTemporary(_ path: String) -> Bool {
    path.split(separator: "/").contains { $0.hasSuffix(".tmp") || $0.hasSuffix(".next") || $0.hasSuffix(".link") }
  }

  /// Files of events carry the time in their name, and each session writes its own.
  private static func name(_ path: String) -> String {
    guard let range = path.range(of: "events.out.tfevents") else { return path }
    return String(path[..<range.upperBound])
  }

  private static func content(_ path: String, _ data: Data, of folder: String) -> Content {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    switch name {
    case "environment.json", "report.html", "lock", "previous.safetensors": return .anything
    case _ where name.contains("tfevents"): return .anything
    case "last.safetensors", "best.safetensors": return .bytes(tensors(data))
    case "metrics.jsonl": return .bytes(Data(withoutTimes(String(decoding: data, as: UTF8.self)).utf8))
    case "metrics.csv":
      let rows = String(decoding: data, as: UTF8.self).split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      let kept = (rows.first ?? []).indices.filter { !times.contains(String(rows[0][$0])) }
      return .bytes(
        Data(
          rows.map { row in kept.filter { $0 < row.count }.map { row[$0] }.joined(separator: ",") }
            .joined(separator: "\n").utf8))
    case _ where name.hasSuffix(".json"):
      // Some paths in recipes begin at the root.
      return .bytes(Data(String(decoding: data, as: UTF8.self).replacingOccurrences(of: folder, with: "").utf8))
    default: return .bytes(data)
    }
  }

  private static let times = ["samplesPerSecond", "seconds", "inputPercent"]

  /// Lines, those that are JSON objects without times and speeds, of which a profile is nothing but.
  static func withoutTimes(_ text: String) -> String {
    text.split(separator: "\n").map { line in
      guard var object = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] else {
        return String(line)
      }
      if object["event"] as? String == "profile" { object = [:] }
      for name in times { object[name] = nil }
      let data = (try? JSONSerialization.data(withJSONObject: object, options: .sortedKeys)) ?? Data()
      return String(decoding: data, as: UTF8.self)
    }.joined(separator: "\n")
  }

  /// What stands behind the header of a safetensors file, whose metadata hold times.
  private static func tensors(_ data: Data) -> Data {
    guard data.count > 8 else { return data }
    let length = data.prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
    return length < UInt64(data.count - 8) ? data.dropFirst(8 + Int(length)) : data
  }

  private static func damage(_ path: String, _ data: Data, of folder: String) -> String? {
    func fails(_ body: () throws -> Void) -> String? {
      do { try body() } catch { return "\(error)" }
      return nil
    }
    let file = "\(folder)/\(path)"
    switch URL(fileURLWithPath: path).pathExtension {
    case "json": return fails { _ = try JSONSerialization.jsonObject(with: data) }
    case "jsonl":
      return fails {
        for line in data.split(separator: UInt8(ascii: "\n")) { _ = try JSONSerialization.jsonObject(with: Data(line)) }
      } ?? (data.isEmpty || data.last == UInt8(ascii: "\n") ? nil : "the last line is not whole")
    case "csv": return data.last == UInt8(ascii: "\n") ? nil : "the last line is not whole"
    case "html", "svg":
      let end = String(decoding: data.suffix(16), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      return end.hasSuffix("</html>") || end.hasSuffix("</svg>") ? nil : "the end is missing"
    case "png": return fails { _ = try PictureFiles.decode(file) }
    case "npy": return fails { _ = try NPYFile.read(file) }
    case "safetensors":
      return fails {
        if path.contains("checkpoints/") { _ = try Checkpoint(reading: file) } else { _ = try SafeTensors.read(file) }
      }
    default: return nil
    }
  }
}
