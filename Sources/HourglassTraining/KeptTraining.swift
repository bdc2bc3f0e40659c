import Foundation
import HourglassData
import HourglassModels

/// What a run keeps of the images that it was trained on, once it has come to its end, so that thresholds, searches and
/// levels of codes need them no more.
///
/// In training.safetensors: for each of N images scores.reconstruction, of variational models scores.divergence, and of
/// models that put out images scores.error, all at the mean of the code; codes, N x Z, unless they take more than 256
/// MiB; codes.low and codes.high, the range of each unit. Names and classes are those of data.csv.
public struct KeptTraining: Sendable {
  /// Images.
  public let count: Int
  /// The images by name; nil for those in no file, or where data.csv is of others.
  public let table: DataTable?
  private let tensors: [String: [Float]]
  /// Of the data that it was made of.
  let dataDigest: String?

  /// Scores as `Inference.scores` finds them at the mean of the code.
  public func scores(by kind: AnomalyScores.Kind) -> AnomalyScores {
    if kind == .error, let errors = tensors["scores.error"] { return AnomalyScores(errors.map(Double.init)) }
    let reconstruction = tensors["scores.reconstruction"] ?? []
    guard let divergence = tensors["scores.divergence"] else {
      return AnomalyScores(reconstruction.map(Double.init))
    }
    return AnomalyScores(zip(reconstruction, divergence).map { Double($0) + Double($1) })
  }

  /// N x Z; nil where they were too many to be kept.
  public var codes: [Float]? { tensors["codes"] }

  /// The least and the greatest value of each unit of the code.
  public var codeRange: (low: [Float], high: [Float]) { (tensors["codes.low"] ?? [], tensors["codes.high"] ?? []) }

  /// Codes beyond so many bytes are not kept.
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
    (self.tensors, count, dataDigest) = (tensors, tensors["scores.reconstruction"]?.count ?? 0, metadata["data"])
    self.table = table?.digest == dataDigest ? table : nil
  }

  /// Reads each image once. Nil where a number is not finite.
  fileprivate static func tensors(_ data: Dataset, _ inference: Inference) throws -> [SafeTensors.Tensor]? {
    let (units, model) = (inference.codeCount, inference.plan.model)
    let keepsCodes =
      data.count.timesClamping(4 * units) <= mostBytesOfCodes
      && (try? GrantedMemory.require(data.count.timesClamping(8 * units), for: "", "")) != nil
    var (reconstruction, divergence, error, codes) = ([Float](), [Float](), [Float](), [Float]())
    var (low, high) = ([Float](repeating: .infinity, count: units), [Float](repeating: -.infinity, count: units))
    for start in stride(from: 0, to: data.count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, data.count)
      let images = try data.images(range)
      data.announce((range.upperBound..<min(range.upperBound + range.count, data.count)).lazy.map { Int32($0) })
      let labels = model.likelihood.target == .label ? data.labels?[range] : nil
      for its in inference.measure(images, labels: labels, noise: .none) {
        reconstruction.append(its.reconstruction)
        divergence.append(its.divergence)
        if let image = its.image { error.append(image.squaredError) }
      }
      let some = inference.encode(images)
      for (place, value) in some.enumerated() {
        low[place % units] = min(low[place % units], value)
        high[place % units] = max(high[place % units], value)
      }
      guard some.allSatisfy(\.isFinite) else { return nil }
      if keepsCodes { codes += some }
    }
    guard [reconstruction, divergence, error].joined().allSatisfy(\.isFinite) else { return nil }
    let all: [(name: String, shape: [Int], values: [Float])] = [
      ("scores.reconstruction", [data.count], reconstruction),
      ("scores.divergence", [data.count], model.isVariational ? divergence : []), ("scores.error", [data.count], error),
      ("codes.low", [units], low), ("codes.high", [units], high), ("codes", [data.count, units], codes),
    ]
    return all.filter { !$0.values.isEmpty }.map {
      SafeTensors.Tensor(name: $0.name, shape: $0.shape, values: $0.values)
    }
  }
}

extension RunFolder {
  private var training: String { file("training.safetensors") }

  /// What was kept of the images trained on; nil where nothing is, or what was kept is of other weights.
  ///
  /// Errors: the file cannot be read, or is damaged.
  public func keptTraining(for weightsHash: String) throws(DataError) -> KeptTraining? {
    guard try InputFile.isThere(training) else { return nil }
    return try KeptTraining(
      reading: training, weightsHash: weightsHash, table: try DataTable(ifThere: file("data.csv")))
  }

  /// Keeps it, unless it is kept already.
  fileprivate func keepTraining(_ data: Dataset, digest: String?, by inference: Inference) throws {
    let hash = WeightsHash.of(inference.parameters, plan: inference.plan)
    if let kept = try? keptTraining(for: hash), kept.dataDigest == digest, kept.count == data.count { return }
    guard let tensors = try KeptTraining.tensors(data, inference) else { return }
    var metadata = ["format": KeptTraining.format, "weightsHash": hash, "data": digest].compactMapValues(\.self)
    let sources = tensors.map { SafeTensors.Source($0) }
    metadata[Checkpoint.hashKey] = try Checkpoint.contentHash(sources, metadata)
    try SafeTensors.write(sources, metadata: metadata, to: training)
  }
}

extension Trainer {
  /// Keeps in the run's folder what others need of the images trained on, see `KeptTraining`, of the weights that are
  /// evaluated. Of a run on codes nothing is kept.
  ///
  /// Cost: reads and encodes each image once, unless it is kept already.
  public func keepTraining(in run: RunFolder) throws {
    guard recipe.data.codes == nil else { return }
    try run.keepTraining(data, digest: dataDigest, by: try inference())
  }
}
