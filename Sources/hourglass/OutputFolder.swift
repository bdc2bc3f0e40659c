import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
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
    let isFolder = try InputFile.isFolder(path)
    if try InputFile.isThere(path) {
      guard isFolder else {
        throw ValidationError("\(flag): wanted the name of a folder, found \(path), which is a file")
      }
      let names = try InputFile.names(in: path).filter { !($0.hasPrefix(".") && $0.hasSuffix(".tmp")) }
      guard names.isEmpty || replacing.force else {
        throw ValidationError(
          "\(flag): wanted a new or an empty folder, found \(path) with \(names.count) files in it; choose another "
            + "name, or replace files in it with --force")
      }
    }
    try place.checkFolder(isThere: isFolder)
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

  /// Writes a PNG file for each picture of a set, named as the picture is.
  struct Writer {
    let folder: OutputFolder
    let data: Dataset
    private let files: ResultFiles

    /// Prepares one file for each picture.
    ///
    /// - Parameter count: how many of the first pictures are written; nil for all.
    /// - Throws: images of this shape cannot be shown, or two pictures want one file name (see `ResultFiles`).
    init(_ folder: OutputFolder, _ data: Dataset, count: Int?) throws {
      (self.folder, self.data) = (folder, data)
      if let refusal = Pictures.refusal(of: data.shape) {
        throw ValidationError("\(folder.flag) \(folder.path): \(refusal); write a .npy file instead")
      }
      files = try ResultFiles(
        (0..<min(data.pictureCount, count ?? .max)).map { data.pictureName($0) }, ending: "png", source: data.source)
    }

    /// Writes an image, H x W x C, clamped to [0, 1], as the file of a picture.
    ///
    /// Errors: a value is not finite.
    func write(_ image: ArraySlice<Float>, _ shape: ImageShape, of picture: Int) throws {
      if let value = image.first(where: { !$0.isFinite }) {
        throw ExitStatusError(
          status: .diverged,
          description: "\(folder.path): wanted finite numbers, found \(value) in what is made of "
            + "\(data.pictureName(picture)); the weights, or what they were given, are too large")
      }
      let png = PNGImage(
        width: shape.width, height: shape.height, channels: shape.channels, pixels: image.map(ImageGrid.byte))
      try folder.write(try png.encoded(), to: files.paths[picture])
    }

    /// Says what was written.
    func tell() { StandardOutput.write("\(folder.path): \(grouped(files.paths.count)) pictures") }
  }
}
