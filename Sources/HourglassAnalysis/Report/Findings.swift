import HourglassData
import HourglassModels
import HourglassTraining

/// What a trained model makes of some images.
struct Findings {
  let name: String
  let source: String
  let evaluation: Evaluation
  /// The mean squared error per pixel of each image, as the evaluator measures it; empty for a model that puts out
  /// labels.
  let errors: [Double]
  /// Bands of originals above their reconstructions; empty where images of this shape cannot be shown.
  private(set) var bands: [Band] = []
  /// What the most active units of a variational model do; for another model, images between codes.
  private(set) var walks: PNGImage?
  let units: LatentUnits
  let components: PrincipalComponents
  /// The coordinates of the codes along the two components.
  let coordinates: [[Double]]
  /// The labels of the images whose codes are in `coordinates`.
  let labels: [Int]?
  let classes: [String]?

  struct Band {
    let title: String
    let picture: PNGImage
    /// The names of the images and their errors, from left to right.
    let images: [(name: String, error: Double)]
  }

  /// A set of more images than this is looked at by an even choice of so many.
  private static let mostImages = 4096
  /// The codes that are compared with each other have at most so many floats.
  private static let mostCodeFloats = 1 << 21

  /// Errors: an image cannot be read.
  init(_ images: ReportImages, _ inference: Inference, beta: Float, seed: UInt64) throws {
    let data = images.data.spread(Self.mostImages)
    (name, source) = (images.name, data.source)
    var errors: [Double] = []
    evaluation = try Evaluator(inference, beta: beta, seed: seed).evaluate(data) { sample in
      if let image = sample.measurement.image { errors.append(Double(image.squaredError)) }
    }
    self.errors = errors
    let some = data.spread(min(2048, max(64, Self.mostCodeFloats / inference.codeCount)))
    units = try LatentUnits(some, inference, seed: seed)
    var codes = inference.encode(try some.images(0..<some.count), labels: some.labels?[...])
    // A plane has two axes: codes of one unit lie on the first.
    if inference.codeCount == 1 { codes = codes.flatMap { [$0, Float(0)] } }
    components = PrincipalComponents(codes, length: max(2, inference.codeCount), components: 2)
    coordinates = components.coordinates(of: codes)
    (labels, classes) = (some.labels, some.classes)

    guard Pictures.refusal(of: inference.plan.model) == nil else { return }
    let pictures = Pictures(inference, seed: seed, isBare: true)
    bands = try Self.ranks(errors).map { title, chosen in
      let originals = try chosen.flatMap { try data.image($0) }
      let labels = data.labels.map { labels in chosen.map { labels[$0] }[...] }
      return Band(
        title: title, picture: try pictures.bands(originals, labels: labels),
        images: chosen.map { (data.name($0), errors[$0]) })
    }
    guard inference.plan.decodingRefusal == nil else { return }
    walks =
      try inference.plan.model.isVariational
      ? pictures.traversals(data, most: pictures.rows(10)) : pictures.interpolations(data, most: pictures.rows(5))
  }

  /// The images with the least errors, with errors around the median, and with the greatest, the extreme first. An
  /// error that is not a number is the worst.
  static func ranks(_ errors: [Double]) -> [(title: String, images: [Int])] {
    let keys = errors.map { $0.isNaN ? .infinity : $0 }
    let order = keys.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
    let count = min(Pictures.imagesPerBand, order.count)
    let middle = (order.count - count) / 2
    return [
      ("best", Array(order.prefix(count))), ("typical", Array(order[middle..<middle + count])),
      ("worst", order.suffix(count).reversed()),
    ]
  }
}

extension Pictures {
  /// The rows of images on the page: `most`, or fewer where images are so large that the page would be slow to open.
  func rows(_ most: Int) -> Int { min(most, max(1, (1 << 22) / (Self.stops * shape.count))) }
}
