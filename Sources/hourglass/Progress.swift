import Foundation
import HourglassBase
import HourglassModels
import HourglassTraining

/// How far training is, on standard error: a bar on a terminal, elsewhere a line at intervals and after each epoch.
final class Progress {
  private let isQuiet: Bool
  private let isTerminal = StandardError.isTerminal
  private let usesColor = (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
  private let clock = ContinuousClock()
  /// Where this session began to count: after its first step, whose time is not typical.
  private var start: (time: ContinuousClock.Instant, samples: Int, step: Int)?
  private var shown: ContinuousClock.Instant
  private var barIsShown = false

  /// At most ten times a second on a terminal; elsewhere every ten seconds.
  private var interval: Duration { isTerminal ? .milliseconds(100) : .seconds(10) }

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    shown = clock.now
  }

  func show(_ event: Trainer.Event, of recipe: Recipe) {
    switch event {
    case .step(let report): if !isQuiet { show(report, epochs: recipe.epochs) }
    case .epoch(let metrics):
      note(Self.line(metrics, terms: recipe.model.terms))
      clear()
      for warning in metrics.warnings ?? [] { StandardError.write("hourglass: warning: \(warning)") }
    case .checkpoint: break
    }
  }

  /// A line that stays.
  func note(_ line: String) {
    guard !isQuiet else { return }
    clear()
    StandardError.write(line)
  }

  /// Takes the bar away.
  func clear() {
    if barIsShown { StandardError.draw("\r\u{1B}[K") }
    barIsShown = false
  }

  private func show(_ report: Trainer.StepReport, epochs: Int?) {
    let now = clock.now
    guard let start else {
      start = (now, report.samples, report.step)
      return
    }
    guard now - shown >= interval || (isTerminal && report.step == report.lastStep) else { return }
    shown = now
    let seconds = max((now - start.time) / .seconds(1), 1e-9)
    let rate = Double(report.samples - start.samples) / seconds
    let left = seconds / Double(max(1, report.step - start.step)) * Double(report.lastStep - report.step)
    let epoch = "epoch \(report.epoch + 1)" + (epochs.map { "/\($0)" } ?? "")
    let loss = "loss \(significant(report.loss.total, 5))"
    let exchange = report.exchangePercent.map { "  exchange \(decimal($0, 0)) %" } ?? ""
    let figures = "\(grouped(Int(clamping: rate))) samples/s  \(loss)\(exchange)  \(Self.duration(left)) left"
    if isTerminal {
      draw(epoch, Double(report.step) / Double(report.lastStep), figures)
    } else {
      StandardError.write("step \(report.step) of \(report.lastStep)  \(epoch)  \(figures)")
    }
  }

  private func draw(_ epoch: String, _ part: Double, _ figures: String) {
    let percent = String(format: "%3d %%", Int(clamping: 100 * part))
    let text = "\(epoch)  \(percent)  \(figures)"
    let room = min(40, Self.terminalWidth() - text.count - 3)
    guard room >= 8 else { return redraw(String(text.prefix(max(1, Self.terminalWidth() - 1)))) }
    let full = Int(clamping: Double(room) * part)
    let (done, rest) = (String(repeating: "━", count: full), String(repeating: "─", count: room - full))
    let bar = usesColor ? "\u{1B}[36m\(done)\u{1B}[2m\(rest)\u{1B}[0m" : done + rest
    redraw("\(epoch)  \(bar)  \(percent)  \(figures)")
  }

  private func redraw(_ line: String) {
    StandardError.draw("\r\u{1B}[K" + line)
    barIsShown = true
  }

  private static func terminalWidth() -> Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private static func line(_ metrics: EpochMetrics, terms: [LossTerm]) -> String {
    var line = "epoch \(metrics.epoch)  loss \(decimal(metrics.loss))"
    if !terms.isEmpty { line += "  reconstruction \(decimal(metrics.reconstruction))" }
    for term in terms { line += "  \(term.name) \(decimal(metrics.value(of: term) ?? 0))" }
    if let perplexity = metrics.perplexity { line += "  perplexity \(decimal(perplexity))" }
    if let loss = metrics.validationLoss { line += "  validation \(decimal(loss))" }
    if let rate = metrics.validationErrorRate { line += "  error \(decimal(100 * rate, 2)) %" }
    line += "  \(grouped(Int(clamping: metrics.samplesPerSecond))) samples/s"
    line += metrics.inputPercent.map { "  input \(decimal($0, 2)) %" } ?? ""
    return line + (metrics.exchangePercent.map { "  exchange \(decimal($0, 2)) %" } ?? "")
  }

  /// 3:07, or 1:02:03.
  private static func duration(_ seconds: Double) -> String {
    guard seconds < 360_000 else { return "days" }
    let whole = Int(clamping: seconds.rounded(.up))
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, whole % 60) : String(format: "%d:%02d", minutes, whole % 60)
  }
}
