import Foundation
import HourglassData

/// One epoch of a run: a line of metrics.jsonl, a row of metrics.csv, an object of `train --json`.
public struct EpochMetrics: Codable, Sendable, Equatable {
  public var event = "epoch"
  /// Epochs done, and steps done.
  public var epoch: Int
  public var step: Int
  /// Means over the epoch's samples, as the step that trained on each saw it.
  public var loss: Double
  public var reconstruction: Double
  public var kl: Double
  /// Reconstruction divided by the pixels of an image; of a model that puts out labels as it is.
  public var reconstructionPerPixel: Double
  public var validationLoss: Double?
  public var validationMSE: Double?
  /// Of a model that puts out classes.
  public var validationErrorRate: Double?
  /// Latent units that are active, as `Evaluation` counts them, on the validation or, without one, on the first images
  /// of the training data.
  public var activeUnits: Int?
  /// Of a model with a penalty: its mean, before it is weighed with beta.
  public var penalty: Double?
  public var samplesPerSecond: Double
  public var seconds: Double
  /// Part of the steps' time, in the mean over the workers, that went into their input: reading images, augmenting,
  /// corrupting and shuffling them. Of the steps of the session that ended the epoch.
  public var inputPercent: Double?

  static let columns = [
    "epoch", "step", "loss", "reconstruction", "kl", "reconstructionPerPixel", "validationLoss", "validationMSE",
    "samplesPerSecond", "seconds", "activeUnits", "validationErrorRate", "inputPercent", "penalty",
  ]

  var row: String {
    func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    return [
      "\(epoch)", "\(step)", text(loss), text(reconstruction), text(kl), text(reconstructionPerPixel),
      text(validationLoss), text(validationMSE), text(samplesPerSecond), text(seconds),
      activeUnits.map { "\($0)" } ?? "", text(validationErrorRate), text(inputPercent),
      text(penalty),
    ].joined(separator: ",")
  }

  /// Any value as one line of JSON, its names in alphabetical order.
  public static func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}

/// The metrics files of a run. They are small, so every change writes them anew under a temporary name.
public struct MetricsLog: Sendable {
  public private(set) var epochs: [EpochMetrics]
  private let run: RunFolder?

  /// Reads what an earlier session wrote and cuts it back to the checkpoint at `step`.
  public init(_ run: RunFolder?, upTo step: Int) {
    self.run = run
    let text = run.flatMap { try? String(contentsOfFile: $0.file("metrics.jsonl"), encoding: .utf8) } ?? ""
    epochs = text.split(separator: "\n")
      .compactMap { try? JSONDecoder().decode(EpochMetrics.self, from: Data($0.utf8)) }
      .filter { $0.step <= step && $0.refusal == nil }
  }

  mutating func append(_ metrics: EpochMetrics) throws(DataError) {
    epochs.append(metrics)
    try write()
  }

  func write() throws(DataError) {
    guard let run else { return }
    try AtomicFile.write(
      epochs.map { EpochMetrics.json($0) + "\n" }.joined(), to: run.file("metrics.jsonl"))
    let rows = [EpochMetrics.columns.joined(separator: ",")] + epochs.map(\.row)
    try AtomicFile.write(rows.map { $0 + "\n" }.joined(), to: run.file("metrics.csv"))
  }
}
