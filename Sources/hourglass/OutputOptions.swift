import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// Where a command puts what it makes.
struct OutputOptions: ParsableArguments {
  @Option(help: "The file to write: .npy for numbers, .png for a picture. (default: in the run's folder)")
  var output: String?

  @Option(help: "Write at most this many images or codes. (default: all; a few dozen in a picture)")
  var count: Int?

  @OptionGroup var replacing: ReplacementOptions

  /// The greatest --count; a larger one would be a slip of the hand.
  static let mostCounted = 1 << 24

  func validate() throws { try requirePositive("--count", count, most: Self.mostCounted) }

  static func check(_ output: String?) throws {
    guard let output, !OutputFile.isPicture(output), !output.lowercased().hasSuffix(".npy") else { return }
    throw ValidationError("--output: wanted a name that ends in .npy or .png, found \(output)")
  }

  /// The folder named by --output, which is there, ends in a slash, or has no dot in its name; nil for a file.
  func folder(for loaded: LoadedRun, reading inputs: String?...) throws -> OutputFolder? {
    guard let output else { return nil }
    let hasEnding = AtomicFile.split(output).name.contains(".")
    guard try output.hasSuffix("/") || !hasEnding || InputFile.isFolder(output) else { return nil }
    let folder = OutputFolder(output)
    try folder.check(replacing, reading: loaded.inputs + inputs)
    return folder
  }

  /// The file that was named, or else the one that the command writes by itself, which may be replaced.
  func file(or standard: String, for loaded: LoadedRun, reading inputs: String?...) throws -> OutputFile {
    try Self.check(output)
    let file = OutputFile(output, or: standard)
    if file.isPicture, let count, count > OutputFile.mostInPicture {
      throw ValidationError("--count: wanted at most \(OutputFile.mostInPicture) images in a picture, found \(count)")
    }
    try replacing.check([file], reading: loaded.inputs + inputs)
    return file
  }

  /// How many of the available items are written.
  func limit(_ file: OutputFile, _ available: Int, inPicture: Int) -> Int {
    min(available, count ?? (file.isPicture ? inPicture : available))
  }
}

/// Which files a command may replace.
struct ReplacementOptions: ParsableArguments {
  @Flag(help: "Replace files that exist, but never an input or a part of a run.")
  var force = false

  /// Refuses, before any work is done, files that cannot be written and those that would take the place of another one.
  ///
  /// - Parameter inputs: files and folders that the command reads, whose contents no output may replace.
  func check(_ files: [OutputFile], reading inputs: [String?] = []) throws {
    for (place, file) in files.enumerated() {
      try file.checkPlace()
      if file.isNamed, file.exists, !force {
        throw ValidationError(
          "\(file.flag): wanted a new file, found \(file.path), which exists; choose another name, or replace it with "
            + "--force")
      }
      if let run = file.runItBelongsTo {
        throw ValidationError(
          "\(file.flag): wanted a file that is no part of a run, found \(file.path) in the run \(run); choose a place "
            + "outside of it, or in its pictures or its export")
      }
      if let input = inputs.compactMap(\.self).first(where: file.isContained) {
        throw ValidationError(
          "\(file.flag): wanted another file than those that are read, found \(file.path), which is read as "
            + "\(input); choose another name")
      }
      if let other = files[..<place].first(where: file.isSame) {
        throw ValidationError("\(other.flag), \(file.flag): wanted two files, found \(file.path) for both")
      }
    }
  }
}

/// A file of results.
struct OutputFile {
  /// The flag that named the file, or could.
  let flag: String
  let path: String
  /// Whether a flag named the file; otherwise the command writes it by itself, in the folder of a run.
  let isNamed: Bool
  /// Whether the command makes the file's folder where there is none.
  let makesFolder: Bool

  /// The file that was named, or else the one that the command writes by itself.
  init(flag: String = "--output", _ named: String?, or standard: String, makesFolder: Bool = false) {
    (self.flag, path, isNamed, self.makesFolder) = (flag, named ?? standard, named != nil, makesFolder)
  }

  /// The most images in one picture; a larger one opens in no viewer.
  static let mostInPicture = 2000

  static func isPicture(_ path: String) -> Bool { path.lowercased().hasSuffix(".png") }
  var isPicture: Bool { Self.isPicture(path) }

  /// Writes numbers as NPY, N x `shape`, so many batches one after the other that they need not fit into memory. Of
  /// several processes position 0 writes, and all make numbers.
  ///
  /// Errors: those of `make`; numbers that are not finite, before anything takes the place of the file.
  func write(_ count: Int, of shape: [Int], _ make: (Range<Int>) throws -> [Float]) throws {
    let batch = Inference.batchSize
    let ranges = stride(from: 0, to: count, by: batch).map { $0..<min(count, $0 + batch) }
    guard Processes.isFirst else {
      for range in ranges { _ = try finite(make(range), from: range) }
      return
    }
    var fault: (any Error)?
    do {
      try NPYFile.write(pieces: ranges.count, shape: [count] + shape, to: path) { (index) throws(DataError) in
        do { return try finite(make(ranges[index]), from: ranges[index]) } catch {
          fault = error
          throw DataError(path: path, reason: "\(error)")
        }
      }
    } catch { throw fault ?? DataError(path: error.path, reason: error.reason, isOutput: true) }
  }

  /// Writes images as NPY, N x H x W x C, a batch at a time, or as the picture that `draw` makes of all, and says so
  /// but where it is quiet.
  func write(
    _ count: Int, images shape: ImageShape, isQuiet: Bool = false, _ make: (Range<Int>) throws -> [Float],
    draw: ([Float]) throws -> PNGImage
  ) throws {
    if isPicture {
      if let refusal = Pictures.refusal(of: shape) {
        throw ValidationError("\(flag) \(path): \(refusal); write a .npy file instead")
      }
      // Images beside those that they are compared with, cut into pieces; enlarged to 128 pixels, and in the file.
      let floats = 6 * shape.count + max(shape.count, 128 * 128 * shape.channels) / 2
      try GrantedMemory.require(
        count.timesClamping(4 * floats), for: path, "draw \(count) images of \(shape)",
        advice: "take fewer, or write a .npy file")
      let picture = try draw(finite(make(0..<count), from: 0..<count))
      try picture.write(to: path)
    } else {
      try write(count, of: [shape.height, shape.width, shape.channels], make)
    }
    if !isQuiet { StandardOutput.write("\(path): \(count) images of \(shape)") }
  }

  private func finite(_ values: [Float], from range: Range<Int>) throws -> [Float] {
    guard let place = values.firstIndex(where: { !$0.isFinite }) else { return values }
    throw ExitStatusError(
      status: .diverged,
      description: "\(path): wanted finite numbers, found \(values[place]) in number "
        + "\(range.lowerBound + place / (values.count / range.count)), so nothing is written; the weights, or what "
        + "they were given, are too large")
  }
}

// MARK: What lies where a file is to be

extension OutputFile {
  /// The number of the file on its device, through links; nil where there is none.
  private static func identity(_ path: String) -> stat? {
    var status = stat()
    return stat(systemPath(path), &status) == 0 ? status : nil
  }

  private static func areSame(_ one: stat, _ other: stat) -> Bool {
    one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  /// Whether anything is at the path, even a link that leads nowhere.
  var exists: Bool {
    var status = stat()
    return lstat(systemPath(path), &status) == 0
  }

  private var folder: String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The path from the root without links.
  var resolved: String {
    let whole = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    let parts = whole.split(separator: "/").map(String.init)
    // What is not there yet has no links.
    for count in parts.indices.reversed().map({ $0 + 1 }) {
      guard let found = realpath(systemPath("/" + parts[..<count].joined(separator: "/")), nil) else { continue }
      defer { free(found) }
      return parts[count...].reduce(pathText(found)) { $1 == ".." ? AtomicFile.split($0).folder : "\($0)/\($1)" }
    }
    return whole
  }

  /// Refuses what is no file, and a place where none can be made.
  fileprivate func checkPlace() throws {
    guard !path.isEmpty else { throw ValidationError("\(flag): wanted the name of a file, found an empty one") }
    let status = Self.identity(path)
    let reason = errno
    if let status {
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw ValidationError("\(flag): wanted the name of a file, found \(path), a folder, a device or a pipe")
      }
    } else if ![ENOENT, ENOTDIR].contains(reason) {
      throw ExitStatusError(
        status: .failed, description: "\(path): cannot be written: \(String(cString: strerror(reason)))")
    } else if exists {
      throw ValidationError("\(flag): wanted the name of a file, found \(path), a link that leads nowhere")
    }
    try checkFolder(isThere: !makesFolder || Self.identity(folder) != nil)
  }

  /// Refuses a folder in which no file can be made; one that is not there is made.
  func checkFolder(isThere: Bool) throws {
    guard isThere else { return }
    guard access(systemPath(folder), W_OK | X_OK) == 0,
      Self.identity(folder).map({ $0.st_mode & S_IFMT == S_IFDIR }) == true
    else {
      throw ExitStatusError(
        status: .failed, description: "\(path): cannot be written, wanted a folder \(folder) in which files can be made"
      )
    }
  }

  /// Whether the path leads to an input, or to a file in the folder of one.
  fileprivate func isContained(in input: String) -> Bool {
    guard let file = Self.identity(path), let status = Self.identity(input) else { return false }
    if Self.areSame(file, status) { return true }
    // Numbers in a folder are no images of its set.
    guard status.st_mode & S_IFMT == S_IFDIR, isNamed || isPicture else { return false }
    return (try? FolderContents(of: input))?.files.contains { name in
      Self.identity("\(input)/\(name)").map { Self.areSame(file, $0) } ?? false
    } ?? false
  }

  fileprivate func isSame(_ other: OutputFile) -> Bool {
    if let one = Self.identity(path), let two = Self.identity(other.path) { return Self.areSame(one, two) }
    return resolved == other.resolved
  }

  /// The run to which the file belongs or would belong: a run owns all below its folder but what commands write there
  /// by themselves. Nil for none.
  var runItBelongsTo: String? {
    let parts = resolved.split(separator: "/").map(String.init)
    let folders = parts.indices.reversed().lazy.map { ("/" + parts[..<$0].joined(separator: "/"), Array(parts[$0...])) }
    guard let (folder, rest) = folders.first(where: { RunFolder($0.0).isRun }) else { return nil }
    return RunFolder.isProduct(rest) ? nil : folder
  }
}

extension RunFolder {
  /// Whether the folder holds a run, not only a recipe that somebody copied there.
  fileprivate var isRun: Bool {
    func has(_ name: String) -> Bool { (try? InputFile.isThere(file(name))) == true }
    return has("recipe.json") && ["environment.json", "checkpoints", "stages"].contains(where: has)
  }

  /// Whether a path from the folder of a run is of something that commands write there by themselves.
  fileprivate static func isProduct(_ parts: [String]) -> Bool {
    parts.count == 1
      ? ["report.html", "codes.npy", "codes.hgc"].contains(parts[0]) : ["pictures", "export"].contains(parts[0])
  }
}
