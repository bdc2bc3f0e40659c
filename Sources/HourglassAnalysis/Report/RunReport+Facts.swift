import HourglassData
import HourglassModels
import HourglassTraining

/// The sections of the report on codes, and on what the run was made from.
extension RunReport {
  /// So many classes can be told apart in one plot.
  private static let mostClasses = 24

  var codes: [String] {
    guard let findings else { return [HTML.paragraph(portable(missing))] }
    var figures: [String] = []
    if findings.units.variances.count > 1 { figures.append(scatter(findings)) }
    figures.append(units(findings))
    return [HTML.figures(figures)]
  }

  private func scatter(_ findings: Findings) -> String {
    let components = findings.components
    let (x, y) = (findings.coordinates[0], findings.coordinates[1])
    let isPlane = findings.units.variances.count == 2
    let count = Set(findings.labels ?? []).count
    var series = [SVGPlot.Series(name: "images", x: x, y: y, style: .dots)]
    if let labels = findings.labels, (2...Self.mostClasses).contains(count) {
      series = Dictionary(grouping: labels.indices) { labels[$0] }.sorted { $0.key < $1.key }.map { label, members in
        SVGPlot.Series(
          name: findings.classes?[label] ?? "\(label)", x: members.map { x[$0] }, y: members.map { y[$0] },
          style: .dots)
      }
    }
    let shares = components.shares.map { decimal(100 * $0, 1) + " %" }
    var plot = SVGPlot(
      title: "Codes of \(grouped(x.count)) images", xLabel: "first principal component, \(shares[0]) of the variance",
      yLabel: "second, \(shares[1])", series: series)
    plot.hasEqualAxes = true
    let colors =
      series.count > 1
      ? ", coloured by class, whose name stands at its median"
      : count > Self.mostClasses ? "; its \(count) classes are too many to colour" : "; the set has no classes"
    return HTML.figure(
      svg: plot.svg(),
      caption: (isPlane
        ? "The two units, turned" : "The \(findings.units.variances.count) units of the code in the plane")
        + " to where codes vary most\(colors).")
  }

  private func units(_ findings: Findings) -> String {
    let units = findings.units
    let values = units.divergences ?? units.variances
    let order = values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
    let (kinds, isVariational) = (units.kinds, units.divergences != nil)
    func series(_ name: String, color: Int, _ isShown: (Int) -> Bool) -> [SVGPlot.Series] {
      let ranks = order.indices.filter { isShown(order[$0]) }
      guard !ranks.isEmpty else { return [] }
      return [
        .init(
          name: name, x: ranks.map { Double($0 + 1) }, y: ranks.map { values[order[$0]] }, style: .bars(width: 1),
          color: color)
      ]
    }
    var plot = SVGPlot(
      title: isVariational ? "KL divergence of each latent unit" : "Variance of each unit of the code",
      xLabel: "rank of the unit", yLabel: isVariational ? "nats per image" : "variance",
      series: kinds.map { kinds in
        series("above \(LatentUnits.informative) nats", color: 0) { kinds[$0] == .informative }
          + series("barely alive", color: 1) { kinds[$0] == .faint }
          + series("inactive", color: 5) { kinds[$0] == .inactive }
      } ?? series("units", color: 0) { _ in true })
    plot.leastXStep = 1
    let caption =
      kinds.map { kinds in
        "\(units.sentence ?? "") Barely alive is a unit whose mean varies over images with a variance above "
          + "\(Evaluation.activeVariance), though it tells less. All units together have a KL divergence of "
          + "\(significant(values.reduce(0, +))) nats per image."
          + (kinds.allSatisfy { $0 == .inactive }
            ? " The posterior has collapsed: the decoder ignores the code." : "")
      }
      ?? "Over \(grouped(findings.coordinates[0].count)) images, the greatest first."
    return HTML.figure(svg: plot.svg(), caption: caption)
  }

  var recipeParts: [String] {
    let layers = ModelSummary(plan).table
    return [
      HTML.table([], facts(of: recipe), style: .facts), HTML.heading("Layers"),
      HTML.table(layers[0], Array(layers.dropFirst())),
      HTML.paragraph("Flops are those of a training step for one sample."),
    ]
  }

  /// All fields of a recipe but the model, as JSON names them, so that none is forgotten.
  func facts(of recipe: Recipe) -> [[String]] {
    guard case .object(let fields)? = try? JSONParser.parse(Array(JSONText.header(recipe).utf8)) else { return [] }
    return JSONValue.object(
      fields.map { name, value in
        switch name {
        case "model": (name, .text("\(recipe.model.name), \(recipe.model.likelihood.name) likelihood"))
        case "data" where recipe.data.path == nil: (name, .text("built-in images, \(recipe.data.split.rawValue)"))
        default: (name, value)
        }
      }
    ).rows().map { $0.map(portable) }
  }

  var machine: [String] {
    guard !sessions.isEmpty else { return [HTML.paragraph("environment.json does not tell where the run ran.")] }
    let shown = sessions.suffix(8)
    let rows = shown.map { session in
      [
        session.date, session.processor ?? "unknown", "\(session.grantedCores)", session.instructionSet,
        session.openMP ? "yes" : "no", "\(session.workers) x \(session.threads)",
        "\(session.version), Swift \(session.swift)",
      ]
    }
    let titles = ["session", "processor", "cores granted", "instructions", "OpenMP", "workers x threads", "version"]
    let left = sessions.count - shown.count
    return [
      left > 0 ? HTML.paragraph("The last \(shown.count) of \(sessions.count) sessions.") : "",
      HTML.table(titles, rows, style: .facts),
      HTML.code(
        shown.map { (["hourglass"] + $0.arguments).map(portable).joined(separator: " ") }.joined(separator: "\n")),
    ] + shares
  }

  /// What each worker did in the last step.
  private var shares: [String] {
    guard !workerTimes.isEmpty else { return [] }
    let rows = workerTimes.enumerated().map { worker, times in
      ["worker \(worker)"]
        + [times.shards, times.input, times.products, times.sums, times.updates].map {
          decimal(Double($0) / 1e6, 2) + " ms"
        }
    }
    return [
      HTML.heading("The last step"),
      HTML.table(["", "forward, backward", "of that input", "dense gradients", "adding up", "optimiser"], rows),
    ]
  }

  var memory: [String] {
    let parallel = parallel
    let memory = PlannedMemory(training: plan, parallel: parallel, recipe: recipe)
    func megabytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1e6, 1) + " MB" }
    return [
      HTML.paragraph(
        "All memory of a training step is planned before the first: batches of \(recipe.batchSize) in "
          + "\(plan.shards) shards, \(parallel.workers) workers x \(parallel.threads) threads."),
      HTML.table(
        [],
        [
          ["parameters, gradients, moments and what a batch shares", megabytes(memory.shared)],
          ["each replica", megabytes(memory.perReplica)],
          ["all, with \(memory.replicas) replicas", megabytes(memory.total)],
        ]),
    ]
  }
}

extension JSONValue {
  /// The characters of a text that are shown: a vocabulary would fill pages.
  private static let longest = 200
  /// The items of a list that are shown.
  private static let mostItems = 32

  private var text: String {
    switch self {
    case .object(let fields):
      fields.sorted { $0.name < $1.name }.map { "\($0.name) \($0.value.text)" }.joined(separator: ", ")
    case .list(let items):
      items.prefix(Self.mostItems).map(\.text).joined(separator: ", ")
        + (items.count > Self.mostItems ? ", ... (\(items.count))" : "")
    case .text(let text): text.count > Self.longest ? "\(text.prefix(Self.longest)) ..." : text
    case .number(let digits): digits
    case .bool(let flag): flag ? "yes" : "no"
    case .null: "none"
    }
  }

  /// A row for each field: its name and its value. Names of fields of an inner object stand behind the name of the
  /// object.
  fileprivate func rows(_ prefix: String = "") -> [[String]] {
    guard case .object(let fields) = self else { return [[prefix, text]] }
    return fields.sorted { $0.name < $1.name }.flatMap { name, value in
      // learningRate as learning rate.
      let words = name.replacing(/[A-Z]/) { " " + $0.output.lowercased() }
      return value.rows(prefix.isEmpty ? words : "\(prefix), \(words)")
    }
  }
}
