import ArgumentParser
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// What a shell offers behind a flag.
extension CompletionKind {
  /// Names of models, and model files.
  static var models: Self { names(ModelCatalog.presets.map(\.model.name), endings: [".json"], runs: false) }
  /// Names of models, model files and folders of runs.
  static var modelsAndRuns: Self { names(ModelCatalog.presets.map(\.model.name), endings: [".json"]) }
  /// Folders of runs.
  static var runs: Self { names() }
  /// Folders of runs and files of weights.
  static var weights: Self { names(endings: [".safetensors", ".npz"]) }
  /// Files and folders of images.
  static var images: Self { .file() }

  /// Names, files with one of the endings, and folders of runs where they are wanted.
  static func names(_ names: [String] = [], endings: [String] = [], runs: Bool = true) -> Self {
    .custom { _, _, begun in
      let folder = begun.lastIndex(of: "/").map { String(begun[...$0]) } ?? ""
      let found = contents(folder).flatMap { name -> [String] in
        let path = folder + name
        if endings.contains(where: path.hasSuffix) { return [path] }
        guard (try? InputFile.isFolder(path)) == true else { return [] }
        guard runs else { return [path + "/"] }
        if isRun(path) { return [path] }
        let inside = contents(path + "/").map { "\(path)/\($0)" }.filter(isRun)
        return inside.isEmpty ? [path + "/"] : inside
      }
      return (names + found).filter { $0.hasPrefix(begun) }
    }
  }

  private static func isRun(_ path: String) -> Bool { access(systemPath(path + "/recipe.json"), R_OK) == 0 }

  /// The names in a folder that do not begin with a dot, in their order; none where it cannot be read.
  private static func contents(_ folder: String) -> [String] {
    guard let stream = opendir(systemPath(folder.isEmpty ? "." : folder)) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { place in
        place.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: place.pointee)) { pathText($0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }
}
