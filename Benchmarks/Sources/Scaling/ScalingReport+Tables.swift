import Foundation
import HourglassData

/// A table of rows under a heading, with the first column to the left and all others to the right.
struct ReportTable {
  var titles: [String]
  var rows: [[String]]

  /// For a terminal.
  var lines: [String] {
    let widths = titles.indices.map { i in ([titles] + rows).map { $0[i].count }.max() ?? 0 }
    return ([titles] + rows).map { Table.line($0, widths: widths) }
  }

  var markdown: String {
    let rule = titles.indices.map { $0 == 0 ? "---" : "---:" }
    return ([titles, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
  }

  func html(_ style: HTML.TableStyle = .numbers) -> String { HTML.table(titles, rows, style: style) }
}

extension ScalingReport {
  /// The speed of each point.
  var results: ReportTable {
    ReportTable(
      titles: ["workers x threads", "cores", "ms a step", "samples/s", "speed-up", "efficiency", "same bits"],
      rows: zip(study.points, points).map { point, row in
        [
          point.title, "\(point.cores)", row.seconds.text { significant(1e3 * $0) },
          row.samplesPerSecond.text { fixed($0, 0) }, row.speedup.text { fixed($0, 2) },
          row.efficiency.text { fixed($0, 2) }, row.hasSameBits ? "yes" : "NO",
        ]
      })
  }

  /// The shares of each point's time, and its memory.
  var shares: ReportTable {
    ReportTable(
      titles: [
        "workers x threads", "forward, backward", "dense gradients", "reduction", "update", "waiting", "processor",
        "imbalance", "planned MB", "resident MB",
      ],
      rows: study.points.map { point in
        [point.title] + point.parts.shares.map { "\(fixed(100 * $0, 1)) %" }
          + [point.processorShare, point.parts.imbalance].map { "\(fixed(100 * $0, 1)) %" }
          + [point.memory.plannedBytes, point.memory.residentBytes].map { fixed(Double($0) / 1e6, 0) }
      })
  }

  /// The comparison with peers; empty without any.
  var comparison: ReportTable {
    ReportTable(
      titles: ["peer", "cores", "samples/s", "its speed-up", "Hourglass / peer"],
      rows: peers.map { peer in
        [
          peer.name, "\(peer.cores)", peer.samplesPerSecond.text { fixed($0, 0) }, peer.speedup.text { fixed($0, 2) },
          peer.ratio?.text { fixed($0, 2) } ?? "-",
        ]
      })
  }

  /// The fitted laws; empty where there is one point.
  var laws: ReportTable {
    func row(_ law: String, _ meaning: String, _ value: Interval?, _ format: (Double) -> String) -> [[String]] {
      value.map { [[law, meaning, $0.text(format)]] } ?? []
    }
    func share(_ value: Double) -> String { fixed(value, 4) }
    let scalability = fits.scalability
    return ReportTable(
      titles: ["law", "parameter", "value (95 % interval)"],
      rows: row("Amdahl", "serial fraction s", fits.amdahl, share)
        + row("Gustafson", "serial fraction s", fits.gustafson, share)
        + fits.karpFlatt.flatMap { row("Karp and Flatt", "e on \($0.workers) cores", $0.fraction, share) }
        + row("Universal Scalability", "one core, samples/s", scalability?.first) { fixed($0, 0) }
        + row("Universal Scalability", "contention a", scalability?.contention, share)
        + row("Universal Scalability", "coherency b", scalability?.coherency) { fixed($0, 6) }
        + row("Universal Scalability", "peak, cores", scalability?.peak) { $0.isFinite ? fixed($0, 0) : "none" })
  }

  /// The table of a simulated scenario.
  func table(of scenario: StepSimulation.Scenario) -> ReportTable {
    ReportTable(
      titles: ["cores", "ms a step", "samples/s", "speed-up", "efficiency", "limit"],
      rows: scenario.points.map { point in
        [
          "\(point.step.workers)", significant(1e3 * point.step.seconds), fixed(point.samplesPerSecond, 0),
          fixed(point.speedup, 2), fixed(point.efficiency, 2), point.limit,
        ]
      })
  }

  func table(of checks: [StepSimulation.Check]) -> ReportTable {
    ReportTable(
      titles: ["cores", "measured ms", "predicted ms", "error", "used for calibration"],
      rows: checks.map { check in
        [
          "\(check.workers)", significant(1e3 * check.measured), significant(1e3 * check.predicted),
          String(format: "%+.1f %%", 100 * check.error), check.isCalibration ? "yes" : "no",
        ]
      })
  }

  /// For a terminal.
  var lines: [String] {
    let (cores, granted) = (study.machine.cores, study.machine.grantedCores)
    let heading = [
      "\(study.machine.processor), \(study.machine.instructionSet), \(granted) of \(cores) cores granted",
      "\(study.title), \(study.repetitions) repetitions, 95 % intervals",
    ]
    var parts = [heading, results.lines, shares.lines]
    if let banner { parts.insert([banner], at: 0) }
    if !peers.isEmpty { parts.append(comparison.lines) }
    return parts.flatMap { $0 + [""] }.dropLast()
  }

  /// The study as CSV: a row for each of our points and then of the peers', whose other columns are empty; numbers are
  /// in seconds, bytes and shares of one.
  var csv: String {
    func columns(_ figure: Interval) -> [String] { [figure.value, figure.low, figure.high].map { "\($0)" } }
    let names = ["seconds", "samples_per_second", "speedup", "efficiency"].flatMap { [$0, "\($0)_low", "\($0)_high"] }
    let titles =
      ["name", "workers", "threads", "cores", "batch_size", "shards"] + names
      + [
        "forward_backward_seconds", "products_seconds", "reduction_seconds", "update_seconds", "waiting_seconds",
        "processor_share", "withheld", "imbalance", "planned_bytes", "resident_bytes", "weights_hash", "same_bits",
      ]
    let ours = zip(study.points, points).map { point, row in
      let parts = point.parts
      let seconds = [parts.forwardBackward, parts.products, parts.reduction, parts.update, parts.waiting]
      return ["Hourglass"] + [point.workers, point.threads, point.cores, point.batchSize, point.shards].map { "\($0)" }
        + [row.seconds, row.samplesPerSecond, row.speedup, row.efficiency].flatMap(columns)
        + (seconds + [row.processorShare, row.withheld, parts.imbalance]).map { "\($0)" }
        + ["\(point.memory.plannedBytes)", "\(point.memory.residentBytes)", point.weightsHash, "\(row.hasSameBits)"]
    }
    let theirs = zip(study.peers.flatMap(\.points), peers).map { point, row in
      let known =
        [row.name, "", "", "\(row.cores)", "\(point.batchSize)", ""]
        + [row.seconds, row.samplesPerSecond, row.speedup].flatMap(columns)
      return known + Array(repeating: "", count: titles.count - known.count)
    }
    let rows = ([titles] + ours + theirs).map { $0.map(Self.field).joined(separator: ",") }
    return rows.joined(separator: "\n") + "\n"
  }

  /// A field of CSV (RFC 4180), in quotes where it has a comma or a quote.
  private static func field(_ text: String) -> String {
    text.contains { ",\"\n".contains($0) } ? "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\"" : text
  }
}

extension ScalingStudy {
  var title: String {
    "\(model), \(mode.rawValue) scaling, batch size \(batchSize)\(mode == .weak ? " a core" : "")"
  }
}
