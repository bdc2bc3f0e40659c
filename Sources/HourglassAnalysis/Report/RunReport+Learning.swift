import HourglassData
import HourglassModels
import HourglassTraining

/// The section of the report on how training went.
extension RunReport {
  /// The epoch with the least validation loss, or where there is none with the least loss.
  var best: EpochMetrics? { epochs.min { ($0.validationLoss ?? $0.loss) < ($1.validationLoss ?? $1.loss) } }

  var learning: [String] {
    guard let first = epochs.first, let last = epochs.last else {
      return [HTML.paragraph("There are no metrics yet: no epoch is complete."), HTML.figures(stepFigures)]
    }
    let best = best ?? last
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
      HTML.figures(epochFigures(last) + stepFigures), HTML.table(titles, rows),
      changes.isEmpty ? "" : HTML.paragraph("The data changed \(changes.joined(separator: ", "))."),
    ] + warnings
  }

  private func epochFigures(_ last: EpochMetrics) -> [String] {
    var figures = [
      HTML.figure(
        svg: Pictures.lossCurve(recipe.model, epochs: epochs),
        caption: "The loss of each epoch, as the step that trained on an image saw it"
          + (last.validationLoss == nil ? "." : ", and of the validation images after the epoch."))
    ]
    let x = epochs.map { Double($0.epoch) }
    if recipe.model.isVariational {
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
    if epochs.contains(where: { $0.validationErrorRate != nil }) {
      var plot = SVGPlot(
        title: "\(recipe.model.name): error rate", xLabel: "epoch", yLabel: "% of the validation images",
        series: [.init(name: "validation", x: x, y: epochs.map { 100 * ($0.validationErrorRate ?? .nan) })])
      (plot.leastXStep, plot.yReaches) = (1, [0])
      figures.append(
        HTML.figure(
          svg: plot.svg(), caption: "The part of the validation images whose likeliest class is not their label."))
    }
    return figures
  }

  /// The loss and the learning rate along the steps; none for a run of a version that did not write them.
  private var stepFigures: [String] {
    guard steps.count > 1, let widest = steps.map(\.steps).max() else { return [] }
    // The middle of the steps that a row stands for.
    let x = steps.map { Double($0.step) - Double($0.steps - 1) / 2 }
    var loss = SVGPlot(
      title: "\(recipe.model.name): loss of the steps", xLabel: "step", yLabel: unit,
      series: [.init(name: "training", x: x, y: steps.map(\.loss))])
    var rate = SVGPlot(
      title: "\(recipe.model.name): learning rate", xLabel: "step", yLabel: "learning rate",
      series: [.init(name: "learning rate", x: steps.map { Double($0.step) }, y: steps.map { Double($0.learningRate) })]
    )
    (loss.leastXStep, rate.leastXStep, rate.yReaches) = (1, 1, [0])
    return [
      HTML.figure(
        svg: loss.svg(),
        caption: "The loss of each minibatch before its update"
          + (widest > 1 ? ", a point for the mean of \(grouped(widest)) steps." : ".") + " The numbers are in "
          + "\(StepLog.name)."),
      HTML.figure(svg: rate.svg(), caption: "By which the optimiser updated the weights."),
    ]
  }
}
