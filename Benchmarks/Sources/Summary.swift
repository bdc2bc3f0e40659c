/// The shares of the peak that cases reach, and their ratios to a peer where there is one.
struct Summary: Encodable {
  typealias Measured = (testCase: KernelCase, result: KernelResult)

  /// The geometric means of cases that have something in common.
  struct Group: Encodable {
    var name: String
    var cases: Int
    /// The share of the peak, over cases that multiply.
    var peakShare: Double?
    /// The ratio to the peer, and the least of the cases.
    var ratio, least: Double?
    /// How many cases are below the wanted ratio.
    var below: Int
  }

  struct Entry: Encodable {
    var name, problem: String
    var ratio: Double
  }

  var peer: String?
  /// The ratio that is wanted.
  var wanted: Double
  /// All cases; layers with one to three channels on a side; each kind of pass; each model or family.
  var groups: [Group]
  /// The worst ten cases, and all that are below the wanted ratio, the worst first.
  var worst: [Entry]

  /// The seconds of a pass below which threads cannot speed it up much; see `ratio`.
  static let shortest = 300e-6

  init(_ results: [Measured], _ peer: Peer?, wanted: Double) {
    func group(_ name: String, _ members: [Measured]) -> Group? {
      let shares = members.compactMap(\.result.peakShare)
      let ratios = members.compactMap { Self.ratio($0.result, peer) }
      return members.isEmpty
        ? nil
        : Group(
          name: name, cases: members.count, peakShare: shares.isEmpty ? nil : shares.geometricMean,
          ratio: ratios.isEmpty ? nil : ratios.geometricMean, least: ratios.min(),
          below: ratios.count { $0 < wanted })
    }
    let passes = Problem.Pass.allCases.map { pass in
      group(pass.rawValue, results.filter { $0.testCase.problem.pass == pass })
    }
    var names: [String] = []
    for name in results.compactMap(\.testCase.family) where !names.contains(name) { names.append(name) }
    let families = names.map { name in group(name, results.filter { $0.testCase.family == name }) }
    let all = [group("all", results), group("thin layers", results.filter(\.testCase.problem.isThin))]
    let entries = results.compactMap { testCase, result in
      Self.ratio(result, peer).map { Entry(name: testCase.name, problem: "\(testCase.problem)", ratio: $0) }
    }.sorted { $0.ratio < $1.ratio }
    (self.peer, self.wanted) = (peer?.rawValue, wanted)
    groups = (all + passes + families).compactMap { $0 }
    worst = Array(entries.prefix(max(entries.count { $0.ratio < wanted }, 10)))
  }

  /// The ratio of a case where it counts: the gain of threads where one thread takes over 300 us, the share of the peak
  /// where something is multiplied.
  private static func ratio(_ result: KernelResult, _ peer: Peer?) -> Double? {
    guard let comparison = result.comparison, peer != .avx2 || result.gflops != nil,
      peer != .oneThread || comparison.seconds.median > shortest
    else { return nil }
    return comparison.ratio
  }

  /// Prints a table of the groups and the list of the worst.
  func print() {
    say("")
    let compared = peer.map { ["ratio to \($0)", "least", "below \(fixed(wanted, 2))"] } ?? []
    let table = Table(["geometric means", "cases", "  peak"] + compared, first: 16)
    for group in groups {
      let ratios = [group.ratio.map { fixed($0, 2) } ?? "-", group.least.map { fixed($0, 2) } ?? "-", "\(group.below)"]
      table.row([group.name, "\(group.cases)", percent(group.peakShare)] + (peer == nil ? [] : ratios))
    }
    if !worst.isEmpty { say("the worst:") }
    for entry in worst { say("  \(fixed(entry.ratio, 2))  \(entry.name)  (\(entry.problem))") }
  }
}
