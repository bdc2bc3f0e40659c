import FoundationEssentials
import HourglassData
import HourglassModels
import HourglassTraining

extension RunReport {
  /// One HTML page without scripts and without other files, for screen, dark screen and paper.
  public var page: String {
    get throws(DataError) {
      let name = URL(fileURLWithPath: run.path).lastPathComponent
      let model = recipe.model
      let kind = model.isVariational ? "A variational autoencoder" : "An autoencoder"
      return HTML.page(
        title: "\(name): \(model.name)",
        facts: "\(kind) for images of \(model.input) with a code of "
          + "\(plan.codeShape), \(grouped(ModelSummary(plan).parameters)) parameters",
        summary: summary.joined(separator: " "),
        sections: [
          HTML.section("Learning", learning),
          try outputSections.joined(),
          try anomalySection.joined(), HTML.section("Codes", codes), HTML.section("Recipe", recipeParts),
          HTML.section("Machine", machine),
          HTML.section("Per-layer time", layerTimes),
          HTML.section("Memory", memory),
        ])
    }
  }

  private var summary: [String] {
    var sentences: [String] = []
    if let progress {
      let of = recipe.epochs.map { " of \($0)" } ?? ""
      let rate = Int(clamping: Double(progress.samples) / max(progress.seconds, 1e-9))
      sentences.append(
        "Done are \(grouped(progress.step)) steps and \(grouped(epochsDone(progress)))\(of) epochs, at "
          + "\(grouped(rate)) samples/s.")
    }
    if let last = epochs.last {
      let validation = last.validationLoss.map { ", of the validation \(significant($0))" } ?? ""
      sentences.append("The loss of epoch \(last.epoch) is \(significant(last.loss)) \(unit)\(validation).")
    }
    guard let findings else { return sentences + [missing] }
    let found = findings.evaluation
    let what = "On \(grouped(found.samples)) \(findings.name)"
    if let mse = found.mse, let psnr = found.psnr, let ssim = found.ssim {
      sentences.append(
        "\(what) the mean squared error per pixel is \(significant(mse)) (PSNR \(decimal(psnr, 1)) dB), "
          + "the structural similarity \(significant(ssim)).")
    } else if let errorRate = found.errorRate {
      sentences.append("\(what) the likeliest class is wrong for \(decimal(100 * errorRate, 2)) %.")
    } else {
      sentences.append("\(what) the loss is \(significant(found.loss)) \(unit).")
    }
    if let active = found.activeUnits {
      sentences.append("\(active) of \(findings.units.variances.count) latent units are active.")
    }
    return sentences
  }

  private func epochsDone(_ progress: Checkpoint.Progress) -> Int {
    epochs.last { $0.step <= progress.step }?.epoch ?? 0
  }

  private var learning: [String] {
    guard let first = epochs.first, let last = epochs.last else {
      return [HTML.paragraph("There are no metrics yet: no epoch is complete.")]
    }
    var figures = [
      HTML.figure(
        svg: Pictures.lossCurve(recipe.model, epochs: epochs),
        caption: "The loss of each epoch, as the step that trained on an image saw it"
          + (last.validationLoss == nil ? "." : ", and of the validation images after the epoch."))
    ]
    if recipe.model.isVariational {
      let x = epochs.map { Double($0.epoch) }
      var plot = SVGPlot(
        title: "\(recipe.model.name): parts of the loss", xLabel: "epoch", yLabel: "per image",
        series: [
          .init(name: "reconstruction", x: x, y: epochs.map(\.reconstruction)),
          .init(name: "KL divergence in nats", x: x, y: epochs.map(\.kl)),
        ])
      plot.leastXStep = 1
      figures.append(
        HTML.figure(
          svg: plot.svg(), caption: "The loss is the reconstruction and \(recipe.beta) times the KL divergence."))
    }
    let best = epochs.min { ($0.validationLoss ?? $0.loss) < ($1.validationLoss ?? $1.loss) } ?? last
    let terms = recipe.model.terms.map { term in
      (title: term.name, value: { (row: EpochMetrics) in row.value(of: term) })
    }
    let columns: [(title: String, value: (EpochMetrics) -> Double?)] =
      [("loss", { $0.loss }), ("reconstruction", { $0.reconstruction })] + terms + [
        ("perplexity", { $0.perplexity }), ("validation loss", { $0.validationLoss }),
        ("validation MSE", { $0.validationMSE }),
        ("validation error rate", { $0.validationErrorRate }),
      ]
    let known = columns.filter { column in epochs.contains { column.value($0) != nil } }
    let rows = [("first", first), ("best", best), ("last", last)].map { name, row in
      [name, "\(row.epoch)", grouped(row.step)] + known.map { $0.value(row).map { significant($0) } ?? "" }
        + [grouped(Int(clamping: row.samplesPerSecond))]
    }
    let titles = ["", "epoch", "steps"] + known.map(\.title) + ["samples/s"]
    let changes = zip(epochs, epochs.dropFirst()).filter { $0.dataChanges ?? 0 < $1.dataChanges ?? 0 }
      .map { "before epoch \($1.epoch) (from \(grouped($0.images ?? 0)) images to \(grouped($1.images ?? 0)))" }
    let warnings = epochs.flatMap { row in (row.warnings ?? []).map { HTML.paragraph("Epoch \(row.epoch): \($0).") } }
    return [
      HTML.figures(figures), HTML.table(titles, rows),
      changes.isEmpty ? "" : HTML.paragraph("The data changed \(changes.joined(separator: ", "))."),
    ] + warnings
  }

  /// What the model puts out.
  private var outputSections: [String] {
    get throws(DataError) {
      switch recipe.model.likelihood.target {
      case .label: [HTML.section("Labels", labels)]
      case .nothing: []
      case .image:
        [
          HTML.section("Reconstructions", try reconstructions),
          HTML.section(
            recipe.model.isVariational ? "Samples and latent traversals" : "Between codes", try generation),
        ]
      }
    }
  }

  private var labels: [String] {
    guard let findings else { return [HTML.paragraph(missing)] }
    let introduction = "The model puts out labels, not images, so there are no reconstructions."
    guard let confusion = findings.evaluation.confusion else { return [HTML.paragraph(introduction)] }
    let names = findings.evaluation.classes ?? []
    let rows = zip(names, confusion).map { [$0] + $1.map(grouped) }
    return [
      HTML.paragraph(
        "\(introduction) Of \(grouped(findings.evaluation.samples)) \(findings.name) (\(findings.source)): a row for "
          + "each label, a column for the likeliest class."),
      HTML.table(["label"] + names.prefix(confusion[0].count), rows),
    ]
  }

  private var reconstructions: [String] {
    get throws(DataError) {
      guard let findings else { return [HTML.paragraph(missing)] }
      var figures = try findings.bands.map { (band) throws(DataError) in
        let (low, high) = (band.errors.min() ?? 0, band.errors.max() ?? 0)
        return try HTML.figure(
          png: band.picture, description: "\(band.title) reconstructions",
          caption: "The \(band.title): originals above reconstructions, errors \(significant(low)) to "
            + "\(significant(high)).")
      }
      figures.append(histogram(findings))
      return [
        Pictures.refusal(of: recipe.model).map { HTML.paragraph("No pictures: \($0).") } ?? "",
        HTML.paragraph(
          "Of \(grouped(findings.errors.count)) \(findings.name) (\(findings.source)), by the mean squared error per "
            + "pixel that hourglass evaluate measures."), HTML.figures(figures),
      ]
    }
  }

  private func histogram(_ findings: Findings) -> String {
    let histogram = Histogram(findings.errors)
    let sorted = findings.errors.filter(\.isFinite).sorted()
    let plot = SVGPlot(
      title: "Errors of \(grouped(sorted.count)) images", xLabel: "mean squared error per pixel", yLabel: "images",
      series: [
        .init(
          name: "images", x: histogram.middles, y: histogram.counts.map(Double.init),
          style: .bars(width: histogram.width))
      ])
    let percentiles = [("median", 0.5), ("95th percentile", 0.95), ("greatest", 1)].map { name, part in
      "\(name) \(sorted.isEmpty ? "unknown" : significant(sorted[Int(clamping: part * Double(sorted.count - 1))]))"
    }
    let lost = findings.errors.count - sorted.count
    return HTML.figure(
      svg: plot.svg(),
      caption: percentiles.joined(separator: ", ") + (lost > 0 ? "; \(lost) errors are not finite." : "."))
  }

  private var generation: [String] {
    get throws(DataError) {
      if let refusal = Pictures.refusal(of: recipe.model) { return [HTML.paragraph("No pictures: \(refusal).")] }
      if let refusal = plan.decodingRefusal { return [HTML.paragraph("No pictures: \(refusal).")] }
      var figures: [String] = []
      if let samples {
        figures.append(
          try HTML.figure(
            png: samples, description: "samples", caption: "What the decoder makes of codes drawn from the prior."))
      }
      if let walks = findings?.walks {
        let caption =
          recipe.model.isVariational
          ? "A row for each of the most active units: the code of one image with that unit going from -3 to 3."
          : "A row for each pair of images: codes on the straight line from that of one to that of the other."
        figures.append(try HTML.figure(png: walks, description: "decoded codes", caption: caption))
      }
      return (figures.isEmpty ? [] : [HTML.figures(figures)]) + (findings == nil ? [HTML.paragraph(missing)] : [])
    }
  }
}

extension ModelSummary {
  /// The summary for people to read: titles, a row of cells for each layer, and a row with the sums.
  package var table: [[String]] {
    func number(_ value: Int) -> String { value == 0 ? "" : grouped(value) }
    let titles = ["layer", "kind", "output", "activation", "parameters", "flops"]
    let layers = rows.map { row in
      [
        row.name, row.kind, "\(row.output)", row.activation == .linear ? "" : row.activation.description,
        number(row.parameters), number(row.trainingFlops),
      ]
    }
    return [titles] + layers + [["total", "", "", "", grouped(parameters), grouped(trainingFlops)]]
  }
}
