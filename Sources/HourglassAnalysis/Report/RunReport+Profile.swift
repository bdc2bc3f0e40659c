import HourglassData
import HourglassTraining

/// The section of the report on the time of each layer.
extension RunReport {
  var layerTimes: [String] {
    guard let profile = run.profile else {
      let file = portable(run.file("recipe.json"))
      return [
        HTML.paragraph(
          "Not measured. hourglass train --config \(file) --profile --steps 100 times each layer in a new run.")
      ]
    }
    let picture = ProfilePicture(profile: profile)
    let caption =
      "Mean over the workers of the time in a step. The peak is what all workers together reached just before the "
      + "first step, multiplying and adding in registers; a kernel that skips padding, which counts as work, may go "
      + "beyond."
    return [
      HTML.paragraph("Measured over \(profile.summary)."),
      HTML.figures([HTML.figure(svg: picture.svg(), caption: caption)]),
      HTML.table(profile.table[0], Array(profile.table.dropFirst())),
    ]
  }
}

/// A bar for each layer, and one for what belongs to no layer: the time of its passes, and their share of the
/// processor's peak.
struct ProfilePicture {
  let profile: StepProfile

  private struct Bar {
    var name: String
    /// Milliseconds, and the colour of what took them.
    var parts: [(milliseconds: Double, color: Int)]
    var note: String
  }

  private static let legend = [
    ("forward", 0), ("data gradient", 1), ("parameter gradient", 2), ("other work", 3), ("waiting", 5),
  ]
  private static let (width, left, right, rowHeight) = (460.0, 14.0, 446.0, 38.0)

  private var bars: [Bar] {
    let layers = profile.layers.map { layer in
      let milliseconds = layer.rows.reduce(0) { $0 + $1.milliseconds }
      let gigaflops = layer.rows.reduce(0) { $0 + ($1.gigaflopsPerSecond ?? 0) * $1.milliseconds }
      let share = gigaflops / max(milliseconds * profile.peakGigaflopsPerSecond, .leastNormalMagnitude)
      return Bar(
        name: "\(layer.name) \(layer.kind)", parts: layer.rows.map { ($0.milliseconds, Self.color($0.pass)) },
        note: Self.text(milliseconds) + (gigaflops > 0 ? ", \(percent(share)) of peak" : ""))
    }
    let others = profile.rows.filter { $0.layer == nil }.map { row in
      Bar(
        name: row.pass, parts: [(row.milliseconds, Self.color(row.pass))], note: Self.text(row.milliseconds))
    }
    return layers + others
  }

  func svg() -> String {
    let legend = SVG.legend(
      Self.legend.map { name, color in (name, { Self.rectangle(color, x: $0 + 4, y: $1 - 5, 10, 10) }) }, x: Self.left,
      y: 48,
      right: Self.right)
    let bars = bars
    let top = 62 + 18 * Double(legend.lines)
    let longest = bars.map { $0.parts.reduce(0) { $0 + $1.milliseconds } }.max() ?? 0
    let scale = (Self.right - Self.left) / max(longest, .leastNormalMagnitude)
    var parts = [
      SVG.opening(width: Self.width, height: top + Self.rowHeight * Double(bars.count)),
      SVG.text("Time of a step by layer", x: Self.left, y: 26, style: "title"),
    ]
    for (index, bar) in bars.enumerated() {
      let y = top + Self.rowHeight * Double(index)
      parts.append(SVG.text(bar.name, x: Self.left, y: y + 11, style: "start"))
      parts.append(SVG.text(bar.note, x: Self.right, y: y + 11, style: "end"))
      var x = Self.left
      for part in bar.parts {
        let length = part.milliseconds * scale
        parts.append(Self.rectangle(part.color, x: x, y: y + 17, length, 12))
        x += length
      }
    }
    return (parts + legend.parts).joined(separator: "\n") + "\n</svg>\n"
  }

  private static func rectangle(
    _ color: Int, x: Double, y: Double, _ width: Double, _ height: Double
  ) -> String {
    "<rect class=\"f\(color)\" x=\"\(SVG.number(x))\" y=\"\(SVG.number(y))\" width=\"\(SVG.number(width))\" "
      + "height=\"\(SVG.number(height))\"/>"
  }

  private static func text(_ milliseconds: Double) -> String { significant(milliseconds, 3) + " ms" }

  private static func color(_ pass: String) -> Int {
    switch pass {
    case "forward": 0
    case "backward", "backward-data": 1
    case "backward-filter", "backward-weight": 2
    case "waiting": 5
    default: 3
    }
  }
}
