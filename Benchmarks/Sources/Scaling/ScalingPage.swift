import Foundation
import HourglassData

/// The report as one HTML page without scripts and without other files, for screen, dark screen and paper.
extension ScalingReport {
  var page: String {
    let pictures = pictures
    func figures(_ names: Set<String>) -> String {
      let chosen = pictures.filter { names.contains($0.name) }
      let parts = chosen.map { "<figure>\n\($0.svg)<figcaption>\(SVG.escaped($0.caption))</figcaption>\n</figure>" }
      return "<div class=\"figures\">\n\(parts.joined(separator: "\n"))\n</div>"
    }
    var sections = [
      section(
        "Results", [table(results), figures(["speedup", "efficiency", "throughput", "shares"]), table(shares)])
    ]
    if !peers.isEmpty { sections.append(section("Peers", [table(comparison)])) }
    sections += [
      section("Fitted laws", [laws.rows.isEmpty ? "" : table(laws), list(lawTexts)]),
      section("Simulation of more cores", simulationParts(figures(["simulation", "simulation-shares"]))),
      section("Same numbers on any division", [paragraph(bitsSentence)]),
      section("Machine", [table(machine, style: "facts")]),
      section("Method", [list(method)]),
      section("How to repeat this", [paragraph("In a clone of the revision above, after make build:"), code(command)]),
    ]
    let title = SVG.escaped("How training of \(study.model) scales")
    let facts = SVG.escaped(
      "\(study.mode == .strong ? "Strong" : "Weak") scaling, \(study.machine.processor), "
        + "\(study.machine.grantedCores) of \(study.machine.cores) cores granted, \(study.machine.instructionSet)")
    let text = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(title)</title>
      <style>
      \(Self.styleSheet)
      </style>
      </head>
      <body>
      <header>
      <h1>\(title)</h1>
      <p class="facts">\(facts)</p>
      </header>
      <p class="summary">\(SVG.escaped(summary.joined(separator: " ")))</p>
      \(sections.joined(separator: "\n"))
      </body>
      </html>

      """
    // No line begins with the sign.
    return text.replacingOccurrences(of: " %", with: "\u{A0}%")
  }

  private func simulationParts(_ figures: String) -> [String] {
    guard let simulation else { return [paragraph(Self.withoutSimulation)] }
    let scenarios = simulation.scenarios.flatMap { scenario in
      [
        "<h3>\(SVG.escaped(scenario.title(study.mode)))</h3>", paragraph(scenario.bend),
        table(table(of: scenario), style: "simulated"),
      ]
    }
    return [
      paragraph(
        "A model of the step, calibrated with what one worker and two workers took for its parts, hands out shards and "
          + "slices as the engine does and follows every worker in time."), figures,
    ] + scenarios + [
      "<h3>Simulated and measured</h3>", table(table(of: simulation.checks)), "<h3>Assumptions</h3>",
      list(simulation.assumptions),
    ]
  }

  private func section(_ title: String, _ parts: [String]) -> String {
    "<section>\n<h2>\(SVG.escaped(title))</h2>\n\(parts.joined(separator: "\n"))\n</section>"
  }

  private func table(_ table: ReportTable, style: String = "figures-only") -> String {
    "<div class=\"table \(style)\">\(table.html)</div>"
  }

  private func list(_ items: [String]) -> String {
    "<ul>\n\(items.map { "<li>\(SVG.escaped($0))</li>" }.joined(separator: "\n"))\n</ul>"
  }

  private func paragraph(_ text: String) -> String { "<p>\(SVG.escaped(text))</p>" }
  private func code(_ text: String) -> String { "<pre>\(SVG.escaped(text))</pre>" }

  private static let styleSheet = """
    :root { color-scheme: light dark;
      --page: #ffffff; --text: #1f2328; --dim: #59636e; --rule: #d1d9e0; --tint: #f6f8fa; }
    @media screen and (prefers-color-scheme: dark) {
    :root { --page: #0d1117; --text: #e6edf3; --dim: #9198a1; --rule: #3d444d; --tint: #151b23; }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 24px; max-width: 1320px; background: var(--page); color: var(--text);
      font: 16px/1.5 system-ui, "Liberation Sans", sans-serif; }
    h1 { margin: 0; font-size: 28px; line-height: 1.25; }
    h2 { margin: 40px 0 12px; padding-bottom: 4px; border-bottom: 1px solid var(--rule); font-size: 21px; }
    h3 { margin: 24px 0 8px; font-size: 17px; }
    p, ul { max-width: 860px; margin: 8px 0; }
    ul { padding-left: 22px; }
    li { margin: 4px 0; }
    p.facts { margin: 4px 0 0; color: var(--dim); }
    .summary { margin: 20px 0; padding: 14px 18px; background: var(--tint);
      border-left: 4px solid #0072b2; font-size: 17px; }
    .figures { display: grid; grid-template-columns: 1fr; gap: 20px; margin: 20px 0; justify-items: start; }
    @media screen and (min-width: 1240px) { .figures { grid-template-columns: 1fr 1fr; } }
    figure { margin: 0; width: 100%; max-width: 720px; }
    svg { display: block; width: 100%; height: auto; }
    figcaption { margin-top: 6px; color: var(--dim); font-size: 14px; }
    .table { overflow-x: auto; margin: 12px 0; }
    table { border-collapse: collapse; font-size: 14px; line-height: 1.35; font-variant-numeric: tabular-nums; }
    th, td { padding: 5px 10px; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
    th { vertical-align: bottom; font-weight: 600; }
    th:first-child, td:first-child, .facts td, .facts th, .simulated :is(th, td):last-child { text-align: left; }
    @media (max-width: 900px) { th, td { padding: 4px; } table { font-size: 13px; } }
    td span { color: var(--dim); font-size: 12.5px; white-space: nowrap; }
    @media print, (max-width: 900px) { td span { display: block; } }
    pre { margin: 8px 0; padding: 10px 14px; background: var(--tint); font: 14px/1.5 ui-monospace, monospace;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    @media print {
    :root { color-scheme: light; }
    body { padding: 0; font-size: 11pt; }
    .summary { font-size: 12pt; }
    table { font-size: 9pt; }
    td span { font-size: 8.5pt; }
    figure, tr, .summary { break-inside: avoid; }
    h2, h3 { break-after: avoid; }
    }
    """
}
