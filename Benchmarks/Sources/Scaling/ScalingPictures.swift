import Foundation
import HourglassData

/// Horizontal bars that show how a whole divides, as SVG.
struct StackedBars {
  var title: String
  /// The names of the parts, from left to right.
  var names: [String]
  /// The parts of each bar as shares of its whole.
  var bars: [(name: String, shares: [Double])]

  private static let (left, right, height) = (84.0, 436.0, 26.0)

  func svg() -> String {
    let legend = SVG.legend(
      names.enumerated().map { index, name in (name, { Self.box(index, $0, $1 - 6, width: 18, height: 12) }) },
      x: 14, y: 48, right: 446)
    let top = 54 + 18 * Double(legend.lines)
    let bottom = top + Self.height * Double(bars.count)
    var parts = [SVG.opening(width: 460, height: bottom + 34), SVG.text(title, x: 14, y: 26, style: "title")]
    for tick in stride(from: 0.0, through: 1, by: 0.25) {
      let x = Self.left + tick * (Self.right - Self.left)
      parts.append(SVG.line("grid", x, top, x, bottom))
      parts.append(SVG.text("\(fixed(100 * tick, 0)) %", x: x, y: bottom + 18, style: "middle"))
    }
    for (row, bar) in bars.enumerated() {
      let y = top + Self.height * Double(row)
      parts.append(SVG.text(bar.name, x: Self.left - 8, y: y + 17, style: "end"))
      var x = Self.left
      for (index, share) in bar.shares.enumerated() where share > 0 {
        let width = share * (Self.right - Self.left)
        parts.append(Self.box(index, x, y + 3, width: width, height: Self.height - 6))
        if width > 36 { parts.append(SVG.text(percent(share), x: x + width / 2, y: y + 17, style: "inside")) }
        x += width
      }
    }
    return (parts + legend.parts).joined(separator: "\n") + "\n</svg>\n"
  }

  private static func box(_ color: Int, _ x: Double, _ y: Double, width: Double, height: Double) -> String {
    let (x, y, width, height) = (SVG.number(x), SVG.number(y), SVG.number(width), SVG.number(height))
    return "<rect class=\"f\(color)\" x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\"/>"
  }
}

/// A picture of a study, with a sentence or two that say what it shows.
struct ScalingPicture {
  /// The name of the picture's file, without the ending.
  var name: String
  var caption: String
  var svg: String
}

extension ScalingReport {
  /// Places in the palette.
  private enum Color {
    static let workers = 0
    static let amdahl = 1
    static let scalability = 2
    static let threads = 3
    static let peers = 4
    static let ideal = 5
  }

  var pictures: [ScalingPicture] {
    [speedupPicture, efficiencyPicture] + (peers.isEmpty ? [] : [throughputPicture]) + [sharesPicture]
      + (simulation.map { [picture(of: $0), lossPicture(of: $0)] } ?? [])
  }

  private var speedupPicture: ScalingPicture {
    var plot = SVGPlot(
      title: "Speed-up over one core", xLabel: "cores", yLabel: "speed-up",
      series: curves { $1 } + measured { $0.speedup } + peerSeries { $0.speedup })
    (plot.xScale, plot.yScale) = (.doublings, .doublings)
    return ScalingPicture(
      name: "speedup",
      caption:
        "Speed-up of samples a second over one core, with 95 % intervals. The dashed line is a speed-up as large "
        + "as the number of cores" + (peers.isEmpty ? "." : "; peers refer to one core of their own."),
      svg: plot.svg())
  }

  private var efficiencyPicture: ScalingPicture {
    var plot = SVGPlot(
      title: "Parallel efficiency", xLabel: "cores", yLabel: "speed-up / cores",
      series: curves { $1 / $0 } + measured { $0.efficiency })
    (plot.xScale, plot.yReaches) = (.doublings, [0, 1])
    return ScalingPicture(
      name: "efficiency", caption: "What share of its cores' work a division makes use of, with 95 % intervals.",
      svg: plot.svg())
  }

  private var throughputPicture: ScalingPicture {
    var plot = SVGPlot(
      title: "Samples a second", xLabel: "cores", yLabel: "samples/s",
      series: measured { $0.samplesPerSecond } + peerSeries { $0.samplesPerSecond })
    (plot.xScale, plot.yReaches) = (.doublings, [0])
    return ScalingPicture(
      name: "throughput",
      caption: "Hourglass and its peers on the same model and the same cores, measured in turn, "
        + "with 95 % intervals.", svg: plot.svg())
  }

  private var sharesPicture: ScalingPicture {
    let bars = StackedBars(
      title: "Where the time of a step goes",
      names: ["forward and backward", "dense gradients", "reduction", "update", "waiting"],
      bars: study.points.map { ($0.title, $0.parts.shares) })
    return ScalingPicture(
      name: "shares",
      caption: "Shares of the step of the mean worker, for each division (workers x threads): dense "
        + "gradients are products over the whole minibatch, the reduction adds up the gradients of the shards.",
      svg: bars.svg())
  }

  private func picture(of simulation: StepSimulation) -> ScalingPicture {
    let cores = StepSimulation.workers.map(Double.init)
    let ideal = SVGPlot.Series(name: "ideal", x: cores, y: cores, style: .dashed, color: Color.ideal)
    let scenarios = simulation.scenarios.enumerated().map { index, scenario in
      SVGPlot.Series(
        name: scenario.title(study.mode), x: cores, y: scenario.points.map(\.speedup), color: index + 1)
    }
    var plot = SVGPlot(
      title: "Simulated speed-up to \(StepSimulation.workers.last ?? 1) cores", xLabel: "workers with one thread",
      yLabel: "speed-up", series: [ideal] + scenarios + measured({ $0.speedup }, isGrid: false))
    (plot.xScale, plot.yScale) = (.doublings, .doublings)
    return ScalingPicture(
      name: "simulation",
      caption: "What the calibrated model of a step predicts (lines) and what was measured (marks, "
        + "with 95 % intervals). Each line refers to one core with the same minibatch.", svg: plot.svg())
  }

  private func lossPicture(of simulation: StepSimulation) -> ScalingPicture {
    let scenario = simulation.scenarios[0]
    let bars = StackedBars(
      title: "Simulated step: \(scenario.title(study.mode))",
      names: [
        "work", "filters and matrices for each worker", "the caller alone", "memory", "slower beside others",
        "waking and waiting",
      ],
      bars: scenario.points.map { point in
        let step = point.step
        let parts = [
          step.work + min(0, step.crowding), step.preparation + step.matrices, step.serial, step.memory,
          max(0, step.crowding), step.wakeUps + step.lastShard + step.lastSlice,
        ]
        return ("\(step.workers) core\(step.workers == 1 ? "" : "s")", parts.map { $0 / step.seconds })
      })
    return ScalingPicture(
      name: "simulation-shares", caption: "Why the simulated curve bends: shares of the step of the mean worker.",
      svg: bars.svg())
  }

  /// The series of ideal and fitted speed-ups; `value` makes y of cores and speed-up.
  private func curves(_ value: (_ cores: Double, _ speedup: Double) -> Double) -> [SVGPlot.Series] {
    let most = Double(max(2, points.map { $0.workers * $0.threads }.max() ?? 2))
    let cores = (0...64).map { pow(most, Double($0) / 64) }
    func series(_ name: String, _ color: Int, _ style: SVGPlot.Series.Style, _ speedup: (Double) -> Double)
      -> SVGPlot.Series
    {
      SVGPlot.Series(name: name, x: cores, y: cores.map { value($0, speedup($0)) }, style: style, color: color)
    }
    var all = [series("ideal", Color.ideal, .dashed) { $0 }]
    if let serial = fits.amdahl?.value {
      all.append(series("Amdahl's law", Color.amdahl, .line) { Amdahl.speedup($0, serial: serial) })
    }
    if let serial = fits.gustafson?.value {
      all.append(series("Gustafson's law", Color.amdahl, .line) { $0 - serial * ($0 - 1) })
    }
    if let law = fits.scalability?.law {
      let first = points[0].samplesPerSecond.value
      all.append(series("Universal Scalability Law", Color.scalability, .line) { law.throughput($0) / first })
    }
    return all
  }

  /// The series of measured points: workers with one thread and, in a grid, one worker with several threads.
  private func measured(_ figure: (Row) -> Interval, isGrid: Bool = true) -> [SVGPlot.Series] {
    let threads = points.filter { $0.workers == 1 && $0.threads > 1 }
    return [marks("p workers x 1 thread", curve.map { (Double($0.workers), figure($0)) }, Color.workers)]
      + (isGrid && !threads.isEmpty
        ? [marks("1 worker x p threads", threads.map { (Double($0.threads), figure($0)) }, Color.threads)] : [])
  }

  private func peerSeries(_ figure: (PeerRow) -> Interval) -> [SVGPlot.Series] {
    study.peers.enumerated().map { index, peer in
      marks(
        peer.name, peers.filter { $0.name == peer.name }.map { (Double($0.cores), figure($0)) }, Color.peers + index)
    }
  }

  private func marks(_ name: String, _ points: [(cores: Double, figure: Interval)], _ color: Int) -> SVGPlot.Series {
    SVGPlot.Series(
      name: name, x: points.map(\.cores), y: points.map(\.figure.value), style: .marks,
      intervals: points.map { $0.figure.low...$0.figure.high }, color: color)
  }
}

extension StepSimulation.Scenario {
  func title(_ mode: ScalingStudy.Mode) -> String {
    "batch \(batchSize), \(shards) shard\(shards == 1 ? "" : "s")\(mode == .weak ? " a core" : "")"
  }
}

extension ScalingStudy.Point {
  /// The division as `workers x threads`.
  var title: String { "\(workers) x \(threads)" }
}

extension ScalingStudy.Parts {
  var step: Double { forwardBackward + products + reduction + update + waiting }

  /// The shares of the step: forward and backward, products, reduction, update, waiting.
  var shares: [Double] { [forwardBackward, products, reduction, update, waiting].map { $0 / step } }
}
