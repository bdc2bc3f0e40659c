import HourglassData
import HourglassModels
import HourglassTraining

extension RunReport {
  /// One HTML page without scripts and without other files, for screen, dark screen and paper.
  public var page: String {
    get throws(DataError) {
      let model = recipe.model
      return HTML.page(
        title: "\(name): \(model.name)",
        facts: "\(kind) for images of \(model.input) with a code of "
          + "\(plan.codeShape), \(grouped(ModelSummary(plan).parameters)) parameters",
        summary: portable(summary.joined(separator: " ")),
        sections: [
          HTML.section("Learning", learning), comparison,
          try outputSections.joined(),
          try anomalySection.joined(), HTML.section("Codes", codes), HTML.section("Recipe", recipeParts),
          HTML.section("Machine", machine),
          HTML.section("Per-layer time", layerTimes),
          HTML.section("Memory", memory),
        ])
    }
  }

  /// What the model is, for the line below the title.
  private var kind: String {
    let model = recipe.model
    return switch model.likelihood {
    case .categorical: "A classifier"
    case .labelSquaredError: "A regression"
    case .squaredNorm: "A one-class model"
    default:
      model.objective != nil
        ? "A restricted Boltzmann machine" : model.isVariational ? "A variational autoencoder" : "An autoencoder"
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
    return sentences + [findings.units.sentence].compactMap(\.self)
  }

  private func epochsDone(_ progress: Checkpoint.Progress) -> Int {
    epochs.last { $0.step <= progress.step }?.epoch ?? 0
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

  private var reconstructions: [String] {
    get throws(DataError) {
      guard let findings else { return [HTML.paragraph(portable(missing))] }
      var figures = try findings.bands.map { (band) throws(DataError) in
        let (low, high) = (band.images.map(\.error).min() ?? 0, band.images.map(\.error).max() ?? 0)
        let names = Self.list(band.images.map { printablePath($0.name) })
        return try HTML.figure(
          png: band.picture, description: "\(band.title) reconstructions",
          caption: "The \(band.title): originals above reconstructions, errors \(significant(low)) to "
            + "\(significant(high)). From the left: \(names).")
      }
      figures.append(histogram(findings))
      return [
        Pictures.refusal(of: recipe.model).map { HTML.paragraph("No pictures: \($0).") } ?? "",
        HTML.paragraph(
          "Of \(grouped(findings.errors.count)) \(portable(findings.name)) (\(portable(findings.source))), by the mean "
            + "squared error per pixel that hourglass evaluate measures."), HTML.figures(figures),
      ]
    }
  }

  /// The names of images, with that of a file which all of them lie in once: `images.npy, the images 3, 1, 4`.
  private static func list(_ names: [String]) -> String {
    let places = names.compactMap { $0.wholeMatch(of: /(.*)\[(\d+)\]/)?.output }
    guard let file = places.first?.1, places.count == names.count, places.allSatisfy({ $0.1 == file }) else {
      return names.joined(separator: ", ")
    }
    return "\(file), the images \(places.map { String($0.2) }.joined(separator: ", "))"
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
      return (figures.isEmpty ? [] : [HTML.figures(figures)])
        + (findings == nil ? [HTML.paragraph(portable(missing))] : [])
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
