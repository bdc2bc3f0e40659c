import ArgumentParser
import HourglassKernels

/// The limits against which every other figure is held.
struct LimitsBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limits", abstract: "Measure what the machine reaches at most: multiply-adds and bandwidths.",
    discussion: """
      Examples:
        bench limits --threads 2
        HOURGLASS_ISA=avx2 bench limits --json
      """)

  @Option(help: "How many threads compute at once.") var threads = 1
  @Flag(help: "Print one JSON object.") var json = false

  func validate() throws { try checkThreads(threads) }

  func run() throws {
    let limits = Limits(threads: threads)
    say(json ? try bench.json(limits) : limits.text)
  }
}

/// Refuses numbers of threads that OpenMP would obey and the machine would not bear.
func checkThreads(_ threads: Int) throws {
  guard (1...1024).contains(threads) else {
    throw ValidationError("--threads: wanted 1 to 1024, found \(threads)")
  }
}

extension Limits {
  /// The limits as a table for people.
  var text: String {
    func row(_ what: String, _ unit: String, _ spread: Spread) -> String {
      let name = what.padding(toLength: 47, withPad: " ", startingAt: 0)
      let range = "\(fixed(spread.p10, 1)) to \(fixed(spread.p90, 1))"
      return "\(name) \(fixed(spread.median, 1)) \(unit) (\(range))"
    }
    let head = "\(processor), \(isa), \(threads) thread\(threads == 1 ? "" : "s"); median (10th to 90th percentile)"
    let rates = [
      row("multiply-adds from registers", "GFLOP/s", multiplyAdd),
      row("multiply-adds of the tile, one thread, from L1", "GFLOP/s", tile),
    ]
    let bandwidths = levels.flatMap { level in
      let size = level.bytes < 1 << 20 ? "\(level.bytes >> 10) KiB" : "\(level.bytes >> 20) MiB"
      return [
        row("\(level.name), read (\(size) a thread)", "GB/s", level.read),
        row("\(level.name), triad (\(size) a thread)", "GB/s", level.triad),
      ]
    }
    return ([head] + rates + bandwidths).joined(separator: "\n")
  }
}
