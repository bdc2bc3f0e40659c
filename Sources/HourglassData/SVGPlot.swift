/// A chart of lines and measured points as SVG text: axes with round ticks, intervals, a legend, colours that follow
/// the reader's light or dark mode. Its texts are readable where it is shown 400 pixels wide.
public struct SVGPlot: Sendable {
  /// A line, marks or bars under one name.
  public struct Series: Sendable {
    /// How the points of a series are drawn.
    public enum Style: Sendable, Equatable {
      case line, dashed
      /// A shape at each point, and the interval in which it lies, where known.
      case marks
      /// A small shape at each of many points, and the series' name in their middle.
      case dots
      /// A bar from zero to each point, with a width in units of x.
      case bars(width: Double)
    }

    public var name: String
    public var x: [Double]
    /// The values, as many as x.
    public var y: [Double]
    public var style: Style
    /// The interval of y at each point; empty where it is unknown.
    public var intervals: [ClosedRange<Double>]
    /// The number of the colour in the palette; nil for the place among the series.
    public var color: Int?

    /// A series of points (x[i], y[i]), in the order in which they are joined; a point that is not finite interrupts
    /// the line.
    public init(
      name: String, x: [Double], y: [Double], style: Style = .line, intervals: [ClosedRange<Double>] = [],
      color: Int? = nil
    ) {
      precondition(x.count == y.count, "\(x.count) abscissas and \(y.count) ordinates do not make points")
      precondition(intervals.isEmpty || intervals.count == y.count, "\(intervals.count) intervals of \(y.count) points")
      (self.name, self.x, self.y, self.style) = (name, x, y, style)
      (self.intervals, self.color) = (intervals, color)
    }
  }

  /// How values lie along an axis.
  public enum Scale: Sendable {
    case linear
    /// A logarithmic axis of positive values with ticks at the powers of two.
    case doublings
  }

  public var title: String
  public var xLabel: String
  public var yLabel: String
  public var series: [Series]
  /// The scale of the horizontal axis.
  public var xScale = Scale.linear
  /// The scale of the vertical axis.
  public var yScale = Scale.linear
  /// The least distance between ticks of a linear horizontal axis; 1 for counts.
  public var leastXStep = 0.0
  /// The values that the vertical axis reaches in any case.
  public var yReaches: [Double] = []
  /// Whether a unit is as long along one axis as along the other, so that distances can be seen; for linear axes.
  public var hasEqualAxes = false

  public init(title: String, xLabel: String, yLabel: String, series: [Series]) {
    (self.title, self.xLabel, self.yLabel, self.series) = (title, xLabel, yLabel, series)
  }

  private static let width = 460.0
  private static let (left, right) = (80.0, 446.0)
  /// The height between the axes' ends.
  private static let height = 220.0

  /// The picture, as the text of a file.
  public func svg() -> String {
    let legend = SVG.legend(
      series.enumerated().map { index, line in (line.name, { Self.symbol(line, line.color ?? index, $0, $1) }) },
      x: Self.left, y: 48, right: Self.right)
    let top = 54 + 18 * Double(legend.lines)
    let bottom = top + Self.height
    let (xAxis, yAxis) = axes(top: top, bottom: bottom)
    var parts = [
      SVG.opening(width: Self.width, height: bottom + 56), text(title, x: 14, y: 26, style: "title"),
    ]
    for tick in yAxis.ticks {
      let y = yAxis.place(tick)
      parts.append(SVG.line("grid", Self.left, y, Self.right, y))
      parts.append(text(yAxis.label(tick), x: Self.left - 8, y: y + 4, style: "end"))
    }
    for tick in xAxis.ticks {
      let x = xAxis.place(tick)
      parts.append(SVG.line("axis", x, bottom, x, bottom + 5))
      parts.append(text(xAxis.label(tick), x: x, y: bottom + 20, style: "middle"))
    }
    parts.append(
      "<path class=\"axis\" d=\"M\(n(Self.left)) \(n(top))V\(n(bottom))H\(n(Self.right))\" fill=\"none\"/>")
    parts.append(text(xLabel, x: (Self.left + Self.right) / 2, y: bottom + 44, style: "middle"))
    let middle = (top + bottom) / 2
    parts.append("<g transform=\"rotate(-90 14 \(n(middle)))\">\(text(yLabel, x: 14, y: middle, style: "middle"))</g>")
    let drawn = series.enumerated().flatMap { draw($1, color: $1.color ?? $0, xAxis, yAxis) }
    if drawn.isEmpty {
      parts.append(text("no finite values", x: (Self.left + Self.right) / 2, y: middle, style: "middle"))
    }
    return (parts + drawn + series.flatMap { label($0, xAxis, yAxis) } + legend.parts).joined(separator: "\n")
      + "\n</svg>\n"
  }

  private func axes(top: Double, bottom: Double) -> (x: Axis, y: Axis) {
    let isDrawable = { (value: Double, scale: Scale) in value.isFinite && (scale == .linear || value > 0) }
    let points = series.flatMap { zip($0.x, $0.y) }.filter { isDrawable($0, xScale) && isDrawable($1, yScale) }
    let ends = series.flatMap { $0.intervals.flatMap { [$0.lowerBound, $0.upperBound] } }
    let margin = series.map { if case .bars(let width) = $0.style { width / 2 } else { 0 } }.max() ?? 0
    let xs = points.map(\.0).flatMap { margin > 0 ? [$0 - margin, $0 + margin] : [$0] }
    let ys = points.map(\.1) + yReaches + ends.filter { isDrawable($0, yScale) }
    if hasEqualAxes, let x = Self.ends(xs), let y = Self.ends(ys) {
      let (across, up) = (Self.right - Self.left, bottom - top)
      // A twentieth more than what the longer axis needs.
      let unit = max((x.upperBound - x.lowerBound) / across, (y.upperBound - y.lowerBound) / up, 1e-30) * 1.05
      func widened(_ ends: ClosedRange<Double>, _ pixels: Double) -> [Double] {
        let middle = (ends.lowerBound + ends.upperBound) / 2
        return [middle - unit * pixels / 2, middle + unit * pixels / 2]
      }
      return (
        Axis(widened(x, across), from: Self.left, to: Self.right, ticks: 6, widened: false),
        Axis(widened(y, up), from: bottom, to: top, ticks: 5, widened: false)
      )
    }
    return (
      xScale == .linear
        ? Axis(xs, from: Self.left, to: Self.right, ticks: 6, leastStep: leastXStep, widened: false)
        : Axis(doublings: xs, from: Self.left, to: Self.right, widened: false),
      yScale == .linear
        ? Axis(ys, from: bottom, to: top, ticks: 5, widened: true)
        : Axis(doublings: ys, from: bottom, to: top, widened: true)
    )
  }

  private static func ends(_ values: [Double]) -> ClosedRange<Double>? {
    values.min().flatMap { least in values.max().map { least...$0 } }
  }

  private func draw(_ line: Series, color: Int, _ xAxis: Axis, _ yAxis: Axis) -> [String] {
    let points = zip(line.x, line.y).map { (x: $0, y: $1) }
    func holds(_ point: (x: Double, y: Double)) -> Bool { xAxis.holds(point.x) && yAxis.holds(point.y) }
    switch line.style {
    case .marks:
      return points.indices.filter { holds(points[$0]) }.flatMap { i in
        let (x, y) = (xAxis.place(points[i].x), yAxis.place(points[i].y))
        let bar = line.intervals.isEmpty ? [] : errorBar(line.intervals[i], x: x, color: color, yAxis)
        return bar + ["<g class=\"f\(color % SVG.colors)\">\(SVG.mark(color, x: x, y: y))</g>"]
      }
    case .dots:
      let marks = points.filter(holds).map { point in
        SVG.mark(color / SVG.colors, x: xAxis.place(point.x), y: yAxis.place(point.y), isSmall: true)
      }
      return marks.isEmpty ? [] : ["<g class=\"dots f\(color % SVG.colors)\">"] + marks + ["</g>"]
    case .bars(let width):
      let bars = points.filter(holds).map { point in
        let (from, to) = (xAxis.place(point.x - width / 2), xAxis.place(point.x + width / 2))
        // A tenth of the width is a gap between bars.
        return "M\(n(from + (to - from) / 20)) \(n(yAxis.place(0)))V\(n(yAxis.place(point.y)))"
          + "H\(n(to - (to - from) / 20))V\(n(yAxis.place(0)))z"
      }
      return ["<path class=\"f\(color % SVG.colors)\" d=\"\(bars.joined())\"/>"]
    case .line, .dashed: return polylines(points, line, color, xAxis, yAxis)
    }
  }

  private func polylines(
    _ points: [(x: Double, y: Double)], _ line: Series, _ color: Int, _ xAxis: Axis, _ yAxis: Axis
  ) -> [String] {
    points.split { !(xAxis.holds($0.x) && yAxis.holds($0.y)) }.map { piece in
      let places = piece.map { (x: xAxis.place($0.x), y: yAxis.place($0.y)) }
      if places.count == 1 {
        return "<circle class=\"f\(color % SVG.colors)\" cx=\"\(n(places[0].x))\" cy=\"\(n(places[0].y))\" r=\"3\"/>"
      }
      let list = places.map { "\(n($0.x)),\(n($0.y))" }.joined(separator: " ")
      return "<polyline class=\"\(Self.style(line, color))\" points=\"\(list)\"/>"
    }
  }

  /// The name of a series of dots, at the median of their places.
  private func label(_ line: Series, _ xAxis: Axis, _ yAxis: Axis) -> [String] {
    guard line.style == .dots, series.count > 1, !line.x.isEmpty else { return [] }
    let (x, y) = (line.x.sorted()[line.x.count / 2], line.y.sorted()[line.y.count / 2])
    guard xAxis.holds(x), yAxis.holds(y) else { return [] }
    return [text(line.name, x: xAxis.place(x), y: yAxis.place(y) + 4, style: "label")]
  }

  /// The bar of an interval: a vertical line with a short one across at both ends.
  private func errorBar(_ interval: ClosedRange<Double>, x: Double, color: Int, _ axis: Axis) -> [String] {
    let ends = [interval.lowerBound, interval.upperBound].map { axis.place(axis.holds($0) ? $0 : axis.low) }
    let style = "bar s\(color % SVG.colors)"
    return [SVG.line(style, x, ends[0], x, ends[1])] + ends.map { SVG.line(style, x - 4, $0, x + 4, $0) }
  }

  private static func style(_ line: Series, _ color: Int) -> String {
    "line s\(color % SVG.colors)\(line.style == .dashed ? " dashed" : "")"
  }

  private static func symbol(_ line: Series, _ color: Int, _ x: Double, _ y: Double) -> String {
    let area = "f\(color % SVG.colors)"
    return switch line.style {
    case .marks: "<g class=\"\(area)\">\(SVG.mark(color, x: x + 9, y: y))</g>"
    case .dots: "<g class=\"\(area)\">\(SVG.mark(color / SVG.colors, x: x + 9, y: y))</g>"
    case .bars:
      "<rect class=\"\(area)\" x=\"\(SVG.number(x + 4))\" y=\"\(SVG.number(y - 5))\" width=\"10\" height=\"10\"/>"
    case .line, .dashed: SVG.line(style(line, color), x, y, x + 18, y)
    }
  }

  private func text(_ content: String, x: Double, y: Double, style: String) -> String {
    SVG.text(content, x: x, y: y, style: style)
  }

  private func n(_ value: Double) -> String { SVG.number(value) }
}
