import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// What a run keeps of the images that it was trained on once it has come to its end, so that thresholds, searches and
/// levels of codes need the images no more.
///
/// The file training.safetensors holds, with N images (or pictures, where they were cut into tiles) and codes of Z
/// units:
///
/// - scores.likelihood, N x 3, and scores.error, N x 3, where the model puts out images: scores at the mean of the
///   code, each as three floats whose sum is the score in double;
/// - codes, N x Z, unless they take more than 256 MiB;
/// - codes.low and codes.high, Z numbers each: the range of each unit.
///
/// Names and classes of the images are in data.csv.
public struct KeptTraining: Sendable {
  /// The number of images, tiles counted each.
  public let count: Int
  /// The images by name; nil for images in no file, or where data.csv is of other images.
  public let table: DataTable?
  private let tensors: [String: [Float]]
  /// The digest of the table of the images that it was made of.
  let dataDigest: String?

  /// The scores of the images, as `Inference.scores` finds them at the mean of the code.
  public func scores(by kind: AnomalyScores.Kind) -> AnomalyScores {
    let parts = tensors["scores.\(kind.rawValue)"] ?? tensors["scores.likelihood"] ?? []
    return AnomalyScores(
      stride(from: 0, to: parts.count, by: 3).map { place -> Double in
        parts[place..<place + 3].reduce(0.0) { $0 + Double($1) }
      })
  }

  /// Three floats with the sum x, which holds a double to the bit.
  private static func parts(_ scores: AnomalyScores) -> [Float] {
    scores.scores.flatMap { score in
      let high = Float(score)
      let middle = Float(score - Double(high))
      return [high, middle, Float(score - Double(high) - Double(middle))]
    }
  }

  /// The codes, N x Z; nil where they were too many to be kept.
  public var codes: [Float]? { tensors["codes"] }

  /// The least and the greatest value of each unit of the code, Z numbers each.
  public var codeRange: (low: [Float], high: [Float]) { (tensors["codes.low"] ?? [], tensors["codes.high"] ?? []) }

  /// Codes that take more bytes than this are not kept.
  static let mostBytesOfCodes = 256 << 20
  fileprivate static let format = "hourglass-training-1"

  fileprivate init?(reading path: String, weightsHash: String, table: DataTable?) throws(DataError) {
    let (sources, metadata) = try SafeTensors.open(path)
    guard metadata["format"] == Self.format, metadata["weightsHash"] == weightsHash else { return nil }
    guard try Checkpoint.contentHash(sources, metadata) == metadata[Checkpoint.hashKey] else {
      throw DataError(
        path: path,
        reason: "the contents were altered; remove the file, and hourglass train --resume makes it anew from the images"
      )
    }
    var tensors: [String: [Float]] = [:]
    for source in sources { tensors[source.name] = try source.values() }
    (self.tensors, dataDigest) = (tensors, metadata["data"])
    count = metadata["images"].flatMap { Int($0) } ?? 0
    self.table = table?.digest == dataDigest ? table : nil
  }

  /// Makes the tensors, reading each image once. Answers nil where a number is not finite.
  fileprivate static func tensors(
    _ data: Dataset, _ inference: Inference, sharedBy transport: (any Transport)?
  ) throws -> [SafeTensors.Tensor]? {
    let units = inference.codeCount
    let keepsCodes =
      data.count.timesClamping(4 * units) <= mostBytesOfCodes
      && (try? GrantedMemory.require(data.count.timesClamping(8 * units), for: "", "")) != nil
    var (likelihood, error, codes) = ([Double](), [Double](), [Float]())
    var (low, high) = ([Float](repeating: .infinity, count: units), [Float](repeating: -.infinity, count: units))
    let hasErrors = inference.plan.model.likelihood.target == .image
    var batches = SharedBatches<Double>(data, sharedBy: transport) { batch in
      let (images, labels) = (try data.images(batch), data.labels?[batch.images])
      let measured = inference.measure(images, labels: labels, noise: .none)
      return measured.map { inference.score($0, by: .likelihood) }
        + (hasErrors ? measured.map { inference.score($0, by: .error) } : [])
        + inference.encode(images, labels: labels).map { Double($0) }
    }
    while let (batch, numbers) = try batches.next() {
      let count = batch.images.count
      likelihood += numbers.prefix(count)
      if hasErrors { error += numbers[count..<2 * count] }
      let some = numbers.dropFirst(hasErrors ? 2 * count : count).map { Float($0) }
      for (place, value) in some.enumerated() {
        low[place % units] = min(low[place % units], value)
        high[place % units] = max(high[place % units], value)
      }
      guard some.allSatisfy(\.isFinite) else { return nil }
      if keepsCodes { codes += some }
    }
    func scores(_ kind: AnomalyScores.Kind, _ values: [Double]) -> (name: String, shape: [Int], values: [Float]) {
      let values = values.isEmpty ? [] : parts(AnomalyScores(values).ofPictures(data))
      return ("scores.\(kind.rawValue)", [values.count / 3, 3], values)
    }
    let all: [(name: String, shape: [Int], values: [Float])] = [
      scores(.likelihood, likelihood), scores(.error, error), ("codes.low", [units], low),
      ("codes.high", [units], high),
      ("codes", [data.count, units], codes),
    ]
    guard all.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else { return nil }
    return all.filter { !$0.values.isEmpty }.map {
      SafeTensors.Tensor(name: $0.name, shape: $0.shape, values: $0.values)
    }
  }
}

extension RunFolder {
  private var training: String { file("training.safetensors") }

  /// What was kept of the images trained on; nil where nothing is, or where it belongs to other weights.
  ///
  /// Errors: the file cannot be read, or is damaged.
  ///
  /// - Parameter weightsHash: the hash of the weights for which it is wanted, see `WeightsHash`.
  public func keptTraining(for weightsHash: String) throws(DataError) -> KeptTraining? {
    guard try InputFile.isThere(training) else { return nil }
    return try KeptTraining(
      reading: training, weightsHash: weightsHash, table: try DataTable(ifThere: file("data.csv")))
  }

  /// Writes what is kept of the images trained on, unless it is there already.
  fileprivate func keepTraining(
    _ data: Dataset, digest: String?, by inference: Inference, sharedBy transport: (any Transport)?
  ) throws {
    let hash = WeightsHash.of(inference.parameters, plan: inference.plan)
    let (isFirst, kept) = (transport?.place.isFirst ?? true, try? keptTraining(for: hash))
    let isKept = kept.map { $0.dataDigest == digest && $0.count == data.count } ?? false
    // What position 0 finds holds for all.
    if transport?.gather(isKept ? "kept" : "")[0] == "kept" || transport == nil && isKept { return }
    guard let tensors = try KeptTraining.tensors(data, inference, sharedBy: transport), isFirst else { return }
    var metadata = ["format": KeptTraining.format, "weightsHash": hash, "images": "\(data.count)"]
    metadata["data"] = digest
    let sources = tensors.map { SafeTensors.Source($0) }
    metadata[Checkpoint.hashKey] = try Checkpoint.contentHash(sources, metadata)
    try SafeTensors.write(sources, metadata: metadata, to: training)
  }
}

extension Trainer {
  /// Writes into the run's folder what is kept of the images trained on, see `KeptTraining`, by the weights that are
  /// evaluated. A run on codes keeps nothing.
  ///
  /// Cost: reads and encodes each image once, unless they are kept already. Processes that train together call it
  /// together and share the work; position 0 writes.
  ///
  /// Errors: an image cannot be read; the file cannot be written.
  public func keepTraining(in run: RunFolder) throws {
    guard recipe.data.codes == nil else { return }
    try run.keepTraining(data, digest: dataDigest, by: try inference(), sharedBy: transport)
  }
}
