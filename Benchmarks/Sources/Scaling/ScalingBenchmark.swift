import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// The command that studies how training steps scale with cores.
struct ScalingBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling", abstract: "Study how training steps scale with cores.",
    discussion: """
      Takes 1, 2, 4, ... cores up to those at hand as workers x threads, in random order, again and again; strong \
      keeps the minibatch, weak its share for each core. Fails when the weights depend on the division.

      Examples:
        bench scaling --model conv-vae-28 --output scaling
        bench scaling --model conv-vae-28 --mode weak --max-workers 8 --json
        bench scaling --model conv-vae-28 --peer torch

      Columns: medians over the repetitions with 95 % bootstrap intervals; speed-up and efficiency refer to one core; \
      parts of the mean worker's time in a step: forward and backward, dense gradients, sum over shards, update, \
      waiting for others; processor time over the time of as many cores, from which follows whether the machine was \
      busy, which a sentence above the tables says; how much longer the slowest worker's forward and backward takes \
      than the mean worker's; \
      planned memory, and the largest resident set of a process that trains with this division alone, with the \
      program and the images in it. With --output also the fitted laws, a simulation of up to 128 cores, plots, and \
      all of it as one page, index.html.
      """)

  @Option(help: "The model to study: a name, or all.") var model: String
  @Option(help: "Give all divisions one minibatch (strong), or one that grows with the cores (weak).")
  var mode = ScalingStudy.Mode.strong
  @Option(
    help: "The most cores, as workers x threads; they may be more than are granted. (default: the granted cores)")
  var maxWorkers: Int?
  @Option(help: "How many samples a minibatch has at one core.") var batchSize = 128
  @Option(help: "How many shards the minibatch has at one core. (default: as training would cut it)") var shards: Int?
  @Option(help: "How often each division is measured.") var repetitions = 10
  @Option(help: "How many seconds of steps each repetition measures.") var seconds = 1.0
  @Option(help: "The seed of the order of the measurements.") var seed: UInt64 = 1
  @Option(help: "Measure in turn with torch (PyTorch): its threads, and its processes over gloo.")
  var peer: ScalingPeers?
  @Option(help: "Write each study into a folder MODEL-MODE of its own in this folder.") var output: String?
  @Flag(help: "Print one JSON object for each model.") var json = false

  private static let mostCores = 1024

  func validate() throws {
    _ = try models(named: model)
    if let maxWorkers { try require("--max-workers", maxWorkers, in: 1...Self.mostCores) }
    try require("--batch-size", batchSize, in: 1...1 << 20)
    if let shards { try require("--shards", shards, in: 1...batchSize) }
    try require("--repetitions", repetitions, in: 2...10_000)
    guard seconds > 0 && seconds <= 3600 else {
      throw ValidationError("--seconds: wanted more than 0 and at most 3600, found \(seconds)")
    }
  }

  private func require(_ flag: String, _ value: Int, in range: ClosedRange<Int>) throws {
    guard !range.contains(value) else { return }
    throw ValidationError("\(flag): wanted \(range.lowerBound) to \(range.upperBound), found \(value)")
  }

  func run() throws {
    let most = maxWorkers ?? GrantedCores.count
    let designs = try models(named: model).map {
      try ScalingDesign(
        $0, mode: mode, batchSize: batchSize, shards: shards, most: most, repetitions: repetitions, seconds: seconds,
        seed: seed)
    }
    let folders = try designs.map { design in try output.map { try Self.folder("\($0)/\(design.name)") } }
    let peers = try peer?.start(cores: designs[0].cores) ?? []
    let machine = MachineBlock.measured()
    var difference: String?
    for (design, folder) in zip(designs, folders) {
      let progress = ProgressLine()
      let study = try ScalingMeasurement(design, peers: peers).study(on: machine, progress: progress.show)
      progress.clear()
      let report = try ScalingReport(study)
      if let folder { try report.write(to: folder) }
      say(json ? try bench.json(report) : report.lines.joined(separator: "\n"))
      difference = difference ?? study.difference
    }
    if let difference { throw BenchError(difference) }
  }

  /// The folder at a path, which is made where it is missing.
  static func folder(_ path: String) throws -> String {
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard FileManager.default.isWritableFile(atPath: path), FileManager.default.isDirectory(path) else {
      throw ValidationError("--output: wanted a folder that can be written, found \(path)")
    }
    return path
  }
}

extension ScalingStudy.Mode: ExpressibleByArgument {}

extension ScalingDesign {
  /// The name of the study's folder.
  fileprivate var name: String { "\(model.name)-\(mode.rawValue)" }
}

extension FileManager {
  fileprivate func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}

/// A line on standard error that tells how far a study is; nothing is written where that is no terminal.
struct ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  private let clock = ContinuousClock()
  private let start = ContinuousClock().now

  func show(done: Int, of all: Int, next: String) {
    guard isShown else { return }
    let seconds = (clock.now - start) / .seconds(1) / Double(max(1, done)) * Double(all - done)
    let left =
      done == 0 ? "" : String(format: ", %d:%02d left", Int(clamping: seconds) / 60, Int(clamping: seconds) % 60)
    write("\(percent(Double(done) / Double(all))), \(next)\(left)")
  }

  func clear() { if isShown { write("") } }

  private func write(_ text: String) { FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8)) }
}
