import ArgumentParser
import Foundation
import HourglassData
import HourglassTraining

extension AnomalyScores.Kind: ExpressibleByArgument {}

struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores how unusual images are, by how badly a trained model explains them.",
    discussion: """
      --contamination P takes as threshold the score that a part P of the images trained on exceeds, and marks the \
      images above it. --normal-class C tells which class is normal: all others count as anomalies, in ROC-AUC and in \
      PR-AUC (average precision). Train with --label-filter C for the one-class protocol; score then looks at all \
      classes of the test images.

      CSV output: index, label where there are any, score, anomaly with --contamination. NPY output: the scores, N.

      Example:
        hourglass train --model conv-ae-28 --data mnist --label-filter 3 --run runs/three
        hourglass score --run runs/three --normal-class 3 --contamination 0.05 --output scores.csv
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions

  @Option(
    help: "Squared error of the expected image (error), or the model's reconstruction loss plus divergence.")
  var by: AnomalyScores.Kind = .likelihood

  @Option(help: "The part of the images trained on that is above the threshold: more than 0, at most 0.5.")
  var contamination: Double?

  @Option(help: "The class that is normal, by name or number.")
  var normalClass: String?

  @Option(help: ArgumentHelp("The file of scores.", valueName: "file.csv|file.npy"))
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let contamination, !AnomalyScores.isContamination(contamination) {
      throw ValidationError("--contamination: wanted a part above 0 and at most 0.5, found \(contamination)")
    }
    if let output, ![".csv", ".npy"].contains(where: output.lowercased().hasSuffix) {
      throw ValidationError("--output: wanted a name that ends in .csv or .npy, found \(output)")
    }
  }

  private struct Report: Encodable {
    var samples: Int
    var mean: Double
    var threshold: Double?
    var anomalies: Int?
    var rocAUC: Double?
    var prAUC: Double?
  }

  func run() throws {
    let loaded = try trained.load()
    try loaded.requireImages("score")
    let file = output.map { OutputFile($0, or: $0) }
    try replacing.check([file].compactMap(\.self), reading: loaded.inputs + [images.path])
    let data = try images.open(loaded, allClasses: normalClass != nil)
    let truth = try normalClass.map { try isAnomaly(data, normal: $0) }
    let seed = loaded.recipe.seed
    let found = try loaded.inference.scores(of: data, by: by, seed: seed)
    let threshold = try contamination.map { part in
      let trainedOn = try loaded.trainedOn()
      return try loaded.inference.scores(of: trainedOn, by: by, seed: seed).threshold(contamination: part)
    }
    if let place = found.scores.firstIndex(where: { !$0.isFinite }) {
      throw ExitStatusError(
        status: .diverged, description: "\(data.source): the score of image \(place) is \(found.scores[place])")
    }
    if let file { try write(found.scores, data.labels, threshold, to: file.path) }
    let report = Report(
      samples: data.count, mean: found.scores.reduce(0, +) / Double(data.count), threshold: threshold,
      anomalies: threshold.map { threshold in found.scores.count { $0 > threshold } },
      rocAUC: truth.flatMap(found.rocAUC), prAUC: truth.flatMap(found.averagePrecision))
    if json { return StandardOutput.write(json: report) }
    StandardOutput.write("\(loaded.model.name), step \(loaded.step), on \(data.source)")
    StandardOutput.write("")
    var rows = [["images", grouped(report.samples)], ["mean score", decimal(report.mean)]]
    rows += report.threshold.map { [["threshold", decimal($0)]] } ?? []
    rows += report.anomalies.map { [["above it", grouped($0)]] } ?? []
    rows += report.rocAUC.map { [["ROC-AUC", decimal($0)]] } ?? []
    rows += report.prAUC.map { [["PR-AUC", decimal($0)]] } ?? []
    StandardOutput.write(table: rows)
  }

  private func isAnomaly(_ data: Dataset, normal name: String) throws -> [Bool] {
    guard let labels = data.labels else {
      throw DataError(path: data.source, reason: "--normal-class: wanted labels, found none")
    }
    guard let normal = data.classes?.firstIndex(of: name) ?? Int(name), labels.contains(normal) else {
      throw DataError(path: data.source, reason: "--normal-class: wanted a class with images, found \(name)")
    }
    return labels.map { $0 != normal }
  }

  private func write(_ scores: [Double], _ labels: [Int]?, _ threshold: Double?, to path: String) throws {
    guard path.lowercased().hasSuffix(".csv") else {
      return try NPYFile.write(scores.map { Float($0) }, shape: [scores.count], to: path)
    }
    var header = ["index"]
    if labels != nil { header.append("label") }
    header.append("score")
    if threshold != nil { header.append("anomaly") }
    let rows = scores.enumerated().map { index, score in
      var cells = ["\(index)"]
      if let labels { cells.append("\(labels[index])") }
      cells.append("\(score)")
      if let threshold { cells.append(score > threshold ? "1" : "0") }
      return cells.joined(separator: ",")
    }
    try AtomicFile.write(([header.joined(separator: ",")] + rows).map { $0 + "\n" }.joined(), to: path)
  }
}
