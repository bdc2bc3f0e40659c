import ArgumentParser
import Foundation
import HourglassAnalysis
import HourglassData
import HourglassTraining

extension AnomalyScores.Kind: ExpressibleByArgument {}

struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores how unusual images are, by how badly a trained model explains them, and shows where.",
    discussion: """
      A score follows from its image alone. A variational model is scored at the mean of the code; with --samples K \
      the likelihood is the mean over K draws of the code, whose random numbers follow from the pixels of the image.

      An image above the threshold counts as an anomaly. --contamination, --threshold, --best-f1 or \
      --false-positive-rate chooses the threshold; --save-threshold keeps it in the run, where later scores find it.

      --normal-class C tells which class is normal: all others count as anomalies, in ROC-AUC, in PR-AUC (average \
      precision) and, where there is a threshold, in precision, recall, F1 and the confusion table. Train with \
      --label-filter C for the one-class protocol; score then looks at all classes of the test images.

      A picture that is cut into tiles (--tile) has one score, the mean over its tiles weighed by the part of its \
      pixels that each stands for, and one map, joined from the maps of its tiles.

      Where there are masks of the truth (ground_truth beside the parts of a set, or --masks DIR), the maps are \
      measured against them: ROC-AUC and PR-AUC over pixels, and the overlap of regions (PRO) to a false positive rate \
      of 0.3. Without --normal-class an image with a mark is then an anomaly.

      --maps DIR writes for each image a file of its name, DIR/legend.svg and DIR/maps.json. One scale of colours \
      holds for all of them.

      A CSV file has the columns index, name, class where there are classes, score, and anomaly where there is a \
      threshold. An NPY file holds the scores, N.

      Example:
        hourglass train --model conv-ae-28 --data mnist --label-filter 3 --run runs/three
        hourglass score --run runs/three --normal-class 3 --contamination 0.05 --output scores.csv
        hourglass score --run runs/three --limit 100 --maps maps --smooth 1
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions

  @Option(
    help: """
      What the score is: the squared error per pixel between the image and the expected image of its mean code \
      (error), or the reconstruction loss plus, in a variational model, the KL divergence (likelihood). (default: what \
      the run's threshold is compared with, else likelihood)
      """)
  var by: AnomalyScores.Kind?

  @Option(
    help: ArgumentHelp(
      "Take the likelihood of a variational model as the mean over this many draws of each code. (default: the "
        + "likelihood at the code's mean)",
      valueName: "draws"))
  var samples: Int?

  @OptionGroup var threshold: ThresholdOptions

  @Option(help: "The class that is normal, by name or number.")
  var normalClass: String?

  @OptionGroup var maps: MapOptions

  @Option(
    help: ArgumentHelp(
      "The folder of masks, pictures of the defects that are named as the images are. (default: ground_truth beside "
        + "the parts of a set)",
      valueName: "dir"))
  var masks: String?

  @Option(help: ArgumentHelp("Write the scores into this file.", valueName: "file.csv|file.npy"))
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    try requirePositive("--samples", samples, most: 1 << 24)
    if samples != nil, by == .error {
      throw ValidationError(
        "--samples: wanted --by likelihood, found --by error, which is measured at the mean of the code")
    }
    if let output, ![".csv", ".npy"].contains(where: output.lowercased().hasSuffix) {
      throw ValidationError("--output: wanted a name that ends in .csv or .npy, found \(output)")
    }
  }

  private struct Report: Encodable {
    var samples: Int
    var by: AnomalyScores.Kind
    var draws: Int?
    var mean: Double
    var threshold: Double?
    var thresholdChosen: String?
    var anomalies: Int?
    var rocAUC: Double?
    var prAUC: Double?
    var precision: Double?
    var recall: Double?
    var f1: Double?
    var confusion: AnomalyScores.Detection?
    var maps: String?
    var mapScale: Float?
    var pixels: Int?
    var regions: Int?
    var pixelROCAUC: Double?
    var pixelPRAUC: Double?
    var regionOverlap: Double?
    /// Whether the scores of pixels were compared in full.
    var pixelsAreExact: Bool?
  }

  func run() throws {
    // Position 0 writes.
    let file = output.flatMap { Processes.isFirst ? OutputFile($0, or: $0) : nil }
    let folder = maps.maps.flatMap { Processes.isFirst ? OutputFolder(flag: "--maps", $0) : nil }
    let (loaded, kept, by, draws, data) = try Processes.together {
      let loaded = try trained.load()
      if loaded.model.likelihood.target == .label || maps.maps != nil || self.by == .error {
        try loaded.requireImages("score")
      }
      if samples != nil, !loaded.model.isVariational {
        throw ValidationError(
          "--samples: wanted a variational model, found \(loaded.model.name), whose code is no draw")
      }
      try replacing.check([file].compactMap(\.self), reading: loaded.inputs + [images.path])
      try folder?.check(replacing, reading: loaded.inputs + [images.path])
      let kept = try threshold.kept(by: loaded)
      let (by, draws) = try scoring(kept, loaded)
      return (loaded, kept, by, draws, try images.open(loaded, allClasses: normalClass != nil, masks: masks))
    }
    try Processes.requireEqual(loaded, data)
    let target = try folder.map { try maps.target(for: data, $0) }
    try maps.checkUse(hasMasks: data.hasMasks)
    let classes = try normalClass.map { try data.isAnomaly(normalClass: $0) }

    func scores(of data: Dataset, sharedBy transport: (any Transport)? = nil) throws -> AnomalyScores {
      try loaded.inference.scores(
        of: data, by: by, samples: draws, seed: loaded.recipe.seed, sharedBy: transport
      ).ofPictures(data)
    }
    let found = try scores(of: data, sharedBy: Processes.transport)
    if let place = found.scores.firstIndex(where: { !$0.isFinite }) {
      throw ExitStatusError(
        status: .diverged,
        description:
          "\(data.source): wanted a finite score of \(data.pictureName(place)), found \(found.scores[place]); "
          + "the weights, or the images, are too large")
    }
    guard Processes.isFirst else { return }
    let wantsScale = target.map { $0.format != .npy && maps.mapScale == nil } ?? false
    let survey = try wantsScale || data.hasMasks ? MapSurvey(data, loaded.inference, maps) : nil
    let truth = classes ?? survey?.isMarked
    let chosen = try threshold.chosen(found, truth: truth) {
      // What the run keeps are scores at the mean of the code.
      try (draws == nil ? loaded.keptTraining() : nil)?.scores(by: by) ?? scores(of: try loaded.trainedOn())
    }
    let value = chosen?.value ?? kept?.value
    let high = try target.flatMap { target in
      try maps.write(target, data, scores: found.scores, with: loaded.inference, scale: survey?.scale)
    }
    if let file { try write(found.scores, data, value, to: file.path) }
    if threshold.saveThreshold, let chosen {
      try loaded.run.save(
        ScoreThreshold(
          value: chosen.value, by: by, samples: draws, chosen: chosen.chosen, normalClass: normalClass,
          weightsHash: loaded.weightsHash))
    }
    var report = Report(
      samples: found.scores.count, by: by, draws: draws,
      mean: found.scores.reduce(0, +) / Double(found.scores.count), threshold: value,
      thresholdChosen: chosen?.chosen ?? kept.map { "kept in the run: \($0.chosen)" },
      anomalies: value.map { value in found.scores.count { $0 > value } },
      rocAUC: truth.flatMap(found.rocAUC), prAUC: truth.flatMap(found.averagePrecision), maps: folder?.path,
      mapScale: high)
    if let value, let truth {
      let detection = found.detection(above: value, truth)
      (report.precision, report.recall, report.f1) = (detection.precision, detection.recall, detection.f1)
      report.confusion = detection
    }
    if let pixels = survey?.pixels {
      (report.pixels, report.regions, report.pixelsAreExact) = (pixels.count, pixels.regions, pixels.isExact)
      let areas = pixels.areas()
      (report.pixelROCAUC, report.pixelPRAUC) = (areas?.rocAUC, areas?.averagePrecision)
      report.regionOverlap = areas?.regionOverlap
    }
    if json { return StandardOutput.write(json: report) }
    StandardOutput.write("\(loaded.model.name), step \(loaded.step), on \(data.source)")
    StandardOutput.write("")
    write(report)
  }

  /// The kind of score and its draws: what was asked for, or else what the run's threshold is compared with.
  private func scoring(
    _ kept: ScoreThreshold?, _ loaded: LoadedRun
  ) throws -> (by: AnomalyScores.Kind, draws: Int?) {
    guard let kept else { return (by ?? .likelihood, samples) }
    guard by ?? kept.by == kept.by, samples ?? kept.samples == kept.samples else {
      func text(_ by: AnomalyScores.Kind, _ samples: Int?) -> String {
        "--by \(by.rawValue)" + (samples.map { " --samples \($0)" } ?? "")
      }
      throw ValidationError(
        "\(loaded.run.file("threshold.json")): wanted scores as the run's threshold is compared with, "
          + "\(text(kept.by, kept.samples)), found \(text(by ?? kept.by, samples ?? kept.samples)); leave that out, or "
          + "choose a threshold anew, for example with --contamination 0.05")
    }
    return (kept.by, kept.samples)
  }

  private func write(_ scores: [Double], _ data: Dataset, _ threshold: Double?, to path: String) throws {
    guard path.lowercased().hasSuffix(".csv") else {
      return try NPYFile.write(scores.map { Float($0) }, shape: [scores.count], to: path)
    }
    let header = ["index", "name", data.labels.map { _ in "class" }, "score", threshold.map { _ in "anomaly" }]
    let rows = scores.enumerated().map { index, score in
      let image = data.images(ofPicture: index).lowerBound
      let cells = [
        "\(data.number(image))", csvCell(printablePath(data.pictureName(index))),
        data.className(image).map { csvCell(printablePath($0)) }, "\(score)",
        threshold.map { score > $0 ? "1" : "0" },
      ]
      return cells.compactMap(\.self).joined(separator: ",")
    }
    let lines = [header.compactMap(\.self).joined(separator: ",")] + rows
    try AtomicFile.write(lines.map { $0 + "\n" }.joined(), to: path)
  }

  private func write(_ report: Report) {
    func row(_ name: String, _ value: Double?) -> [[String]] { value.map { [[name, decimal($0)]] } ?? [] }
    var rows = [["images", grouped(report.samples)]] + row("mean score", report.mean)
    rows += report.threshold.map { [["threshold", decimal($0), report.thresholdChosen ?? ""]] } ?? []
    rows += report.anomalies.map { [["above it", grouped($0)]] } ?? []
    rows += row("ROC-AUC", report.rocAUC) + row("PR-AUC", report.prAUC)
    rows += row("precision", report.precision) + row("recall", report.recall) + row("F1", report.f1)
    if let pixels = report.pixels, let regions = report.regions {
      rows += [["pixels", grouped(pixels), "\(grouped(regions)) regions marked"]]
      rows += row("pixel ROC-AUC", report.pixelROCAUC) + row("pixel PR-AUC", report.pixelPRAUC)
      let limit = "to a false positive rate of \(PixelMetrics.overlapLimit)"
      rows += report.regionOverlap.map { [["region overlap", decimal($0), limit]] } ?? []
    }
    rows += report.maps.map { [["maps", $0]] } ?? []
    rows += report.mapScale.map { [["brightest colour", decimal(Double($0), 6)]] } ?? []
    StandardOutput.write(table: rows)
    guard let found = report.confusion else { return }
    StandardOutput.write("")
    StandardOutput.write(
      table: [
        ["", "above it", "below it"],
        ["anomalies", grouped(found.truePositives), grouped(found.falseNegatives)],
        ["normal images", grouped(found.falsePositives), grouped(found.trueNegatives)],
      ], rightAligned: [1, 2])
  }
}
