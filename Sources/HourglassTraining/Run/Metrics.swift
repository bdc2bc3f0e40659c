import Foundation
import HourglassData

/// One epoch of a run: a line of metrics.jsonl, a row of metrics.csv, an object of `train --json`.
public struct EpochMetrics: Codable, Sendable, Equatable {
  public var event = "epoch"
  /// The epochs done, and the steps done.
  public var epoch: Int
  public var step: Int
  /// The loss, its reconstruction and its KL divergence (0 for a model without one): means over the epoch's samples, as
  /// the step that trained on each saw it.
  public var loss: Double
  public var reconstruction: Double
  public var kl: Double
  /// The reconstruction divided by the pixels of an image; undivided for a model that puts out labels.
  public var reconstructionPerPixel: Double
  /// The loss on the validation, or the importance-weighted bound where it is trained on; nil without a validation.
  public var validationLoss: Double?
  /// The mean squared error per pixel on the validation; nil without one.
  public var validationMSE: Double?
  /// The error rate on the validation of a model that puts out classes; else nil.
  public var validationErrorRate: Double?
  /// The number of active latent units, as `Evaluation` counts them, on the validation or, without one, on the first
  /// images of the training data.
  public var activeUnits: Int?
  /// The mean penalty, before it is weighed with beta; nil for a model without one.
  public var penalty: Double?
  /// The samples per second and the seconds of all steps of the run so far.
  public var samplesPerSecond: Double
  public var seconds: Double
  /// The percentage of the steps' time, in the mean over the workers, that went into their input: reading images,
  /// augmenting, corrupting and shuffling them. It counts the steps of the session that ended the epoch.
  public var inputPercent: Double?
  /// The number of images that the epoch visited, and how often the data had changed before it; nil in files of earlier
  /// versions.
  public var images: Int?
  public var dataChanges: Int?
  /// Sentences about the epoch that a person should know, each once in a session; nil for none.
  public var warnings: [String]?

  static let columns = [
    "epoch", "step", "loss", "reconstruction", "kl", "reconstructionPerPixel", "validationLoss", "validationMSE",
    "samplesPerSecond", "seconds", "activeUnits", "validationErrorRate", "inputPercent", "penalty", "images",
    "dataChanges",
  ]

  var row: String {
    func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    return [
      "\(epoch)", "\(step)", text(loss), text(reconstruction), text(kl), text(reconstructionPerPixel),
      text(validationLoss), text(validationMSE), text(samplesPerSecond), text(seconds),
      activeUnits.map { "\($0)" } ?? "", text(validationErrorRate), text(inputPercent),
      text(penalty), images.map { "\($0)" } ?? "", dataChanges.map { "\($0)" } ?? "",
    ].joined(separator: ",")
  }
}

/// The metrics files of a run. They are small, so every change writes them anew under a temporary name.
public struct MetricsLog: Sendable {
  /// The epochs that were done, in their order.
  public private(set) var epochs: [EpochMetrics]
  private let run: RunFolder?
  /// The lines that cannot be read, until they are kept aside.
  private var damaged: [Data] = []

  /// Reads the metrics of earlier sessions and cuts them back to the checkpoint at `step`.
  ///
  /// Errors: the file is there and cannot be read.
  public init(_ run: RunFolder?, upTo step: Int) throws(DataError) {
    (self.run, epochs) = (run, [])
    let bytes =
      try run.flatMap { (run) throws(DataError) in try InputFile.contents(ifThere: run.file(Self.name)) } ?? []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      if let row = try? JSONFile.decode(EpochMetrics.self, from: line, path: Self.name, what: "no epoch"),
        row.refusal == nil
      {
        if row.step <= step { epochs.append(row) }
      } else {
        damaged.append(Data(line))
      }
    }
  }

  /// A sentence about the lines that cannot be read; nil where all can.
  public var damage: String? {
    damaged.isEmpty
      ? nil : "wanted one JSON object of an epoch in each line, found \(damaged.count) that cannot be read"
  }

  mutating func append(_ metrics: EpochMetrics) throws(DataError) {
    epochs.append(metrics)
    try write()
  }

  mutating func write() throws(DataError) {
    guard let run else { return }
    if let damage {
      try run.keepAside(Data(damaged.flatMap { $0 + Data("\n".utf8) }), of: Self.name, found: damage)
      damaged = []
    }
    try AtomicFile.write(epochs.map { JSONText.line($0) + "\n" }.joined(), to: run.file(Self.name))
    let rows = [EpochMetrics.columns.joined(separator: ",")] + epochs.map(\.row)
    try AtomicFile.write(rows.map { $0 + "\n" }.joined(), to: run.file("metrics.csv"))
  }

  package static let name = "metrics.jsonl"
}
