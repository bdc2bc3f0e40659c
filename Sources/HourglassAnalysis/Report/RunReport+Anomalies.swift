import HourglassData
import HourglassTraining

/// The section of the report on images that score as unusual.
extension RunReport {
  var anomalySection: [String] {
    get throws(DataError) {
      guard let anomalies else { return [] }
      let (scores, threshold) = (anomalies.scores, anomalies.threshold)
      let above = scores.scores.count { $0 > threshold.value }
      var parts = [
        HTML.paragraph(
          "Of \(grouped(scores.scores.count)) pictures (\(portable(anomalies.source))) \(grouped(above)) score above "
            + "the threshold of \(significant(threshold.value)): \(portable(threshold.chosen)). The score is the "
            + "\(threshold.scoreName).")
      ]
      var figures = [histogram(anomalies)]
      if let truth = anomalies.truth {
        parts.append(table(scores.detection(above: threshold.value, truth)))
        figures += curves(scores, truth)
      }
      parts.append(HTML.figures(figures))
      parts.append(
        HTML.paragraph(
          "The highest scores: original, reconstruction, and squared error from 0 to "
            + "\(significant(Double(anomalies.scale)))."
        ))
      parts.append(
        HTML.figures(
          try anomalies.highest.map { (shown) throws(DataError) in
            let caption = "\(printablePath(shown.name)): \(significant(shown.score))"
            guard let picture = shown.picture else { return HTML.paragraph(caption) }
            return try HTML.figure(png: picture, description: "original, reconstruction and map", caption: caption)
          }))
      return [HTML.section("Anomalies", parts)]
    }
  }

  private func table(_ found: AnomalyScores.Detection) -> String {
    func text(_ value: Double?) -> String { value.map { significant($0) } ?? "unknown" }
    return HTML.table(
      ["", "above the threshold", "below it"],
      [
        ["anomalies", grouped(found.truePositives), grouped(found.falseNegatives)],
        ["normal pictures", grouped(found.falsePositives), grouped(found.trueNegatives)],
      ])
      + HTML.paragraph("Precision \(text(found.precision)), recall \(text(found.recall)), F1 \(text(found.f1)).")
  }

  private func histogram(_ anomalies: AnomalyFindings) -> String {
    let (scores, value) = (anomalies.scores.scores, anomalies.threshold.value)
    let histogram = Histogram(scores)
    let style = SVGPlot.Series.Style.bars(width: histogram.width)
    var series = [
      SVGPlot.Series(
        name: anomalies.truth == nil ? "pictures" : "anomalies", x: histogram.middles,
        y: histogram.counts.map(Double.init), style: style, color: anomalies.truth == nil ? 0 : 1)
    ]
    if let truth = anomalies.truth {
      // In front of all, so that anomalies stand above them.
      let normal = histogram.counts(of: zip(scores, truth).filter { !$1 }.map(\.0))
      series.append(
        SVGPlot.Series(
          name: "normal pictures", x: histogram.middles, y: normal.map(Double.init), style: style, color: 0))
    }
    let most = Double(histogram.counts.max() ?? 1)
    series.append(
      SVGPlot.Series(name: "threshold", x: [value, value], y: [0, most], style: .dashed, color: 5))
    let plot = SVGPlot(title: "Scores", xLabel: anomalies.threshold.scoreName, yLabel: "pictures", series: series)
    return HTML.figure(
      svg: plot.svg(), caption: "How many pictures have which score, one kind above the other, and the threshold.")
  }

  private func curves(_ scores: AnomalyScores, _ truth: [Bool]) -> [String] {
    guard let curves = scores.curves(truth), let area = scores.rocAUC(truth),
      let precision = scores.averagePrecision(truth)
    else { return [] }
    func plot(_ title: String, _ x: String, _ y: String, _ points: [(x: Double, y: Double)]) -> String {
      var plot = SVGPlot(
        title: title, xLabel: x, yLabel: y,
        series: [.init(name: "all thresholds", x: points.map(\.x), y: points.map(\.y))])
      plot.yReaches = [0, 1]
      return plot.svg()
    }
    return [
      HTML.figure(
        svg: plot("ROC", "false positive rate", "true positive rate", curves.roc),
        caption: "The area under it, ROC-AUC, is \(significant(area))."),
      HTML.figure(
        svg: plot("Precision and recall", "recall", "precision", curves.precisionRecall),
        caption: "The average precision, PR-AUC, is \(significant(precision))."),
    ]
  }
}

extension ScoreThreshold {
  /// The name of the score that the threshold is compared with.
  var scoreName: String {
    switch by {
    case .error: "squared error of the expected image, per pixel"
    case .likelihood: "loss of the model" + (samples.map { ", mean over \($0) draws of the code" } ?? "")
    }
  }
}
