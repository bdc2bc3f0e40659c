import ArgumentParser
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Puts a run on one HTML page: recipe, curves, reconstructions, samples, codes, errors, memory.",
    discussion: """
      The page is one file without scripts; open it in any browser, print it, send it. train writes it too, into the \
      folder of the run. It shows the validation images, or else the test split, or else the images trained on; out of \
      more than 4,096 it takes an even choice. What is missing is named, all else is shown. --beside compares the run \
      with others: their metrics, curves and what differs in their recipes. The numbers behind the page are in \
      metrics.csv and steps.csv of the run's folder, and in what --json prints.

      Examples:
        hourglass report --run runs/first
        hourglass report --run runs/first --beside runs/second runs/third --output compared.html
        xdg-open runs/first/report.html
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the run's data)", valueName: "path"), completion: .images)
  var data: String?

  @Option(
    help: """
      The part of the set whose images are shown. (default: test with --data; else validation, test or train, the \
      first that is there)
      """)
  var split: Split?

  @OptionGroup var images: DataFlags

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Compare with the runs in these folders.", valueName: "run"),
    completion: .runs)
  var beside: [String] = []

  @Option(
    help: ArgumentHelp(
      "Write the page into this file. (default: report.html in the run's folder)", valueName: "file.html"),
    completion: .file(extensions: ["html"]))
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    if let output, !output.lowercased().hasSuffix(".html") {
      throw ValidationError("--output: wanted a name that ends in .html, found \(output)")
    }
  }

  /// What `--json` prints.
  private struct Written: Encodable {
    var report: String
    var step: Int?
    var evaluation: Evaluation?
    var details: RunReport.Details?
    /// This run and those beside it.
    var runs: [RunReport.Outcome]?
    /// Why a part of the page is missing.
    var missing: String?
  }

  func run() throws {
    let (run, recipe) = try RunFolder.open(trained.run)
    let file = OutputFile(output, or: run.report)
    try replacing.check([file], reading: [recipe.data.path, recipe.validation?.path, data])
    var report = try RunReport(run, recipe)
    report.others = try beside.map { path in
      let (run, recipe) = try RunFolder.open(path)
      return try RunReport(run, recipe)
    }
    var missing: String?
    if try run.hasCheckpoint() {
      let loaded = try trained.load()
      report.progress = loaded.progress
      missing = report.look(at: try chosen(loaded), with: loaded.inference)?.description
    } else {
      missing = "\(run.path) has no checkpoint yet"
    }
    try AtomicFile.write(report.page, to: file.path)
    for sentence in report.damages + report.others.flatMap(\.damages) + [missing].compactMap(\.self) {
      StandardError.write("hourglass: left out: \(sentence)")
    }
    if json {
      let written = Written(
        report: file.path, step: report.progress?.step, evaluation: report.evaluation, details: report.details,
        runs: report.outcomes, missing: missing)
      StandardOutput.write(json: written)
    } else {
      StandardOutput.write(file.path)
    }
  }

  /// The images that a flag names, which must be there, or else the run's images, which may be gone.
  private func chosen(_ loaded: LoadedRun) throws -> Result<ReportImages, DataError> {
    if data != nil || split != nil || images.preparation != nil {
      return .success(ReportImages(try loaded.images(at: data, split ?? .test, images)))
    }
    return Result { () throws(DataError) in try ReportImages(loaded.recipe) }
  }
}
