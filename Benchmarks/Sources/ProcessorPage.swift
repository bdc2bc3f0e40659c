import ArgumentParser
import Foundation

/// The table of a processor that `make bench` writes.
struct PageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "page", abstract: "Write the table of this processor from what was measured.",
    discussion: """
      Each folder has what one instruction set reached, as the option --json prints it: limits.json, passes.json,
      steps.json, held-out.json, drawn.json. The table goes to a file of the results' folder that bears the name of the
      processor, and into the documents, between lines that name this file.
      """, shouldDisplay: false)

  @Argument(help: "The folders of measurements.") var folders: [String]
  @Option(help: "The folder of the results.") var results = "Benchmarks/Results"
  @Option(help: "The document that has the tables of all processors.") var document = "Docs/performance.md"

  func run() throws {
    let page = ProcessorPage(columns: try folders.map { try ProcessorPage.Column(folder: $0) })
    let path = "\(results)/\(page.slug).md"
    try page.text.write(toFile: path, atomically: true, encoding: .utf8)
    let text = try String(contentsOfFile: document, encoding: .utf8)
    try page.inserted(into: text, as: path).write(toFile: document, atomically: true, encoding: .utf8)
    say(page.text)
  }
}

/// What a processor reaches, and its ratios to PyTorch: one column for each instruction set.
struct ProcessorPage {
  struct Column {
    var limits: Limits
    var passes, drawn: Summary
    var steps, heldOut: [StepResult]
  }

  var columns: [Column]

  /// The processor's name as the name of a file.
  var slug: String { Machine.slug(columns[0].limits.processor) }

  /// The table in Markdown.
  var text: String {
    let first = columns[0]
    let workers = first.steps.first.map { "\($0.workers) workers" } ?? "all workers"
    let against = first.passes.against ?? "nobody"
    let held = columns.count > 1 ? "; for AVX2 both sides are held to it" : ""
    let head = ["\(first.limits.processor), against \(against)\(held)"] + columns.map { $0.limits.isa }
    var rows = [head, head.map { _ in "---" }]
    func row(_ title: String, _ cell: (Column) -> String?) {
      let cells = columns.map { cell($0) ?? "" }
      if !cells.allSatisfy(\.isEmpty) { rows.append([title] + cells) }
    }
    row("multiply-adds from registers, one core") { $0.passes.peak.map { "\(fixed($0, 0)) GFLOP/s" } }
    row("**passes of the flagships**, batch 32, one thread") { "\($0.passes.group("all")?.cases ?? 0)" }
    row("share of the peak: all, filter gradients") { $0.passes.shares(["all", "backward-filter"]) }
    row("ratio: all, thin layers") { $0.passes.ratios(["all", "thin layers"]) }
    row("ratio: forward, data gradients, filter gradients") { $0.passes.ratios(Self.kinds) }
    row("the least ratio; how many below \(fixed(first.passes.wanted, 2))") { $0.passes.least }
    row("**whole steps**, batch \(first.steps.first?.batchSize ?? 0), \(workers)") { _ in Self.stepTitle }
    for name in first.steps.map(\.model) { row(name) { Self.step(name, $0.steps) } }
    row("**networks that nobody tuned for**, batch \(first.heldOut.first?.batchSize ?? 0)") { _ in Self.stepTitle }
    for name in first.heldOut.map(\.model) { row(name) { Self.step(name, $0.heldOut) } }
    row("**drawn layers**, one thread") { "\($0.drawn.group("all")?.cases ?? 0)" }
    row("share of the peak: all, filter gradients") { $0.drawn.shares(["all", "backward-filter"]) }
    row("ratio: all") { $0.drawn.ratios(["all"]) }
    row("ratio: forward, data gradients, filter gradients") { $0.drawn.ratios(Self.kinds) }
    for family in NetFamily.nets { row("ratio: \(family.rawValue)") { $0.drawn.ratios([family.rawValue]) } }
    row("the least ratio; how many below \(fixed(first.drawn.wanted, 2))") { $0.drawn.least }
    return rows.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  private static let kinds = ["forward", "backward-data", "backward-filter"]
  private static let stepTitle = "samples/s, share of the peak, ratio"

  private static func step(_ name: String, _ results: [StepResult]) -> String? {
    results.first { $0.model == name }.map { result in
      let ratio = result.comparison.map { fixed($0.ratio, 2) } ?? "-"
      return "\(fixed(result.samplesPerSecond, 0)), \(percent(result.peakShare)), \(ratio)"
    }
  }

  /// A document with the table between the lines that name its file, at the end where these are missing.
  func inserted(into document: String, as path: String) -> String {
    let (start, end) = ("<!-- \(path) -->\n", "<!-- end -->\n")
    guard let first = document.range(of: start),
      let last = document.range(of: end, range: first.upperBound..<document.endIndex)
    else { return document + "\n\(start)\n\(text)\n\(end)" }
    return document.replacingCharacters(in: first.upperBound..<last.lowerBound, with: "\n\(text)\n")
  }
}

extension ProcessorPage.Column {
  /// Reads the measurements of a folder, an object a line.
  init(folder: String) throws {
    func lines(_ name: String) throws -> [Data] {
      let path = "\(folder)/\(name).json"
      guard let data = FileManager.default.contents(atPath: path) else {
        throw BenchError("\(path): wanted what bench --json printed, found no such file")
      }
      return data.split(separator: UInt8(ascii: "\n")).map { Data($0) }
    }
    func last<Value: Decodable>(_ name: String, _ type: Value.Type) throws -> Value {
      guard let line = try lines(name).last else { throw BenchError("\(folder)/\(name).json is empty") }
      return try JSONDecoder().decode(type, from: line)
    }
    func steps(_ name: String) throws -> [StepResult] {
      try lines(name).map { try JSONDecoder().decode(StepResult.self, from: $0) }
    }
    limits = try last("limits", Limits.self)
    (passes, drawn) = (try last("passes", Summary.self), try last("drawn", Summary.self))
    (self.steps, heldOut) = (try steps("steps"), try steps("held-out"))
  }
}

extension Summary {
  fileprivate func group(_ name: String) -> Group? { groups.first { $0.name == name } }

  /// The shares of the peak of some groups.
  fileprivate func shares(_ names: [String]) -> String {
    names.map { percent(group($0)?.peakShare) }.joined(separator: ", ")
  }

  /// The ratios of some groups; nil without a peer.
  fileprivate func ratios(_ names: [String]) -> String? {
    let ratios = names.map { group($0)?.ratio }
    return ratios.allSatisfy { $0 == nil }
      ? nil : ratios.map { $0.map { fixed($0, 2) } ?? "-" }.joined(separator: ", ")
  }

  fileprivate var least: String? {
    guard let all = group("all"), let least = all.least else { return nil }
    return "\(fixed(least, 2)); \(all.below)"
  }
}
