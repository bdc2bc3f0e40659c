import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Looks at a set of images as training would see it, or writes the built-in ones.",
    discussion: """
      Examples:
        hourglass data photos --resize 64x64
        hourglass data synthesize --output shapes
      """,
    subcommands: [DataDescription.self, DataSynthesis.self], defaultSubcommand: DataDescription.self)
}

struct DataDescription: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Decodes every image and prints form, count, shape, classes, range, mean and standard deviation.",
    discussion: """
      Values are given as pixels in [0, 1]. Files that are no images of the set are counted, and the first of them \
      named. Where images are refused, the command names each and ends with exit code 3; with --skip-bad it lists them.

      Examples:
        hourglass data fashion-mnist --split test
        hourglass data photos --list > photos.csv
        hourglass data photos --resize 64x64 --rgb --export photos.npy
      """)

  @Argument(help: ArgumentHelp(DataFlags.forms, valueName: "path"), completion: .images)
  var path: String

  @Option(help: "The part of the set that is looked at.")
  var split: Split = .train

  @OptionGroup var images: DataFlags

  @Option(help: "The seed by which --holdout draws.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "Write the prepared images into this file too, N,H,W,C, as bytes or float32.", valueName: "file.npy"),
    completion: .file(extensions: ["npy"]))
  var export: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(
    help: """
      Print index, name and class of every image as CSV, and nothing else; with --json the object holds them.
      """)
  var list = false

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    if let export, !export.lowercased().hasSuffix(".npy") {
      throw ValidationError("--export: wanted a name that ends in .npy, found \(export)")
    }
  }

  /// What `--json` prints.
  private struct Report: Encodable {
    var summary: DatasetSummary
    var inventory: Inventory
    var refused: [[String: String]]
    var images: [Item]?

    func encode(to encoder: any Encoder) throws {
      try summary.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(inventory, forKey: .inventory)
      try container.encode(refused, forKey: .refused)
      try container.encodeIfPresent(images, forKey: .images)
    }

    private enum CodingKeys: CodingKey { case inventory, refused, images }
  }

  private struct Item: Encodable {
    var index: Int
    var name: String
    var `class`: String?

    init(_ data: Dataset, _ index: Int) {
      (self.index, name, self.class) = (data.number(index), data.name(index), data.className(index))
    }
  }

  func run() throws {
    let file = export.map { OutputFile(flag: "--export", $0, or: $0) }
    try replacing.check([file].compactMap(\.self), reading: [path, images.labels])
    // Every broken image is named, not only the first.
    var preparation = images.adapting(Preparation())
    preparation.skipsBad = true
    let data = try Dataset.open(
      path: path, split: split, preparation: preparation, seed: seed, threads: GrantedCores.count,
      memory: GrantedMemory.forImages)
    if json {
      let refused = data.refused.map { ["path": $0.path, "reason": $0.reason] }
      let items = list ? (0..<data.count).map { Item(data, $0) } : nil
      StandardOutput.write(
        json: Report(summary: try DatasetSummary(data), inventory: data.inventory, refused: refused, images: items))
    } else if list {
      write(itemsOf: data)
    } else {
      write(try DatasetSummary(data), data.inventory)
    }
    if images.skipBad || (list && data.inventory.leftOut.isEmpty) {
      hourglass.list(about: data)
    } else {
      for error in data.refused { StandardError.write("hourglass: \(error)") }
      if !data.inventory.leftOut.isEmpty {
        if data.refused.isEmpty { StandardError.write("hourglass: \(data.source): \(data.inventory.line)") }
        throw ExitStatusError(status: .badData)
      }
    }
    if let file {
      try NPYFile.write(data, to: file.path)
      if !json && !list { StandardOutput.write("\(file.path): \(data.count) images of \(data.shape)") }
    }
  }

  /// The most classes or channels that are listed one by one; more of them are summed up.
  private static let mostListed = 20

  private func write(itemsOf data: Dataset) {
    StandardOutput.write(data.identityColumns.joined(separator: ","))
    for index in 0..<data.count { StandardOutput.write(data.identity(index).joined(separator: ",")) }
  }

  private func write(_ summary: DatasetSummary, _ inventory: Inventory) {
    let channels = { (values: [Double]) in
      values.count <= Self.mostListed
        ? values.map { decimal($0) }.joined(separator: ", ")
        : "\(decimal(values.min() ?? 0)) to \(decimal(values.max() ?? 0)) over \(values.count) elements"
    }
    var rows = [
      ["form", summary.form.rawValue], ["source", summary.source], ["images", grouped(summary.count)],
      ["shape", "\(summary.shape)"],
      ["range", "\(decimal(Double(summary.minimum))) to \(decimal(Double(summary.maximum)))"],
      ["mean", channels(summary.mean)], ["standard deviation", channels(summary.standardDeviation)],
    ]
    if summary.classes == nil { rows.append(["classes", "none"]) }
    if let classes = summary.classes {
      let counts = classes.map(\.count)
      let most = counts.max() ?? 0, least = counts.min() ?? 0
      rows.append(
        ["classes", "\(classes.count), of \(least == most ? "\(most)" : "\(least) to \(most)") images each"])
      if classes.count <= Self.mostListed {
        rows += classes.map { ["  \($0.label)\($0.name.map { " \($0)" } ?? "")", grouped($0.count)] }
      }
    }
    StandardOutput.write(table: rows + inventory.rows)
  }
}

struct DataSynthesis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synthesize",
    abstract: "Writes the built-in images as PNG files: OUTPUT/train/CLASS/NUMBER.png, likewise test.",
    discussion: """
      Example:
        hourglass data synthesize --output shapes --size 32x32
        hourglass train --model conv-ae-32 --data shapes
      """)

  @Option(
    help: ArgumentHelp("Write the images into this folder, which must not be there yet.", valueName: "dir"),
    completion: .directory)
  var output: String

  @Option(help: ArgumentHelp("The width and height of each image in pixels, at least 8.", valueName: "WxH"))
  var size = PixelSize(Extent2D(32, 32))

  @Flag(help: "Make grey images instead of colour images.")
  var grey = false

  @Option(help: "How many images to make for training; an eighth as many are made for testing.")
  var count = 2048

  @Option(help: "The seed of the images.")
  var seed: UInt64 = 1

  func validate() throws {
    try requirePositive("--count", count, most: 1 << 24)
    guard size.extent.height >= 8, size.extent.width >= 8 else {
      throw ValidationError("--size: wanted at least 8x8, found \(size.extent.width)x\(size.extent.height)")
    }
  }

  func run() throws {
    guard try !output.isEmpty && !InputFile.isThere(output, orLink: true) else {
      throw ValidationError(
        "--output: wanted a folder that is not there yet, found \(output.isEmpty ? "an empty name" : output)")
    }
    let shape = ImageShape(size.extent.height, size.extent.width, grey ? 1 : 3)
    let parts = try SyntheticImages.write(shape: shape, count: count, seed: seed, to: output)
    for (split, count) in parts { StandardOutput.write("\(output)/\(split.rawValue): \(count) images of \(shape)") }
  }
}
