import ArgumentParser
import Foundation
import HourglassData
import HourglassTraining

/// A folder of results, into which a command writes a file for each image.
struct OutputFolder {
  let flag: String
  let path: String

  init(flag: String = "--output", _ path: String) {
    // The root keeps its slash.
    let end = path.lastIndex { $0 != "/" }
    (self.flag, self.path) = (flag, end.map { String(path[...$0]) } ?? String(path.prefix(1)))
  }

  /// Refuses, before any work is done, a folder that cannot be written, or that holds what may be lost.
  ///
  /// - Parameter inputs: files and folders that the command reads, beside which nothing may be written.
  func check(_ replacing: ReplacementOptions, reading inputs: [String?]) throws {
    guard !path.isEmpty else { throw ValidationError("\(flag): wanted the name of a folder, found an empty one") }
    let place = OutputFile(flag: flag, file("x"), or: "")
    if let run = place.runItBelongsTo {
      throw ValidationError(
        "\(flag): wanted a folder that is no part of a run, found \(path) in the run \(run); choose a place outside of "
          + "it, or in its pictures")
    }
    for input in inputs.compactMap(\.self) where Self.overlap(path, input) {
      throw ValidationError(
        "\(flag): wanted a folder apart from what is read, found \(path), while \(input) is read; choose another one")
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else {
        throw ValidationError("\(flag): wanted the name of a folder, found \(path), which is a file")
      }
      let names = try InputFile.names(in: path).filter { !($0.hasPrefix(".") && $0.hasSuffix(".tmp")) }
      guard names.isEmpty || replacing.force else {
        throw ValidationError(
          "\(flag): wanted a new or an empty folder, found \(path) with \(names.count) files in it; choose another "
            + "name, or replace files in it with --force")
      }
    }
    try place.checkFolder(isThere: isFolder.boolValue)
  }

  /// Whether one of two places is the other, or lies in it.
  private static func overlap(_ one: String, _ other: String) -> Bool {
    let (one, other) = (OutputFile(one, or: "").resolved + "/", OutputFile(other, or: "").resolved + "/")
    return one.hasPrefix(other) || other.hasPrefix(one)
  }

  func file(_ name: String) -> String { path == "/" ? "/\(name)" : "\(path)/\(name)" }

  /// Writes a file, and the folders that it lies in.
  func write(_ data: Data, to name: String) throws(DataError) {
    try AtomicFile.makeFolder(AtomicFile.split(file(name)).folder)
    try AtomicFile.write(data, to: file(name))
  }

  /// Writes images that are made of those of a set, a batch at a time, each as a PNG file of the name of its image, and
  /// says so but where it is quiet.
  ///
  /// Errors: those of `make`, and of names (see `ResultFiles`); images that cannot be shown, or are not finite.
  func write(
    _ data: Dataset, count: Int? = nil, isQuiet: Bool = false, _ make: (Range<Int>) throws -> [Float]
  ) throws {
    let (shape, count) = (data.shape, min(data.count, count ?? data.count))
    if let refusal = Pictures.refusal(of: shape) {
      throw ValidationError("\(flag) \(path): \(refusal); write a .npy file instead")
    }
    let files = try ResultFiles((0..<count).map { data.name($0) }, ending: "png", source: data.source)
    for start in stride(from: 0, to: count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, count)
      let images = try make(range)
      for (place, index) in range.enumerated() {
        let image = Array(images[place * shape.count..<(place + 1) * shape.count])
        if let value = image.first(where: { !$0.isFinite }) {
          throw ExitStatusError(
            status: .diverged,
            description: "\(path): wanted finite numbers, found \(value) in what is made of \(data.name(index)); the "
              + "weights, or what they were given, are too large")
        }
        let picture = PNGImage(
          width: shape.width, height: shape.height, channels: shape.channels, pixels: image.map(ImageGrid.byte))
        try write(try picture.encoded(), to: files.paths[index])
      }
    }
    if !isQuiet { StandardOutput.write("\(path): \(grouped(count)) images of \(shape)") }
  }
}
