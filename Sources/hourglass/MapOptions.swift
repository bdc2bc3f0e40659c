import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

extension AnomalyMaps.Kind: ExpressibleByArgument {}

/// Maps of where images are unlike what the model expects, and how they are written.
struct MapOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write into this folder, for each image, a map of where it differs from what the model expects.",
      valueName: "dir"), completion: .directory)
  var maps: String?

  @Option(
    help: """
      What a map shows in each pixel: the squared error, mean over channels (error), or 1 - local structural \
      similarity (ssim).
      """)
  var mapBy: AnomalyMaps.Kind?

  @Option(
    help: ArgumentHelp(
      "Smooth maps by a Gaussian window with this standard deviation in pixels, mirrored at the border.",
      valueName: "sigma"))
  var smooth: Double?

  @Option(
    help: """
      The files of --maps: a picture of original, reconstruction and map side by side (png), floats (npy), or grey of \
      16 bits (png16).
      """)
  var mapFormat: Format?

  @Option(
    help: ArgumentHelp(
      "The value that the brightest colour of a map stands for. (default: the 99.9th percentile over all maps; with "
        + "png16 their maximum)",
      valueName: "number"))
  var mapScale: Float?

  enum Format: String, ExpressibleByArgument, CaseIterable { case png, npy, png16 }

  func validate() throws {
    if let maps, maps.isEmpty { throw ValidationError("--maps: wanted the name of a folder, found an empty one") }
    if let smooth, !GaussianFilter.range.contains(smooth) {
      let range = GaussianFilter.range
      throw ValidationError("--smooth: wanted \(range.lowerBound) to \(range.upperBound) pixels, found \(smooth)")
    }
    if let mapScale, !(mapScale > 0 && mapScale.isFinite) {
      throw ValidationError("--map-scale: wanted a number above 0, found \(mapScale)")
    }
    for (flag, isGiven) in [("--map-format", mapFormat != nil), ("--map-scale", mapScale != nil)]
    where isGiven && maps == nil {
      throw ValidationError("\(flag): wanted a folder of maps, found none; name it with --maps")
    }
    if mapScale != nil, mapFormat == .npy {
      throw ValidationError("--map-scale: wanted maps that have a scale, found --map-format npy, which keeps numbers")
    }
  }

  /// Refuses --map-by and --smooth where no map is made.
  func checkUse(hasMasks: Bool) throws {
    for (flag, isGiven) in [("--map-by", mapBy != nil), ("--smooth", smooth != nil)]
    where isGiven && maps == nil && !hasMasks {
      throw ValidationError(
        "\(flag): wanted maps to write with --maps, or masks to measure them against, found neither")
    }
  }

  /// What maps.json says.
  struct Legend: Encodable {
    var by: AnomalyMaps.Kind
    var unit: String
    var smooth: Double?
    var format: String
    /// The value that the brightest colour, or 65535, stands for; zero is the darkest. Nil where maps keep numbers.
    var scale: Float?
    /// The greatest value of all maps; values above the scale have the brightest colour too.
    var greatest: Float?
    var colors: String?
    var files: [File]

    struct File: Encodable {
      var name: String
      var file: String
      var score: Double
    }
  }

  /// A place for the maps of a set.
  struct Target {
    let folder: OutputFolder
    let files: ResultFiles
    let format: Format

    static let names = ["maps.json", "legend.svg"]
  }

  /// Checks, before any map is made, that there is a place for all of them.
  func target(for data: Dataset, _ folder: OutputFolder) throws -> Target {
    let format = mapFormat ?? .png
    if format == .png, let refusal = Pictures.refusal(of: data.shape) {
      throw ValidationError("--maps: \(refusal); --map-format npy or png16 writes the maps alone")
    }
    let files = try ResultFiles(
      (0..<data.pictureCount).map { data.pictureName($0) }, ending: format == .npy ? "npy" : "png",
      beside: Target.names,
      source: data.source)
    return Target(folder: folder, files: files, format: format)
  }

  var maker: AnomalyMaps { AnomalyMaps(mapBy ?? .error, smooth: smooth) }

  /// Writes the maps of all images, a legend, and last maps.json.
  ///
  /// Returns: the value that the brightest colour stands for; nil where maps keep numbers.
  func write(
    _ target: Target, _ data: Dataset, scores: [Double], with inference: Inference, scale: AnomalyMaps.Scale?
  ) throws -> Float? {
    var maker = maker
    let high =
      switch target.format {
      case .npy: Float?.none
      case .png: mapScale ?? scale?.high(exceededBy: AnomalyMaps.Scale.exceeding)
      case .png16: mapScale ?? scale?.greatest
      }
    try inference.eachPicture(of: data) { picture in
      let map = try map(of: picture, data, by: &maker)
      try target.folder.write(
        try bytes(of: picture, map, target.format, high ?? 1), to: target.files.paths[picture.index])
    }
    if let high {
      let svg = HeatLegend(
        title: maker.kind.title + (smooth.map { ", smoothed by \($0) pixels" } ?? ""), high: Double(high),
        isGrey: target.format == .png16
      ).svg()
      try target.folder.write(Data(svg.utf8), to: "legend.svg")
    }
    let files = target.files.paths.enumerated().map { index, path in
      Legend.File(name: data.pictureName(index), file: path, score: scores[index])
    }
    let legend = Legend(
      by: maker.kind, unit: maker.kind.title, smooth: smooth, format: target.format.rawValue, scale: high,
      greatest: scale?.greatest, colors: target.format == .png ? "inferno" : nil, files: files)
    try target.folder.write(
      Data(printablePath(JSONText.line(legend), mark: #"\\x"#).utf8) + Data("\n".utf8), to: "maps.json")
    return high
  }

  /// The map of a picture, H x W.
  ///
  /// Errors: a value is not finite.
  func map(of picture: ExpectedPicture, _ data: Dataset, by maker: inout AnomalyMaps) throws -> [Float] {
    let map = maker.map(picture)
    guard let value = map.first(where: { !$0.isFinite }) else { return map }
    throw ExitStatusError(
      status: .diverged,
      description: "\(data.source): wanted finite numbers in the map of \(data.pictureName(picture.index)), found "
        + "\(value); the weights, or the images, are too large")
  }

  private func bytes(
    of picture: ExpectedPicture, _ map: [Float], _ format: Format, _ high: Float
  ) throws(DataError) -> Data {
    let (height, width) = (picture.shape.height, picture.shape.width)
    switch format {
    case .npy: return NPYFile.encoded(map, shape: [height, width])
    case .png16:
      // All maps of a set of equal images are zero.
      let words = map.map { UInt16(max(0, min($0 / max(high, .leastNormalMagnitude), 1)) * 65_535 + 0.5) }
      return try PNGImage.encoded(words, width: width, height: height)
    case .png: return try Pictures.triptych(picture, map: map, high: high).encoded()
    }
  }
}

/// What the maps of all pictures of a set have in common, found before any is written.
struct MapSurvey {
  private(set) var scale = AnomalyMaps.Scale()
  /// Nil for a set without masks of the truth.
  private(set) var pixels: PixelMetrics?
  /// Whether each picture has a mark.
  private(set) var isMarked: [Bool]?

  /// Makes every map once.
  ///
  /// Errors: a picture or mask cannot be read; a value of a map is not finite.
  init(_ data: Dataset, _ inference: Inference, _ options: MapOptions) throws {
    var (maker, scale, isMarked) = (options.maker, scale, [Bool]())
    var metrics = data.hasMasks ? PixelMetrics() : nil
    try inference.eachPicture(of: data) { picture in
      let map = try options.map(of: picture, data, by: &maker)
      scale.add(map)
      guard let mask = try data.mask(data.images(ofPicture: picture.index).lowerBound) else { return }
      metrics?.add(map, mask: mask, height: picture.shape.height, width: picture.shape.width)
      isMarked.append(mask.contains(true))
    }
    (self.scale, pixels, self.isMarked) = (scale, metrics, data.hasMasks ? isMarked : nil)
  }
}
