import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels

/// One epoch of a run: a line of metrics.jsonl, a row of metrics.csv, an object of `train --json`.
public struct EpochMetrics: Codable, Sendable, Equatable {
  /// The kind of the object in the lines of `train --json`.
  public var event = "epoch"
  /// The epochs done.
  public var epoch: Int
  /// The steps done.
  public var step: Int
  /// The loss, mean over the epoch's samples, as the step that trained on each saw it.
  public var loss: Double
  /// The reconstruction loss, mean over the epoch's samples.
  public var reconstruction: Double
  /// The KL divergence, mean over the epoch's samples; 0 for a model that is not variational.
  public var kl: Double
  /// The reconstruction loss divided by the numbers of an image, H W C; for a model that puts out labels, the
  /// reconstruction loss itself.
  public var reconstructionPerPixel: Double
  /// The loss on the validation images, or their importance-weighted bound where that is trained; nil without them.
  public var validationLoss: Double?
  /// The mean squared error per pixel on the validation images; nil without them.
  public var validationMSE: Double?
  /// The part of the validation images whose class the model does not find; nil for a model that does not put out
  /// classes.
  public var validationErrorRate: Double?
  /// The latent units that are active, as `Evaluation` counts them, on the validation images or, without them, on the
  /// first images of the training data; nil for a model that is not variational.
  public var activeUnits: Int?
  /// How many codes a VectorQuantizer uses as if all were equally likely, e to the entropy of the codes in nats, mean
  /// over the codebooks: on the validation images or, without them, on the first images of the training data. Nil for
  /// another model.
  public var perplexity: Double?
  /// The sum of all penalties before beta weighs it, mean over the epoch's samples; nil for a model without one.
  public var penalty: Double?
  /// The terms of a loss beside the reconstruction, each by the key of its `LossTerm`, mean over the epoch's samples;
  /// nil where `kl` or `penalty` is the only one.
  public var terms: [String: Double]?
  /// The samples trained on in a second, over all sessions of the run.
  public var samplesPerSecond: Double
  /// The seconds of the steps of all sessions of the run.
  public var seconds: Double
  /// The part of the steps' time that went into their input, in percent, mean over the workers: reading images,
  /// augmenting, corrupting and shuffling them. It is taken over the steps of the session that ended the epoch.
  public var inputPercent: Double?
  /// The part of the steps' time in which the first process exchanged messages with others or waited for them, in
  /// percent; nil where one process trained.
  public var exchangePercent: Double?
  /// The images that the epoch visited; nil in files of earlier versions.
  public var images: Int?
  /// How often the data had changed before the epoch; nil in files of earlier versions.
  public var dataChanges: Int?
  /// What a person should know of the epoch, a sentence each, once in a session; nil where there is nothing.
  public var warnings: [String]?

  /// What few models have, by name: terms and the perplexity.
  var others: [String: Double] { (terms ?? [:]).merging(perplexity.map { ["perplexity": $0] } ?? [:]) { $1 } }

  /// One of the terms of the model that was trained.
  public func value(of term: LossTerm) -> Double? { terms?[term.key] ?? (term == .kl ? kl : penalty) }

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

/// The terms of a loss beside the reconstruction, as metrics have them.
struct NamedTerms {
  /// The KL divergence of a model that has one.
  let kl: Double?
  /// The sum of the penalties of a model that has some.
  let penalty: Double?
  /// Each by its key, where there are several.
  let all: [String: Double]?

  /// - Parameter values: of the terms, in their order; one for no term.
  init(_ terms: [LossTerm], _ values: [Double]) {
    let named = zip(terms, values)
    let penalties = named.filter(\.0.isPenalty).map(\.1)
    kl = named.first { $0.0 == .kl }?.1
    penalty = penalties.isEmpty ? nil : penalties.reduce(0, +)
    all =
      terms.count > 1 || terms.contains { $0 != .kl && !$0.isPenalty }
      ? Dictionary(uniqueKeysWithValues: named.map { ($0.0.key, $0.1) }) : nil
  }
}

/// The metrics files of a run. They are small, so every change writes them anew under a temporary name.
public struct MetricsLog: Sendable {
  /// A row for each epoch done.
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

  /// Writes the rows of a run that has none yet. Errors: a file cannot be written.
  package init(_ run: RunFolder, epochs: [EpochMetrics]) throws(DataError) {
    (self.run, self.epochs) = (run, epochs)
    try write()
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
    // What few models have stands behind what all have.
    let others = Set(epochs.flatMap(\.others.keys)).sorted()
    let rows =
      [(EpochMetrics.columns + others).joined(separator: ",")]
      + epochs.map { row in
        ([row.row] + others.map { name in row.others[name].map { "\($0)" } ?? "" }).joined(separator: ",")
      }
    try AtomicFile.write(rows.map { $0 + "\n" }.joined(), to: run.file("metrics.csv"))
  }

  /// The name of the file in the run's folder.
  package static let name = "metrics.jsonl"
}
