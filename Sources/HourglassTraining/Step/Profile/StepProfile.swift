import HourglassData
import HourglassModels

/// Where the time of training steps went, layer by layer: profile.json of a run, a line of `train --profile --json`.
public struct StepProfile: Codable, Sendable, Equatable {
  /// One kind of work.
  public struct Row: Codable, Sendable, Equatable {
    /// The layer's name and kind; nil for what belongs to no layer.
    public var layer: String?
    public var kind: String?
    /// The pass of a layer: forward, backward-data and backward-filter (dense: backward-weight), or backward where
    /// there are no parameters. What belongs to no layer is input, preparation, likelihood, sums, optimizer, exchange
    /// (messages of several processes, and waiting for them) or waiting (of workers for each other).
    public var pass: String
    /// The time it takes of a step, mean over the workers. All rows add up to a step.
    public var milliseconds: Double
    /// The part of the step's time.
    public var shareOfStep: Double
    /// The speed of all workers together while they do it: a multiply-add counts 2, padding counts. Nil for work
    /// without multiply-adds.
    public var gigaflopsPerSecond: Double?
    /// The bytes that have to be read and written at least once, by all workers together while they do it. Nil where
    /// there are none.
    public var gigabytesPerSecond: Double?
    /// The part of the multiply-adds that the workers reach in registers.
    public var shareOfPeak: Double?
    /// The longest time of a worker over the mean.
    public var imbalance: Double
  }

  /// What Winograd's form would save.
  public struct Winograd: Codable, Sendable, Equatable {
    /// The layers that would have it.
    public var layers: [String]
    /// The part of the workers' time in a step that it is expected to save, at least 0.05.
    public var timeSaved: Double

    static let leastTimeSaved = 0.05
  }

  public var event = "profile"
  /// Steps that were timed: those of the session but the first.
  public var steps: Int
  public var samplesPerStep: Double
  public var workers: Int
  public var threads: Int
  public var instructionSet: String
  public var millisecondsPerStep: Double
  /// What all workers together reached just before the first step: multiply-adds in registers, and reading two arrays
  /// in memory and writing a third.
  public var peakGigaflopsPerSecond: Double
  public var memoryGigabytesPerSecond: Double
  /// Milliseconds of a step in which each worker worked.
  public var busyMilliseconds: [Double]
  public var rows: [Row]
  /// Nil where Winograd's form would save little, or the layers that gain by it have it, and in files of earlier
  /// versions.
  public var winograd: Winograd?

  /// Layers in the order of the model, each with its passes.
  public var layers: [(name: String, kind: String, rows: [Row])] {
    var result: [(name: String, kind: String, rows: [Row])] = []
    for row in rows {
      guard let layer = row.layer, let kind = row.kind else { continue }
      if let last = result.last, last.name == layer, last.kind == kind {
        result[result.count - 1].rows.append(row)
      } else {
        result.append((layer, kind, [row]))
      }
    }
    return result
  }

  /// What was measured, in a sentence.
  public var summary: String {
    let (least, most) = (busyMilliseconds.min() ?? 0, busyMilliseconds.max() ?? 0)
    return
      "\(grouped(steps)) steps of \(significant(samplesPerStep)) samples by \(workers) workers x \(threads) threads "
      + "on \(instructionSet)"
      + ": \(decimal(millisecondsPerStep, 2)) ms a step, of which workers are busy \(decimal(least, 2)) to "
      + "\(decimal(most, 2)); peak \(decimal(peakGigaflopsPerSecond, 1)) GFLOP/s, memory "
      + "\(decimal(memoryGigabytesPerSecond, 1)) GB/s"
  }

  /// What would be faster, in a sentence; nil for nothing.
  ///
  /// - Parameter recipe: the path of the run's recipe.json, which the command in the sentence reads.
  public func advice(recipe: String) -> String? {
    guard let winograd else { return nil }
    let (count, names) = (winograd.layers.count, winograd.layers.joined(separator: ", "))
    return "Winograd's form of \(count) layer\(count == 1 ? "" : "s") (\(names)) would take about "
      + "\(percent(winograd.timeSaved)) less time a step, for 1.5 to 5 times the rounding error: hourglass train "
      + "--config \(recipe) --algorithm winograd"
  }

  /// For people: titles, and a row of cells for each of `rows`.
  public var table: [[String]] {
    let titles = ["layer", "pass", "ms a step", "share", "GFLOP/s", "GB/s", "of peak", "imbalance"]
    return [titles]
      + rows.map { row in
        [
          row.layer ?? "", row.pass, decimal(row.milliseconds, 3), percent(row.shareOfStep),
          row.gigaflopsPerSecond.map { decimal($0, 1) } ?? "",
          row.gigabytesPerSecond.map { decimal($0, 1) } ?? "", row.shareOfPeak.map(percent) ?? "",
          decimal(row.imbalance, 2),
        ]
      }
  }
}

extension StepProfile {
  /// Nil where no step was timed.
  init?(_ profiler: StepProfiler, plan: ExecutionPlan, parallel: ParallelPlan, moments: Int) {
    let load = profiler.load
    guard load.steps > 0 else { return nil }
    steps = load.steps
    samplesPerStep = Double(load.samples) / Double(load.steps)
    (workers, threads) = (parallel.workers, parallel.threads)
    instructionSet = RunEnvironment.instructionSetName
    let perStep = 1e-6 / Double(load.steps)
    millisecondsPerStep = Double(load.nanoseconds) * perStep
    peakGigaflopsPerSecond = profiler.peaks.elements.reduce(0) { $0 + $1.multiplyAdd }
    memoryGigabytesPerSecond = profiler.peaks.elements.reduce(0) { $0 + $1.triad }
    busyMilliseconds = profiler.clocks.map { Double($0.total - $0.time(.exchange)) * perStep }
    rows = []
    let table = Table(
      clocks: profiler.clocks, load: load, millisecondsPerStep: millisecondsPerStep, peak: peakGigaflopsPerSecond)
    let counts = Counts(plan: plan, load: load)
    for (i, use) in plan.uses.enumerated() {
      let layer = use.layer
      for pass in WorkerClock.LayerPass.allCases {
        guard pass != .backward || use.hasBackwardPass, let name = Self.name(pass, of: use) else { continue }
        rows += table.row(
          name, layer, flops: counts.flops(i, pass), bytes: counts.bytes(use, pass)
        ) { $0.time(pass, layer: i) }
      }
    }
    for work in WorkerClock.Work.allCases {
      rows += table.row(Self.name(work), bytes: counts.bytes(work, moments: moments)) { $0.time(work) }
    }
    rows += table.row("waiting") { load.nanoseconds - min(load.nanoseconds, $0.total) }
    winograd = winograd(of: plan)
  }

  /// What Winograd's form would save of the times in `rows`.
  func winograd(of plan: ExecutionPlan) -> Winograd? {
    guard let model = try? plan.model.using(.winograd),
      let other = try? ExecutionPlan(model, batchSize: 1, isTraining: plan.isTraining)
    else { return nil }
    let preparing = Double(other.preparedFloats) / Double(max(1, plan.preparedFloats)) - 1
    // Points of filters that the last cache does not hold come from memory for each chunk.
    let isHeld = Double(4 * workers * other.preparedFloats) < StepModel.lastCache
    let read = isHeld ? 0 : 4e-6 * samplesPerStep / Double(plan.samplesPerChunk) / memoryGigabytesPerSecond
    var layers: [String] = []
    var saved = 0.0
    for row in rows where row.pass == Self.name(.preparation) { saved -= preparing * row.milliseconds }
    for (index, use) in plan.uses.enumerated() {
      let more = other.uses[index].layer.preparedCount - use.layer.preparedCount
      for pass in WorkerClock.LayerPass.allCases {
        guard let time = plan.winogradTime(ofUse: index, isFilterGradient: pass == .gradient) else { continue }
        let (layer, name) = (use.layer.name, Self.name(pass, of: use))
        if layers.last != layer { layers.append(layer) }
        // A pass reads the filter of one of the two forms.
        for row in rows where row.layer == layer && row.pass == name {
          saved += (1 - time) * row.milliseconds - read * Double(more / 2)
        }
      }
    }
    saved /= busyMilliseconds.reduce(0, +) / Double(workers)
    return saved < Winograd.leastTimeSaved ? nil : Winograd(layers: layers, timeSaved: saved)
  }

  /// Nil for what the layer never does.
  private static func name(_ pass: WorkerClock.LayerPass, of use: Use) -> String? {
    switch pass {
    case .forward: "forward"
    case .backward: use.hasGradientPass ? "backward-data" : "backward"
    case .gradient: !use.hasGradientPass ? nil : use.isSharded ? "backward-filter" : "backward-weight"
    }
  }

  private static func name(_ work: WorkerClock.Work) -> String { work == .updates ? "optimizer" : "\(work)" }

  /// Makes rows of the clocks.
  private struct Table {
    let clocks: [WorkerClock]
    let load: StepProfiler.Load
    let millisecondsPerStep: Double
    let peak: Double

    /// None where nobody spent time on it.
    func row(
      _ pass: String, _ layer: (any PlannedLayer)? = nil, flops: Double = 0, bytes: Double = 0,
      time: (WorkerClock) -> UInt64
    ) -> [Row] {
      let times = clocks.map { Double(time($0)) }
      let mean = times.reduce(0, +) / Double(times.count)
      guard mean > 0 else { return [] }
      let milliseconds = mean * 1e-6 / Double(load.steps)
      // A flop in a nanosecond is a gigaflop in a second.
      let rate = flops > 0 ? flops / mean : nil
      return [
        Row(
          layer: layer?.name, kind: layer?.kind, pass: pass, milliseconds: milliseconds,
          shareOfStep: milliseconds / max(millisecondsPerStep, .leastNormalMagnitude), gigaflopsPerSecond: rate,
          gigabytesPerSecond: bytes > 0 ? bytes / mean : nil,
          shareOfPeak: rate.map { $0 / max(peak, .leastNormalMagnitude) }, imbalance: (times.max() ?? mean) / mean)
      ]
    }
  }

  /// Flops, and bytes that have to be read and written at least once, of all timed steps.
  private struct Counts {
    let plan: ExecutionPlan
    let load: StepProfiler.Load

    func flops(_ layer: Int, _ pass: WorkerClock.LayerPass) -> Double {
      // The gradient of a dense layer's weight has a term for its tangents, and one for each layer that is tied to it,
      // which then has none.
      let use = plan.uses[layer]
      let times =
        switch pass {
        case .gradient where !use.isSharded: plan.products.first { $0.use == layer && $0.rows > 1 }?.terms.count ?? 0
        case .forward where plan.contrastiveDivergence != nil:
          plan.contrastiveDivergence?.forwardPasses(of: layer) ?? 0
        default: plan.tangents.contains(layer) ? 2 : 1
        }
      return 2 * Double(plan.uses[layer].layer.multiplyAdds * times) * Double(load.samples)
    }

    func bytes(_ use: Use, _ pass: WorkerClock.LayerPass) -> Double {
      let layer = use.layer
      let kept = pass == .gradient ? 0 : layer.stateCount
      // A tied layer reads the weight of another.
      let parameters = max(layer.parameterCount, use.isSharded ? 0 : layer.preparedCount)
      // A gradient for each shard, weights once for each minibatch.
      let times = pass == .gradient && use.isSharded ? load.shards : load.minibatches
      return 4
        * (Double(layer.input.count + layer.output.count + kept) * Double(load.samples)
          + Double(parameters) * Double(times))
    }

    func bytes(_ work: WorkerClock.Work, moments: Int) -> Double {
      let (input, output) = (plan.model.input.count, plan.outputShape.count)
      let target = plan.model.likelihood.target == .image ? input : 1
      return switch work {
      case .input: 4 * Double(input * load.samples)
      case .preparation, .exchange: 0
      // The output, the target and the error.
      case .likelihood: 4 * Double((2 * output + target) * load.samples)
      // A gradient of each shard, and their sum.
      case .sums: 4 * Double(plan.shardedCount) * Double(load.shards + load.minibatches)
      // The gradient is read; weights and moments are read and written.
      case .updates: 4 * Double(plan.parameterCount) * Double(1 + 2 * (1 + moments)) * Double(load.steps)
      }
    }
  }
}

extension RunFolder {
  private static let profileName = "profile.json"

  /// The profile of the last session that was profiled; nil where there is none.
  public var profile: StepProfile? {
    try? JSONFile.read(StepProfile.self, from: file(Self.profileName), what: "no profile")
  }

  public func save(_ profile: StepProfile) throws(DataError) { try save(profile, as: Self.profileName) }
}
