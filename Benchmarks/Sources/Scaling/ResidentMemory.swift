import ArgumentParser
import Foundation
import HourglassModels
import HourglassTraining

/// The command that trains a few steps with one division and says how much memory that took; `bench scaling` starts it
/// for each point.
struct ResidentMemory: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resident", abstract: "Print the largest resident set of a few training steps, in bytes.",
    discussion: """
      It includes the program itself, its libraries and the stacks of its threads, and the images that it trains on.
      """, shouldDisplay: false)

  @Option var model: String
  @Option var batchSize: Int
  @Option var shards: Int
  @Option var workers: Int
  @Option var threads: Int

  func run() throws {
    guard let model = try models(named: model).first else { return }
    let plan = try ExecutionPlan(model, batchSize: batchSize, shards: shards)
    let run = try StepRun(
      plan, ParallelPlan(workers: workers, threads: threads), try StepRun.images(for: model, batchSize: batchSize))
    for _ in 0..<2 { try run.step() }
    guard let bytes = Self.ownPeak() else { throw BenchError("/proc/self/status: wanted VmHWM, found none") }
    say("\(bytes)")
  }

  /// The largest resident set of this program so far, in bytes; getrusage would begin with the memory of the process
  /// that started it.
  static func ownPeak(_ status: String? = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) -> Int? {
    let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// Measures the resident set of a point in a process of its own, in bytes.
  static func measure(_ point: ScalingDesign.Point) throws -> Int {
    try measure(point, program: Subprocess.own)
  }

  static func measure(_ point: ScalingDesign.Point, program: String) throws -> Int {
    let child = try Subprocess([
      program, "resident", "--model", point.plan.model.name, "--batch-size", "\(point.plan.batchSize)",
      "--shards", "\(point.plan.shards)", "--workers", "\(point.parallel.workers)",
      "--threads", "\(point.parallel.threads)",
    ])
    guard child.status == 0, let bytes = Int(child.text) else {
      throw BenchError(
        "memory of \(point.title): wanted a number from \(program) resident, found status \(child.status) and "
          + "\"\(child.text.prefix(80))\"")
    }
    return bytes
  }
}
