import Foundation

/// The times that a processor once reached, kept in the repository to notice what gets slower.
struct Baseline: Codable {
  struct Entry: Codable {
    var name, problem: String
    var seconds: Double
    /// GFLOP/s of multiply-adds from registers, measured in turn with the case.
    var peak: Double

    /// The GFLOP that the machine could have done in the case's time, a cost that stays when its clock changes.
    var cost: Double { seconds * peak }
  }

  var processor: String
  var isa: String
  var threads: Int
  var cases: [Entry]

  init(_ limits: Limits, _ results: [KernelResult]) {
    (processor, isa, threads) = (limits.processor, limits.isa, limits.threads)
    cases = results.map { Entry(name: $0.name, problem: $0.problem, seconds: $0.seconds.median, peak: $0.peak) }
  }

  /// The file of a baseline; each processor, instruction set and number of threads has one.
  static func path(_ limits: Limits, in folder: String) -> String {
    "\(folder)/\(Machine.slug("\(limits.processor) \(limits.isa) \(limits.threads)")).json"
  }

  func save(to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try (encoder.encode(self) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
  }

  init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw BenchError("wanted the baseline \(path), found none: save one with bench kernels --save")
    }
    self = try JSONDecoder().decode(Baseline.self, from: data)
  }

  /// How many times its cost a case may take before it counts as slower: neighbours on a shared machine move a median
  /// by a tenth.
  static let tolerance = 1.1

  /// The cases that cost more than tolerated, by how many times, the worst first.
  func slower(_ now: Baseline) -> [(name: String, ratio: Double)] {
    let before = Dictionary(cases.map { ($0.problem, $0.cost) }) { first, _ in first }
    return now.cases.compactMap { entry in before[entry.problem].map { (entry.name, entry.cost / $0) } }
      .filter { $0.1 > Self.tolerance }.sorted { $0.1 > $1.1 }
  }
}
