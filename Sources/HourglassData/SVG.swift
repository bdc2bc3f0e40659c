import HourglassBase

/// The parts that every SVG picture is made of.
package enum SVG {
  /// A text at a point, in a class of the picture's style sheet.
  package static func text(_ content: String, x: Double, y: Double, style: String) -> String {
    "<text class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\">\(escaped(content))</text>"
  }

  package static func line(_ style: String, _ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double) -> String {
    "<line class=\"\(style)\" x1=\"\(number(x0))\" y1=\"\(number(y0))\" x2=\"\(number(x1))\" y2=\"\(number(y1))\"/>"
  }

  /// One of six marks that differ in shape as well as in colour, for people who see colours alike. Small ones are for
  /// many points.
  package static func mark(_ index: Int, x: Double, y: Double, isSmall: Bool = false) -> String {
    let (x0, y0) = (number(x), number(y))
    if isSmall {
      return switch index % colors {
      case 0: "<circle cx=\"\(x0)\" cy=\"\(y0)\" r=\"2\"/>"
      case 1: "<path d=\"M\(x0) \(number(y - 3))l3 5h-6z\"/>"
      case 2: "<path d=\"M\(number(x - 2)) \(number(y - 2))h4v4h-4z\"/>"
      case 3: "<path d=\"M\(x0) \(number(y - 3))l3 3l-3 3l-3 -3z\"/>"
      case 4: "<path d=\"M\(x0) \(number(y + 3))l3 -5h-6z\"/>"
      default: "<path d=\"M\(number(x - 1)) \(number(y - 3))h2v2h2v2h-2v2h-2v-2h-2v-2h2z\"/>"
      }
    }
    return switch index % colors {
    case 0: "<circle cx=\"\(x0)\" cy=\"\(y0)\" r=\"4\"/>"
    case 1: "<path d=\"M\(x0) \(number(y - 5))l5 9h-10z\"/>"
    case 2: "<rect x=\"\(number(x - 3.5))\" y=\"\(number(y - 3.5))\" width=\"7\" height=\"7\"/>"
    case 3: "<path d=\"M\(x0) \(number(y - 5))l5 5l-5 5l-5 -5z\"/>"
    case 4: "<path d=\"M\(x0) \(number(y + 5))l5 -9h-10z\"/>"
    default: "<path d=\"M\(number(x - 1.5)) \(number(y - 5))h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z\"/>"
    }
  }

  /// A text as XML 1.0 takes it; a character that XML forbids becomes U+FFFD.
  package static func escaped(_ content: String) -> String {
    var text = ""
    for scalar in content.unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\t", "\n", "\r", "\u{20}"..."\u{fffd}", "\u{10000}"...: text.unicodeScalars.append(scalar)
      default: text += "\u{fffd}"
      }
    }
    return text
  }

  /// A coordinate to a tenth of a pixel.
  package static func number(_ value: Double) -> String { decimal(value, 1) }

  /// The pixels that a text of the style sheet's size takes, or a little fewer.
  package static func width(_ text: String) -> Double { 7.2 * Double(text.count) }

  /// A legend of entries side by side from `x`, in as many lines as they take before `right`; each entry is a sign at a
  /// point and a name behind it.
  package static func legend(
    _ entries: [(name: String, symbol: (_ x: Double, _ y: Double) -> String)], x start: Double, y top: Double,
    right: Double
  ) -> (parts: [String], lines: Int) {
    var (x, line) = (start, 0)
    let parts = entries.flatMap { name, symbol in
      let end = x + 24 + width(name)
      if end > right && x > start { (x, line) = (start, line + 1) }
      defer { x += 44 + width(name) }
      let y = top + 18 * Double(line)
      return [symbol(x, y), text(name, x: x + 24, y: y + 4, style: "start")]
    }
    return (parts, line + 1)
  }

  /// How many colours there are: classes s0, s1, ... for lines and f0, f1, ... for areas.
  package static let colors = light.count

  /// The start of a picture: its size, its page and the style sheet that all pictures share, so that several of them
  /// can stand in one HTML page.
  ///
  /// Colours follow the reader's light or dark mode, and are those of Okabe & Ito, "Color universal design" (2008),
  /// which people with any colour vision tell apart, darkened or lightened until they stand out from the page.
  package static func opening(width: Double, height: Double) -> String {
    let (width, height) = (Int(clamping: width), Int(clamping: height))
    let size = "width=\"\(width)\" height=\"\(height)\""
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" \(size) role="img">
      <style>
      text { font: 13px system-ui, sans-serif; fill: #3d444d; }
      .title { font-size: 15px; font-weight: 600; }
      .middle { text-anchor: middle; } .end { text-anchor: end; } .inside { text-anchor: middle; fill: #ffffff; }
      .page { fill: #ffffff; } .grid { stroke: #d8dee4; } .axis { stroke: #7d8590; }
      .roof { stroke: #57606a; stroke-width: 1.5; } .bar { stroke-width: 1.5; } .dashed { stroke-dasharray: 7 5; }
      .dots { fill-opacity: 0.55; }
      .label { font-size: 13px; font-weight: 700; text-anchor: middle; }
      .label { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
      .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
      \(palette(light))
      @media screen and (prefers-color-scheme: dark) {
      text { fill: #d1d7e0; } .page { fill: #151b23; } .grid { stroke: #30363d; } .axis { stroke: #8b949e; }
      .inside { fill: #0d1117; } .label { stroke: #151b23; } .roof { stroke: #adbac7; }
      \(palette(dark))
      }
      </style>
      <rect class="page" width="\(width)" height="\(height)"/>
      """
  }

  private static let light = ["#0072b2", "#c24e00", "#007a5a", "#a8477f", "#8a6a00", "#6e7781"]
  private static let dark = ["#56b4e9", "#f08a3c", "#2fc79a", "#e09cc4", "#e6c229", "#9aa4af"]

  private static func palette(_ colors: [String]) -> String {
    colors.enumerated().map { ".s\($0) { stroke: \($1); } .f\($0) { fill: \($1); }" }.joined(separator: "\n")
  }
}
