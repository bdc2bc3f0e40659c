import Foundation
import HourglassData
import HourglassModels

/// The folder of a run: everything it was made from and everything it made.
///
///     recipe.json        what decides the result        metrics.csv, metrics.jsonl   one row an epoch
///     environment.json   where and how it ran           pictures/                    to look at
///     checkpoints/       last, previous, best .safetensors   report.html      all of it on one page
///     profile.json       time of each layer, where wanted    tensorboard/     events, where wanted
///     stages/1, 2, ...   runs of their own that were trained before (pretrain, finetune)
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path }

  /// The path of a file in the folder.
  public func file(_ name: String) -> String { "\(path)/\(name)" }
  public var report: String { file("report.html") }
  public var tensorBoard: String { file("tensorboard") }
  public func picture(_ name: String) -> String { file("pictures/\(name)") }

  /// The folder of a stage, counted from 1.
  public func stage(_ number: Int) -> String { file("stages/\(number)") }
  public var hasStages: Bool { RunFolder(stage(1)).exists }

  /// Which of the kept checkpoints.
  public enum Kept: String, CaseIterable, Sendable { case last, best, previous }

  public func checkpoint(_ kept: Kept) -> String { file("checkpoints/\(kept.rawValue).safetensors") }

  public var exists: Bool { FileManager.default.fileExists(atPath: path) }
  public var hasCheckpoint: Bool {
    Kept.allCases.contains { FileManager.default.fileExists(atPath: checkpoint($0)) }
  }

  /// Why no new run may begin here, if none may. Temporary files of a process that was killed do not count.
  public var refusal: DataError? {
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    guard contents.contains(where: { !Self.isTemporary($0) }) else { return nil }
    return DataError(
      path: path, reason: "the run folder exists already; choose another --run, go on with --resume, or remove it")
  }

  private static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(".tmp") }

  /// Makes the folder for a new run and saves its recipe.
  ///
  /// Errors: the folder exists and is not empty.
  public static func create(_ path: String, recipe: Recipe) throws(DataError) -> RunFolder {
    let run = RunFolder(path)
    if let refusal = run.refusal { throw refusal }
    // The recipe first: a folder with anything else in it can be resumed.
    try makeFolder(path)
    try run.save(recipe)
    try run.makeFolders()
    return run
  }

  /// Makes what is missing of the folder's folders, and removes what a killed process left half written.
  public func makeFolders() throws(DataError) {
    for folder in ["checkpoints", "pictures"] {
      try Self.makeFolder(file(folder))
      let names = (try? FileManager.default.contentsOfDirectory(atPath: file(folder))) ?? []
      for name in names where Self.isTemporary(name) {
        try? FileManager.default.removeItem(atPath: file("\(folder)/\(name)"))
      }
    }
  }

  static func makeFolder(_ path: String) throws(DataError) {
    do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
      throw DataError(path: path, reason: "cannot make the folder: \(error.localizedDescription)")
    }
  }

  /// Opens the folder of an earlier run.
  public static func open(_ path: String) throws(DataError) -> (run: RunFolder, recipe: Recipe) {
    let run = RunFolder(path)
    let file = run.file("recipe.json")
    guard run.exists else { throw DataError(path: path, reason: "wanted the folder of a run, found nothing there") }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw DataError(path: file, reason: "wanted the recipe of a run, found no readable file")
    }
    let recipe: Recipe
    do { recipe = try JSONDecoder().decode(Recipe.self, from: data) } catch {
      throw DataError(path: file, reason: "not a recipe: \(describe(error, in: data))")
    }
    if let refusal = recipe.refusal { throw DataError(path: file, reason: refusal) }
    return (run, recipe)
  }

  /// Writes recipe.json.
  public func save(_ recipe: Recipe) throws(DataError) { try save(recipe, as: "recipe.json") }

  /// Writes a value as JSON for people, with its names in alphabetical order.
  public func save(_ value: some Encodable, as name: String) throws(DataError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      try AtomicFile.write(try encoder.encode(value) + Data("\n".utf8), to: file(name))
    } catch let error as DataError { throw error } catch {
      throw DataError(path: file(name), reason: "\(error)")
    }
  }

  /// Writes a checkpoint. The one before stays as `previous`; at no moment is there no whole checkpoint. With `isBest`
  /// it is kept as `best` too.
  public func write(_ checkpoint: Checkpoint, isBest: Bool) throws(DataError) {
    let last = self.checkpoint(.last)
    let next = last + ".next"
    try checkpoint.write(to: next)
    if FileManager.default.fileExists(atPath: last) { try link(last, as: self.checkpoint(.previous)) }
    if isBest { try link(next, as: self.checkpoint(.best)) }
    try rename(next, to: last)
  }

  /// Reads a checkpoint; a refusal of the last one names the one before it.
  public func read(_ kept: Kept) throws(DataError) -> Checkpoint {
    guard hasCheckpoint else { throw DataError(path: path, reason: "wanted a run with a checkpoint, found none yet") }
    do { return try Checkpoint(reading: checkpoint(kept)) } catch {
      let others = Kept.allCases.filter { $0 != kept }.map(checkpoint)
        .filter { (try? Checkpoint(reading: $0)) != nil }
      let advice =
        kept == .last && others.contains(checkpoint(.previous))
        ? "the one before it is whole: copy \(checkpoint(.previous)) over it to go on from there"
        : others.isEmpty ? "no other checkpoint of this run is whole" : "whole are: \(others.joined(separator: ", "))"
      throw DataError(path: error.path, reason: "\(error.reason); \(advice)")
    }
  }

  /// A second name for a file, taking the place of what had that name.
  private func link(_ source: String, as target: String) throws(DataError) {
    let temporary = target + ".link"
    try? FileManager.default.removeItem(atPath: temporary)
    do { try FileManager.default.linkItem(atPath: source, toPath: temporary) } catch {
      // A file system without hard links: copy.
      do { try FileManager.default.copyItem(atPath: source, toPath: temporary) } catch {
        throw DataError(path: target, reason: "cannot keep a copy: \(error.localizedDescription)")
      }
    }
    try rename(temporary, to: target)
  }

  private func rename(_ source: String, to target: String) throws(DataError) {
    guard Foundation.rename(source, target) == 0 else {
      throw DataError(path: target, reason: "cannot rename \(source) to it: \(String(cString: strerror(errno)))")
    }
  }

  /// What a decoder of JSON complained about, with the place in the file.
  public static func describe(_ error: any Error, in data: Data) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    // The decoder does not say where the syntax is broken; the parser does.
    do { _ = try JSONSerialization.jsonObject(with: data) } catch {
      return "no valid JSON: \((error as NSError).userInfo["NSDebugDescription"] ?? error)"
    }
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
      return path.isEmpty ? "" : "\(path): "
    }
    switch error {
    case .keyNotFound(let key, let context): return "\(place(context))wanted a field \"\(key.stringValue)\", found none"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return place(context) + context.debugDescription
    @unknown default: return "\(error)"
    }
  }
}
