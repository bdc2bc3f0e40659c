import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassTraining

struct Denoise: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Damages images, lets a trained model repair them, and measures both.",
    discussion: """
      Without --corrupt the recipe says which damage is done; with --pairs the noisy images are the damage. PSNR \
      compares with the clean images, over all pixels of all images; Gaussian noise is not clamped.

      An NPY file holds the repaired images, N,H,W,C, float32; a PNG file shows clean above damaged above repaired \
      images. A folder, a name that ends in a slash or has no ending, gets a PNG file for each repaired picture, named \
      as the picture is; tiles are joined.

      Example:
        hourglass denoise --run runs/first --corrupt gaussian:0.3 --output denoised.png
        hourglass denoise --run runs/scans --pairs noisy clean --output repaired.npy
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var output: OutputOptions

  @Option(
    help: ArgumentHelp(
      "Damage the images in this way: gaussian:0.3, multiplicative:0.3, mask:0.25 or salt-pepper:0.1. (default: the "
        + "recipe's)",
      valueName: "kind:amount"))
  var corrupt: Corruption?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Take damaged images from one folder and compare with the clean images of another, matched by their names below "
        + "the two.",
      valueName: "noisy clean"), completion: .directory)
  var pairs: [String] = []

  @Option(help: "The seed of the damage. (default: the run's)")
  var seed: UInt64?

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    guard !pairs.isEmpty else { return }
    guard pairs.count == 2, images.path == nil, corrupt == nil else {
      throw ValidationError(
        "--pairs: wanted a folder of damaged and one of clean images, without --data, --input and --corrupt, found "
          + pairs.joined(separator: " ") + (images.path.map { " and \($0)" } ?? "")
          + (corrupt.map { " and \($0.rawValue)" } ?? ""))
    }
  }

  private struct Report: Encodable {
    var samples: Int
    var corruption: String
    var psnrBefore: Double
    var psnrAfter: Double
  }

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("denoise")
    let corruption = pairs.isEmpty ? corrupt ?? loaded.recipe.corruption : nil
    guard corruption != nil || !pairs.isEmpty || images.path == nil && loaded.recipe.data.inputs != nil else {
      throw ValidationError(
        "--corrupt: wanted the damage to repair, for the run \(loaded.run.path) was trained without, found none")
    }
    let folder = try output.folder(for: loaded, reading: images.path ?? pairs.last)
    let file =
      try folder == nil
      ? output.file(or: loaded.run.picture("denoise.png"), for: loaded, reading: images.path ?? pairs.last) : nil
    let data =
      try pairs.isEmpty
      ? images.open(loaded) : loaded.images(at: pairs[1], images.split, images.images, pairedWith: pairs[0])
    let shape = loaded.model.input
    var denoising = try Denoising(data, corruption, with: loaded.inference, seed: seed ?? loaded.recipe.seed)
    var shown = min(data.count, output.count ?? data.count)
    if let folder {
      let writer = try OutputFolder.Writer(folder, data, count: output.count)
      try loaded.inference.eachPicture(of: data, count: output.count) { range, _ in
        try denoising.repair(range).repaired
      } _: {
        try writer.write($0.expected, $0.shape, of: $0.index)
      }
      shown = data.images(ofPicture: min(data.pictureCount, output.count ?? .max) - 1).upperBound
      if !json { writer.tell() }
    }
    if let file {
      shown = output.limit(file, data.count, inPicture: 2 * Pictures.imagesPerBand)
      var (clean, damaged): ([Float], [Float]) = ([], [])
      try file.write(shown, images: shape, isQuiet: json) { range in
        let images = try denoising.repair(range)
        if file.isPicture { (clean, damaged) = (images.clean, images.damaged) }
        return images.repaired
      } draw: {
        try Pictures.bands([clean, damaged, $0], shape: shape)
      }
    }
    for start in stride(from: shown, to: data.count, by: Inference.batchSize) {
      _ = try denoising.repair(start..<min(start + Inference.batchSize, data.count))
    }
    let report = Report(
      samples: data.count, corruption: corruption?.rawValue ?? "pairs", psnrBefore: denoising.psnrBefore,
      psnrAfter: denoising.psnrAfter)
    if json { return StandardOutput.write(json: report) }
    StandardOutput.write(table: [
      ["images", grouped(report.samples)], ["damage", report.corruption],
      ["PSNR before", "\(decimal(report.psnrBefore, 2)) dB"], ["PSNR after", "\(decimal(report.psnrAfter, 2)) dB"],
    ])
  }
}
