import HourglassData
import HourglassModels
import HourglassTraining

/// The section of the report that compares the run with others.
extension RunReport {
  /// What the metrics of a run tell, for a comparison.
  public struct Outcome: Encodable, Sendable {
    /// The name of the run.
    public var run: String
    public var model: String
    public var parameters: Int
    public var epochs: Int
    public var steps: Int
    /// The loss of the last epoch.
    public var loss: Double?
    /// The epoch with the least validation loss, or where there is none with the least loss.
    public var bestEpoch: Int?
    /// The measures of that epoch.
    public var validationLoss: Double?
    public var validationMSE: Double?
    public var validationErrorRate: Double?
    public var samplesPerSecond: Double?
    public var seconds: Double?
  }

  private var outcome: Outcome {
    Outcome(
      run: name, model: recipe.model.name, parameters: ModelSummary(plan).parameters, epochs: epochs.last?.epoch ?? 0,
      steps: epochs.last?.step ?? 0, loss: epochs.last?.loss, bestEpoch: best?.epoch,
      validationLoss: best?.validationLoss, validationMSE: best?.validationMSE,
      validationErrorRate: best?.validationErrorRate, samplesPerSecond: epochs.last?.samplesPerSecond,
      seconds: epochs.last?.seconds)
  }

  /// This run and the others, each under a name of its own; nil where there are no others.
  public var outcomes: [Outcome]? {
    guard !others.isEmpty else { return nil }
    var outcomes = ([self] + others).map(\.outcome)
    for index in outcomes.indices.dropFirst() {
      let (name, taken) = (outcomes[index].run, Set(outcomes[..<index].map(\.run)))
      var number = 2
      while taken.contains(outcomes[index].run) {
        outcomes[index].run = "\(name) (\(number))"
        number += 1
      }
    }
    return outcomes
  }

  /// The section; empty where there are no other runs.
  var comparison: String {
    guard let outcomes else { return "" }
    let runs = [self] + others
    func text(_ value: Double?) -> String { value.map { significant($0) } ?? "" }
    let columns: [(title: String, value: (Outcome) -> String)] = [
      ("run", \.run), ("model", \.model), ("parameters", { grouped($0.parameters) }),
      ("epochs", { "\($0.epochs)" }), ("steps", { grouped($0.steps) }), ("loss", { text($0.loss) }),
      ("best epoch", { $0.bestEpoch.map { "\($0)" } ?? "" }), ("validation loss", { text($0.validationLoss) }),
      ("validation MSE", { text($0.validationMSE) }), ("validation error rate", { text($0.validationErrorRate) }),
      ("samples/s", { $0.samplesPerSecond.map { grouped(Int(clamping: $0)) } ?? "" }),
      ("seconds", { text($0.seconds) }),
    ]
    let known = columns.filter { column in outcomes.contains { !column.value($0).isEmpty } }
    let curves: [(title: String, unit: String, value: (RunReport, EpochMetrics) -> Double?)] = [
      ("Loss", unit, { $0.unit == unit ? $1.loss : nil }),
      ("Validation loss", unit, { $0.unit == unit ? $1.validationLoss : nil }),
      ("Validation error", "mean squared error per pixel", { $1.validationMSE }),
      ("Error rate", "% of the validation images", { $1.validationErrorRate.map { 100 * $0 } }),
    ]
    let figures = curves.compactMap { curve -> String? in
      let series = zip(outcomes, runs).compactMap { outcome, run -> SVGPlot.Series? in
        let points = run.epochs.compactMap { row in curve.value(run, row).map { (Double(row.epoch), $0) } }
        guard !points.isEmpty else { return nil }
        return SVGPlot.Series(name: outcome.run, x: points.map(\.0), y: points.map(\.1))
      }
      guard series.count > 1 else { return nil }
      var plot = SVGPlot(title: curve.title, xLabel: "epoch", yLabel: curve.unit, series: series)
      plot.leastXStep = 1
      return HTML.figure(svg: plot.svg(), caption: "The run of this page is the first.")
    }
    let others = runs.contains { $0.unit != unit }
    return HTML.section(
      "Beside other runs",
      [
        HTML.paragraph(
          "From the metrics of the runs. Validation figures are those of the best epoch, each on the validation images "
            + "of its own run." + (others ? " Losses of different units cannot be compared." : "")),
        HTML.table(known.map(\.title), outcomes.map { outcome in known.map { $0.value(outcome) } }),
        HTML.figures(figures), HTML.heading("Recipes that differ"),
        HTML.table(["setting"] + outcomes.map(\.run), differences(runs), style: .facts),
      ])
  }

  /// The fields in which the recipes differ, a row each with the value of every run.
  private func differences(_ runs: [RunReport]) -> [[String]] {
    let facts = runs.map { run in
      [["model", run.recipe.model.name]] + run.facts(of: run.recipe).filter { $0[0] != "model" }
    }
    var names: [String] = []
    for row in facts.joined() where !names.contains(row[0]) { names.append(row[0]) }
    return names.compactMap { name in
      let values = facts.map { rows in rows.first { $0[0] == name }?[1] ?? "" }
      return Set(values).count > 1 ? [name] + values : nil
    }
  }
}
