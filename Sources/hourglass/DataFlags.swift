import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

extension Preparation.Layout: ExpressibleByArgument {}
extension RGBColor: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
extension Augmentation: ExpressibleByArgument {}
extension Corruption: ExpressibleByArgument {}
extension ValueRange: ExpressibleByArgument {}

/// WIDTHxHEIGHT in pixels, at most 65,536 each.
struct PixelSize: ExpressibleByArgument {
  var extent: Extent2D

  init(_ extent: Extent2D) { self.extent = extent }

  init?(argument: String) {
    let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let width = parts[0], let height = parts[1],
      Preparation.pixelRange.contains(width), Preparation.pixelRange.contains(height)
    else { return nil }
    extent = Extent2D(height, width)
  }

  var defaultValueDescription: String { "\(extent.width)x\(extent.height)" }
}

/// WIDTHxHEIGHT in pixels, or one number for both.
struct PixelStride: ExpressibleByArgument {
  var extent: Extent2D

  init?(argument: String) {
    guard let size = PixelSize(argument: argument) ?? PixelSize(argument: "\(argument)x\(argument)") else { return nil }
    extent = size.extent
  }
}

/// What is taken of a set of images, and what is done to each. All flags are optional, so that a run can tell which
/// were given.
struct DataFlags: ParsableArguments {
  static let forms = """
    Take the images from this IDX, NPY, NPZ, HDF5 (file.h5:/path), CIFAR-10 (.bin) or picture file (PNG, JPEG, TIFF, \
    WebP, BMP, PNM), or from this folder of IDX files, of CIFAR-10 records, or of pictures at any depth; or take \
    documents, as term counts (.txt) or texts (.tsv) beside a vocab.txt.
    """

  @Option(
    help: ArgumentHelp(
      "The axes of an array file: nd, nhw, nhwc, nchw, or of sequences nl, nlc, ncl. (default: as the shapes of the "
        + "array and of the model's input tell)", valueName: "axes"))
  var layout: Preparation.Layout?

  @Option(
    help: ArgumentHelp(
      "The part of the images, such as 0.1, that becomes the test split of a set without one; the seed draws it.",
      valueName: "part"))
  var holdout: Double?

  @Option(
    help: ArgumentHelp(
      "Take only images of these classes, given by name or number, with commas between them.", valueName: "classes"))
  var labelFilter: String?

  @Option(
    help: ArgumentHelp(
      "Take the labels of the images from this file: IDX, NPY or NPZ with one label an image, or CSV rows name,class.",
      valueName: "file"), completion: .file())
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "How many folders deep classes lie: 2 makes alphabet/character a class. (default: 1, and no classes where "
        + "pictures lie beside the folders)", valueName: "depth"))
  var classesAt: Int?

  @Option(help: "Take at most this many images, spread evenly over the set.")
  var limit: Int?

  @Option(
    help: ArgumentHelp(
      """
      The two numbers in the files that become 0 and 1, such as 0:4095 for 12 bits in 16, or -1:1. (default: the full \
      range of 8 and 16 bits, floats as they are)
      """, valueName: "low:high"))
  var range: ValueRange?

  @Flag(help: "Turn colour images grey, by the luma of ITU-R BT.601.")
  var grey = false

  @Flag(help: "Give grey images three equal channels.")
  var rgb = false

  @Option(
    help: ArgumentHelp("Cut this many pixels out of the middle of each image, before resizing.", valueName: "WxH"))
  var crop: PixelSize?

  @Option(
    help: ArgumentHelp(
      "Scale each image to this many pixels: by the mean over areas where it shrinks, linearly where it grows.",
      valueName: "WxH"))
  var resize: PixelSize?

  @Option(
    help: ArgumentHelp(
      "Put transparent pictures on a colour: white, black or #rrggbb. (default: the colours hidden in them are taken)",
      valueName: "colour"))
  var background: RGBColor?

  @Option(
    help: ArgumentHelp(
      "Cut pictures, once they are resized, into tiles of this many pixels; each tile is an image of its own.",
      valueName: "WxH"))
  var tile: PixelSize?

  @Option(
    help: ArgumentHelp(
      "The pixels from one tile to the next, as 128 or 128x96. (default: the size of --tile)", valueName: "WxH"))
  var stride: PixelStride?

  @Option(
    help: ArgumentHelp(
      "Scale each image to fit into this many pixels and fill the rest with black or --background, in place of "
        + "--resize.",
      valueName: "WxH")
  )
  var fit: PixelSize?

  @Flag(help: "Exchange dark and light in each image.")
  var invert = false

  @Flag(help: "Leave broken images out and list them, instead of refusing the set.")
  var skipBad = false

  @Flag(
    help: """
      Draw each pixel as 0 or 1, with its value as the probability of 1: anew in each step of training, everywhere \
      else once by the seed.
      """)
  var binarize = false

  @Option(
    help: ArgumentHelp(
      """
      Take NaN for a missing element, which is no part of losses and measures; the network sees this number in its \
      place, such as 0, once images are standardized. (default: NaN is refused)
      """, valueName: "number"))
  var missing: Float?

  func validate() throws {
    try requirePositive("--limit", limit)
    if let missing, !missing.isFinite {
      throw ValidationError("--missing: wanted a finite number, found \(missing)")
    }
    try requirePositive("--classes-at", classesAt)
    if let holdout, !(holdout > 0 && holdout < 1) {
      throw ValidationError("--holdout: wanted a part between 0 and 1, found \(holdout)")
    }
    if grey && rgb { throw ValidationError("wanted one of --grey and --rgb, found both") }
    if fit != nil && resize != nil { throw ValidationError("wanted one of --fit and --resize, found both") }
    if let labelFilter, classes(labelFilter).isEmpty {
      throw ValidationError("--label-filter: wanted classes with commas, found none")
    }
  }

  private func classes(_ list: String) -> [String] {
    list.split(separator: ",").map { $0.trimmed() }.filter { !$0.isEmpty }
  }

  /// Nil where no flag was given.
  var preparation: Preparation? {
    let all = adapting(Preparation())
    return all == Preparation() ? nil : all
  }

  /// A preparation in which the given flags replace what it says.
  func adapting(_ base: Preparation) -> Preparation {
    var all = base
    all.layout = layout ?? base.layout
    all.holdout = holdout ?? base.holdout
    all.labelsFile = RecipeFlags.file(labels) ?? base.labelsFile
    all.labels = labelFilter.map(classes) ?? base.labels
    all.classesAt = classesAt ?? base.classesAt
    all.limit = limit ?? base.limit
    all.color = grey ? .grey : rgb ? .rgb : base.color
    all.crop = crop?.extent ?? base.crop
    all.range = range ?? base.range
    // Either flag replaces what the base says of both.
    all.resize = fit == nil ? resize?.extent ?? base.resize : nil
    all.fit = resize == nil ? fit?.extent ?? base.fit : nil
    all.inverts = invert ? true : base.inverts
    all.background = background ?? base.background
    (all.tile, all.stride) = (tile?.extent ?? base.tile, stride?.extent ?? base.stride)
    all.skipsBad = skipBad ? true : base.skipsBad
    all.binarizes = binarize ? true : base.binarizes
    all.missing = missing ?? base.missing
    return all
  }

  /// Refuses flags that only images in files can have where there is no path to any.
  func requireFiles(_ path: String?) throws {
    let given = [
      ("--layout", layout != nil), ("--holdout", holdout != nil), ("--label-filter", labelFilter != nil),
      ("--labels", labels != nil), ("--classes-at", classesAt != nil),
      ("--grey", grey), ("--rgb", rgb), ("--crop", crop != nil), ("--resize", resize != nil), ("--tile", tile != nil),
      ("--background", background != nil), ("--skip-bad", skipBad), ("--binarize", binarize),
      ("--range", range != nil), ("--fit", fit != nil), ("--invert", invert), ("--missing", missing != nil),
    ]
    guard path == nil, let flag = given.first(where: { $0.1 })?.0 else { return }
    throw ValidationError("\(flag): wanted images in files with --data, found none")
  }
}
