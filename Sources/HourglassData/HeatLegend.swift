/// A bar of the colours of maps, or of grey, over an axis of the numbers that they stand for, as SVG text.
package struct HeatLegend {
  package var title: String
  /// The number that the last colour stands for; the first stands for 0.
  package var high: Double
  package var isGrey: Bool

  package init(title: String, high: Double, isGrey: Bool) {
    (self.title, self.high, self.isGrey) = (title, high, isGrey)
  }

  private static let (left, right, top, bottom) = (24.0, 536.0, 44.0, 68.0)

  package func svg() -> String {
    let axis = Axis([0, high], from: Self.left, to: Self.right, ticks: 6, widened: false)
    var parts = [SVG.opening(width: 560, height: 108), SVG.text(title, x: Self.left, y: 28, style: "title")]
    let width = (Self.right - Self.left) / Double(HeatColors.count)
    for step in 0..<HeatColors.count {
      let color = HeatColors.color(step)
      let bytes = isGrey ? [UInt8](repeating: UInt8(step), count: 3) : [color.red, color.green, color.blue]
      let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      parts.append(
        "<rect x=\"\(SVG.number(Self.left + Double(step) * width))\" y=\"\(SVG.number(Self.top))\" "
          + "width=\"\(SVG.number(width + 0.5))\" height=\"\(SVG.number(Self.bottom - Self.top))\" "
          + "fill=\"#\(digits)\"/>"
      )
    }
    for tick in axis.ticks {
      let x = axis.place(tick)
      parts.append(SVG.line("axis", x, Self.bottom, x, Self.bottom + 5))
      parts.append(SVG.text(axis.label(tick), x: x, y: Self.bottom + 20, style: "middle"))
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }
}
