import ArgumentParser
import Foundation
import HourglassData
import HourglassTraining

/// How one session of training runs: nothing that decides its result.
struct SessionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The bytes of decoded images kept in memory for each set, as 512M or 4G; the other images are decoded in every "
        + "epoch. (default: a third of memory)",
      valueName: "bytes"))
  var memoryLimit: MemoryLimit?

  @Option(
    help: ArgumentHelp(
      "Write a checkpoint each time this many steps are done, beside those after each epoch.", valueName: "steps"))
  var checkpointEvery: Int?

  @Option(
    help: ArgumentHelp(
      "End this session after this time, as 90s, 30m or 1h30m, with a checkpoint from which --resume goes on.",
      valueName: "time"))
  var maxTime: TimeLimit?

  @Option(
    help: ArgumentHelp(
      "Under mpirun or srun: end all processes where one has waited this time for another. (default: wait on)",
      valueName: "time"))
  var stallLimit: TimeLimit?

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp(
      "The folder of the run, with recipe, checkpoints, metrics and report. (default: runs/MODEL-DATE-TIME)",
      valueName: "dir"))
  var folder: String?

  @Flag(help: "Go on with the run in --run from its last checkpoint.")
  var resume = false

  @Flag(
    help: """
      With --resume: go on although the images differ from those trained on so far. Epochs count on, the epoch that \
      was interrupted begins again, and the metrics tell which epochs saw which data.
      """)
  var acceptChangedData = false

  @Flag(help: "Print one JSON object for each epoch and one at the end.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    try requirePositive("--checkpoint-every", checkpointEvery)
    if resume && folder == nil {
      throw ValidationError("--resume: wanted the run to go on with as --run DIR, found none")
    }
    if acceptChangedData && !resume {
      throw ValidationError("--accept-changed-data: wanted a run to go on with by --resume, found none")
    }
  }

  /// Takes what a configuration file says about this session where the flags are silent.
  mutating func adopt(_ file: Configuration) throws {
    let file = file.session
    memoryLimit = memoryLimit ?? file.memoryLimit
    checkpointEvery = checkpointEvery ?? file.checkpointEvery
    maxTime = maxTime ?? file.maxTime
    stallLimit = stallLimit ?? file.stallLimit
    try requirePositive("--checkpoint-every", checkpointEvery)
    folder = folder ?? file.run
    json = json || file.json == true
    quiet = quiet || file.quiet == true
  }

  var memoryForImages: Int { memoryLimit?.bytes ?? Processes.memoryForImages }

  /// Where a new run of a model may begin.
  func newPath(_ model: String) throws -> String {
    let path = folder ?? Self.defaultPath(model)
    if let refusal = try RunFolder(path).refusal() { throw ValidationError("--run: \(refusal)") }
    return path
  }

  private static func defaultPath(_ model: String) -> String {
    let name = model.replacing(/[^A-Za-z0-9._-]/, with: "-")
    let format = Date.VerbatimFormatStyle(
      format: """
        \(year: .padded(4))\(month: .twoDigits)\(day: .twoDigits)-\
        \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased))\(minute: .twoDigits)\(second: .twoDigits)
        """, timeZone: .current, calendar: Calendar(identifier: .gregorian))
    return "runs/\(name)-\(Date().formatted(format))"
  }

  /// The last line of `--json`.
  private struct EndReport: Encodable {
    var event: String
    var epochs: Int
    var steps: Int
    var samplesPerSecond: Double
    var weightsHash: String
    var run: String
  }

  /// Tells how a session ended.
  ///
  /// - Parameter goOn: the command that goes on with a run that has not come to its end; nil for one that has.
  func report(_ end: String, _ trainer: Trainer, _ run: RunFolder, goOn: String?) {
    let progress = trainer.progress
    let report = EndReport(
      event: end, epochs: trainer.epochsDone, steps: progress.step,
      samplesPerSecond: Double(progress.samples) / max(progress.seconds, 1e-9), weightsHash: trainer.weightsHash,
      run: run.path)
    if json { return StandardOutput.write(json: report) }
    let done =
      "\(report.epochs) epochs, \(report.steps) steps, \(grouped(Int(clamping: report.samplesPerSecond))) samples/s"
    var rows = [[report.event, report.steps == 0 ? "stands before its first step" : done]]
    if let last = trainer.metrics.epochs.last {
      let validation = last.validationLoss.map { ", validation \(decimal($0))" } ?? ""
      rows.append(["loss", decimal(last.loss) + validation])
      let input = [trainer.metrics.epochs.first?.inputPercent, last.inputPercent].compactMap(\.self)
      if input.count == 2 {
        rows.append([
          "input", "\(decimal(input[0], 2)) % of the first epoch's steps, \(decimal(input[1], 2)) % of the last",
        ])
      }
    }
    rows += [["weights", report.weightsHash], ["run", run.path]]
    if let goOn {
      rows.append(["go on with", goOn])
    } else {
      rows += [["pictures", run.file("pictures")], ["report", run.report]]
    }
    StandardOutput.write(table: rows)
  }
}

extension RunEnvironment {
  /// The environment of this session, with the arguments of the program.
  init(_ parallel: ParallelPlan) {
    self.init(parallel: parallel, arguments: Array(CommandLine.arguments.dropFirst()))
    processes = Processes.transport?.place.count
  }
}

/// Tells which parts of the run were found damaged, which images were left out, how many images stay in memory, and
/// which weights did not start from the seed.
func list(about trainer: Trainer, _ run: RunFolder, _ progress: Progress) {
  for note in run.notes { StandardError.write("hourglass: warning: \(note)") }
  for change in trainer.dataChanges {
    StandardError.write("hourglass: note: goes on with changed data from step \(trainer.progress.step) on: \(change)")
  }
  list(about: trainer.data)
  if let validation = trainer.validation, validation.inventory != trainer.data.inventory { list(about: validation) }
  if let kept = trainer.data.keptCount {
    progress.note("\(kept) images stay decoded in memory (--memory-limit), the others are decoded in every epoch")
  }
  for start in trainer.starts {
    progress.note("starts from \(start.path): \(start.taken.joined(separator: ", "))")
    for tensor in start.left { progress.note("  not taken: \(tensor)") }
  }
}
