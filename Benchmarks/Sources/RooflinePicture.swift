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
    /// The operations per byte, and the 10^9 operations per second.
    var intensity, rate: Double
  }

  enum Kind: String, CaseIterable {
    case wide = "convolution"
    case thin = "convolution, 1 or 3 channels"
    case dense, pool
  }

  var limits: Limits
  /// The GFLOP/s of multiply-adds while the kernels ran.
  var peak: Double
  var dots: [Dot]

  private static let (left, right, top, bottom) = (64.0, 696.0, 64.0, 404.0)

  private var x: Axis { Axis(decades: dots.map(\.intensity) + [0.5, 200], from: Self.left, to: Self.right) }
  private var y: Axis { Axis(decades: dots.map(\.rate) + [peak], from: Self.bottom, to: Self.top) }

  func svg() -> String {
    let threads = "\(limits.threads) thread\(limits.threads == 1 ? "" : "s")"
    var parts = [Self.opening, text("\(limits.processor), \(limits.isa), \(threads)", Self.left, 24, "title")]
    for tick in x.ticks {
      parts.append(line("grid", x.place(tick), Self.top, x.place(tick), Self.bottom))
      parts.append(text(x.label(tick), x.place(tick), Self.bottom + 18, "middle"))
    }
    for tick in y.ticks {
      parts.append(line("grid", Self.left, y.place(tick), Self.right, y.place(tick)))
      parts.append(text(y.label(tick), Self.left - 8, y.place(tick) + 4, "end"))
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
    return "<g><title>\(SVG.escaped(dot.name)): \(fixed(dot.rate, 1))</title>\(shape)</g>"
  }

  private func mark(_ kind: Kind, _ x: Double, _ y: Double) -> String {
    let index = Kind.allCases.firstIndex(of: kind) ?? 0
    return "<g class=\"f\(index)\">\(SVG.mark(index, x: x, y: y))</g>"
  }

  private var legend: [String] {
    SVG.legend(
      Kind.allCases.map { kind in (kind.rawValue, { mark(kind, $0 + 9, $1) }) }, x: Self.left, y: 44, right: Self.right
    ).parts
  }

  private func line(_ style: String, _ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double) -> String {
    SVG.line(style, x0, y0, x1, y1)
  }

  private func text(_ content: String, _ x: Double, _ y: Double, _ style: String) -> String {
    SVG.text(content, x: x, y: y, style: style)
  }

  private func n(_ value: Double) -> String { SVG.number(value) }

  private static let opening = SVG.opening(width: 720, height: 460)
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
