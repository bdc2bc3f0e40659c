import Foundation
import HourglassData
import HourglassModels

/// A study with all that follows from it: intervals, fits, and the simulation of more cores.
struct ScalingReport: Encodable {
  /// A measured point.
  struct Row: Encodable {
    var workers: Int
    var threads: Int
    var seconds: Interval
    var samplesPerSecond: Interval
    /// The samples a second over those of the first point.
    var speedup: Interval
    /// Speed-up over cores.
    var efficiency: Interval
    /// The processor time of the steps over the time of as many cores.
    var processorShare: Double
    /// The part of the cores' time that others had, at least.
    var withheld: Double
    var hasSameBits: Bool
  }

  /// Processes that mpirun has started.
  struct ProcessRow: Encodable {
    var processes: Int
    var workers: Int
    var seconds: Interval
    var samplesPerSecond: Interval
    /// The samples a second over those of the first point.
    var speedup: Interval
    /// Speed-up over cores.
    var efficiency: Interval
    /// The part of the steps in which position 0 exchanges messages with the others and waits for them.
    var exchange: Double
    var hasSameBits: Bool
  }

  struct PeerRow: Encodable {
    var name: String
    var cores: Int
    var seconds: Interval
    var samplesPerSecond: Interval
    /// The speed-up over the peer's own first point.
    var speedup: Interval
    /// Our samples a second with as many cores and one thread in each worker, or with as many processes where mpirun
    /// has started them, over the peer's; nil where not measured.
    var ratio: Interval?
  }

  let study: ScalingStudy
  let points: [Row]
  let processes: [ProcessRow]
  let peers: [PeerRow]
  let fits: ScalingFits
  /// The simulation of more cores; nil where the study lacks the points 1 x 1 and 2 x 1.
  let simulation: StepSimulation?
  /// The simulation of several nodes; nil where there is none of more cores.
  let nodes: NodeSimulation?

  /// - Parameters:
  ///   - study: at least one point.
  ///   - networks: to predict several nodes on, beside those that the study has measured and those of the presets.
  ///   - nodeCores: the cores of a predicted node.
  ///
  /// Errors: `BenchError` where the study's model has no name among those that Hourglass knows.
  init(_ study: ScalingStudy, networks: [Network] = [], nodeCores: Int = 16) throws {
    guard let model = ModelCatalog.model(study.model) else {
      let known = ModelCatalog.models.map(\.name).joined(separator: ", ")
      throw BenchError("the study is of the model \(study.model); wanted one of \(known)")
    }
    let peerPoints = study.peers.flatMap(\.points)
    let bootstrap = Bootstrap(
      study.points.map(\.seconds) + study.processes.map(\.seconds) + peerPoints.map(\.seconds), seed: study.seed)
    let sizes = (study.points.map(\.batchSize) + study.processes.map(\.batchSize) + peerPoints.map(\.batchSize)).map(
      Double.init)
    func figures(_ i: Int, cores: Int) -> [Interval] {
      bootstrap.intervals { seconds in
        let speedup = sizes[i] / seconds[i] / (sizes[0] / seconds[0])
        return [seconds[i], sizes[i] / seconds[i], speedup, speedup / Double(cores)]
      }
    }

    self.study = study
    points = study.points.enumerated().map { i, point in
      let figures = figures(i, cores: point.cores)
      return Row(
        workers: point.workers, threads: point.threads, seconds: figures[0], samplesPerSecond: figures[1],
        speedup: figures[2], efficiency: figures[3], processorShare: point.processorShare, withheld: point.withheld,
        hasSameBits: study.isEqual(point))
    }
    processes = study.processes.enumerated().map { i, point in
      let figures = figures(study.points.count + i, cores: point.cores)
      return ProcessRow(
        processes: point.processes, workers: point.workers, seconds: figures[0], samplesPerSecond: figures[1],
        speedup: figures[2], efficiency: figures[3], exchange: point.exchange,
        hasSameBits: study.isEqual(point))
    }
    let single = study.points.indices.filter { study.points[$0].threads == 1 }
    let fitted = single.filter { study.isGranted(study.points[$0]) }
    var next = study.points.count + study.processes.count
    peers = study.peers.flatMap { peer in
      let first = next
      return peer.points.map { point in
        defer { next += 1 }
        let ours =
          point.processes == nil
          ? single.first { study.points[$0].cores == point.cores }
          : study.processes.firstIndex { $0.processes == point.processes }.map { study.points.count + $0 }
        let figures = bootstrap.intervals { [i = next] seconds in
          let rate = sizes[i] / seconds[i]
          let ratio = ours.map { sizes[$0] / seconds[$0] / rate }
          return [seconds[i], rate, rate / (sizes[first] / seconds[first]), ratio ?? 0]
        }
        return PeerRow(
          name: peer.name, cores: point.cores, seconds: figures[0], samplesPerSecond: figures[1], speedup: figures[2],
          ratio: ours == nil ? nil : figures[3])
      }
    }
    fits = ScalingFits(fitted.map { study.points[$0] }, mode: study.mode, bootstrap, place: fitted)
    simulation = try StepSimulation(study, model: model)
    let measured = study.processes.compactMap(\.network).filter { $0.nodes > 1 }.map(\.network)
    nodes = try NodeSimulation(study, model: model, networks: networks + measured + Network.presets, cores: nodeCores)
  }

  /// The rows with one thread in each worker, from which the curves are drawn.
  var curve: [Row] { points.filter { $0.threads == 1 } }
  /// The row with the most samples a second.
  var best: Row { points.max { $0.samplesPerSecond.value < $1.samplesPerSecond.value } ?? points[0] }

  /// The division with a core for each thread from which others withheld most, where that is more than a twentieth of
  /// its cores' time; nil on a quiet machine.
  var busiest: Row? {
    let granted = zip(points, study.points).filter { study.isGranted($1) }.map(\.0)
    return granted.max { $0.withheld < $1.withheld }.flatMap { $0.withheld > 0.05 ? $0 : nil }
  }

  /// The speed-up of a division. On a busy machine its interval reaches to what the processor time of the steps gives,
  /// had all cores run all the time: p c(1) / c(p) for c(p) seconds of processor time in a step on p cores.
  func headline(of row: Row) -> Interval {
    guard busiest != nil else { return row.speedup }
    let ratio = points[0].processorShare / row.processorShare
    return Interval(
      value: row.speedup.value, low: row.speedup.low * min(1, ratio), high: row.speedup.high * max(1, ratio))
  }

  /// Writes study.json, points.csv, study.md, index.html and the plots into a folder, which is made where it is
  /// missing; each file is the old one or the new one, whole.
  func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let pictures = pictures.map { ("\($0.name).svg", $0.svg) }
    let files = [
      ("study.json", try json(self) + "\n"), ("points.csv", csv), ("study.md", markdown), ("index.html", page),
    ]
    for (name, text) in pictures + files { try AtomicFile.write(text, to: "\(folder)/\(name)") }
  }
}

extension ScalingStudy {
  /// Whether each worker had a core; other points tell nothing about more cores.
  func isGranted(_ point: Point) -> Bool { point.cores <= max(1, machine.grantedCores) }
}
