import Foundation

/// A line chart as SVG text: axes with round ticks, a legend, colours that follow the reader's light or dark mode.
public struct SVGPlot: Sendable {
  public struct Series: Sendable {
    public var name: String
    public var x: [Double]
    public var y: [Double]

    /// Points (x[i], y[i]), in the order in which they are joined; a point that is not finite interrupts the line.
    public init(name: String, x: [Double], y: [Double]) {
      precondition(x.count == y.count, "\(x.count) abscissas and \(y.count) ordinates do not make points")
      (self.name, self.x, self.y) = (name, x, y)
    }

    /// The pieces between the interruptions.
    var pieces: [[(x: Double, y: Double)]] {
      zip(x, y).map { (x: $0, y: $1) }.split { !$0.x.isFinite || !$0.y.isFinite }.map(Array.init)
    }
  }

  public var title: String
  public var xLabel: String
  public var yLabel: String
  public var series: [Series]

  public init(title: String, xLabel: String, yLabel: String, series: [Series]) {
    (self.title, self.xLabel, self.yLabel, self.series) = (title, xLabel, yLabel, series)
  }

  private static let (width, height) = (720.0, 420.0)
  private static let (left, right, top, bottom) = (76.0, 696.0, 48.0, 364.0)

  public func svg() -> String {
    let points = series.flatMap { $0.pieces.joined() }
    let xAxis = Axis(points.map(\.x), from: Self.left, to: Self.right, ticks: 8, widened: false)
    let yAxis = Axis(points.map(\.y), from: Self.bottom, to: Self.top, ticks: 6, widened: true)
    var parts = [Self.opening]
    parts.append(text(title, x: Self.left, y: 28, style: "title"))
    for tick in yAxis.ticks {
      let y = yAxis.place(tick)
      parts.append(
        "<line class=\"grid\" x1=\"\(n(Self.left))\" y1=\"\(n(y))\" x2=\"\(n(Self.right))\" y2=\"\(n(y))\"/>")
      parts.append(text(yAxis.label(tick), x: Self.left - 8, y: y + 4, style: "end"))
    }
    for tick in xAxis.ticks {
      let x = xAxis.place(tick)
      parts.append(
        "<line class=\"axis\" x1=\"\(n(x))\" y1=\"\(n(Self.bottom))\" x2=\"\(n(x))\" y2=\"\(n(Self.bottom + 5))\"/>")
      parts.append(text(xAxis.label(tick), x: x, y: Self.bottom + 20, style: "middle"))
    }
    parts.append(
      "<path class=\"axis\" d=\"M\(n(Self.left)) \(n(Self.top))V\(n(Self.bottom))H\(n(Self.right))\" fill=\"none\"/>")
    parts.append(text(xLabel, x: (Self.left + Self.right) / 2, y: Self.bottom + 44, style: "middle"))
    let middle = (Self.top + Self.bottom) / 2
    parts.append("<g transform=\"rotate(-90 18 \(n(middle)))\">\(text(yLabel, x: 18, y: middle, style: "middle"))</g>")
    if points.isEmpty {
      parts.append(text("no finite values", x: (Self.left + Self.right) / 2, y: middle, style: "middle"))
    }
    for (index, line) in series.enumerated() {
      parts += line.pieces.map { draw($0, color: index % 4, xAxis, yAxis) }
    }
    parts += legend()
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private func draw(_ piece: [(x: Double, y: Double)], color: Int, _ xAxis: Axis, _ yAxis: Axis) -> String {
    if piece.count == 1 {
      let (x, y) = (xAxis.place(piece[0].x), yAxis.place(piece[0].y))
      return "<circle class=\"f\(color)\" cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"3\"/>"
    }
    let points = piece.map { "\(n(xAxis.place($0.x))),\(n(yAxis.place($0.y)))" }
    return "<polyline class=\"s\(color)\" points=\"\(points.joined(separator: " "))\"/>"
  }

  /// At the top right, above the frame, the last series rightmost.
  private func legend() -> [String] {
    var x = Self.right
    return series.enumerated().reversed().flatMap { index, line in
      let start = x - 26 - 7 * Double(line.name.count)
      x = start - 18
      return [
        "<line class=\"s\(index % 4)\" x1=\"\(n(start))\" y1=\"24\" x2=\"\(n(start + 18))\" y2=\"24\"/>",
        text(line.name, x: start + 24, y: 28, style: "start"),
      ]
    }
  }

  private func text(_ content: String, x: Double, y: Double, style: String) -> String {
    SVG.text(content, x: x, y: y, style: style)
  }

  private func n(_ value: Double) -> String { SVG.number(value) }

  private static let opening = """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 420" width="720" height="420" role="img">
    <style>
    text { font: 12px system-ui, sans-serif; fill: #3d444d; }
    .title { font-size: 15px; font-weight: 600; }
    .middle { text-anchor: middle; } .end { text-anchor: end; }
    .page { fill: #ffffff; } .grid { stroke: #d8dee4; } .axis { stroke: #7d8590; }
    .s0, .s1, .s2, .s3 { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
    .s0 { stroke: #0969da; } .s1 { stroke: #c4520a; } .s2 { stroke: #1a7f37; } .s3 { stroke: #8250df; }
    .f0 { fill: #0969da; } .f1 { fill: #c4520a; } .f2 { fill: #1a7f37; } .f3 { fill: #8250df; }
    @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0; } .page { fill: #151b23; } .grid { stroke: #30363d; } .axis { stroke: #8b949e; }
    .s0 { stroke: #6cb6ff; } .s1 { stroke: #f69d50; } .s2 { stroke: #6bc46d; } .s3 { stroke: #dcbdfb; }
    .f0 { fill: #6cb6ff; } .f1 { fill: #f69d50; } .f2 { fill: #6bc46d; } .f3 { fill: #dcbdfb; }
    }
    </style>
    <rect class="page" width="720" height="420"/>
    """
}

/// What every SVG picture is made of.
package enum SVG {
  /// Text at a point, in a class of the picture's style sheet.
  package static func text(_ content: String, x: Double, y: Double, style: String) -> String {
    "<text class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\">\(escaped(content))</text>"
  }

  package static func escaped(_ content: String) -> String {
    content.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }

  /// A coordinate to a tenth of a pixel.
  package static func number(_ value: Double) -> String { String(format: "%.1f", value) }
}

/// One axis: a range of values on a range of pixels, with ticks at multiples of 1, 2 or 5 times a power of ten.
///
/// A widened axis reaches from tick to tick, the other from the least to the greatest value.
package struct Axis {
  package let ticks: [Double]
  private let (lowest, highest): (Double, Double)
  private let (start, end): (Double, Double)
  private let step: Double

  package init(_ values: [Double], from start: Double, to end: Double, ticks wanted: Int, widened: Bool) {
    (self.start, self.end) = (start, end)
    var (low, high) = (values.min() ?? 0, values.max() ?? 1)
    if low == high {
      let half = max(abs(low) / 2, 0.5)
      (low, high) = (low - half, high + half)
    }
    let step = Self.roundStep((high - low) / Double(wanted))
    self.step = step
    // A range that is a whole number of steps but for rounding keeps its last tick.
    let (first, last) = (low / step, high / step)
    let (lowTick, highTick) =
      widened
      ? ((first + 1e-9).rounded(.down), (last - 1e-9).rounded(.up))
      : ((first - 1e-9).rounded(.up), (last + 1e-9).rounded(.down))
    (lowest, highest) = widened ? (lowTick * step, highTick * step) : (low, high)
    ticks = stride(from: lowTick, through: highTick, by: 1).map { $0 * step }
  }

  /// The least of 1, 2, 5, 10 times a power of ten that is not below `value`.
  static func roundStep(_ value: Double) -> Double {
    let power = pow(10, floor(log10(value)))
    return power * ([1, 2, 5].first { $0 * power >= value * (1 - 1e-9) } ?? 10)
  }

  package func place(_ value: Double) -> Double { start + (value - lowest) / (highest - lowest) * (end - start) }

  /// As many decimals as the step has; powers of ten where that would be long.
  package func label(_ tick: Double) -> String {
    let largest = max(abs(lowest), abs(highest))
    if largest >= 1e7 || step < 1e-6 { return String(format: "%.2g", tick) }
    return String(format: "%.\(max(0, Int((-log10(step) - 1e-9).rounded(.up))))f", tick == 0 ? 0 : tick)
  }
}
