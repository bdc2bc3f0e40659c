import Foundation
import HourglassData

/// The report as one HTML page without scripts or other files, for screen, dark screen and paper.
extension ScalingReport {
  var page: String {
    let pictures = pictures
    func figures(_ names: Set<String>) -> String {
      let chosen = pictures.filter { names.contains($0.name) }
      return HTML.figures(chosen.map { HTML.figure(svg: $0.svg, caption: $0.caption) })
    }
    var sections = [
      HTML.section(
        "Results", [results.html(), figures(["speedup", "efficiency", "throughput", "shares"]), shares.html()])
    ]
    if !processes.isEmpty { sections.append(HTML.section("Processes", [processResults.html()])) }
    if !peers.isEmpty { sections.append(HTML.section("Peers", [comparison.html()])) }
    sections += [
      HTML.section("Fitted laws", [laws.rows.isEmpty ? "" : laws.html(), HTML.list(lawTexts)]),
      HTML.section("Simulation of more cores", simulationParts(figures(["simulation", "simulation-shares"]))),
      HTML.section("Simulation of several nodes", nodeParts(figures(["nodes-weak", "nodes-strong"]))),
      HTML.section("Same numbers on any division", [HTML.paragraph(bitsSentence)]),
      HTML.section("Machine", [machine.html(.facts)]),
      HTML.section("Method", [HTML.list(method)]),
      HTML.section(
        "How to repeat this",
        [HTML.paragraph("In a clone of the revision above, after make build:"), HTML.code(command)]),
    ]
    return HTML.page(
      title: "How training of \(study.model) scales",
      facts: "\(study.mode == .strong ? "Strong" : "Weak") scaling, \(study.machine.processor), "
        + "\(study.machine.grantedCores) of \(study.machine.cores) cores granted, \(study.machine.instructionSet)",
      banner: banner, summary: summary.joined(separator: " "), sections: sections)
  }

  private func nodeParts(_ figures: String) -> [String] {
    guard let nodes else { return [HTML.paragraph(Self.withoutSimulation)] }
    return [HTML.paragraph(nodesSentence(nodes)), figures]
      + nodes.scenarios.flatMap { [HTML.heading($0.title(cores: nodes.cores)), table(of: $0).html()] }
      + (nodes.checks.isEmpty ? [] : [HTML.heading("Simulated and measured"), table(of: nodes.checks).html()])
      + [HTML.heading("Assumptions"), HTML.list(nodes.assumptions)]
  }

  private func simulationParts(_ figures: String) -> [String] {
    guard let simulation else { return [HTML.paragraph(Self.withoutSimulation)] }
    let scenarios = simulation.scenarios.flatMap { scenario in
      [
        HTML.heading(scenario.title(study.mode)), HTML.paragraph(scenario.bend),
        table(of: scenario).html(.remarks),
      ]
    }
    return [
      HTML.paragraph(
        "A model of the step, calibrated with what one worker and two workers took for its parts, hands out shards and "
          + "slices as the engine does and follows every worker in time."), figures,
    ] + scenarios + [
      HTML.heading("Simulated and measured"), table(of: simulation.checks).html(), HTML.heading("Assumptions"),
      HTML.list(simulation.assumptions),
    ]
  }
}
