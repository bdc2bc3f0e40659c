import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

struct Compress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the codes of images in few bytes: rounded to levels and entropy-coded.",
    discussion: """
      Levels are equally spaced over each unit's range among the images trained on. --curve compresses with 2, 4, ... \
      128 levels, without writing codes, and draws PSNR against bits per pixel, beside the curves of other runs \
      (--beside). Bits count the whole file. The codes of a VectorQuantizer are coded as their numbers, without loss.

      Example:
        hourglass compress --run runs/first --levels 32 --output images.codes
        hourglass decompress --run runs/first --input images.codes --output images.npy
        hourglass compress --run runs/first --curve rate.svg --beside runs/pca
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions

  @Option(
    help: """
      How many levels each unit of the code is rounded to, 2 to 256; none for a VectorQuantizer, which numbers its \
      codes. (default: 16)
      """)
  var levels: Int?

  @Option(
    help: ArgumentHelp("Write the codes into this file. (default: codes.hgc in the run's folder)", valueName: "file"),
    completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write no codes, and draw PSNR against bits per pixel into this file instead.", valueName: "file.svg"),
    completion: .file(extensions: ["svg"]))
  var curve: String?

  @Option(
    help: ArgumentHelp("With --curve: draw the curve of this other run too; may be repeated.", valueName: "dir"),
    completion: .runs)
  var beside: [String] = []

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print one JSON object for the file, or for each number of levels of each run with --curve.")
  var json = false

  func validate() throws {
    let range = CompressedCodes.Quantizer.levelRange
    if let levels, !range.contains(levels) {
      throw ValidationError("--levels: wanted \(range.lowerBound) to \(range.upperBound), found \(levels)")
    }
    if let curve, !curve.lowercased().hasSuffix(".svg") {
      throw ValidationError("--curve: wanted a name that ends in .svg, found \(curve)")
    }
    if curve != nil, let output {
      throw ValidationError("--output: wanted none with --curve, which writes no codes, found \(output)")
    }
    if curve == nil, !beside.isEmpty { throw ValidationError("--beside: wanted --curve too, found none") }
  }

  private struct Report: Encodable {
    var model: String
    var units: Int
    var levels: Int
    var images: Int
    var bytes: Int
    var bitsPerPixel: Double
    var psnr: Double
  }

  func run() throws {
    let loaded = try trained.load()
    let file =
      curve.map { OutputFile(flag: "--curve", $0, or: $0) } ?? OutputFile(output, or: loaded.run.file("codes.hgc"))
    try replacing.check([file], reading: loaded.inputs + [images.path])
    let data = try images.open(loaded)
    guard curve != nil else {
      if let levels, loaded.model.isQuantized {
        throw ValidationError(
          "--levels: wanted none with \(loaded.model.name), whose VectorQuantizer numbers its codes, found \(levels)")
      }
      let quantizer = try Self.quantizer(loaded, levels ?? 16)
      let (bytes, report) = try Self.compress(data, loaded, quantizer)
      try AtomicFile.write(bytes, to: file.path)
      if !json {
        StandardOutput.write("\(file.path): \(data.count) codes of \(report.units) units")
        StandardOutput.write("")
      }
      return write([report])
    }
    let reports = try ([loaded] + beside.map(loaded.beside)).map { run in
      try (1...(run.model.isQuantized ? 1 : 7)).map {
        try Self.compress(data, run, Self.quantizer(run, 1 << $0)).report
      }
    }
    let series = reports.map { line in
      SVGPlot.Series(
        name: "\(line[0].model), \(line[0].units) units", x: line.map(\.bitsPerPixel), y: line.map(\.psnr))
    }
    let plot = SVGPlot(
      title: "Rate and distortion on \(data.count) images", xLabel: "bits per pixel", yLabel: "PSNR in dB",
      series: series)
    try AtomicFile.write(plot.svg(), to: file.path)
    write(reports.flatMap(\.self))
  }

  private static func quantizer(_ loaded: LoadedRun, _ levels: Int) throws -> CompressedCodes.Quantizer {
    try loaded.requireImages("compress")
    try loaded.requireDecoding("compress")
    try loaded.requireNoCondition("compress")
    if let quantizer = loaded.model.latent as? VectorQuantizer {
      return CompressedCodes.Quantizer(numbersBelow: quantizer.codes, units: loaded.inference.symbolCount)
    }
    let quantizer = CompressedCodes.Quantizer(
      try loaded.trainingCodeRange(), units: loaded.inference.codeCount, levels: levels)
    guard quantizer.step.allSatisfy(\.isFinite) else {
      throw ExitStatusError(
        status: .diverged,
        description:
          "\(loaded.run.path): wanted codes whose levels are finite numbers, found codes too far apart for that; "
          + "the weights are too large")
    }
    return quantizer
  }

  private static func compress(
    _ data: Dataset, _ loaded: LoadedRun, _ quantizer: CompressedCodes.Quantizer
  ) throws -> (file: Data, report: Report) {
    let codes = CompressedCodes(try loaded.symbols(of: data), quantizer)
    let file = try codes.data(model: loaded.model.name, weightsHash: loaded.weightsHash)
    let psnr = try loaded.inference.psnr(ofDecoded: codes, data)
    guard psnr.isFinite else {
      throw ExitStatusError(
        status: .diverged,
        description:
          "\(data.source): wanted finite images of the codes, found others, so nothing is written; the weights "
          + "are too large")
    }
    let report = Report(
      model: loaded.model.name, units: loaded.inference.symbolCount, levels: quantizer.levels, images: data.count,
      bytes: file.count, bitsPerPixel: 8 * Double(file.count) / Double(data.count * data.shape.count), psnr: psnr)
    return (file, report)
  }

  private func write(_ reports: [Report]) {
    if json { return reports.forEach { StandardOutput.write(json: $0) } }
    let rows = reports.map {
      [
        $0.model, "\($0.units)", "\($0.levels)", grouped($0.bytes),
        decimal(8 * Double($0.bytes) / Double($0.images), 1), decimal($0.bitsPerPixel, 4), decimal($0.psnr, 2),
      ]
    }
    let header = ["model", "units", "levels", "bytes", "bits per image", "bits per pixel", "PSNR in dB"]
    StandardOutput.write(table: [header] + rows, rightAligned: Set(1..<header.count))
  }
}

struct Decompress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes images of the codes that `hourglass compress` wrote.",
    discussion: """
      An NPY file holds the expected images, N,H,W,C, float32; a PNG file shows the images in rows.

      Example:
        hourglass decompress --run runs/first --input images.codes --output images.png
      """)

  @OptionGroup var trained: RunOptions

  @Option(
    help: ArgumentHelp("Read the codes from this file, which `hourglass compress` wrote.", valueName: "file"),
    completion: .file())
  var input: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("decompress")
    try loaded.requireDecoding("decompress")
    try loaded.requireNoCondition("decompress")
    let file = try output.file(or: loaded.run.picture("decompress.png"), for: loaded, reading: input)
    guard let data = FileManager.default.contents(atPath: input) else {
      throw DataError(path: input, reason: "wanted a file of codes, found none that can be read")
    }
    let codes = try CompressedCodes(
      data, units: loaded.inference.symbolCount, weightsHash: loaded.weightsHash, path: input)
    let count = output.limit(file, codes.count, inPicture: 8 * Pictures.columns)
    try loaded.decode(count, to: file) { loaded.inference.codes(ofSymbols: codes.codes($0)) }
  }
}
