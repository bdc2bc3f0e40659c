import Foundation
import HourglassData

/// The roofline (Williams, Waterman & Patterson 2009) of a machine with the kernels that ran below it, as SVG: both
/// axes logarithmic, colours that follow the reader's light or dark mode.
///
///     x   operations for each byte that has to move at least once
///     y   GFLOP/s, at most min(peak, x * bandwidth of a level)
///
/// Padding counts as work, so kernels that skip it may stand above the roof. A pooling multiplies nothing; its
/// comparisons stand for operations.
struct RooflinePicture {
  struct Dot {
    var kind: Kind
    var name: String
    /// Operations per byte, and 10^9 operations per second.
    var intensity, rate: Double
  }

  enum Kind: String, CaseIterable {
    case wide = "convolution"
    case thin = "convolution, 1 or 3 channels"
    case dense, pool
  }

  var limits: Limits
  /// GFLOP/s of multiply-adds while the kernels ran.
  var peak: Double
  var dots: [Dot]

  private static let (left, right, top, bottom) = (64.0, 696.0, 64.0, 404.0)

  private var x: LogAxis {
    LogAxis(dots.map(\.intensity) + [0.5, 200], from: Self.left, to: Self.right)
  }

  private var y: LogAxis {
    LogAxis(dots.map(\.rate) + [peak], from: Self.bottom, to: Self.top)
  }

  func svg() -> String {
    let threads = "\(limits.threads) thread\(limits.threads == 1 ? "" : "s")"
    var parts = [Self.opening, text("\(limits.processor), \(limits.isa), \(threads)", Self.left, 24, "title")]
    for tick in x.ticks {
      parts.append(line("grid", x.place(tick), Self.top, x.place(tick), Self.bottom))
      parts.append(text(label(tick), x.place(tick), Self.bottom + 18, "middle"))
    }
    for tick in y.ticks {
      parts.append(line("grid", Self.left, y.place(tick), Self.right, y.place(tick)))
      parts.append(text(label(tick), Self.left - 8, y.place(tick) + 4, "end"))
    }
    let (across, up) = ((Self.left + Self.right) / 2, (Self.top + Self.bottom) / 2)
    parts.append(text("operations per byte that has to move", across, Self.bottom + 40, "middle"))
    parts.append("<g transform=\"rotate(-90 16 \(n(up)))\">\(text("GFLOP/s", 16, up, "middle"))</g>")
    parts += roofs + dots.map(draw) + legend
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// The peak, and for each level the line on which its bandwidth is the limit, from the frame to the peak.
  private var roofs: [String] {
    let flat = [
      line("roof", Self.left, y.place(peak), Self.right, y.place(peak)),
      text("multiply-adds \(fixed(peak, 0)) GFLOP/s", Self.left + 8, y.place(peak) - 6, "start"),
    ]
    return flat
      + limits.levels.flatMap { level in
        let bandwidth = level.bandwidth / 1e9
        let start = max(x.low, y.low / bandwidth)
        let (x0, y0) = (x.place(start), y.place(start * bandwidth))
        let (x1, y1) = (x.place(peak / bandwidth), y.place(peak))
        let angle = atan2(y1 - y0, x1 - x0) * 180 / .pi
        let name = text("\(level.name) \(fixed(bandwidth, 0)) GB/s", x0 + 8, y0 - 6, "start")
        return [
          line("roof", x0, y0, x1, y1), "<g transform=\"rotate(\(n(angle)) \(n(x0)) \(n(y0)))\">\(name)</g>",
        ]
      }
  }

  private func draw(_ dot: Dot) -> String {
    let shape = mark(dot.kind, x.place(dot.intensity), y.place(dot.rate))
    return "<g class=\"\(dot.kind)\"><title>\(SVG.escaped(dot.name)): \(fixed(dot.rate, 1))</title>\(shape)</g>"
  }

  /// Shapes differ as well as colours, for those who see colours alike.
  private func mark(_ kind: Kind, _ x: Double, _ y: Double) -> String {
    switch kind {
    case .wide: "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"4\"/>"
    case .thin: "<path d=\"M\(n(x)) \(n(y - 5))l5 9h-10z\"/>"
    case .dense: "<rect x=\"\(n(x - 3.5))\" y=\"\(n(y - 3.5))\" width=\"7\" height=\"7\"/>"
    case .pool: "<path d=\"M\(n(x)) \(n(y - 5))l5 5l-5 5l-5 -5z\"/>"
    }
  }

  private var legend: [String] {
    var x = Self.left + 6
    return Kind.allCases.flatMap { kind in
      defer { x += 34 + 6.4 * Double(kind.rawValue.count) }
      return ["<g class=\"\(kind)\">\(mark(kind, x, 44))</g>", text(kind.rawValue, x + 10, 48, "start")]
    }
  }

  private func label(_ tick: Double) -> String {
    tick < 1 ? fixed(tick, Int((-log10(tick)).rounded(.up))) : fixed(tick, 0)
  }

  private func line(_ style: String, _ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double) -> String {
    "<line class=\"\(style)\" x1=\"\(n(x0))\" y1=\"\(n(y0))\" x2=\"\(n(x1))\" y2=\"\(n(y1))\"/>"
  }

  private func text(_ content: String, _ x: Double, _ y: Double, _ style: String) -> String {
    SVG.text(content, x: x, y: y, style: style)
  }

  private func n(_ value: Double) -> String { SVG.number(value) }

  private static let opening = """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 460" width="720" height="460" role="img">
    <style>
    text { font: 12px system-ui, sans-serif; fill: #3d444d; }
    .title { font-size: 15px; font-weight: 600; }
    .middle { text-anchor: middle; } .end { text-anchor: end; }
    .page { fill: #ffffff; } .grid { stroke: #d8dee4; } .roof { stroke: #57606a; stroke-width: 1.5; }
    .wide { fill: #0969da; } .thin { fill: #c4520a; } .dense { fill: #1a7f37; } .pool { fill: #8250df; }
    @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0; } .page { fill: #151b23; } .grid { stroke: #30363d; } .roof { stroke: #adbac7; }
    .wide { fill: #6cb6ff; } .thin { fill: #f69d50; } .dense { fill: #6bc46d; } .pool { fill: #dcbdfb; }
    }
    </style>
    <rect class="page" width="720" height="460"/>
    """
}

/// A range of positive values on a range of pixels, in which every factor of ten is equally long.
struct LogAxis {
  let low, high: Double
  private let (start, end): (Double, Double)

  /// Reaches over the values to the next 1, 2 or 5 times a power of ten below, and a tenth beyond the largest.
  init(_ values: [Double], from start: Double, to end: Double) {
    (self.start, self.end) = (start, end)
    let least = values.min() ?? 1
    let power = pow(10, floor(log10(least)))
    low = power * ([5, 2].first { $0 * power <= least } ?? 1)
    high = (values.max() ?? 10) * 1.25
  }

  func place(_ value: Double) -> Double { start + log(value / low) / log(high / low) * (end - start) }

  /// 1, 2 and 5 times each power of ten in the range.
  var ticks: [Double] {
    let powers = Int(floor(log10(low)))...Int(ceil(log10(high)))
    return powers.flatMap { power in [1.0, 2, 5].map { $0 * pow(10, Double(power)) } }
      .filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
  }
}

extension RooflinePicture.Dot {
  init(_ problem: Problem, _ result: KernelResult) {
    let comparisons = Double(problem.samples * problem.output.count * problem.kernel.height * problem.kernel.width)
    let operations = problem.operation == .pool ? comparisons : problem.flops
    name = result.name
    intensity = operations / problem.bytes
    rate = operations / result.seconds.median / 1e9
    switch problem.operation {
    case .pool: kind = .pool
    case .dense: kind = .dense
    case .conv, .convt: kind = problem.isThin ? .thin : .wide
    }
  }
}
