import Foundation

/// The words of a report.
extension ScalingReport {
  /// The findings in sentences, for people who read nothing else.
  var summary: [String] {
    [
      speedSentence, peerSentence, bitsSentence,
      busiest == nil ? simulation.map { "Simulated: \($0.scenarios[0].bend)" } : nil,
    ].compactMap { $0 }
  }

  /// What stands above all else where the machine was busy; nil where it was quiet.
  var banner: String? {
    busiest.map { row in
      "The machine was busy: with \(Self.division(row.workers, row.threads)) the steps had "
        + "\(percent(row.processorShare)) of the time of their cores, and others took at least "
        + "\(percent(row.withheld)). Speed-ups are those of shared cores, and the fitted laws and the simulation take "
        + "what others took for the program's own loss: repeat the study on a quiet machine."
    }
  }

  private var speedSentence: String {
    let first = points[0]
    func rate(_ row: Row) -> String { "\(fixed(row.samplesPerSecond.value, 0)) samples/s" }
    let start = "On \(study.machine.processor), Hourglass trains \(study.model) "
    let size = study.mode == .strong ? "minibatches of \(study.batchSize)" : "\(study.batchSize) samples for each core"
    guard best.workers * best.threads > 1 else {
      return start + "(\(size)) fastest on one core, at \(rate(first))."
    }
    let (cores, interval) = (best.workers * best.threads, headline(of: best))
    let widened = busiest == nil ? "" : ", widened by what others withheld"
    return start + "(\(size)) at \(rate(first)) on one core and at \(rate(best)) on \(cores) "
      + "(\(Self.division(best.workers, best.threads))): \(fixed(best.speedup.value, 2)) times as fast "
      + "(95 % interval \(fixed(interval.low, 2)) to \(fixed(interval.high, 2))\(widened)), which is "
      + "\(percent(best.efficiency.value)) of what so many cores could do at most."
  }

  /// A sentence that says whether the division changed the numbers.
  var bitsSentence: String {
    if let difference = study.difference { return "The weights depend on the division: \(difference)." }
    let (hash, steps) = (study.points[0].weightsHash, "after the same steps")
    return study.mode == .strong
      ? "All \(points.count) divisions have the same weights \(steps), to the bit: hash \(hash)."
      : "All divisions with the same minibatch have the same weights \(steps), to the bit: on one core hash \(hash)."
  }

  private var peerSentence: String? {
    let most = peers.map(\.cores).max()
    let clauses = peers.filter { $0.cores == most }.compactMap { peer in
      peer.ratio.map { "\(fixed($0.value, 2)) times as many samples a second as \(Self.named(peer.name))" }
    }
    guard let most, !clauses.isEmpty else { return nil }
    return "On \(most) core\(most == 1 ? "" : "s") it trains \(clauses.joined(separator: " and ")), on the same model "
      + "and measured in turn."
  }

  /// The name of a peer, such as `PyTorch 2.13.0, threads`, inside a sentence.
  private static func named(_ peer: String) -> String {
    let parts = peer.split(separator: ", ", maxSplits: 1)
    return parts.count == 2 ? "\(parts[0]) (\(parts[1]))" : peer
  }

  static func division(_ workers: Int, _ threads: Int) -> String {
    func count(_ number: Int, _ name: String) -> String { "\(number) \(name)\(number == 1 ? "" : "s")" }
    return threads == 1 ? count(workers, "worker") : "\(count(workers, "worker")) x \(count(threads, "thread"))"
  }

  var machine: ReportTable {
    let machine = study.machine
    func size(_ bytes: Int) -> String { bytes < 1 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB" }
    let caches = machine.caches.enumerated().map { "L\($0 + 1) \(size($1))" }.joined(separator: ", ")
    let bandwidth = machine.bandwidth.map { fixed($0, 1) }.joined(separator: " on one core, ")
    return ReportTable(
      titles: ["machine and program", ""],
      rows: [
        ["processor", machine.processor],
        ["cores", "\(machine.grantedCores) granted of \(machine.cores) in the affinity mask"],
        ["data caches of a core", caches],
        ["memory", "\(fixed(Double(machine.memoryBytes) / Double(1 << 30), 1)) GiB"],
        ["memory bandwidth (triad)", "\(bandwidth) GB/s on all granted"],
        ["instruction set", machine.instructionSet],
        ["peak of one core", "\(fixed(machine.peakGflops, 0)) GFLOP/s"],
        ["OpenMP", machine.openMP], ["compilers", machine.compilers], ["revision", machine.revision],
      ])
  }

  /// Sentences about how the figures came about.
  var method: [String] {
    [
      "A division is a number of workers, each with the same number of OpenMP threads. Every division"
        + (peers.isEmpty ? "" : " and every peer")
        + " was measured \(study.repetitions) times. Each repetition takes all "
        + "of them in an order of its own, drawn with the seed \(study.seed), so that a machine that becomes slower or "
        + "faster meanwhile meets all alike.",
      "A repetition trains from the start; its first steps warm up and are not measured. Its figure is the median time "
        + "of its steps, a point's figure the median over its repetitions.",
      "Intervals hold with 95 % confidence: percentile bootstrap, \(Bootstrap.resamples) resamples of the "
        + "repetitions, the same ones for all points, so that what they have in common cancels out of ratios.",
      "Speed-up is samples a second over those of one worker with one thread, efficiency is speed-up over workers x "
        + "threads." + (study.mode == .weak ? " The minibatch and its shards grow with the cores." : ""),
      "Processor is the processor time of all threads over the time of as many cores. What is neither that nor waiting "
        + "was withheld by others: where it is more than a twentieth, the study says that the machine was busy.",
      "Shares are those of the mean worker. Imbalance is how much longer the slowest worker takes for forward and "
        + "backward than the mean worker. Planned memory is what the program computes before it starts, resident "
        + "memory the largest resident set of a process that trains with this division alone.",
    ]
      + (study.processes.isEmpty
        ? []
        : [
          "Several processes are started by mpirun for each repetition and timed by the first of them. The exchange is "
            + "the time in which its first worker sends, gathers and waits for others. Efficiency is speed-up over "
            + "processes x workers, also where these share cores."
        ])
  }

  /// Sentences about the fitted laws.
  var lawTexts: [String] {
    let fitted = "Fitted to the points with one thread in each worker"
    guard fits.scalability != nil else { return fits.notes }
    let first =
      study.mode == .strong
      ? "Amdahl: t(p) = t(1) (s + (1 - s) / p), least squares in time. Karp and Flatt: e = (1/S - 1/p) / (1 - 1/p) at "
        + "each point; constant where a part of the step is serial, rising where overhead grows with the cores."
      : "Gustafson: S(p) = p - s (p - 1), least squares in speed-up."
    let second =
      "Universal Scalability Law: X(p) = X(1) p / (1 + a (p - 1) + b p (p - 1)), a and b at least 0, least squares in "
      + "relative throughput; its peak is at sqrt((1 - a) / b)."
    let deviation = fits.scalability?.deviation.map {
      "It meets the points with a root mean square deviation of \(fixed(100 * $0, 1)) %."
    }
    let all = study.points.allSatisfy(study.isGranted)
    return [fitted + (all ? "." : " and a granted core for each of them."), first, second]
      + [deviation].compactMap { $0 }
      + fits.notes
  }

  /// The command that repeats the study.
  var command: String {
    let most = study.points.map(\.cores).max() ?? 1
    let launched =
      study.processes.isEmpty
      ? []
      : [
        "processes \(study.processes.map { "\($0.processes)" }.joined(separator: ","))",
        "workers-each \(study.processes[0].workers)",
      ]
    let flags = [
      "model \(study.model)", "mode \(study.mode.rawValue)", "batch-size \(study.batchSize)",
      "shards \(study.points[0].shards)", "max-workers \(most)", "repetitions \(study.repetitions)",
      "seed \(study.seed)",
    ]
    let more = launched + (peers.isEmpty ? [] : ["peer torch"]) + ["output scaling"]
    return ([".build/release/bench scaling"] + flags + more).joined(separator: " --")
  }

  /// A sentence about the networks of simulated nodes.
  func nodesSentence(_ nodes: NodeSimulation) -> String {
    let networks = nodes.networks.map { network in
      "\(network.name): latency \(significant(1e6 * network.latency)) us, overhead "
        + "\(significant(1e6 * network.overhead)) us, \(significant(network.bandwidth / 1e6)) MB/s"
    }
    return "Nodes of \(nodes.cores) cores. \(networks.joined(separator: "; "))."
  }

  static let withoutSimulation = "No simulation: it is calibrated with the points 1 x 1 and 2 x 1 on two granted cores."

  var markdown: String {
    func list(_ items: [String]) -> String { items.map { "- \($0)" }.joined(separator: "\n") }
    func figure(_ picture: ScalingPicture) -> String {
      "![\(picture.caption)](\(picture.name).svg)\n\n\(picture.caption)"
    }
    var parts = ["# \(study.title)"]
    if let banner { parts.append("**\(banner)**") }
    parts += [
      summary.joined(separator: " "), "## Results", results.markdown, shares.markdown,
    ]
    if !processes.isEmpty { parts += ["## Processes", processResults.markdown] }
    if !peers.isEmpty { parts += ["## Peers", comparison.markdown] }
    parts += ["## Laws", list(lawTexts)] + (laws.rows.isEmpty ? [] : [laws.markdown])
    parts += ["## Simulation of more cores"]
    if let simulation {
      for scenario in simulation.scenarios {
        let title = scenario.title(study.mode)
        parts += ["### \(title)", scenario.bend, table(of: scenario).markdown]
      }
      parts += ["### Check", table(of: simulation.checks).markdown, "### Assumptions", list(simulation.assumptions)]
    } else {
      parts.append(Self.withoutSimulation)
    }
    if let nodes {
      parts += ["## Simulation of several nodes", nodesSentence(nodes)]
      for scenario in nodes.scenarios {
        parts += ["### \(scenario.title(cores: nodes.cores))", table(of: scenario).markdown]
      }
      if !nodes.checks.isEmpty { parts += ["### Check of nodes", table(of: nodes.checks).markdown] }
      parts += ["### Assumptions of nodes", list(nodes.assumptions)]
    }
    parts += ["## Pictures"] + pictures.map(figure)
    parts += ["## Machine", machine.markdown, "## Method", list(method), "    \(command)"]
    return parts.joined(separator: "\n\n") + "\n"
  }
}
