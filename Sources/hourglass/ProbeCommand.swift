import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Measures how well codes tell classes, by a linear classifier and by nearest neighbours.",
    discussion: """
      Both learn from the codes of the training images and their labels, and are measured by the part of the test \
      images whose class they find. The model itself learns nothing more. --beside DIR with another run, such as one \
      of `hourglass pca`, and --pixels show what other features give.

      Example:
        hourglass probe --run runs/first --pixels --beside runs/pca
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the run's data)", valueName: "path"), completion: .images)
  var data: String?

  @OptionGroup var images: DataFlags

  @Option(help: "How many nearest neighbours vote; several numbers with commas give an accuracy each.")
  var k = IntegerList([1, 5, 20])

  @Option(help: "The distance between codes: euclidean, or 1 less the cosine of their angle.")
  var metric: Neighbours.Metric = .euclidean

  @Option(help: "The seed of the linear classifier's start and of its order of images.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp("Measure the codes of this other run too; may be repeated.", valueName: "dir"), completion: .runs
  )
  var beside: [String] = []

  @Flag(help: "Measure the pixels of the images, without a model, too.")
  var pixels = false

  @Flag(help: "Print one JSON object for each kind of features.")
  var json = false

  func validate() throws {
    for value in k.values { try requirePositive("--k", value) }
  }

  private struct Report: Encodable {
    var features: String
    /// Numbers in the features of a sample.
    var units: Int
    /// Accuracy of the linear classifier.
    var linear: Double
    var metric: String
    /// Accuracy by k.
    var neighbours: [String: Double]
  }

  func run() throws {
    let loaded = try trained.load()
    let (training, test) = (
      try loaded.images(at: data, .train, images), try loaded.images(at: data, .test, images)
    )
    guard training.isSplit else {
      throw DataError(
        path: training.source,
        reason: "wanted a training and a test split, found one set; --holdout 0.1 divides it")
    }
    let most = k.values.max() ?? 1
    guard most <= training.count else {
      throw ValidationError("--k: wanted at most \(training.count), the training images, found \(most)")
    }
    try GrantedMemory.require(
      test.count.timesClamping(32 * most), for: test.source, "hold \(most) neighbours of \(test.count) images",
      advice: "take a smaller --k or fewer images with --limit")
    noteUnknownClasses(of: test, try test.relabelled(as: training).unknownClasses, from: training)
    var reports = [try report(loaded, training, test)]
    for path in beside { reports.append(try report(loaded.beside(path), training, test)) }
    if pixels { reports.append(try report("pixels", training, test)) }
    write(reports)
  }

  private func report(_ loaded: LoadedRun, _ training: Dataset, _ test: Dataset) throws -> Report {
    func codes(_ data: Dataset) throws -> Dataset {
      try Dataset(
        try loaded.codes(of: data), shape: ImageShape(vector: loaded.inference.codeCount), of: data,
        source: data.source)
    }
    return try report(loaded.model.name, try codes(training), try codes(test))
  }

  private func report(_ name: String, _ training: Dataset, _ test: Dataset) throws -> Report {
    let probe = try Probe(training: training, test: test, k: k.values, metric: metric, seed: seed)
    let neighbours = k.values.map { ("\($0)", probe.neighbours[$0] ?? 0) }
    return Report(
      features: name, units: training.shape.count, linear: probe.linear, metric: metric.rawValue,
      neighbours: Dictionary(neighbours, uniquingKeysWith: { first, _ in first }))
  }

  private func write(_ reports: [Report]) {
    if json { return reports.forEach { StandardOutput.write(json: $0) } }
    let header = ["features", "units", "linear"] + k.values.map { "\($0) nearest" }
    let rows = reports.map { report in
      [report.features, "\(report.units)", decimal(report.linear)]
        + k.values.map { decimal(report.neighbours["\($0)"] ?? 0) }
    }
    StandardOutput.write(table: [header] + rows, rightAligned: Set(1..<header.count))
  }
}
